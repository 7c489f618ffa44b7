import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules

/// What requests wait for, by the rules in force: the same judgement that a worker makes, on what the ledger holds now.
/// Pure.
struct WaitingReasons {
    private let waiting: ConsoleWaiting
    private let rules: RuleSet
    private let control: ControlState
    private let health: [SourceName: SourceHealth]
    private let states: [ApprovalID: ApprovalState]

    init(_ waiting: ConsoleWaiting, _ rules: RuleSet, _ control: ControlState) {
        self.waiting = waiting
        self.rules = rules
        self.control = control
        var states: [ApprovalID: ApprovalState] = [:]
        for approval in waiting.approvals {
            states[approval.approvalID] = try? ApprovalState(decoding: approval.state)
        }
        self.states = states
        var health: [SourceName: SourceHealth] = [:]
        for name in rules.healthRules.keys {
            let stored = waiting.sources[name]
            guard var state = try? SourceHealth(decoding: stored?.body ?? []) else { continue }
            state.seenAt = stored?.seenAt
            health[name] = state
        }
        self.health = health
    }

    /// What the rules say of a request now; `nil` when its body does not read.
    ///
    /// The WPC that it names is not looked for here. Whether it is missing is told by the worker: then the request is
    /// looked at again long before its time is over, and the WPC stays among the reasons.
    func decision(on stored: StoredRequest) -> Decision? {
        guard let body = stored.body.flatMap({ StoredRequestBody(decoding: $0) }) else { return nil }
        let candidates = waiting.approvals.filter { serves($0, stored) }.compactMap { approval in
            states[approval.approvalID].map {
                ApprovalCandidate(
                    state: $0, usedBy: approval.usedBy.first, grantsInWindow: approval.usedBy.count,
                    readAt: approval.updatedAt)
            }
        }
        var input = DecisionInput(
            request: body.request, requestSource: body.source, requestAuthenticity: body.authenticity,
            receivedAt: stored.receivedAt, approvals: candidates, control: control,
            usage: waiting.usage[stored.jobID].flatMap { try? JobUsage(decoding: $0) }, now: waiting.now)
        if !health.isEmpty { input.health = health }
        return withoutPolicy(rules.decide(input), stored)
    }

    private func serves(_ approval: StoredApproval, _ request: StoredRequest) -> Bool {
        if approval.approvalID == request.approvalReference { return true }
        if let ticket = request.ticketReference, approval.ticket == ticket { return true }
        if let subject = request.subjectReference, approval.subject == subject { return true }
        return false
    }

    private func withoutPolicy(_ decision: Decision, _ stored: StoredRequest) -> Decision {
        guard case .wait(let until) = decision.outcome, stored.waitUntil == until, decision.reasons.count > 1 else {
            return decision
        }
        let kept = decision.reasons.indices.filter { decision.reasons[$0].code != .wpcUnavailable }
        guard !kept.isEmpty else { return decision }
        return Decision(
            outcome: decision.outcome, reasons: kept.map { decision.reasons[$0] }, rule: decision.rule,
            approvals: decision.approvals,
            needed: kept.compactMap { decision.needed.indices.contains($0) ? decision.needed[$0] : nil },
            recheckAt: decision.recheckAt)
    }
}
