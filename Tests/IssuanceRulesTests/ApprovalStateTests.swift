import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

@Suite struct ApprovalStateTests {
    private static let opened = Sample.fact(.requestOpened, at: "2026-11-20T09:00:00Z", requester: Sample.avery)
    private static let approved = Sample.fact(.decisionApproved(approver: Sample.mina), at: "2026-11-20T09:05:00Z")
    private static let started = Sample.fact(
        .grantStarted(notBefore: time("2026-11-20T09:06:00Z"), notAfter: time("2026-11-20T10:06:00Z")),
        at: "2026-11-20T09:06:05Z", requester: Sample.avery)

    private func assess(_ facts: [Fact], at now: Timestamp = Sample.now) -> ApprovalAssessment {
        Sample.state(facts).assess(at: now, entitlements: Sample.map)
    }

    @Test func approvedAndActiveIsGranted() {
        let assessment = assess([Self.opened, Self.approved, Self.started])
        #expect(assessment.state == .granted)
        #expect(assessment.issue && !assessment.revoke)
        #expect(assessment.why == "approved_by_other_human_and_active")
        #expect(assessment.jobClass == JobClass("prod_db_maintenance"))
        #expect(assessment.approvers.map(\.actor.id) == [Sample.mina.id])
        #expect(assessment.requester == Sample.avery)
        #expect(assessment.maximumTTLSeconds == 1_800)
        let late = assess([Self.opened, Self.approved, Self.started], at: time("2026-11-20T10:00:00.5Z"))
        #expect(late.maximumTTLSeconds == 359)
    }

    @Test(arguments: [
        ([Fact](), "held", "unmapped_entitlement"),
        ([opened], "pending", "pending"),
        ([opened, approved], "approved", "not_yet_active"),
        ([started], "held", "no_human_approval"),
        ([opened, started, Sample.fact(.decisionApproved(approver: Sample.avery))], "held", "approver_is_requester"),
        ([opened, started, Sample.fact(.decisionApproved(approver: Sample.platform))], "held", "no_human_approval"),
        ([opened, Sample.fact(.decisionApproved(approver: nil))], "held", "approver_unknown"),
        ([approved, Sample.fact(.grantStarted(notBefore: nil, notAfter: nil))], "held", "no_expiry_in_evidence"),
        ([approved, started, Sample.fact(.decisionDenied(approver: nil))], "denied", "denied"),
        ([opened, Sample.fact(.decisionTimedOut)], "timed_out", "timed_out"),
        ([opened, Sample.fact(.decisionCanceled)], "canceled", "canceled"),
        ([approved, started, Sample.fact(.grantEnded(.deactivated))], "ended", "deactivated"),
        ([approved, started, Sample.fact(.subjectInvalidated(reason: "disabled"))], "ended", "subject_invalidated"),
        (
            [Sample.fact(.grantDirect(assignedBy: Sample.mina, outsidePIM: false, notBefore: nil, notAfter: nil))],
            "held", "direct_assignment_is_not_an_approval"
        ),
        (
            [Sample.fact(.grantChanged(notBefore: nil, notAfter: time("2027-01-01T00:00:00Z")))], "held",
            "extension_is_not_an_approval"
        ),
    ])
    func standing(facts: [Fact], state: String, why: String) {
        let assessment = assess(facts)
        #expect(assessment.state.rawValue == state)
        #expect(assessment.why == why)
        #expect(!assessment.issue)
    }

    @Test func windowDecidesBeforeAndAfter() {
        let facts = [Self.approved, Self.started]
        #expect(assess(facts, at: time("2026-11-20T09:05:59Z")).why == "not_yet_active")
        let over = assess(facts, at: time("2026-11-20T10:06:00Z"))
        #expect(over.state == .ended && over.why == "window_over" && !over.revoke)
    }

    @Test func endsRevoke() {
        #expect(assess([Sample.fact(.grantEnded(.removed))]).revoke)
        #expect(assess([Self.started, Sample.fact(.decisionDenied(approver: nil))]).revoke)
        #expect(!assess([Self.opened, Sample.fact(.decisionDenied(approver: nil))]).revoke)
    }

    @Test func contradictoryEntitlementsAreHeld() {
        let other = Entitlement(kind: .group, id: "another", scope: "member")
        let facts = [Self.started, Sample.fact(.decisionApproved(approver: Sample.mina), entitlement: other)]
        #expect(assess(facts).why == "contradictory_evidence")
    }

    @Test func foldIgnoresOrderAndRepeats() {
        let facts = Array(Self.vocabulary.prefix(6))
        let expected = Sample.state(facts)
        permute(facts) { #expect(Sample.state($0) == expected) }
        #expect(Sample.state(facts + facts.reversed() + facts) == expected)
    }

    @Test(arguments: 0..<200)
    func foldIsCommutativeAndIdempotent(seed: Int) {
        var dice = SeededGenerator(seed: UInt64(seed))
        let statements = (0..<Int.random(in: 1...14, using: &dice)).map { _ in Self.statement(&dice) }
        func fold(_ order: [(Fact, SourceName, Authenticity)]) -> ApprovalState {
            var state = ApprovalState(approvalID: Sample.approval)
            for (fact, source, authenticity) in order { state.apply(fact, from: source, authenticity: authenticity) }
            return state
        }
        let expected = fold(statements)
        for _ in 0..<5 {
            let shuffled = statements.shuffled(using: &dice)
            let state = fold(shuffled + shuffled.prefix(Int.random(in: 0...shuffled.count, using: &dice)))
            #expect(state == expected)
            #expect(state.encode() == expected.encode())
        }
    }

    @Test(arguments: 0..<200)
    func storedFormIsRestored(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        var state = ApprovalState(approvalID: Sample.approval)
        for _ in 0..<Int.random(in: 0...20, using: &dice) {
            let (fact, source, authenticity) = Self.statement(&dice)
            state.apply(fact, from: source, authenticity: authenticity)
        }
        #expect(try ApprovalState(decoding: state.encode()) == state)
    }

    @Test(arguments: 0..<100)
    func factsSurviveTheirJSON(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        let fact = Self.statement(&dice).0
        let text = JSONWriter.text(fact.json)
        #expect(try Fact(json: try JSONReader.parse(text)) == fact)
    }

    @Test func aFloodOverflowsVisiblyAndInAnyOrder() {
        let flood = (0..<100).map { number in
            Sample.fact(
                .decisionApproved(approver: Actor(id: PersonID("p-\(number)"))),
                at: "2026-11-20T09:00:\(number < 10 ? "0" : "")\(number % 60)Z")
        }
        let state = Sample.state(flood)
        #expect(state.approvers.count == ApprovalState.Limits.approvers)
        #expect(state.evidence.count == ApprovalState.Limits.evidence)
        #expect(state.hasOverflowed && state.isEvidencePartial)
        #expect(Sample.state(flood.reversed()) == state)
        #expect(assess(flood).why == "too_much_evidence")
    }

    @Test func endsWithoutAnApprovalFindTheirs() {
        let state = Sample.state([Self.started])
        #expect(state.isConcerned(by: Sample.fact(.grantEnded(.removed), at: "2026-11-20T09:30:00Z", approval: nil)))
        #expect(!state.isConcerned(by: Sample.fact(.grantEnded(.removed), at: "2026-11-20T08:30:00Z", approval: nil)))
        #expect(
            !state.isConcerned(
                by: Sample.fact(.grantEnded(.removed), approval: nil, subject: Sample.jonas)))
        let other = Entitlement(kind: .group, id: "other", scope: nil)
        #expect(!state.isConcerned(by: Sample.fact(.grantEnded(.removed), approval: nil, entitlement: other)))
    }

    @Test func whatAnApprovalLedToIsKeptAndFoundByItsName() throws {
        let assignment = try #require(AssignmentID("/Subscriptions/S/RoleAssignments/A"))
        #expect(assignment.text == "/subscriptions/s/roleassignments/a")
        #expect(AssignmentID("") == nil)
        #expect(AssignmentID(String(repeating: "a", count: AssignmentID.maximumBytes + 1)) == nil)
        // Two bytes as a capital, three as a small letter: what is kept could not be read back.
        #expect(AssignmentID(String(repeating: "\u{23A}", count: 500)) == nil)
        let longest = try #require(AssignmentID(String(repeating: "\u{23A}", count: 341)))
        #expect(AssignmentID(longest.text) == longest)
        var named = Self.started
        named.assignment = assignment
        #expect(try Fact(json: named.json) == named)
        let state = Sample.state([named])
        #expect(state.assignment == assignment && state.holders.contains(assignment.holder))
        #expect(try ApprovalState(decoding: state.encode()) == state)
        #expect(Sample.state([Self.started, named]) == Sample.state([named, Self.started]))
        var end = Fact(
            recordIndex: 0, source: "test", sourceEventID: nil, occurredAt: time("2026-11-20T08:00:00Z"),
            approvalID: nil, content: .grantEnded(.removedInDirectory))
        end.assignment = assignment
        // It is never used again, so the clock of whoever says so does not matter.
        #expect(state.isConcerned(by: end))
        #expect(!Sample.state([Self.started]).isConcerned(by: end))
        end.assignment = AssignmentID("/subscriptions/s/roleassignments/b")
        #expect(!state.isConcerned(by: end))
        // An end by holder that names another assignment does not make it this one's.
        var other = Sample.fact(.grantEnded(.removed), at: "2026-11-20T09:30:00Z", approval: nil)
        other.assignment = end.assignment
        var ended = state
        ended.apply(other, from: SourceName("test"), authenticity: .topic)
        #expect(ended.isEnded && ended.assignment == assignment && !ended.isConcerned(by: end))
        let flood = (0..<9).map { number in
            var fact = Self.started
            fact.assignment = AssignmentID("a-\(number)")
            return fact
        }
        #expect(Sample.state(flood).hasOverflowed && Sample.state(flood) == Sample.state(flood.reversed()))
    }

    @Test func anInvalidAccountConcernsEveryoneOnWhomAnApprovalRests() {
        var state = ApprovalState(approvalID: ApprovalID("a1"))
        var approved = Setup.approved("mina")
        approved.requester = Setup.person("jonas")
        state.apply(approved, from: SourceName("pim"), authenticity: .topic)
        func fact(_ content: Fact.Content, _ person: String, _ at: String = "2026-11-20T09:30:00Z") -> Fact {
            var fact = Fact(
                recordIndex: 0, source: "test", sourceEventID: nil, occurredAt: time(at), approvalID: nil,
                content: content)
            fact.subject = Setup.person(person)
            return fact
        }
        for person in ["mina", "jonas", "avery"] {
            let invalid = Fact.Content.subjectInvalidated(reason: "account_compromised")
            #expect(state.isConcerned(by: fact(invalid, person)), "\(person)")
            #expect(!state.isConcerned(by: fact(invalid, person, "2026-11-20T08:00:00Z")), "\(person)")
            #expect(state.isConcerned(by: fact(.grantEnded(.removed), person)) == (person == "avery"), "\(person)")
        }
        #expect(!state.isConcerned(by: fact(.subjectInvalidated(reason: "x"), "zoe")))
        #expect(state.holders == ["avery", "jonas", "mina"].map { PersonID($0) })
    }

    @Test func deploymentsWithoutAWindowLastAsLongAsTheirClass() {
        let environment = Entitlement(kind: .githubEnvironment, id: "harborline/ledger-api#production", scope: "5275a4")
        let map = EntitlementMap(
            entries: [.init(kind: .githubEnvironment, id: environment.id, jobClass: JobClass("prod_deploy"))],
            maximumTTLSeconds: [JobClass("prod_deploy"): 900])
        let fact = Sample.fact(
            .decisionApproved(approver: Sample.mina), at: "2026-11-20T09:09:57Z", subject: nil,
            requester: Sample.avery, entitlement: environment)
        let assessment = Sample.state([fact]).assess(at: Sample.now, entitlements: map)
        #expect(assessment.state == .granted)
        #expect(assessment.notAfter == time("2026-11-20T09:24:57Z"))
        #expect(assessment.maximumTTLSeconds == 897)
    }

    @Test func damagedBytesAreRefused() {
        #expect(throws: StorageError.self) { try ApprovalState(decoding: []) }
        #expect(throws: StorageError.self) { try ApprovalState(decoding: Array("{\"v\":2,\"id\":\"x\"}".utf8)) }
        #expect(throws: StorageError.self) {
            try ApprovalState(decoding: Array("{\"v\":1,\"id\":\"x\",\"c\":[{}]}".utf8))
        }
    }

    private func permute(_ facts: [Fact], _ visit: ([Fact]) -> Void) {
        guard facts.count > 1 else { return visit(facts) }
        for index in facts.indices {
            var rest = facts
            let first = rest.remove(at: index)
            permute(rest) { visit([first] + $0) }
        }
    }

    static let vocabulary: [Fact] = [
        opened, approved, started, Sample.fact(.grantEnded(.expired), at: "2026-11-20T10:06:00Z"),
        Sample.fact(.decisionApproved(approver: Sample.jonas), at: "2026-11-20T09:05:00Z"),
        Sample.fact(.grantChanged(notBefore: nil, notAfter: time("2026-11-20T11:00:00Z")), at: "2026-11-20T09:50:00Z"),
        Sample.fact(.requestRouted), Sample.fact(.decisionDenied(approver: Sample.jonas), at: "2026-11-20T09:07:00Z"),
        Sample.fact(.decisionTimedOut), Sample.fact(.decisionCanceled, at: "2026-11-20T09:01:00Z"),
        Sample.fact(.subjectInvalidated(reason: "account_disabled"), approval: nil),
        Sample.fact(.grantDirect(assignedBy: Sample.mina, outsidePIM: true, notBefore: nil, notAfter: Sample.now)),
        Sample.fact(.ignored(why: "noise")), Sample.fact(.rejected(why: "unknown_tenant")),
    ]

    static func statement(_ dice: inout SeededGenerator) -> (Fact, SourceName, Authenticity) {
        var fact = dice.pick(vocabulary)
        if dice.chance(20) { fact.occurredAt = nil }
        if dice.chance(30) {
            fact.occurredAt = Timestamp(microseconds: Int64.random(in: 0...9_007_199_254_740_990, using: &dice))
        }
        if dice.chance(30) { fact.requester = dice.pick([Sample.avery, Sample.jonas, Sample.mina]) }
        if dice.chance(20) { fact.jobClass = JobClass(dice.pick(["a", "b"])) }
        if dice.chance(20) {
            fact.justification = Justification(dice.pick(["why\n\"", String(repeating: "é", count: 5_000)]))
        }
        if dice.chance(20) {
            fact.ticket = Ticket(system: dice.pick([nil, "Jira"]), number: dice.pick(["OPS-1", "CHG2"]))
        }
        if dice.chance(20) { fact.recordDigest = Digest(hashing: "\(Int.random(in: 0..<200, using: &dice))") }
        if dice.chance(10) {
            fact.content = .capabilityRequested(
                CapabilityRequest(
                    requestID: RequestID(dice.pick(["r1", "r2"])), jobID: JobID("j"), jobClass: JobClass("c"),
                    agentDID: AgentDID("did:key:z6Mk"), scope: dice.subset(["a:b", "c:d"]),
                    policyHash: Digest(hashing: "p"), delivery: dice.pick([.plain, .sealed(publicKey: [1, 2, 3])]),
                    requestedAt: Sample.now))
        }
        let authenticity = dice.pick([Authenticity.topic, .confirmed, .signed(by: [KeyID("k2"), KeyID("k1")])])
        return (fact, SourceName(dice.pick(["s1", "s2"])), authenticity)
    }
}
