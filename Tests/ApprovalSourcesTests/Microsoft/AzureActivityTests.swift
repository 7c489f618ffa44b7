import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Azure activity log")
struct AzureActivityTests {
    private static let fixture = MicrosoftFixture.azure
    private static let role = Entitlement(
        kind: .azureRole, id: "74959e02-96f9-5479-8843-096f4dc40542",
        scope: "/subscriptions/\(AuditRecordBuilder.subscription)", name: "Storage Blob Data Contributor")

    private static func record(_ index: Int) throws -> JSONValue {
        try #require(try fixture.example(0)["records"]?.array?[index])
    }

    @Test("An activation is opened, approved by another person, and started without an end")
    func activation() throws {
        let facts = Self.fixture.facts(try Self.fixture.example(0))
        #expect(facts.map(\.kind) == ["request.opened", "decision.approved", "grant.started"])
        #expect(facts.allSatisfy { $0.approvalID == MicrosoftFixture.approval && $0.entitlement == Self.role })
        #expect(facts.allSatisfy { $0.subject?.id == MicrosoftFixture.avery && $0.source == "azure.activity" })
        #expect(facts[0].requester?.upn == "avery.okafor@harborline.example")
        #expect(facts[0].justification?.text == "I need access to copy the export.")
        guard case .decisionApproved(let approver?) = facts[1].content else { return #expect(Bool(false)) }
        #expect(approver.id == MicrosoftFixture.mina && approver.kind == .human)
        #expect(facts[1].approverJustification?.text == "ok" && facts[1].requester == nil)
        #expect(facts[2].content == .grantStarted(notBefore: nil, notAfter: nil))
        #expect(Set(facts.compactMap(\.sourceEventID)).count == 3)
    }

    @Test("Denials are final, and an expiry ends the grant")
    func ends() throws {
        let denied = try #require(Self.fixture.facts(try Self.fixture.example(1)).first)
        guard case .decisionDenied(let approver?) = denied.content else { return #expect(Bool(false)) }
        #expect(approver.id == MicrosoftFixture.mina && denied.approverJustification?.text == "no")
        #expect(Self.fixture.what(try Self.fixture.example(2)) == ["grant.ended:expired"])
    }

    /// What the resource provider writes when a role assignment is deleted.
    private static let deletion: JSONValue = [
        "time": "2026-11-20T08:40:00.1Z", "category": "Administrative", "resultType": "Success",
        "operationName": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/DELETE",
        "resourceId": .string(
            "/SUBSCRIPTIONS/\(AuditRecordBuilder.subscription.uppercased())/PROVIDERS/MICROSOFT.AUTHORIZATION/"
                + "ROLEASSIGNMENTS/AB319FCD-6140-5785-9BF8-7687D1DD6B9C"),
        "properties": ["statusCode": "OK", "eventCategory": "Administrative"],
    ]

    private static let assignment =
        "/subscriptions/\(AuditRecordBuilder.subscription)/providers/microsoft.authorization/"
        + "roleassignments/ab319fcd-6140-5785-9bf8-7687d1dd6b9c"

    @Test("A role assignment that is deleted names the one of the activation, and nothing else")
    func deletedAssignments() throws {
        let started = try #require(Self.fixture.facts(try Self.fixture.example(0)).last)
        #expect(started.assignment?.text == Self.assignment)
        let end = try #require(Self.fixture.facts(Self.deletion).first)
        #expect(end.content == .grantEnded(.removedInDirectory) && end.assignment == started.assignment)
        #expect(end.approvalID == nil && end.subject == nil && end.byHolder == end)
        #expect(end.endedHolders == [PersonID("assignment:\(Self.assignment)")] && end.isMeantForApprovals)
        #expect(end.sourceEventID?.rawValue.hasPrefix("sha256:") == true)
        #expect(try Fact(json: end.json) == end)
        var state = ApprovalState(approvalID: MicrosoftFixture.approval)
        state.apply(started, from: SourceName("activity"), authenticity: .topic)
        #expect(state.isConcerned(by: end) && !state.isEnded)
        state.apply(end, from: SourceName("activity"), authenticity: .topic)
        #expect(state.isEnded)
        // A list prints both, and the end decides whichever of the two stands first.
        for records in [[try Self.fixture.example(0), Self.deletion], [Self.deletion, try Self.fixture.example(0)]] {
            let report = MappingReport(
                JSONWriter.bytes(.array(records)),
                mapping: SourceMapping(tenants: [MicrosoftFixture.tenant], entitlements: Self.map()),
                asOf: try #require(Timestamp(rfc3339: "2026-11-20T08:41:00Z")))
            #expect(report.outcomes.map(\.assessment.state) == [.ended])
        }
    }

    /// What decides whether a role has to be approved, as the resource provider writes it.
    @Test(
        "A changed policy is told where a job class rests on a role of its scope",
        arguments: [
            ("ROLEMANAGEMENTPOLICIES/WRITE", nil, "Success", true),
            ("roleManagementPolicies/delete", nil, "Succeeded", true),
            ("roleManagementPolicyAssignments/write", nil, "Success", true),
            (
                "roleManagementPolicyAssignments/delete", "/subscriptions/\(AuditRecordBuilder.subscription)",
                "Success", true
            ),
            ("roleManagementPolicies/write", "/subscriptions/another", "Success", false),
            ("roleManagementPolicies/write", nil, "Start", false),
            ("roleManagementPolicies/read", nil, "Success", false),
        ] as [(String, String?, String, Bool)])
    func policies(operation: String, mapped: String?, result: String, isTold: Bool) throws {
        var configuration = Self.fixture.configuration()
        configuration.mapping = SourceMapping(
            tenants: [MicrosoftFixture.tenant], entitlements: Self.map(scope: mapped))
        let record = Self.deletion.setting("operationName", .string("Microsoft.Authorization/\(operation)"))
            .setting("resultType", .string(result))
            .setting(
                "resourceId",
                .string(
                    "/subscriptions/\(AuditRecordBuilder.subscription)/providers/Microsoft.Authorization/"
                        + "roleManagementPolicies/p"))
        let fact = try #require(Self.fixture.reading(record, configuration).only)
        #expect(fact.kind == "ignored" && fact.changesSettings == isTold && fact.assignment == nil)
        let stranger = record.setting("tenantId", "another")
        #expect(Self.fixture.reading(stranger, configuration).only?.changesSettings == false)
    }

    private static func map(scope: String? = nil) -> EntitlementMap {
        EntitlementMap(entries: [.init(kind: .azureRole, id: role.id, scope: scope, jobClass: JobClass("blob_writer"))])
    }

    @Test(
        "A deletion that failed, of another tenant, without a path or at another scope ends nothing",
        arguments: [
            ("resultType", "Failure", "ignored:result_not_success"),
            ("resultType", "Start", "ignored:result_not_success"),
            ("tenantId", "11111111-2222-4333-8444-555555555555", "rejected:unknown_tenant"),
            ("resourceId", nil, "rejected:malformed"), ("resourceId", "/subscriptions/x", "rejected:malformed"),
            ("time", "yesterday", "rejected:unparseable_time"),
        ] as [(String, JSONValue?, String)])
    func deletionsThatEndNothing(member: String, value: JSONValue?, what: String) {
        #expect(Self.fixture.what(Self.deletion.setting(member, value)) == [what])
    }

    @Test("Deletions count where a class rests on a role of their scope, or of every scope")
    func mappedDeletions() {
        let subscription = "/subscriptions/\(AuditRecordBuilder.subscription)"
        for (map, kind) in [
            (Self.map(), "grant.ended"), (Self.map(scope: subscription.uppercased()), "grant.ended"),
            (Self.map(scope: "/subscriptions/other"), "ignored"), (EntitlementMap(), "ignored"),
        ] {
            var configuration = Self.fixture.configuration()
            configuration.mapping = SourceMapping(tenants: [MicrosoftFixture.tenant], entitlements: map)
            let fact = Self.fixture.reading(Self.deletion, configuration).facts.first
            #expect(fact?.kind == kind)
            if kind == "ignored" { #expect(fact?.content == .ignored(why: "assignment_not_mapped")) }
        }
    }

    @Test("Casing of names, values and categories does not matter")
    func casings() throws {
        let record = try Self.record(1)
        let reference = try #require(Self.fixture.facts(record).first)
        for renamed in [record.renamingKeys { $0.lowercased() }, record.renamingKeys { $0.uppercased() }] {
            let fact = try #require(Self.fixture.facts(renamed).first)
            #expect(fact.content == reference.content && fact.approvalID == reference.approvalID)
            #expect(fact.entitlement == reference.entitlement)
        }
        let shouted =
            record.setting("category", "ADMINISTRATIVE").setting("resultType", "SUCCEEDED")
            .setting("properties.TenantID", .string(MicrosoftFixture.tenant.uppercased()))
            .setting("properties.RoleAssignmentRequestId", .string(MicrosoftFixture.request.uppercased()))
        #expect(Self.fixture.facts(shouted).first?.approvalID == MicrosoftFixture.approval)
        let printed = record.setting("properties", .string(JSONWriter.text(try #require(record["properties"]))))
        #expect(Self.fixture.facts(printed).first?.content == reference.content)
    }

    @Test("The vendor's time formats are read, and others reject the record")
    func times() throws {
        let record = try Self.record(1)
        for text in ["2026-11-20T08:25:01.4Z", "2026-11-20T09:25:01.4+01:00", "11/20/2026 8:25:01.4 AM"] {
            let time = Self.fixture.facts(record.setting("time", .string(text))).first?.occurredAt
            #expect(time == Timestamp(rfc3339: "2026-11-20T08:25:01.4Z"), "\(text)")
        }
        for value in ["yesterday", "", 1_795_165_200, nil] as [JSONValue?] {
            #expect(Self.fixture.what(record.setting("time", value)) == ["rejected:unparseable_time"])
        }
    }

    @Test("A caller without a principal name, an application and no caller at all count for nobody")
    func callers() throws {
        let record = try Self.record(1)
        func approver(_ pairs: [(String, String)]) throws -> Actor? {
            let info = JSONValue.array(
                pairs.map { ["CallerIdentityType": .string($0.0), "CallerIdentityValue": .string($0.1)] })
            for value in [.string(JSONWriter.text(info)), info] as [JSONValue] {
                let fact = try #require(Self.fixture.facts(record.setting("properties.CallerInfo", value)).first)
                guard case .decisionApproved(let approver) = fact.content else { return nil }
                if value == info { return approver }
            }
            return nil
        }
        #expect(try approver([("objectid", "A"), ("upn", "a@x.example")])?.kind == .human)
        #expect(try approver([("ObjectID", "A"), ("UPN", "a@x.example"), ("ObjectClass", "user")])?.kind == .human)
        #expect(try approver([("ObjectID", "A")])?.kind == .system)
        #expect(
            try approver([("ObjectID", "A"), ("UPN", "a@x.example"), ("ObjectClass", "ServicePrincipal")])?.kind
                == .system)
        #expect(try approver([("UPN", "a@x.example")]) == nil)
        #expect(try approver([]) == nil)
        for broken in ["{", "[1", "\"a\"", .string(String(repeating: "[", count: 4_000))] as [JSONValue] {
            #expect(Self.fixture.what(record.setting("properties.CallerInfo", broken)) == ["rejected:malformed"])
        }
    }

    @Test(
        "The scope is what the record states exactly, and nothing where it does not",
        arguments: [
            ("subscription", "/SUBSCRIPTIONS/S", "S", nil, "/subscriptions/s"),
            ("subscription", "/subscriptions/other", "S", nil, nil),
            ("subscription", nil, "S", nil, "/subscriptions/s"),
            ("resourcegroup", "/SUBSCRIPTIONS/S", "S", nil, nil),
            ("resourcegroup", "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/", "S", nil, "/subscriptions/s/resourcegroups/r"),
            ("resourcegroup", "/SUBSCRIPTIONS/X/RESOURCEGROUPS/R", "S", nil, nil),
            (
                "managementgroup", "/providers/Microsoft.Management/managementGroups/M", nil, nil,
                "/providers/microsoft.management/managementgroups/m"
            ),
            (
                "subscription", "/SUBSCRIPTIONS/S", "S",
                "/subscriptions/S/resourceGroups/R/providers/Microsoft.Authorization/roleAssignments/A",
                "/subscriptions/s/resourcegroups/r"
            ),
            (nil, nil, nil, nil, nil),
        ] as [(String?, String?, String?, String?, String?)])
    func scopes(type: String?, resource: String?, subscription: String?, assignment: String?, scope: String?) throws {
        let record = try Self.record(1).setting("properties.ResourceType", .optional(type))
            .setting("resourceId", .optional(resource)).setting("properties.SubscriptionID", .optional(subscription))
            .setting("properties.OriginRoleAssignmentId", .optional(assignment))
        #expect(Self.fixture.facts(record).first?.entitlement?.scope == scope)
    }

    @Test(
        "What is not an approval, did not happen or is another tenant's gives no grant",
        arguments: [
            ("category", "Security", "ignored:not_audit_category"),
            ("operationName", "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "ignored:not_pim"),
            ("operationName", "Add member to role someday (PIM activation)", "ignored:unknown_activity"),
            ("resultType", "Failed", "ignored:result_not_success"),
            ("resultType", "Start", "ignored:result_not_success"),
            ("properties.TenantID", "another", "rejected:unknown_tenant"),
            ("properties.TenantID", nil, "rejected:tenant_mismatch"),
            ("tenantId", "another", "rejected:tenant_mismatch"),
            ("properties.RoleAssignmentRequestId", nil, "rejected:no_request_id"),
            ("properties.RoleAssignmentRequestId", "../../x", "rejected:no_request_id"),
            ("properties", nil, "rejected:malformed"), ("properties", 7, "rejected:malformed"),
            ("category", nil, "rejected:malformed"),
        ] as [(String, JSONValue?, String)])
    func refusals(path: String, value: JSONValue?, what: String) throws {
        #expect(Self.fixture.what(try Self.record(1).setting(path, value)) == [what])
    }
}
