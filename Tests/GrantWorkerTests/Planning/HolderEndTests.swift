import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantWorker

/// Ends that name a holder and no approval: before, behind and between what they end.
struct HolderEndTests {
    private static let asked = PlanFixture.now.adding(seconds: -60)
    private static let approved = PlanFixture.now.adding(seconds: -50)
    private static let ended = PlanFixture.now.adding(seconds: -30)

    private static func fact(_ content: Fact.Content, at time: Timestamp, approval: String? = "apr-a") -> Fact {
        var fact = Fact(
            recordIndex: 0, source: "itsm", sourceEventID: nil, occurredAt: time,
            approvalID: approval.map { ApprovalID($0) }, content: content)
        fact.subject = PlanFixture.avery
        fact.requester = PlanFixture.avery
        fact.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        fact.jobClass = JobClass("ref")
        return fact
    }

    private static let opened = fact(.requestOpened, at: asked)
    private static let approval = fact(.decisionApproved(approver: PlanFixture.mina), at: approved)
    private static let started = fact(
        .grantStarted(notBefore: approved, notAfter: approved.adding(seconds: 3_600)), at: approved)
    private static let invalidated: Fact = {
        var fact = Self.fact(.subjectInvalidated(reason: "account_disabled"), at: ended, approval: nil)
        fact.entitlement = nil
        fact.jobClass = nil
        fact.requester = nil
        return fact
    }()
    private static let removed = fact(.grantEnded(.removed), at: ended, approval: "apr-other")

    private static func ledger() throws -> PaperLedger { PaperLedger(try PlanFixture()) }

    private static func request() throws -> SourceRecord {
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        return try ask.record()
    }

    @Test(arguments: [invalidated, removed])
    func anEndThatCameFirstReachesTheApprovalThatItEnds(_ end: Fact) throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [end])
        #expect(ledger.holderEnds.count == 1)
        try ledger.deliver(facts: [Self.opened, Self.approval, Self.started])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .denied)
        let codes = try ledger.reasons("a")
        #expect(codes == ["HUMAN_APPROVAL_SUBJECT_INVALIDATED"] || codes == ["HUMAN_APPROVAL_ENDED"], "\(codes)")
    }

    @Test func anApprovalThatIsYoungerThanTheEndIsNotEnded() throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.invalidated])
        let now = PlanFixture.now
        try ledger.deliver(facts: [
            Self.fact(.requestOpened, at: now),
            Self.fact(.decisionApproved(approver: PlanFixture.mina), at: now),
            Self.fact(.grantStarted(notBefore: now, notAfter: now.adding(seconds: 3_600)), at: now),
        ])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .issued)
    }

    // MARK: Of an approver, and of who asked

    /// By the directory's identifier, and as a signal's transmitter names people.
    enum Naming: CaseIterable { case identifier, principalName }

    private static func end(of person: Actor, _ naming: Naming) -> Fact {
        guard naming == .identifier else { return signal("\(person.id)@harborline.example")[0] }
        var end = invalidated
        end.subject = person
        return end
    }

    private static let mina = Actor(id: PlanFixture.mina.id, upn: "Mina@Harborline.example")
    private static let jonas = Actor(id: PlanFixture.jonas.id, upn: "jonas@harborline.example")
    private static let approvalByMina = fact(.decisionApproved(approver: mina), at: approved)
    private static let openedByJonas: Fact = {
        var fact = opened
        fact.requester = jonas
        return fact
    }()

    /// Before, between and behind the records of the approval, each a batch of its own; and all in one.
    @Test(arguments: [0, 1, 2, 3, 4], Naming.allCases)
    func anApproverWhoseAccountIsInvalidGivesNothing(_ place: Int, _ naming: Naming) throws {
        for person in [Self.mina, Self.jonas] {
            var steps = [[Self.openedByJonas], [Self.approvalByMina], [Self.started]]
            let end = [Self.end(of: person, naming)]
            if place < 4 { steps.insert(end, at: place) } else { steps = [steps.flatMap(\.self) + end] }
            var ledger = try Self.ledger()
            for facts in steps { try ledger.deliver(facts: facts) }
            #expect(try ledger.state("a").isEnded, "\(person.id)")
            try ledger.deliver([try Self.request()])
            #expect(ledger.request("a")?.state == .denied, "\(person.id)")
            #expect(try ledger.reasons("a").contains("HUMAN_APPROVAL_SUBJECT_INVALIDATED"))
        }
    }

    @Test(arguments: Naming.allCases)
    func whatRestsOnAnApproverIsRevokedWithTheAccount(_ naming: Naming) throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.opened, Self.approvalByMina, Self.started])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .issued)
        // Somebody else's account, and the approver's from before the approval, end nothing.
        try ledger.deliver(facts: [Self.end(of: Self.jonas, naming)])
        var early = Self.end(of: Self.mina, naming)
        early.occurredAt = Self.asked.adding(seconds: -1)
        try ledger.deliver(facts: [early])
        #expect(ledger.request("a")?.revocation == nil)
        try ledger.deliver(facts: [Self.end(of: Self.mina, naming)])
        #expect(ledger.request("a")?.revocation != nil)
        #expect(try ledger.state("a").isEnded)
    }

    @Test func aRequestThatWaitsIsDecidedWhenItsApproverIsEnded() throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.opened, Self.approvalByMina])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .waiting)
        try ledger.deliver(facts: [Self.end(of: Self.mina, .principalName)])
        #expect(ledger.request("a")?.state == .denied)
    }

    /// An end from before all that is known of an approval may be one of it, when a record that is older still comes.
    @Test func anOlderRecordBringsTheEndOfTheApproverIn() throws {
        var ledger = try Self.ledger()
        var late = Self.approvalByMina
        late.occurredAt = PlanFixture.now
        try ledger.deliver(facts: [late])
        try ledger.deliver(facts: [Self.end(of: Self.mina, .identifier)])
        #expect(try !ledger.state("a").isEnded)
        try ledger.deliver(facts: [Self.opened])
        #expect(try ledger.state("a").isEnded)
    }

    /// Each of the assignments that an approval led to ends it.
    @Test(arguments: [0, 1])
    func anApprovalOfSeveralAssignmentsIsEndedByAny(_ ended: Int) throws {
        let paths = ["/subscriptions/s/roleassignments/a", "/subscriptions/s/roleassignments/b"]
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.opened, Self.approval])
        for path in paths { try ledger.deliver(facts: [Self.started.naming(path)]) }
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .issued)
        try ledger.deliver(facts: [Self.unassigned.naming(paths[ended])])
        #expect(ledger.request("a")?.revocation != nil)
        #expect(try Self.findings(ledger).isEmpty)
    }

    // MARK: By the assignment, and by the principal name

    private static let assignment = AssignmentID("/Subscriptions/S/RoleAssignments/A")

    /// The window's record names the assignment, as the vendor's does.
    private static let assigned: Fact = {
        var fact = Self.started
        fact.assignment = Self.assignment
        return fact
    }()

    private static let unassigned: Fact = {
        var fact = Fact(
            recordIndex: 0, source: "itsm", sourceEventID: nil, occurredAt: ended, approvalID: nil,
            content: .grantEnded(.removedInDirectory))
        fact.assignment = Self.assignment
        return fact
    }()

    private static func signal(_ names: String...) -> [Fact] {
        names.map { name in
            var fact = Fact(
                recordIndex: 0, source: "ssf", sourceEventID: nil, occurredAt: ended, approvalID: nil,
                content: .subjectInvalidated(reason: "session_revoked"))
            fact.subject = Actor(id: PersonID(name))
            return fact
        }
    }

    private static func findings(_ ledger: PaperLedger) throws -> [String] {
        try ledger.outputs(.findings).map { try FindingRecord(parsing: $0).finding.code }
    }

    private static func named(_ fact: Fact) -> Fact {
        var fact = fact
        fact.subject = Actor(id: PlanFixture.avery.id, upn: "Avery.Okafor@Harborline.example")
        return fact
    }

    /// Each order ends it: records before the end, behind it, and the end between them, with a token and without.
    @Test(arguments: [0, 1, 2, 3], [true, false])
    func anEndByNameOrAssignmentIsJoinedInAnyOrder(_ place: Int, _ byAssignment: Bool) throws {
        var ledger = try Self.ledger()
        let end = byAssignment ? Self.unassigned : Self.signal("avery.okafor@harborline.example")[0]
        var steps = [[Self.named(Self.opened)], [Self.approval], [Self.assigned]]
        steps.insert([end], at: place)
        for facts in steps { try ledger.deliver(facts: facts) }
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .denied)
        #expect(try ledger.state("a").isEnded)
        // What came before all that it ends was told as having matched nobody.
        let isEarly = place < (byAssignment ? 3 : 1)
        #expect(try Self.findings(ledger) == (isEarly ? ["SIGNAL_MATCHED_NOBODY"] : []))
    }

    @Test(arguments: [true, false])
    func anEndByNameOrAssignmentRevokes(_ byAssignment: Bool) throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.named(Self.opened), Self.approval, Self.assigned])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .issued)
        let end = byAssignment ? Self.unassigned : Self.signal("avery.okafor@harborline.example")[0]
        try ledger.deliver(facts: [end])
        #expect(ledger.request("a")?.revocation != nil)
        #expect(try Self.findings(ledger).isEmpty)
        // The approval system's own end may have come first: that is no reason to call anybody.
        try ledger.deliver(facts: [Self.fact(.grantEnded(.expired), at: PlanFixture.now)])
        var again = end
        again.occurredAt = PlanFixture.now
        let summary = try ledger.deliver(facts: [again])
        #expect(summary.unmatchedEnds.isEmpty == byAssignment)
    }

    @Test func whatMatchesNobodyIsToldOnce() throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.named(Self.opened), Self.approval, Self.assigned])
        for facts in [Self.signal("zoe@harborline.example"), [Self.unassigned.naming("/subscriptions/s/other")]] {
            let summary = try ledger.deliver(facts: facts)
            #expect(summary.unmatchedEnds.count == 1 && summary.findings == ["SIGNAL_MATCHED_NOBODY": 1])
            #expect(try ledger.deliver(facts: facts).unmatchedEnds.isEmpty, "a repeat")
        }
        #expect(try Self.findings(ledger).count == 2)
        // The directory tells of everybody.
        var stranger = Self.invalidated
        stranger.subject = Actor(id: PersonID("zoe"))
        try ledger.deliver(facts: [stranger])
        #expect(try Self.findings(ledger).count == 2)
        #expect(try !ledger.state("a").isEnded)
    }

    @Test func theEndOfAnotherEntitlementEndsNothing() throws {
        var end = Self.removed
        end.entitlement = PlanFixture.group
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [end, Self.opened, Self.approval, Self.started])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .issued)
    }

    @Test func aRequestThatWaitsByNameIsDecidedWhenTheHolderIsEnded() throws {
        var ledger = try Self.ledger()
        try ledger.deliver(facts: [Self.opened])
        try ledger.deliver([try Self.request()])
        #expect(ledger.request("a")?.state == .waiting)
        try ledger.deliver(facts: [Self.invalidated])
        #expect(ledger.request("a")?.state == .denied)
        #expect(try ledger.reasons("a").contains("HUMAN_APPROVAL_SUBJECT_INVALIDATED"))
    }

    /// The holder of an approval that is known is not named by every record of it.
    @Test func anOlderRecordWithoutItsHolderBringsTheEndIn() throws {
        var ledger = try Self.ledger()
        var late = Self.opened
        late.subject = nil
        try ledger.deliver(facts: [Self.fact(.decisionApproved(approver: PlanFixture.mina), at: PlanFixture.now)])
        try ledger.deliver(facts: [Self.invalidated])
        #expect(try ledger.state("a").isEnded == false)
        try ledger.deliver(facts: [late])
        #expect(try ledger.state("a").isEnded)
    }

    @Test func theOrderMakesNoDifference() throws {
        let steps: [(inout PaperLedger) throws -> Void] = [
            { _ = try $0.deliver(facts: [Self.opened]) }, { _ = try $0.deliver(facts: [Self.approval, Self.started]) },
            { _ = try $0.deliver(facts: [Self.invalidated]) }, { _ = try $0.deliver([try Self.request()]) },
        ]
        for order in Self.permutations(Array(steps.indices)) {
            var ledger = try Self.ledger()
            for step in order + order.reversed() { try steps[step](&ledger) }
            let request = try #require(ledger.request("a"))
            let isDead = request.state == .denied || request.state == .issued && request.revocation != nil
            #expect(isDead, "\(order): \(request.state)")
            #expect(try ledger.state("a").isEnded, "\(order)")
        }
    }

    private static func permutations(_ items: [Int]) -> [[Int]] {
        guard items.count > 1 else { return [items] }
        return items.flatMap { first in permutations(items.filter { $0 != first }).map { [first] + $0 } }
    }
}

extension Fact {
    fileprivate func naming(_ assignment: String) -> Fact {
        var fact = self
        fact.assignment = AssignmentID(assignment)
        return fact
    }
}
