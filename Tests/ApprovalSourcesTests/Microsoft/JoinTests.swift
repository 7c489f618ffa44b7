import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

/// Several sources about one request: what they say together does not depend on order, delay or repetition.
@Suite("Several sources about one request")
struct JoinTests {
    private typealias Builder = AuditRecordBuilder
    private struct Said {
        let fact: Fact
        let source: SourceName
    }

    private static let map = EntitlementMap(entries: [
        .init(kind: .azureRole, id: "74959e02-96f9-5479-8843-096f4dc40542", jobClass: JobClass("blob_writer")),
        .init(kind: .entraRole, id: Builder.role, scope: "/", jobClass: JobClass("identity_app_admin")),
        .init(kind: .accessPackage, id: Builder.package, jobClass: JobClass("vendor_data_export")),
    ])

    private static func said(_ facts: [Fact], by source: String) -> [Said] {
        facts.map { Said(fact: $0, source: SourceName(source)) }
    }

    private static let mina = Builder.user(Builder.approver, "Mina Castellanos", "mina.castellanos@harborline.example")
    private static let window = [
        ("StartTime", "2026-11-20T09:10:47.01Z"), ("ExpirationTime", "2026-11-20T10:10:45.843Z"),
    ]

    /// The audit log's three records of an activation.
    private static func audit(_ change: (inout Builder) -> Void) -> [Fact] {
        let steps = [
            Builder("Add member to role requested (PIM activation)").with { $0.time = "2026-11-20T09:00:00.0427885Z" },
            Builder("Add member to role request approved (PIM activation)").with {
                $0.initiatedBy = mina
                $0.time = "2026-11-20T09:07:05Z"
            },
            Builder("Add member to role completed (PIM activation)").with {
                $0.details += window
                $0.time = "2026-11-20T09:10:48Z"
            },
        ]
        return steps.enumerated().compactMap { index, step in
            step.with(change).with { $0.id = .string("PIM_\(index)") }.fact()
        }
    }

    private static let azureDefinition =
        "/subscriptions/\(Builder.subscription)/providers/Microsoft.Authorization/roleDefinitions/74959e02-96f9-5479-8843-096f4dc40542"

    private static func stories() throws -> [(name: String, said: [Said], jobClass: String)] {
        let azureAudit = audit {
            $0.category = "ResourceManagement"
            $0.details += [
                ("RoleDefinitionOriginId", azureDefinition), ("SubscriptionId", Builder.subscription),
                ("ResourceType", "subscription"),
            ]
        }
        let packages = [
            Builder("Approve access package assignment request").with {
                $0.service = "Entitlement Management"
                $0.category = "EntitlementManagement"
                $0.initiatedBy = mina
                $0.details = []
                $0.targets = [
                    Builder.target("AccessPackageAssignmentRequest", "b17aded6-2942-5560-ab07-842b81e8882b"),
                    Builder.target("AccessPackage", Builder.package, "Vendor data export agent"), Builder.person,
                ]
            }.fact()
        ].compactMap(\.self)
        return [
            (
                "activity log and audit log",
                said(MicrosoftFixture.azure.facts(try MicrosoftFixture.azure.example(0)), by: "activity")
                    + said(azureAudit, by: "audit"), "blob_writer"
            ),
            (
                "Graph and audit log",
                said(MicrosoftFixture.graph.facts(try MicrosoftFixture.graph.example(0)), by: "graph")
                    + said(audit { _ in }, by: "audit"), "identity_app_admin"
            ),
            (
                "callouts and audit log",
                said(
                    try (0...1).flatMap { MicrosoftFixture.packages.facts(try MicrosoftFixture.packages.example($0)) },
                    by: "em")
                    + said(packages, by: "audit"), "vendor_data_export"
            ),
        ]
    }

    private static let asOf = Timestamp(seconds: 1_795_166_700)

    @Test("Whatever order, delay and repetition, one decision", arguments: 0..<3)
    func permutations(index: Int) throws {
        let (name, said, jobClass) = try Self.stories()[index]
        #expect(said.count >= 3 && Set(said.compactMap(\.fact.approvalID)).count == 1, "\(name)")
        let id = try #require(said.first?.fact.approvalID)
        var random = SeededGenerator(seed: UInt64(index) + 1)
        var encoded: Set<[UInt8]> = []
        for _ in 0..<200 {
            var deliveries = said.shuffled(using: &random)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                deliveries.insert(
                    try #require(said.randomElement(using: &random)),
                    at: Int.random(in: 0...deliveries.count, using: &random))
            }
            var state = ApprovalState(approvalID: id)
            var hasHuman = false
            var hasEnd = false
            for said in deliveries {
                state.apply(said.fact, from: said.source, authenticity: .topic)
                if case .decisionApproved(.some) = said.fact.content { hasHuman = true }
                if case .grantStarted(_, .some) = said.fact.content { hasEnd = true }
                let assessment = state.assess(at: Self.asOf, entitlements: Self.map)
                #expect(assessment.issue == (hasHuman && hasEnd), "\(name): \(assessment.why)")
            }
            #expect(state.assess(at: Self.asOf, entitlements: Self.map).jobClass?.rawValue == jobClass)
            encoded.insert(state.encode())
        }
        #expect(encoded.count == 1, "\(name)")
    }

    @Test("An automatic approval has no human behind it, whoever set it off", arguments: [true, false])
    func automaticApproval(isAutomatic: Bool) throws {
        let activity = isAutomatic ? "Auto approve" : "Approve"
        let approved = Builder("\(activity) access package assignment request").with {
            $0.service = "Entitlement Management"
            $0.category = "EntitlementManagement"
            $0.initiatedBy = Self.mina
            $0.details = []
            $0.targets = [
                Builder.target("AccessPackageAssignmentRequest", "b17aded6-2942-5560-ab07-842b81e8882b"),
                Builder.target("AccessPackage", Builder.package, "Vendor data export agent"), Builder.person,
            ]
        }
        func assess(_ record: Builder) throws -> ApprovalAssessment {
            let facts =
                MicrosoftFixture.packages.facts(try MicrosoftFixture.packages.example(1))
                + [record.fact()].compactMap(\.self)
            var state = ApprovalState(approvalID: try #require(facts.first?.approvalID))
            for fact in facts { state.apply(fact, from: SourceName("packages"), authenticity: .topic) }
            return state.assess(at: Self.asOf, entitlements: Self.map)
        }
        let assessment = try assess(approved)
        #expect(assessment.issue == !isAutomatic)
        if isAutomatic { #expect(assessment.why == "no_human_approval") }
        let nobody = approved.with { $0.initiatedBy = .null }
        #expect(try assess(nobody).why == "approver_unknown")
    }

    @Test("Whatever bytes come, each reader answers and answers the same", arguments: 0..<400)
    func mutations(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        for fixture in MicrosoftFixture.all {
            let base = try #require(try fixture.examples.randomElement(using: &random))
            let value = random.mutate(base, depth: 0)
            #expect(fixture.reading(value) == fixture.reading(value))
            var bytes = JSONWriter.bytes(base)
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = fixture.reading(bytes)
        }
    }

    @Test("No source of these takes a signature for granted, and a confirmed one says that it must be asked")
    func authenticity() throws {
        for fixture in MicrosoftFixture.all {
            let example = try fixture.example(0)
            #expect(fixture.reading(example).evidence == .topic)
            #expect(fixture.reading(example, fixture.configuration(.confirmed)).evidence == .confirmationNeeded)
            #expect(fixture.reading(example, fixture.configuration(.signed)).fault == .unsigned)
            #expect(fixture.reading(Array("{".utf8)).fault == .notJSON)
            #expect(fixture.reading(Array("7".utf8)).fault == .malformed)
            #expect(fixture.what([]) == ["ignored:empty_batch"])
        }
    }
}
