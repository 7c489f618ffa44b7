import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

@Suite("Budgets")
struct BudgetTests {
    @Test func theRulesAreReadAndEveryFaultIsNamed() throws {
        let rules = try UsageSample.rules(
            budget:
                "{model_calls: 10, input_tokens: 5, output_tokens: 6, cost: {currency: EUR, amount_minor: 7}, "
                + "wall_time_seconds: 8, thresholds: [90]}",
            prices: UsageSample.price(input: 125, output: 1_000))
        let budget = try #require(rules.jobClasses[JobClass("run")]?.budget)
        #expect(
            budget
                == Budget(
                    modelCalls: 10, inputTokens: 5, outputTokens: 6, costs: ["EUR": 7], wallTimeSeconds: 8,
                    thresholds: [90]))
        #expect(rules.gateways.clockSkewSeconds == 30 && rules.gateways.signers.count == 1)
        #expect(rules.prices.lines.count == 1)
        #expect(rules.document["job_classes"]?["run"]?["budget"] == budget.json)
        #expect(rules.hash != (try UsageSample.rules().hash))
        for faulty in [
            "{}", "{model_calls: 0}", "{model_cals: 1}", "{cost: {currency: euro, amount_minor: 1}}",
            "{cost: {currency: EUR}}", "{model_calls: 1, thresholds: [100]}", "{thresholds: [50]}",
        ] {
            #expect(throws: RulesError.self, "\(faulty)") { try UsageSample.rules(budget: faulty) }
        }
        #expect(throws: RulesError.self) { try UsageSample.rules(prices: "{provider: openai, model: x}") }
    }

    @Test func itIsReadFromJSONStrictly() throws {
        let budget = Budget(modelCalls: 3, costs: ["EUR": 5, "USD": 6], thresholds: [10])
        #expect(try Budget(json: budget.json) == budget)
        for text in [
            "{}", "[]", "{\"model_calls\":0}", "{\"model_calls\":1.5}", "{\"model_calls\":1,\"x\":1}",
            "{\"cost\":{\"currency\":\"eur\",\"amount_minor\":1}}", "{\"cost\":{\"currency\":\"EUR\"}}",
            "{\"model_calls\":1,\"thresholds\":[0]}", "{\"model_calls\":1,\"thresholds\":\"50\"}",
        ] {
            let value = try JSONReader.parse(text)
            #expect(throws: BudgetError.self, "\(text)") { try Budget(json: value) }
        }
    }

    private static func random(_ dice: inout SeededGenerator) -> Budget {
        func amount() -> Int64? { dice.chance(50) ? Int64.random(in: 1...20, using: &dice) : nil }
        var budget = Budget(
            modelCalls: amount(), inputTokens: amount(), outputTokens: amount(), wallTimeSeconds: amount(),
            thresholds: Set(dice.subset([10, 50, 80, 90])))
        for currency in dice.subset(["EUR", "USD"]) { budget.costs[currency] = Int64.random(in: 1...20, using: &dice) }
        return budget
    }

    @Test(arguments: 0..<50) func narrowingHasNoOrder(_ seed: Int) {
        var dice = SeededGenerator(seed: UInt64(seed))
        let budgets = (0..<4).map { _ in Self.random(&dice) }
        let all = Budget.narrowest(budgets)
        #expect(Budget.narrowest((budgets + dice.subset(budgets)).shuffled(using: &dice)) == all)
        for budget in budgets {
            for limit in budget.limits {
                let held = all?.limits.first { $0.dimension == limit.dimension && $0.currency == limit.currency }
                #expect((held?.amount ?? .max) <= limit.amount, "never wider than a part")
            }
        }
    }

    @Test func anApprovalKeepsItsNarrowestBudget() throws {
        var first = Sample.fact(.decisionApproved(approver: Sample.mina), at: "2026-11-20T09:00:00Z")
        first.budget = Budget(modelCalls: 10)
        var second = Sample.fact(.decisionApproved(approver: Sample.jonas), at: "2026-11-20T09:01:00Z")
        second.budget = Budget(modelCalls: 12, inputTokens: 5)
        let state = Sample.state([first, second, first])
        #expect(state.budget == Budget(modelCalls: 10, inputTokens: 5))
        #expect(state == Sample.state([second, first]))
        #expect(try ApprovalState(decoding: state.encode()) == state)
        #expect(try Fact(json: first.json) == first)
    }

    @Test func usageIsStoredExactly() throws {
        var usage = JobUsage()
        usage.usage.modelCalls = 7
        usage.usage.costs = ["EUR": .max]
        usage.usage.firstAt = Sample.now
        usage.usage.lastAt = Sample.now.adding(seconds: 9)
        usage.marks = ["model_calls:50:10"]
        usage.reportedExcess = ["model_calls:100:10": 12]
        usage.spentAt = Sample.now
        usage.callsInFlight = 2
        usage.approvalBudgets = [Budget(modelCalls: 3, costs: ["EUR": 4, "USD": 5])]
        #expect(try JobUsage(decoding: usage.encode()) == usage)
        #expect(throws: StorageError.self) { try JobUsage(decoding: Array("{}".utf8)) }
    }

    @Test(arguments: [
        ("*", "anything", true), ("gpt-5*", "gpt-5.1", true), ("gpt-5*", "gpt-4", false), ("*-mini", "gpt-mini", true),
        ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false), ("", "", true), ("", "a", false), ("**", "", true),
        ("gpt-5.1", "gpt-5x1", false),
    ])
    func patterns(_ pattern: String, text: String, matches: Bool) {
        #expect(Wildcard.matches(pattern, text) == matches)
    }
}
