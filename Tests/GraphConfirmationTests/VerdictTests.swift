import ApprovalSources
import ClawWire
import GraphConfirmation
import IssuanceRules
import Testing

@Suite("Comparing an answer with what a source said")
struct VerdictTests {
    private static func judge(
        _ fixture: GraphFixture, _ claim: UnconfirmedClaim = GraphFixture.claim()
    ) throws -> ConfirmationVerdict {
        Confirmation.judge(
            try fixture.answer(fixture.document), against: claim, tenants: [GraphFixture.tenant], isSettled: true)
    }

    private static func name(_ verdict: ConfirmationVerdict) -> String {
        switch verdict {
        case .confirmed: "confirmed"
        case .over(let facts): "over:\(facts.map(\.kind).joined(separator: ","))"
        case .contradicted(let why, _): "contradicted:\(why.rawValue)"
        case .notYet(let why): "notYet:\(why)"
        }
    }

    @Test("An answer that agrees gives its approver and its instance's window, with its digest as evidence")
    func confirmed() throws {
        let fixture = GraphFixture()
        let answer = try fixture.answer(fixture.document)
        guard case .confirmed(let facts) = try Self.judge(fixture) else { return #expect(Bool(false)) }
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        #expect(facts.allSatisfy { $0.recordDigest == answer.digest && $0.approvalID == GraphFixture.approval })
        #expect(
            facts[1].content
                == .grantStarted(
                    notBefore: Timestamp(rfc3339: "2026-11-20T09:10:47.01Z"),
                    notAfter: Timestamp(rfc3339: "2026-11-20T10:10:45.843Z")))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let expected: String
        let change: @Sendable (inout GraphFixture) -> Void

        init(_ expected: String, _ change: @escaping @Sendable (inout GraphFixture) -> Void) {
            self.expected = expected
            self.change = change
        }

        var testDescription: String { expected }
    }

    static let cases = [
        Case("confirmed") { _ in },
        Case("notYet:not_active") { $0.status = "PendingApproval" },
        Case("notYet:not_active") { $0.status = "PendingApprovalProvisioning" },
        Case("notYet:not_approved") {
            $0.status = "PendingApproval"
            $0.stepStatus = "InProgress"
        },
        Case("notYet:not_active") { $0.status = "Granted" },
        Case("notYet:no_instance") { $0.hasInstance = false },
        Case("over:grant.ended") { $0.status = "Revoked" },
        Case("over:decision.canceled") { $0.status = "Canceled" },
        Case("contradicted:status_differs") {
            $0.status = "Denied"
            $0.result = "deny"
        },
        Case("contradicted:status_differs") { $0.status = "Failed" },
        Case("contradicted:principal_differs") { $0.principal = GraphFixture.mina },
        Case("contradicted:entitlement_differs") { $0.isGroup = true },
        Case("contradicted:no_human_approval") { $0.hasApproval = false },
        Case("contradicted:no_human_approval") { $0.reviewerUPN = nil },
        Case("contradicted:no_human_approval") { $0.reviewer = nil },
        Case("contradicted:approver_is_requester") { $0.reviewer = GraphFixture.avery },
        Case("contradicted:approver_differs") { $0.reviewer = "31fae2eb-7818-5400-8c0f-42817c195b96" },
        Case("contradicted:approver_is_requester") { $0.requester = GraphFixture.mina },
        Case("contradicted:validation_only") { $0.isValidationOnly = true },
        Case("contradicted:status_differs") { $0.action = "adminAssign" },
        Case("contradicted:status_differs") { $0.action = "selfExtend" },
        Case("notYet:answer_unreadable") { $0.end = "whenever" },
    ]

    @Test("What the answer says decides", arguments: cases)
    func verdicts(example: Case) throws {
        #expect(Self.name(try Self.judge(GraphFixture().with(example.change))) == example.expected)
    }

    @Test("What the source left open is no contradiction")
    func openClaims() throws {
        #expect(
            Self.name(try Self.judge(GraphFixture(), GraphFixture.claim(subjects: [], approvers: []))) == "confirmed")
        let scopeless = Entitlement(kind: .entraRole, id: GraphFixture.role.uppercased())
        #expect(Self.name(try Self.judge(GraphFixture(), GraphFixture.claim(entitlement: scopeless))) == "confirmed")
        let unit = Entitlement(kind: .entraRole, id: GraphFixture.role, scope: "/administrativeunits/a")
        #expect(
            Self.name(try Self.judge(GraphFixture(), GraphFixture.claim(entitlement: unit)))
                == "contradicted:entitlement_differs")
        let denied = GraphFixture().with {
            $0.status = "Denied"
            $0.result = "deny"
        }
        #expect(
            Self.name(try Self.judge(denied, GraphFixture.claim(approvers: [], isApproved: false, hasStarted: false)))
                == "over:decision.denied")
    }

    @Test("What was live and is no more has ended")
    func ended() throws {
        let gone = GraphFixture().with { $0.hasInstance = false }
        #expect(Self.name(try Self.judge(gone, GraphFixture.claim(isConfirmed: true))) == "over:grant.ended")
    }

    @Test("A request that the vendor does not know is waited for, and then never was")
    func unknown() throws {
        let answer = try GraphFixture().answer(nil)
        func verdict(_ isSettled: Bool) -> String {
            Self.name(
                Confirmation.judge(
                    answer, against: GraphFixture.claim(), tenants: [GraphFixture.tenant], isSettled: isSettled))
        }
        #expect(verdict(false) == "notYet:request_unknown")
        #expect(verdict(true) == "contradicted:request_unknown")
    }

    @Test("An answer about another request or of another tenant confirms nothing")
    func otherAnswers() throws {
        let document = GraphFixture().document
        var other = document.object ?? JSONObject()
        var request = other["request"]?.object ?? JSONObject()
        request["id"] = "359a2b64-4cb9-5c81-8255-0ada42b8cad2"
        request["approvalId"] = .null
        other["request"] = .object(request)
        other["approval"] = .null
        let answer = try GraphFixture().answer(.object(other))
        #expect(
            Self.name(
                Confirmation.judge(
                    answer, against: GraphFixture.claim(), tenants: [GraphFixture.tenant], isSettled: true))
                == "contradicted:request_differs")
        #expect(
            Self.name(
                Confirmation.judge(
                    try GraphFixture().answer(document), against: GraphFixture.claim(), tenants: [], isSettled: true))
                == "notYet:answer_unreadable")
    }

    @Test("Only what Microsoft Graph knows has a target, and only a GUID goes into an address")
    func targets() {
        func target(_ id: String, _ kind: Entitlement.Kind) -> Bool {
            GraphTarget(ApprovalID(id), entitlement: kind) != nil
        }
        let own = GraphFixture.approval.rawValue
        #expect(target(own, .entraRole) && target(own, .group))
        #expect(!target(own, .azureRole) && !target(own, .changeRequest))
        for id in [
            "entra-em/\(GraphFixture.tenant)/\(GraphFixture.request)", "entra-pim/\(GraphFixture.tenant)",
            "entra-pim/\(GraphFixture.tenant)/..", "entra-pim/\(GraphFixture.tenant)/\(GraphFixture.request)/x",
            "entra-pim/\(GraphFixture.tenant)/\(GraphFixture.request.uppercased())",
            "entra-pim/\(GraphFixture.tenant)/9c6d9111-b8d8-557e-a298-20035e47a58?",
        ] { #expect(!target(id, .entraRole), "\(id)") }
    }
}
