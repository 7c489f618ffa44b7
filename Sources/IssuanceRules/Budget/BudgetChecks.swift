import ClawWire

/// How a job's budget stands in the way of a further token.
extension Decider {
    /// A job whose budget is spent gets no further token, whoever approves it: what its class allows and what its earlier
    /// approvals have narrowed is held against it before an approval is waited for.
    mutating func checkBudget() {
        guard let usage = input.usage, let spent = spent(usage, by: standingBudget) else { return }
        let isOfClass = rule.budget?.limits.contains(spent) ?? false
        refuse(
            .capabilityBudgetSpent, spentDetail(usage, spent, isOfClass ? "the class" : "an earlier approval"),
            isOfClass ? "budget" : "binding", needed: "another job, or a larger budget of the class")
    }

    /// Why an approval cannot serve a job that has used what this approval allows.
    func spent(_ state: ApprovalState) -> [Finding]? {
        guard let usage = input.usage, let budget = state.budget, let spent = spent(usage, by: budget) else {
            return nil
        }
        return [
            finding(
                .capabilityBudgetSpent, spentDetail(usage, spent, "\(state.approvalID)"), "binding",
                needed: "another job, or an approval that allows more")
        ]
    }

    /// When the job's wall time is over, in whole seconds since 1970: no token is to outlive it.
    func wallTimeEnd(on state: ApprovalState) -> Int64? {
        guard let usage = input.usage else { return nil }
        return Budget.narrowest([standingBudget, state.budget].compactMap(\.self))?.wallTimeEnd(usage.usage)
    }

    /// What holds for the job whatever it asks for on.
    private var standingBudget: Budget? {
        Budget.narrowest((rule.budget.map { [$0] } ?? []) + (input.usage?.approvalBudgets ?? []))
    }

    private func spent(_ usage: JobUsage, by budget: Budget?) -> Budget.Limit? {
        budget?.spentLimit(usage.usage, at: input.now)
    }

    private func spentDetail(_ usage: JobUsage, _ limit: Budget.Limit, _ whose: String) -> String {
        let used = min(usage.usage.passing(until: input.now).used(of: limit), Budget.largest)
        return "the job \(quoted(request.jobID.rawValue)) has used \(used) of \(limit.amount) \(limit.unit), which "
            + "\(whose) allows"
    }
}
