import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

/// A spent budget in the way of a further token.
@Suite struct BudgetDecisionTests {
    private static func used(
        calls: Int64 = 0, from first: Timestamp? = nil, to last: Timestamp? = nil, earlier: [Budget] = []
    ) -> JobUsage {
        var usage = JobUsage()
        usage.usage.modelCalls = calls
        usage.usage.firstAt = first
        usage.usage.lastAt = last ?? first
        usage.approvalBudgets = earlier
        return usage
    }

    /// The plain setup with a budget in its approval.
    private static func setup(_ jobClass: String = "ref", approval budget: Budget? = nil) throws -> Setup {
        var setup = try Setup()
        setup.use(jobClass)
        setup.facts = setup.facts.map { fact in
            var fact = fact
            fact.budget = budget
            return fact
        }
        return setup
    }

    @Test func aClassWithBudgetGivesTokensUntilItIsSpent() throws {
        var setup = try Self.setup("limited")
        #expect(setup.decision.word == "issue")
        setup.usage = Self.used(calls: 3)
        #expect(setup.decision.word == "issue")
        setup.usage = Self.used(calls: 4)
        let decision = setup.decision
        #expect(decision.outcome == .deny && decision.codes == [.capabilityBudgetSpent])
        #expect(decision.rule == "job_classes.limited.budget")
        #expect(decision.reasons[0].detail.contains("has used 4 of 4 model_calls"))
        #expect(!decision.needed.isEmpty)
    }

    @Test func aSpentBudgetOfTheClassWaitsForNoApproval() throws {
        var setup = try Self.setup("limited")
        setup.facts = []
        #expect(setup.decision.word == "wait")
        setup.usage = Self.used(calls: 9)
        #expect(setup.decision.word == "deny")
    }

    @Test func whatAnEarlierApprovalNarrowedStaysNarrowed() throws {
        var setup = try Self.setup()
        setup.usage = Self.used(calls: 2, earlier: [Budget(modelCalls: 2)])
        let decision = setup.decision
        #expect(decision.codes == [.capabilityBudgetSpent] && decision.rule == "job_classes.ref.binding")
        // A wider budget of the next approval gives nothing back.
        setup.facts = try Self.setup(approval: Budget(modelCalls: 50)).facts
        #expect(setup.decision.codes == [.capabilityBudgetSpent])
        setup.usage = Self.used(calls: 2)
        #expect(setup.decision.word == "issue")
    }

    @Test func anApprovalIsHeldAgainstWhatTheJobHasUsed() throws {
        var setup = try Self.setup(approval: Budget(inputTokens: 1_000))
        #expect(setup.decision.word == "issue")
        setup.usage = Self.used(calls: 7)
        #expect(setup.decision.word == "issue")
        setup.usage?.usage.inputTokens = 1_000
        #expect(setup.decision.codes == [.capabilityBudgetSpent])
    }

    @Test func anotherApprovalWithRoomServes() throws {
        var setup = try Self.setup(approval: Budget(modelCalls: 1))
        setup.approvalID = nil
        setup.ticket = "CHG1"
        setup.usage = Self.used(calls: 5)
        setup.facts = setup.facts.map { fact in
            var fact = fact
            fact.ticket = Ticket(system: nil, number: "CHG1")
            return fact
        }
        #expect(setup.decision.codes == [.capabilityBudgetSpent])
        setup.facts += [Setup.approved(approval: "a2"), Setup.started(approval: "a2")].map { fact in
            var fact = fact
            fact.ticket = Ticket(system: nil, number: "CHG1")
            return fact
        }
        #expect(setup.plan?.approvals == [ApprovalID("a2")])
    }

    @Test func wallTimePassesWhetherOrNotAnythingIsReceived() throws {
        var setup = try Self.setup("limited")
        let first = Setup.noon.adding(seconds: -500)
        setup.usage = Self.used(calls: 1, from: first)
        // What is left of the wall time ends the token: 100 of the 600 s.
        #expect(setup.plan?.expiresAt == Setup.noon.adding(seconds: 100))
        setup.ttl = 300
        #expect(setup.decision.codes == [.tokenTTLReduced])
        setup.usage = Self.used(calls: 1, from: Setup.noon.adding(seconds: -600))
        #expect(setup.decision.codes == [.capabilityBudgetSpent])
        #expect(setup.decision.reasons[0].detail.contains("600 of 600 wall_time_seconds"))
        // Before its first call no time passes.
        setup.usage = Self.used()
        #expect(setup.plan?.expiresAt == Setup.noon.adding(seconds: 300))
    }

    @Test func aTokenNeverOutlivesTheWallTimeAndIsNeverEmpty() throws {
        var dice = SeededGenerator(seed: 71)
        let rules = try Setup().rules
        for _ in 0..<400 {
            var setup = try Self.setup(
                dice.chance(50) ? "limited" : "ref",
                approval: dice.chance(70) ? Budget(wallTimeSeconds: Int64.random(in: 1...900, using: &dice)) : nil)
            let first = Timestamp(
                microseconds: Setup.noon.microseconds - Int64.random(in: 0...1_000_000_000, using: &dice))
            setup.usage = Self.used(calls: 1, from: first)
            if dice.chance(30) {
                setup.usage?.approvalBudgets = [Budget(wallTimeSeconds: Int64.random(in: 1...900, using: &dice))]
            }
            let state = setup.input.approvals[0].state
            let all =
                [rules.jobClasses[JobClass(setup.jobClass)]?.budget, state.budget]
                + (setup.usage?.approvalBudgets ?? [])
            let wallTime = all.compactMap { $0?.wallTimeSeconds }.min()
            guard let plan = setup.plan else {
                #expect(setup.decision.codes == [.capabilityBudgetSpent])
                let passed = Setup.noon.microseconds - first.microseconds
                #expect(wallTime.map { passed > ($0 - 1) * 1_000_000 } ?? false)
                continue
            }
            #expect(plan.expiresAt > plan.issuedAt)
            if let wallTime { #expect(plan.expiresAt <= first.adding(seconds: wallTime)) }
        }
    }

    /// A refusal for a budget follows from the limits alone, and no further use takes it back.
    @Test func moreUseNeverGivesAToken() throws {
        var dice = SeededGenerator(seed: 72)
        for _ in 0..<400 {
            func budget() -> Budget? {
                guard dice.chance(60) else { return nil }
                return Budget(
                    modelCalls: dice.chance(60) ? Int64.random(in: 1...6, using: &dice) : nil,
                    inputTokens: Int64.random(in: 1...600, using: &dice),
                    costs: dice.chance(30) ? ["EUR": Int64.random(in: 1...9, using: &dice)] : [:])
            }
            let own = budget()
            var setup = try Self.setup(dice.chance(50) ? "limited" : "ref", approval: own)
            setup.usage = Self.used(calls: Int64.random(in: 0...6, using: &dice), earlier: budget().map { [$0] } ?? [])
            setup.usage?.usage.inputTokens = Int64.random(in: 0...600, using: &dice)
            setup.usage?.usage.costs = ["EUR": Int64.random(in: 0...9_000_000, using: &dice)]
            let usage = try #require(setup.usage)
            let all =
                [setup.rules.jobClasses[JobClass(setup.jobClass)]?.budget, own].compactMap(\.self)
                + usage.approvalBudgets
            let isSpent = Budget.narrowest(all)?.isSpent(usage.usage) ?? false
            #expect(setup.decision.word == (isSpent ? "deny" : "issue"))
            setup.usage?.usage.modelCalls += Int64.random(in: 0...3, using: &dice)
            setup.usage?.usage.inputTokens += Int64.random(in: 0...300, using: &dice)
            if isSpent { #expect(setup.decision.codes == [.capabilityBudgetSpent]) }
        }
    }
}

/// Budgets in the cases of `clawgrant rules test`.
@Suite struct BudgetCaseTests {
    private static let text = """
        name: usage
        from: pim
        at: 2026-11-20T09:10:00Z
        request: {job_class: limited, scope: [proxy:call], approval_id: a1}
        usage: USAGE
        given:
          - {fact: decision.approved, occurred_at: 2026-11-20T09:05:00Z, approval_id: a1, job_class: limited, approver: {id: mina},
            requester: {id: avery}, subject: {id: avery}}
          - {fact: grant.started, occurred_at: 2026-11-20T09:06:00Z, approval_id: a1, job_class: limited,
            not_before: 2026-11-20T09:06:00Z, not_after: 2026-11-20T10:06:00Z}
        expect: {outcome: OUTCOME}
        """

    private static func run(_ usage: String, _ outcome: String) throws -> RulesCase.Result {
        let yaml = text.replacing("USAGE", with: usage).replacing("OUTCOME", with: outcome)
        return try #require(try RulesCase.read(yaml: yaml).first).run(under: try Setup().rules)
    }

    @Test(arguments: [
        ("{}", "issue"), ("{model_calls: 3}", "issue"), ("{model_calls: 4}", "deny"),
        ("{first_call_at: 2026-11-20T09:00:01Z}", "issue"), ("{first_call_at: 2026-11-20T09:00:00Z}", "deny"),
        ("{input_tokens: 5, narrowed_by: [{input_tokens: 5}]}", "deny"),
        ("{cost: {currency: EUR, amount_minor: 2}, narrowed_by: [{cost: {currency: EUR, amount_minor: 3}}]}", "issue"),
        ("{cost: {currency: EUR, amount_minor: 3}, narrowed_by: [{cost: {currency: EUR, amount_minor: 3}}]}", "deny"),
    ])
    func decides(_ usage: String, _ outcome: String) throws {
        let result = try Self.run(usage, outcome)
        #expect(result.isPassed, "\(result.differences) \(result.decision.reasons)")
    }

    @Test(arguments: [
        "5", "{calls: 5}", "{model_calls: -1}", "{first_call_at: soon}", "{cost: {amount_minor: 5}}",
        "{narrowed_by: [{}]}",
    ])
    func refuses(_ usage: String) {
        #expect(throws: RulesCaseError.self) { _ = try Self.run(usage, "issue") }
    }
}
