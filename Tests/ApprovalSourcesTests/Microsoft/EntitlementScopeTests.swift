import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

/// What an audit record is about, told by identifiers alone.
@Suite("Entitlements of audit records")
struct EntitlementScopeTests {
    private typealias Builder = AuditRecordBuilder
    private static let blobWriter = "74959e02-96f9-5479-8843-096f4dc40542"
    private static let sandbox = "11111111-2222-4333-8444-555555555555"
    private static let path = "/subscriptions/\(Builder.subscription)"
    private static let activated = Builder("Add member to role completed (PIM activation)").with {
        $0.category = "ResourceManagement"
        $0.targets = [Builder.target("Role", blobWriter, "Storage Blob Data Contributor"), Builder.person]
    }

    private static func configuration(_ lines: [EntitlementMap.Entry]) -> SourceConfiguration {
        var configuration = Builder.configuration
        configuration.mapping = SourceMapping(
            tenants: [Builder.tenant], entitlements: EntitlementMap(entries: lines))
        return configuration
    }

    private static func line(_ scope: String?) -> EntitlementMap.Entry {
        .init(kind: .azureRole, id: blobWriter.uppercased(), scope: scope, jobClass: JobClass("blob_writer"))
    }

    @Test(
        "A display name that is a path is nobody's scope",
        arguments: [
            "User", "ServicePrincipal", "Group", "Application", "Directory", "Other", "Subscription", "Resource",
        ])
    func names(type: String) {
        let spoofed = Self.activated.with {
            $0.targets.insert(Builder.target(type, Builder.group, Self.path), at: 0)
            $0.targets.append(Builder.target("Subscription", Self.sandbox, "sandbox"))
        }
        let scope = spoofed.fact()?.entitlement?.scope
        #expect(scope != Self.path)
        if type != "Subscription" { #expect(scope == "/subscriptions/\(Self.sandbox)") }
    }

    @Test("The identifier of a person or a group is no scope", arguments: ["User", "Group", "ServicePrincipal"])
    func holders(type: String) {
        let record = Self.activated.with { $0.targets.append(Builder.target(type, Self.path)) }
        #expect(record.fact()?.entitlement?.scope == nil)
    }

    @Test("A path in a name makes no Azure role of a role of the directory")
    func kinds() throws {
        let honest = Builder("Add member to role completed (PIM activation)")
        let spoofed = honest.with { $0.targets[2] = Builder.target("User", Builder.subject, Self.path) }
        let entitlement = try #require(spoofed.fact()?.entitlement)
        #expect(entitlement == honest.fact()?.entitlement && entitlement.kind == .entraRole)
        let uncategorised = spoofed.with { $0.category = "ApplicationManagement" }
        #expect(uncategorised.fact()?.entitlement?.kind == .entraRole)
        let azure = uncategorised.with {
            $0.details.append(
                (
                    "RoleDefinitionOriginId",
                    "\(Self.path)/providers/Microsoft.Authorization/roleDefinitions/\(Self.blobWriter)"
                ))
        }
        #expect(azure.fact()?.entitlement?.kind == .azureRole)
        #expect(azure.fact()?.entitlement?.scope == nil)
    }

    @Test("A subscription that a target of no known type names counts where it is the role's only mapped scope")
    func mappedSubscription() {
        let record = Self.activated.with { $0.targets.append(Builder.target("Other", Builder.subscription, "sandbox")) }
        func scope(_ lines: [EntitlementMap.Entry], _ record: Builder) -> String? {
            record.fact(Self.configuration(lines))?.entitlement?.scope
        }
        let other = Self.line("/subscriptions/\(Self.sandbox)")
        #expect(record.fact()?.entitlement?.scope == nil)
        #expect(scope([Self.line(Self.path), other], record) == Self.path)
        #expect(scope([Self.line(Self.path.uppercased())], record) == Self.path)
        #expect(scope([other], record) == nil)
        #expect(scope([Self.line(nil)], record) == nil)
        #expect(scope([Self.line("\(Self.path)/resourcegroups/data")], record) == nil)
        #expect(scope([Self.line(Self.path), Self.line("\(Self.path)/resourcegroups/data")], record) == nil)
        let narrower = record.with { $0.targets.append(Builder.target("ResourceGroup", Builder.group, "data")) }
        #expect(scope([Self.line(Self.path)], narrower) == nil)
        let typed = record.with { $0.details.append(("ResourceType", "resourcegroup")) }
        #expect(scope([Self.line(Self.path)], typed) == nil)
        let both = record.with { $0.targets.append(Builder.target("Other", Self.sandbox)) }
        #expect(scope([Self.line(Self.path), other], both) == nil)
        let named = Self.activated.with {
            $0.targets.append(Builder.target("Other", Builder.group, Builder.subscription))
        }
        #expect(scope([Self.line(Self.path)], named) == nil)
    }

    @Test("A mapped package under a type that is not known is the package, if it is the only one")
    func packages() {
        let second = "22222222-3333-4444-8555-666666666666"
        let record = Builder("Approve access package assignment request").with {
            $0.service = "Entitlement Management"
            $0.category = "EntitlementManagement"
            $0.targets = [
                Builder.target("Request", Builder.request), Builder.person,
                Builder.target("Other", Builder.package.uppercased(), "Vendor data export agent"),
            ]
        }
        let lines = [Builder.package, second].map {
            EntitlementMap.Entry(kind: .accessPackage, id: $0, jobClass: JobClass("vendor_data_export"))
        }
        #expect(record.fact(Self.configuration(lines))?.entitlement?.id == Builder.package)
        #expect(record.fact(Self.configuration([lines[1]]))?.entitlement == nil)
        #expect(record.fact()?.entitlement == nil)
        let two = record.with { $0.targets.append(Builder.target("Other", second)) }
        #expect(two.fact(Self.configuration(lines))?.entitlement == nil)
        let person = record.with { $0.targets[2] = Builder.target("User", Builder.package) }
        #expect(person.fact(Self.configuration(lines))?.entitlement == nil)
    }

    @Test("A byte order mark and a repeated member cost nothing but themselves")
    func damage() throws {
        let text = JSONWriter.text(["records": [Self.activated.json, Self.activated.json]])
        let marked = Builder.reading([0xEF, 0xBB, 0xBF] + Array(text.utf8))
        #expect(marked.facts.count == 2 && marked.facts.allSatisfy { $0.kind == "grant.started" })
        let repeated = text.replacing("\"result\":\"success\"", with: "\"result\":\"failure\",\"result\":\"success\"")
        #expect(repeated != text)
        #expect(Builder.reading(Array(repeated.utf8)).facts.map(\.kind) == ["grant.started", "grant.started"])
        let report = MappingReport(
            [0xEF, 0xBB, 0xBF] + Array(text.utf8), mapping: SourceMapping(tenants: [Builder.tenant]), asOf: Builder.now)
        #expect(report.facts.map(\.fact.kind) == ["grant.started", "grant.started"])
    }

    @Test(
        "An approval or a window that other members call another step is rejected, an end is not",
        arguments: [
            ("Add member to role request approved (PIM activation)", "AuditType", "ActivateRole", true),
            ("Add member to role request approved (PIM activation)", "EventName", "ApproveRequest", false),
            ("Add member to role completed (PIM activation)", "AuditType", "activateRole", false),
            ("Add member to role completed (PIM activation)", "AuditType", "RemoveActivatedRole", true),
            ("Add member to role completed (PIM activation)", "ActionType", "Revoke", true),
            ("Add member to role completed (PIM activation)", "ActionType", "Grant", false),
            ("Add member to role requested (PIM activation)", "EventName", "CreateRequestRoleActivation", false),
            ("Add member to role requested (PIM activation)", "EventName", "ActivateRole", true),
            ("Remove member from role (PIM activation expired)", "AuditType", "ActivateRole", false),
            ("Remove member from role completed (PIM deactivate)", "ActionType", "Grant", false),
        ])
    func crossCheck(activity: String, name: String, value: String, isRejected: Bool) throws {
        let fact = try #require(Builder(activity).with { $0.details.append((name, value)) }.fact())
        #expect((fact.content == .rejected(why: "contradictory_record")) == isRejected)
    }
}
