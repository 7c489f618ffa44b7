import ClawWire
import IssuanceRules
import Testing

@testable import GrantWorker

/// Budgets where requests are decided: what is read for them, when, and what comes of it.
@Suite struct BudgetPlanTests {
    var ledger: PaperLedger

    init() throws { ledger = PaperLedger(try PlanFixture()) }

    private func used(_ calls: Int64, earlier: [Budget] = []) -> JobUsage {
        var usage = JobUsage()
        usage.usage.modelCalls = calls
        usage.usage.firstAt = PlanFixture.now
        usage.usage.lastAt = PlanFixture.now
        usage.approvalBudgets = earlier
        return usage
    }

    @Test mutating func aSpentBudgetOfTheClassDenies() throws {
        ledger.usage[JobID("job-a")] = used(4)
        ledger.usage[JobID("job-b")] = used(3)
        let summary = try ledger.deliver([
            try Answer.contained("a", "capped").record(), try Answer.contained("b", "capped").record(),
            try Answer.contained("c", "capped").record(),
        ])
        #expect(summary.denied == 1 && summary.issued == 2)
        #expect(summary.reasons == [.denied: ["CAPABILITY_BUDGET_SPENT": 1]], "what the metric counts")
        #expect(try ledger.reasons("a") == ["CAPABILITY_BUDGET_SPENT"])
        #expect(ledger.plansForUsage == 1)
    }

    @Test mutating func withoutABudgetNothingIsReadForIt() throws {
        ledger.usage[JobID("job-a")] = used(4)
        #expect(try ledger.deliver([try Answer.contained("a").record()]).issued == 1)
        #expect(ledger.plansForUsage == 0)
    }

    @Test mutating func aSpentBudgetOfTheApprovalDenies() throws {
        ledger.usage[JobID("job-a")] = used(2)
        ledger.usage[JobID("job-b")] = used(2)
        var narrow = Answer.contained("a")
        narrow.budget = Budget(modelCalls: 2)
        var wide = Answer.contained("b")
        wide.budget = Budget(modelCalls: 3)
        let summary = try ledger.deliver([try narrow.record(), try wide.record()])
        #expect(summary.denied == 1 && summary.issued == 1)
        #expect(try ledger.reasons("a") == ["CAPABILITY_BUDGET_SPENT"])
        #expect(ledger.plansForUsage == 1)
    }

    @Test mutating func whatAnEarlierApprovalNarrowedIsSeenThoughNothingInTheBatchHasABudget() throws {
        ledger.usage[JobID("job-a")] = used(2, earlier: [Budget(modelCalls: 2)])
        #expect(try ledger.deliver([try Answer.contained("a").record()]).denied == 1)
        #expect(try ledger.reasons("a") == ["CAPABILITY_BUDGET_SPENT"])
    }

    @Test mutating func aWaitingRequestIsHeldAgainstItsBudgetWhenItIsWoken() throws {
        var ask = Ask("a", "ref")
        ask.ticket = "CHG0031337"
        #expect(try ledger.deliver([try ask.record()]).waiting == 1)
        ledger.usage[JobID("job-a")] = used(9)
        var answer = Answer("x")
        answer.window = 3_600
        answer.ticket = "CHG0031337"
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        answer.budget = Budget(modelCalls: 9)
        #expect(try ledger.deliver([try answer.record()]).denied == 1)
        #expect(try ledger.reasons("a") == ["CAPABILITY_BUDGET_SPENT"])
        // The approval is not used up by it: another job may rest on it.
        var other = Ask("b", "ref")
        other.ticket = "CHG0031337"
        #expect(try ledger.deliver([try other.record()]).issued == 1)
    }
}
