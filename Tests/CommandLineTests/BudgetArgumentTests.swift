import ClawWire
import GrantWorker
import IssuanceRules
import Testing

@testable import clawgrant

@Suite("Budgets on the command line")
struct BudgetArgumentTests {
    private static func budget(_ arguments: String...) throws -> Budget? {
        try BudgetArgument.budget(try arguments.map { try #require(BudgetArgument(argument: $0), "\($0)") })
    }

    @Test("Limits make one budget")
    func limits() throws {
        #expect(try Self.budget() == nil)
        #expect(
            try Self.budget(
                "model_calls=500", "input_tokens=2000", "output_tokens=30", "cost=EUR:5000", "cost=USD:1",
                "wall_time_seconds=7200", "thresholds=25,50")
                == Budget(
                    modelCalls: 500, inputTokens: 2_000, outputTokens: 30, costs: ["EUR": 5_000, "USD": 1],
                    wallTimeSeconds: 7_200, thresholds: [25, 50]))
        #expect(try Self.budget("model_calls=1")?.thresholds == Budget.standardThresholds)
    }

    @Test(
        "What is no limit is refused by its form",
        arguments: [
            "", "model_calls", "model_calls=", "model_calls=many", "calls=5", "cost=5", "cost=EUR:", "cost=EUR:1:2",
            "thresholds=", "thresholds=5,,6", "=5",
        ])
    func form(_ text: String) { #expect(BudgetArgument(argument: text) == nil) }

    @Test(
        "What cannot be a budget is refused by its meaning",
        arguments: [
            ["model_calls=0"], ["model_calls=5", "model_calls=6"], ["cost=eur:5"], ["cost=EUR:5", "cost=EUR:6"],
            ["thresholds=50"], ["model_calls=5", "thresholds=0"], ["wall_time_seconds=-1"],
        ])
    func meaning(_ arguments: [String]) throws {
        let limits = try arguments.map { try #require(BudgetArgument(argument: $0)) }
        #expect(throws: (any Error).self) { try BudgetArgument.budget(limits) }
    }

    private static func rules(_ budget: String, signers: String = "", prices: String = "[]") throws -> RuleSet {
        try RuleSet(
            yaml: """
                rules_version: "1"
                sources:
                  a: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [run, free]}
                gateways: {signers: [\(signers)]}
                prices: \(prices)
                job_classes:
                  free: {binding: contained, audience: [x], scopes: {allow: [a]}}
                  run: {binding: contained, audience: [x], scopes: {allow: [a]}\(budget)}
                """)
    }

    @Test("A budget that nothing can come to is warned of")
    func warnings() throws {
        let gateway = "\"did:key:z6MkqGZn7AUaYXDhtg5YnVqKx44BJJnP6a7Q6c9rgdx6HKYG\""
        let calls = ", budget: {model_calls: 5}"
        func found(_ rules: RuleSet, _ topic: String?) -> [String] {
            LocalChecks.budgets(rules, gatewayTopic: topic).map { "\($0.severity.rawValue): \($0.finding)" }
        }
        #expect(found(try Self.rules(""), nil).isEmpty)
        let deaf = found(try Self.rules(calls), nil)
        #expect(deaf.count == 1 && deaf[0].hasPrefix("warning: the rules give budgets to run, and no topic"))
        let faithless = found(try Self.rules(calls), "gw")
        #expect(faithless.count == 1 && faithless[0].hasPrefix("warning: no receipt of gw counts"))
        #expect(
            found(try Self.rules(calls, signers: gateway), "gw")
                == ["ok: gw: 1 gateway is believed; job classes with a budget: run"])
        let unpriced = found(
            try Self.rules(", budget: {cost: {currency: EUR, amount_minor: 5}}", signers: gateway), "gw")
        #expect(unpriced.count == 2 && unpriced[1].hasPrefix("warning: job class run has a budget in EUR"))
    }
}
