import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Entitlement management callouts")
struct EntitlementManagementTests {
    private static let fixture = MicrosoftFixture.packages
    private static let approval = ApprovalID(
        "entra-em/\(MicrosoftFixture.tenant)/b17aded6-2942-5560-ab07-842b81e8882b")
    private static let package = Entitlement(
        kind: .accessPackage, id: AuditRecordBuilder.package, name: "Vendor data export agent")

    @Test("An approval names no approver")
    func approved() throws {
        let fact = try #require(Self.fixture.facts(try Self.fixture.example(0)).first)
        #expect(fact.content == .decisionApproved(approver: nil) && fact.approvalID == Self.approval)
        #expect(fact.subject?.id == MicrosoftFixture.avery && fact.requester?.id == MicrosoftFixture.avery)
        #expect(fact.entitlement == Self.package && fact.source == "entra.em")
        #expect(fact.ticket == Ticket(system: nil, number: "CHG0034599"))
        #expect(fact.occurredAt == Timestamp(rfc3339: "2026-11-20T09:00:20Z"))
    }

    @Test("A removal names the assignment of the delivery, and needs nothing else")
    func removals() throws {
        let granted = try Self.fixture.example(1).setting("body.assignment.id", "3375E8AF-C2C4-5176-A567-EAE1903D9625")
        let started = try #require(Self.fixture.facts(granted).first)
        let assignment = AssignmentID("entra-em/\(MicrosoftFixture.tenant)/3375e8af-c2c4-5176-a567-eae1903d9625")
        #expect(started.assignment == assignment && assignment != nil)
        let removed = granted.setting("body.stage", "assignmentRequestRemoved")
            .setting("body.accessPackageAssignmentRequestId", "d27aded6-2942-5560-ab07-842b81e88822")
            .setting("body.requestor", nil).setting("body.accessPackage", nil).setting("body.assignment.target", nil)
        let end = try #require(Self.fixture.facts(removed).first)
        #expect(end.content == .grantEnded(.removed) && end.assignment == assignment)
        #expect(end.approvalID == nil && end.subject == nil && end.entitlement == nil && end.isMeantForApprovals)
        var state = ApprovalState(approvalID: Self.approval)
        state.apply(started, from: SourceName("em"), authenticity: .topic)
        #expect(state.isConcerned(by: end))
        // A person alone is not named: it would end whatever that person holds.
        let person = removed.setting("body.requestor", granted["body"]?["requestor"])
        let byPerson = try #require(Self.fixture.facts(person).first)
        #expect(byPerson.subject != nil && byPerson.byHolder?.subject == nil)
        let nothing = removed.setting("body.assignment.id", nil)
        #expect(Self.fixture.facts(nothing).first?.content == .rejected(why: "no_subject"))
    }

    @Test("A delivery opens the window of the assignment's schedule")
    func granted() throws {
        let fact = try #require(Self.fixture.facts(try Self.fixture.example(1)).first)
        #expect(
            fact.content
                == .grantStarted(
                    notBefore: Timestamp(rfc3339: "2026-11-20T09:00:00Z"),
                    notAfter: Timestamp(rfc3339: "2026-11-20T13:00:00Z")))
    }

    @Test(
        "The end of a schedule is reckoned in seconds, or there is none",
        arguments: [
            ("PT4H", 14_400), ("P1D", 86_400), ("P1DT1H1M1S", 90_061), ("pt90m", 5_400), ("PT1.5S", 1),
            ("P2W", 1_209_600),
            ("P1M", nil), ("P1Y", nil), ("PT", nil), ("P", nil), ("4H", nil), ("PT1M1H", nil), ("PT-1H", nil),
            ("PT99999999999H", nil), ("PT0S", nil), ("P1H", nil), ("PT1.5H", nil),
        ] as [(String, Int64?)])
    func durations(text: String, seconds: Int64?) throws {
        let callout = try Self.fixture.example(1).setting(
            "body.assignment.schedule.expiration.duration", .string(text))
        let fact = try #require(Self.fixture.facts(callout).first)
        guard let seconds else { return #expect(fact.content == .rejected(why: "unparseable_time")) }
        guard case .grantStarted(let start?, let end?) = fact.content else { return #expect(Bool(false)) }
        #expect(end.seconds(since: start) == seconds)
    }

    @Test("A schedule without an end leaves the window open, and one that does not read rejects")
    func schedules() throws {
        let granted = try Self.fixture.example(1)
        let path = "body.assignment.schedule"
        func end(_ callout: JSONValue) -> Timestamp?? {
            guard case .grantStarted(_, let end)? = Self.fixture.facts(callout).first?.content else { return nil }
            return .some(end)
        }
        let dated = granted.setting(
            "\(path).expiration", ["type": "AfterDateTime", "endDateTime": "2026-11-20T10:00:00Z"])
        #expect(end(dated) == .some(Timestamp(rfc3339: "2026-11-20T10:00:00Z")))
        #expect(end(granted.setting("\(path).expiration.type", "noExpiration")) == .some(nil))
        #expect(end(granted.setting("\(path).expiration.type", "untilFurtherNotice")) == .some(nil))
        #expect(end(granted.setting(path, nil)) == .some(nil))
        #expect(
            Self.fixture.what(granted.setting("\(path).startDateTime", "noon")) == ["rejected:unparseable_time"])
    }

    @Test("A removal with the keys of a Logic App ends what the subject holds of the package")
    func removed() throws {
        let fact = try #require(Self.fixture.facts(try Self.fixture.example(2)).first)
        #expect(fact.content == .grantEnded(.removed) && fact.approvalID == nil)
        #expect(fact.subject?.id == MicrosoftFixture.avery && fact.entitlement == Self.package)
    }

    @Test(
        "Stage, type and state decide together",
        arguments: [
            ("stage", "assignmentRequestCreated", "request.opened"),
            ("stage", "AssignmentRequestGranted", "grant.started"),
            ("stage", "assignmentOneDayBeforeExpiration", "ignored:pim_administration"),
            ("stage", "assignmentRequestReconsidered", "ignored:unknown_activity"),
            ("state", "denied", "decision.denied"), ("state", "canceled", "decision.canceled"),
            ("state", "deliveryFailed", "ignored:result_not_success"),
            ("requestType", "userExtend", "ignored:intermediate_step"),
            ("requestType", "adminAdd", "ignored:intermediate_step"),
            ("accessPackageAssignmentRequestId", nil, "rejected:no_request_id"),
            ("stage", nil, "rejected:malformed"), ("answers", "x", "decision.approved"),
        ] as [(String, JSONValue?, String)])
    func stages(member: String, value: JSONValue?, what: String) throws {
        #expect(Self.fixture.what(try Self.fixture.example(0).setting("body.\(member)", value)) == [what])
    }

    @Test(
        "A delivery opens the window only when it is one",
        arguments: [
            ("delivered", "grant.started"), ("Delivering", "grant.started"), (nil, "grant.started"),
            ("partiallyDelivered", "request.opened"), ("pendingApproval", "request.opened"),
            ("unknownFutureValue", "request.opened"), ("denied", "decision.denied"),
            ("canceled", "decision.canceled"), ("deliveryFailed", "ignored:result_not_success"),
        ] as [(JSONValue?, String)])
    func deliveries(state: JSONValue?, what: String) throws {
        #expect(Self.fixture.what(try Self.fixture.example(1).setting("body.state", state)) == [what])
    }

    @Test("What an administrator assigns is direct, and an extension changes the window")
    func grantedByOthers() throws {
        func what(_ type: JSONValue) throws -> [String] {
            Self.fixture.what(try Self.fixture.example(1).setting("body.requestType", type))
        }
        #expect(try what("adminAdd") == ["grant.direct"])
        #expect(try what("userExtend") == ["grant.changed"])
        #expect(try what("systemRemove") == ["grant.ended:removed"])
        #expect(try what("somethingNew") == ["ignored:unknown_activity"])
    }

    @Test("A redelivery is the same event; the wrapper's tenant and time must read")
    func wrapper() throws {
        let callout = try Self.fixture.example(0)
        let first = try #require(Self.fixture.facts(callout).first)
        let again = Self.fixture.facts(callout.setting("receivedAt", "2026-11-20T09:05:00Z")).first
        #expect(again?.sourceEventID == first.sourceEventID && again?.recordDigest == first.recordDigest)
        #expect(Self.fixture.what(callout.setting("tenantId", "x")) == ["rejected:unknown_tenant"])
        #expect(Self.fixture.what(callout.setting("tenantId", nil)) == ["rejected:tenant_mismatch"])
        #expect(Self.fixture.what(callout.setting("receivedAt", nil)) == ["rejected:unparseable_time"])
        #expect(Self.fixture.what(callout.setting("body", 3)) == ["rejected:malformed"])
    }
}
