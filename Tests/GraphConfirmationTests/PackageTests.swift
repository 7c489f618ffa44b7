import ApprovalSources
import ClawWire
import GraphConfirmation
import GraphDouble
import IssuanceRules
import Testing

/// A request for an access package that another person approved, and the assignment that it led to.
struct PackageFixture {
    static let package = "7945a64d-adf6-5997-9ff1-c8bac4db6a8d"
    static let assignment = "55e7630e-ff74-5a1a-aca3-2e5ee20a5912"
    static let approval = ApprovalID("entra-em/\(GraphFixture.tenant)/\(GraphFixture.request)")

    var state = "delivered"
    var type = "userAdd"
    var requester = GraphFixture.avery
    var reviewer: String? = GraphFixture.mina
    var result = "approve"
    var hasApproval = true
    var hasAssignment = true
    var assignmentState = "delivered"
    var holder = GraphFixture.avery
    var held = Self.package
    var end: JSONValue = "2026-11-20T13:07:10Z"
    var isBeta = false

    private func subject(_ id: String) -> JSONValue {
        [
            "id": "175cb6c8-a675-5e0d-bd42-0e381890914a", "objectId": .string(id), "subjectType": "user",
            "displayName": "Avery Okafor", "principalName": "avery.okafor@harborline.example",
        ]
    }

    var request: JSONValue {
        var object: JSONObject = [
            "id": .string(GraphFixture.request), "requestType": .string(type), "status": "Fulfilled",
            "createdDateTime": "2026-11-20T09:00:00.04Z", "completedDateTime": "2026-11-20T09:07:10Z",
            "justification": "Quarterly export", "requestor": subject(requester),
            "accessPackage": ["id": .string(Self.package), "displayName": "Vendor data"],
            "assignment": hasAssignment ? ["id": .string(Self.assignment)] : .null,
            "answers": [["answeredQuestion": ["text": "Ticket"], "value": "CHG0047730"]],
        ]
        object[isBeta ? "requestState" : "state"] = .string(state)
        return .object(object)
    }

    var step: JSONValue {
        [
            "status": "Completed", "reviewResult": .string(result), "reviewedDateTime": "2026-11-20T09:05:00Z",
            "reviewedBy": reviewer.map {
                ["id": .string($0), "userPrincipalName": "mina.castellanos@harborline.example"]
            } ?? .null,
        ]
    }

    var assigned: JSONValue {
        [
            "id": .string(Self.assignment), "state": .string(assignmentState), "status": "Delivered",
            "schedule": [
                "startDateTime": "2026-11-20T09:07:10Z",
                "expiration": ["type": "afterDateTime", "endDateTime": end, "duration": .null],
            ],
            "target": subject(holder), "accessPackage": ["id": .string(held)],
        ]
    }

    func put(into double: GraphDouble) {
        double.change(GraphFixture.tenant) { tenant in
            tenant.requests[GraphFixture.request] = request
            tenant.approvals[GraphFixture.request] = hasApproval ? [step] : nil
            tenant.assignments[Self.assignment] = hasAssignment ? assigned : nil
        }
    }

    func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }

    /// What callouts say of the same request: never who approved it.
    static func claim(
        subjects: Set<PersonID> = [PersonID(GraphFixture.avery)], package: String = Self.package,
        hasStarted: Bool = true, isConfirmed: Bool = false
    ) -> UnconfirmedClaim {
        UnconfirmedClaim(
            approvalID: approval, source: SourceName("access-packages"), subjects: subjects,
            entitlements: [Entitlement(kind: .accessPackage, id: package)], approvers: [], isApproved: true,
            hasStarted: hasStarted, isConfirmed: isConfirmed)
    }
}

@Suite("Requests for access packages, read back", .timeLimit(.minutes(2)))
struct PackageTests {
    private static func name(_ verdict: ConfirmationVerdict) -> String {
        switch verdict {
        case .confirmed: "confirmed"
        case .over(let facts): "over:\(facts.map(\.kind).joined(separator: ","))"
        case .contradicted(let why, _): "contradicted:\(why.rawValue)"
        case .notYet(let why): "notYet:\(why)"
        }
    }

    private static func target() throws -> GraphTarget {
        try #require(GraphTarget(PackageFixture.approval, entitlement: .accessPackage))
    }

    /// Reads once from a double that holds a fixture.
    private static func read(
        _ fixture: PackageFixture, _ prepare: @escaping @Sendable (GraphDouble) -> Void = { _ in }
    ) async throws -> GraphAnswer {
        try await GraphDouble.run(try GraphFixture.certificate.get()) { double in
            fixture.put(into: double)
            prepare(double)
            let reader = try GraphFixture.reader(double)
            do {
                let answer = try await reader.read(try target())
                await reader.close()
                return answer
            } catch {
                await reader.close()
                throw error
            }
        }
    }

    private static func verdict(
        _ fixture: PackageFixture, _ claim: UnconfirmedClaim = PackageFixture.claim()
    ) async throws -> ConfirmationVerdict {
        Confirmation.judge(
            try await read(fixture), against: claim, tenants: [GraphFixture.tenant], isSettled: true)
    }

    @Test(
        "The answer names the human whom callouts leave out, and the assignment has the window",
        arguments: [false, true])
    func confirmed(isBeta: Bool) async throws {
        let answer = try await Self.read(PackageFixture().with { $0.isBeta = isBeta })
        let verdict = Confirmation.judge(
            answer, against: PackageFixture.claim(), tenants: [GraphFixture.tenant], isSettled: true)
        guard case .confirmed(let facts) = verdict else { return #expect(Bool(false), "\(verdict)") }
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        #expect(facts.allSatisfy { $0.approvalID == PackageFixture.approval && $0.recordDigest == answer.digest })
        #expect(
            facts.allSatisfy { $0.entitlement?.kind == .accessPackage && $0.entitlement?.id == PackageFixture.package })
        guard case .decisionApproved(let approver) = facts[0].content else { return #expect(Bool(false)) }
        #expect(approver?.id == PersonID(GraphFixture.mina) && approver?.kind == .human)
        #expect(facts[1].ticket?.number == "CHG0047730")
        #expect(
            facts[1].content
                == .grantStarted(
                    notBefore: Timestamp(rfc3339: "2026-11-20T09:07:10Z"),
                    notAfter: Timestamp(rfc3339: "2026-11-20T13:07:10Z")))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let expected: String
        let change: @Sendable (inout PackageFixture) -> Void
        init(_ expected: String, _ change: @escaping @Sendable (inout PackageFixture) -> Void) {
            self.expected = expected
            self.change = change
        }
        var testDescription: String { expected }
    }

    @Test(
        "What the answer says decides",
        arguments: [
            Case("notYet:not_approved") {
                $0.state = "pendingApproval"
                $0.hasApproval = false
                $0.hasAssignment = false
            },
            Case("notYet:not_active") { $0.state = "delivering" },
            Case("notYet:not_active") { $0.state = "partiallyDelivered" },
            Case("notYet:not_active") { $0.state = "aStateOfNextYear" },
            Case("notYet:no_instance") { $0.hasAssignment = false },
            Case("notYet:no_instance") { $0.assignmentState = "expired" },
            Case("notYet:no_instance") { $0.end = .null },
            Case("notYet:answer_unreadable") { $0.holder = GraphFixture.mina },
            Case("notYet:answer_unreadable") { $0.held = "3375e8af-c2c4-5176-a567-eae1903d9625" },
            Case("notYet:answer_unreadable") { $0.end = "whenever" },
            Case("over:decision.canceled") { $0.state = "canceled" },
            Case("contradicted:status_differs") {
                $0.state = "denied"
                $0.result = "deny"
            },
            Case("contradicted:status_differs") { $0.state = "deliveryFailed" },
            Case("contradicted:status_differs") { $0.type = "adminAdd" },
            Case("contradicted:status_differs") { $0.type = "userExtend" },
            Case("contradicted:no_human_approval") { $0.hasApproval = false },
            Case("contradicted:no_human_approval") { $0.reviewer = nil },
            Case("contradicted:approver_is_requester") { $0.reviewer = GraphFixture.avery },
            Case("contradicted:principal_differs") {
                $0.requester = GraphFixture.mina
                $0.holder = GraphFixture.mina
            },
        ])
    func verdicts(example: Case) async throws {
        #expect(Self.name(try await Self.verdict(PackageFixture().with(example.change))) == example.expected)
    }

    @Test("Another package than the one that was said is a contradiction; one that was live and is no more has ended")
    func otherClaims() async throws {
        let other = PackageFixture.claim(package: "3375e8af-c2c4-5176-a567-eae1903d9625")
        #expect(Self.name(try await Self.verdict(PackageFixture(), other)) == "contradicted:entitlement_differs")
        let expired = PackageFixture().with { $0.assignmentState = "expired" }
        #expect(
            Self.name(try await Self.verdict(expired, PackageFixture.claim(isConfirmed: true))) == "over:grant.ended")
    }

    @Test("Refused permissions, throttling and answers that are cut confirm nothing")
    func faults() async throws {
        await #expect(throws: GraphError.self) {
            try await Self.read(PackageFixture()) { $0.fail("accessPackageAssignmentApprovals", .status(403)) }
        }
        let answer = try await Self.read(PackageFixture()) { double in
            double.fail("assignmentRequests", .status(429, retryAfter: 1), .cut)
            double.fail("/assignments/", .status(503, retryAfter: 1))
        }
        #expect(answer.document?["instances"]?.array?.count == 1)
        let unknown = try await Self.read(PackageFixture()) { double in
            double.change(GraphFixture.tenant) { $0.requests = [:] }
        }
        #expect(unknown.document == nil)
    }

    @Test("A name of another system is no access package's")
    func targets() {
        #expect(GraphTarget(PackageFixture.approval, entitlement: .entraRole) == nil)
        #expect(GraphTarget(GraphFixture.approval, entitlement: .accessPackage) == nil)
        #expect(
            GraphTarget(ApprovalID("entra-em/\(GraphFixture.tenant)/.."), entitlement: .accessPackage) == nil)
    }
}
