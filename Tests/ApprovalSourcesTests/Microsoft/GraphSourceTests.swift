import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Objects of Microsoft Graph")
struct GraphSourceTests {
    private static let fixture = MicrosoftFixture.graph
    private static let role = Entitlement(kind: .entraRole, id: AuditRecordBuilder.role, scope: "/")
    private static let start = Timestamp(rfc3339: "2026-11-20T09:10:47.01Z")
    private static let end = Timestamp(rfc3339: "2026-11-20T10:10:45.843Z")

    private static func granted() throws -> JSONValue { try fixture.example(0) }

    @Test("A provisioned request is an approval by its reviewer, and a window that is its instance's")
    func granted() throws {
        let facts = Self.fixture.facts(try Self.granted())
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        #expect(facts.allSatisfy { $0.approvalID == MicrosoftFixture.approval && $0.entitlement == Self.role })
        #expect(facts[0].occurredAt == Timestamp(rfc3339: "2026-11-20T09:07:04.546Z"))
        #expect(facts[0].requester?.id == MicrosoftFixture.avery)
        #expect(facts[0].ticket == Ticket(system: "ServiceNow", number: "CHG0034521"))
        guard case .decisionApproved(let approver?) = facts[0].content else { return #expect(Bool(false)) }
        #expect(approver.id == MicrosoftFixture.mina && approver.kind == .human)
        #expect(facts[1].content == .grantStarted(notBefore: Self.start, notAfter: Self.end))
    }

    @Test("The shapes of both versions, and of groups, say the same")
    func versions() throws {
        let beta = Self.fixture.facts(try Self.granted())
        let group = Self.fixture.facts(try Self.fixture.example(1))
        #expect(group.map(\.kind) == beta.map(\.kind))
        #expect(group[0].content == beta[0].content && group[1].content == beta[1].content)
        #expect(group[0].entitlement == Entitlement(kind: .group, id: AuditRecordBuilder.group, scope: "member"))
        let steps = try #require(try Self.granted()["approval"]?["steps"])
        let v1 = try Self.granted().setting("approval", ["stages": steps.setting("0.reviewResult", "Approved")])
        #expect(Self.fixture.facts(v1)[0].content == beta[0].content)
        let shouted = try Self.granted().renamingKeys { $0.uppercased() }
        #expect(Self.fixture.facts(shouted).map(\.content) == beta.map(\.content))
    }

    @Test(
        "Only a known status makes more of a request than an open one",
        arguments: [
            ("PendingApproval", ["decision.approved"]), ("PendingProvisioning", ["decision.approved"]),
            ("PendingApprovalProvisioning", ["decision.approved"]), ("SomethingOfTheFuture", ["decision.approved"]),
            ("Granted", ["decision.approved"]), ("ScheduleCreated", ["decision.approved"]),
            ("provisioned", ["decision.approved", "grant.started"]), ("Denied", ["decision.denied"]),
            ("Canceled", ["decision.canceled"]), ("TimedOut", ["decision.timed_out"]),
            ("Failed", ["ignored:result_not_success"]), ("Revoked", ["grant.ended:removed"]),
        ])
    func statuses(status: String, what: [String]) throws {
        #expect(Self.fixture.what(try Self.granted().setting("request.status", .string(status))) == what)
        let open = what.map { $0 == "decision.approved" ? "request.opened" : $0 }
        let unanswered = try Self.granted().setting("request.status", .string(status)).setting("approval", nil)
        #expect(
            Self.fixture.what(unanswered) == (open == ["request.opened", "grant.started"] ? ["grant.started"] : open))
    }

    @Test("A step that is open, unknown or a no is no yes")
    func steps() throws {
        let open = try Self.granted().setting("request.status", "PendingApproval")
        for (path, value) in [
            ("approval.steps.0.status", "InProgress"), ("approval.steps.0.reviewResult", "NotReviewed"),
            ("approval.steps.0.reviewResult", "ApproveAsAdvised"), ("approval.steps", []),
        ] as [(String, JSONValue)] {
            #expect(Self.fixture.what(open.setting(path, value)) == ["request.opened"], "\(path)")
        }
        #expect(Self.fixture.kinds(open.setting("approval.steps.0.reviewResult", "Deny")) == ["decision.denied"])
        let step = try #require(open["approval"]?["steps"]?.array?.first)
        let two = open.setting("approval.steps", .array([step, step.setting("status", "InProgress")]))
        #expect(Self.fixture.what(two) == ["request.opened"])
        let nobody = Self.fixture.facts(open.setting("approval.steps.0.reviewedBy", nil))
        #expect(nobody.map(\.content) == [.decisionApproved(approver: nil)])
        let nameless = open.setting("approval.steps.0.reviewedBy", ["id": "2dd18507", "displayName": "Azure AD PIM"])
        guard case .decisionApproved(let approver?) = try #require(Self.fixture.facts(nameless).first).content else {
            return #expect(Bool(false))
        }
        #expect(approver.kind == .system)
        #expect(
            Self.fixture.what(open.setting("approval.steps.0.reviewedDateTime", "soon")) == ["rejected:malformed"])
        #expect(
            Self.fixture.what(open.setting("approval.steps.0.reviewedDateTime", nil))
                == ["rejected:unparseable_time"])
        #expect(Self.fixture.what(open.setting("approval.id", "another")) == ["rejected:malformed"])
    }

    @Test("An instance of another schedule is no window, and one that contradicts its request is refused")
    func instances() throws {
        func window(_ wrapper: JSONValue) -> Fact.Content? { Self.fixture.facts(wrapper).last?.content }
        let none = Fact.Content.grantStarted(notBefore: nil, notAfter: nil)
        let granted = try Self.granted()
        #expect(window(granted.setting("instance", nil)) == none)
        #expect(window(granted.setting("instance.roleAssignmentScheduleId", "another")) == none)
        for (path, value) in [
            ("principalId", "another"), ("roleDefinitionId", "another"), ("directoryScopeId", "/administrativeUnits/a"),
            ("assignmentType", "Assigned"), ("endDateTime", "later"),
        ] as [(String, JSONValue)] {
            #expect(Self.fixture.what(granted.setting("instance.\(path)", value)) == ["rejected:malformed"], "\(path)")
        }
        let instance = try #require(granted["instance"])
        let longer = instance.setting("endDateTime", "2026-11-20T12:00:00Z")
        let many = granted.setting("instance", nil).setting("instances", ["value": .array([longer, instance])])
        #expect(window(many) == .grantStarted(notBefore: Self.start, notAfter: Self.end))
        #expect(
            window(granted.setting("instance.endDateTime", nil)) == .grantStarted(notBefore: Self.start, notAfter: nil))
    }

    @Test("A deactivation and a removal end what their principal holds, by subject and entitlement")
    func removals() throws {
        let deactivation = try Self.fixture.example(4)
        let fact = try #require(Self.fixture.facts(deactivation).first)
        #expect(fact.content == .grantEnded(.deactivated) && fact.approvalID == nil)
        #expect(fact.subject?.id == MicrosoftFixture.avery && fact.entitlement == Self.role)
        let removal = deactivation.setting("request.action", "adminRemove")
        #expect(Self.fixture.what(removal) == ["grant.ended:removed"])
        #expect(
            Self.fixture.what(removal.setting("request.status", "PendingProvisioning")) == ["ignored:intermediate_step"]
        )
        #expect(Self.fixture.what(removal.setting("request.status", "Denied")) == ["ignored:result_not_success"])
        let eligibility = removal.setting(
            "request.@odata.type", "#microsoft.graph.unifiedRoleEligibilityScheduleRequest")
        #expect(Self.fixture.what(eligibility) == ["grant.ended:eligibility_removed"])
        #expect(
            Self.fixture.what(eligibility.setting("request.action", "adminAssign")) == ["ignored:pim_administration"])
    }

    @Test("Assignments, extensions, trials and actions of the future are no approvals")
    func otherActions() throws {
        func what(_ path: String, _ value: JSONValue) throws -> [String] {
            Self.fixture.what(try Self.granted().setting(path, value))
        }
        #expect(try what("request.action", "adminAssign") == ["grant.direct"])
        #expect(try what("request.action", "selfExtend") == ["grant.changed"])
        #expect(try what("request.action", "delegate") == ["ignored:unknown_activity"])
        #expect(try what("request.isValidationOnly", true) == ["ignored:validation_only"])
    }

    @Test(
        "What does not read is rejected",
        arguments: [
            ("tenantId", "another", "unknown_tenant"), ("tenantId", nil, "tenant_mismatch"),
            ("request", nil, "malformed"), ("request", "[", "malformed"), ("request.id", nil, "malformed"),
            ("request.id", "a/b", "malformed"), ("request.principalId", nil, "malformed"),
            ("request.roleDefinitionId", nil, "malformed"), ("request.groupId", "g", "malformed"),
            ("request.createdDateTime", "then", "malformed"), ("approval", 7, "malformed"),
            ("approval.steps", "x", "malformed"),
        ] as [(String, JSONValue?, String)])
    func refusals(path: String, value: JSONValue?, why: String) throws {
        #expect(Self.fixture.what(try Self.granted().setting(path, value)) == ["rejected:\(why)"])
    }

    @Test("The same answer is the same event whenever it was asked for, and another answer is another")
    func identity() throws {
        let granted = try Self.granted()
        let first = try #require(Self.fixture.facts(granted).first)
        let again = Self.fixture.facts(granted.setting("polledAt", "2026-11-21T00:00:00Z")).first
        #expect(again?.sourceEventID == first.sourceEventID && again?.recordDigest == first.recordDigest)
        let other = Self.fixture.facts(granted.setting("instance.endDateTime", "2026-11-20T10:00:00Z")).first
        #expect(other?.sourceEventID != first.sourceEventID)
    }

    @Test("Who leaves a mapped group has lost what rests on it; who joins has gained nothing")
    func notifications() throws {
        let notification = try Self.fixture.example(5)
        let fact = try #require(Self.fixture.facts(notification).first)
        #expect(fact.content == .grantEnded(.removedInDirectory) && fact.approvalID == nil)
        #expect(fact.entitlement == Entitlement(kind: .group, id: AuditRecordBuilder.group, scope: "member"))
        #expect(fact.occurredAt == Timestamp(rfc3339: "2026-11-20T09:40:01Z"))
        let path = "body.value.0.resourceData"
        let joined = notification.setting("\(path).members@delta.0.@removed", nil)
        #expect(Self.fixture.what(joined) == ["ignored:effect_follows"])
        #expect(
            Self.fixture.what(notification.setting("body.value.0.tenantId", "another")) == ["rejected:tenant_mismatch"])
        #expect(Self.fixture.what(notification.setting("receivedAt", nil)) == ["rejected:unparseable_time"])
        let untyped = notification.setting("\(path).@odata.type", nil)
        for resource in ["groups/x", "/groups/x", "Groups('x')", "/groups('x')"] {
            let named = untyped.setting("body.value.0.resource", .string(resource))
            #expect(Self.fixture.what(named) == Self.fixture.what(notification), "\(resource)")
        }
        #expect(Self.fixture.what(untyped.setting("body.value.0.resource", "/groupsettings/x")) == ["ignored:not_pim"])
        #expect(
            Self.fixture.what(notification.setting("\(path).@odata.type", "#Microsoft.Graph.User"))
                == ["ignored:not_pim"])
        var mapped = Self.fixture.configuration()
        mapped.mapping = SourceMapping()
        #expect(Self.fixture.reading(notification, mapped).only?.content == .ignored(why: "group_not_mapped"))
    }

    @Test(
        "A request for a package that was delivered is an approval by its reviewer, under the name that callouts have")
    func package() throws {
        let package = try Self.fixture.example(6)
        let facts = Self.fixture.facts(package)
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        let name = ApprovalID("entra-em/\(MicrosoftFixture.tenant)/c9fcd761-3cf2-539b-b8cb-e69d28ed9332")
        #expect(facts.allSatisfy { $0.approvalID == name && $0.subject?.id == MicrosoftFixture.avery })
        #expect(facts.allSatisfy { $0.entitlement?.kind == .accessPackage })
        guard case .decisionApproved(let approver?) = facts[0].content else { return #expect(Bool(false)) }
        #expect(approver.id == MicrosoftFixture.mina && approver.kind == .human)
        #expect(
            facts[1].content
                == .grantStarted(
                    notBefore: Timestamp(rfc3339: "2026-11-20T09:07:10Z"),
                    notAfter: Timestamp(rfc3339: "2026-11-20T13:07:10Z")))
        let beta = package.setting("request.state", nil).setting("request.requestState", "Delivered")
        #expect(Self.fixture.facts(beta).map(\.content) == facts.map(\.content))
    }

    @Test(
        "Only a known state makes more of a request for a package than an open one",
        arguments: [
            ("submitted", ["decision.approved"]), ("pendingApproval", ["decision.approved"]),
            ("partiallyDelivered", ["decision.approved"]), ("ofTheFuture", ["decision.approved"]),
            ("delivering", ["decision.approved"]), ("denied", ["decision.denied"]),
            ("canceled", ["decision.canceled"]), ("deliveryFailed", ["ignored:result_not_success"]),
        ])
    func packageStates(state: String, what: [String]) throws {
        #expect(Self.fixture.what(try Self.fixture.example(6).setting("request.state", .string(state))) == what)
    }

    @Test(
        "A package's assignment that is over, of another person or of another package gives no window",
        arguments: [
            ("instance.state", JSONValue.string("expired"), ["decision.approved", "grant.started"]),
            ("instance.target.objectId", .string("2dd18507-3fb7-5dd2-b44b-8880d5503efa"), ["rejected:malformed"]),
            ("instance.accessPackage.id", .string("3375e8af-c2c4-5176-a567-eae1903d9625"), ["rejected:malformed"]),
            ("request.requestType", .string("userRemove"), ["grant.ended:removed"]),
            ("request.requestType", .string("adminAdd"), ["grant.direct"]),
            ("request.requestType", .string("ofTheFuture"), ["ignored:unknown_activity"]),
            ("request.accessPackage", .null, ["rejected:malformed"]),
            ("request.requestor", .null, ["rejected:malformed"]),
        ])
    func packageFaults(path: String, value: JSONValue, what: [String]) throws {
        let package = try Self.fixture.example(6).setting(path, value)
        #expect(Self.fixture.what(package) == what)
        if path == "instance.state" {
            #expect(Self.fixture.facts(package).last?.content == .grantStarted(notBefore: nil, notAfter: nil))
        }
    }
}
