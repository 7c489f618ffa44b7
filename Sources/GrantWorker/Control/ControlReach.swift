import ClawWire
import GrantLedger
import IssuanceRules

extension DecisionInput {
    /// What a later control event finds the token by, beside what the request's row says.
    func controlReach(of plan: GrantPlan, approvals: [ApprovalCandidate]) -> IssuedToken.ControlReach {
        var scopes = controlScopes.map(\.text)
        let used = plan.approvals
        for index in approvals.indices where used.contains(approvals[index].state.approvalID) {
            scopes += approvals[index].state.controlScopes.map(\.text)
        }
        if case .available(let policy, _) = wpc, policy.requiresProxy, policy.requiresReceipts {
            scopes.append(IssuedToken.ControlReach.proxiedRoute)
        }
        if let hash = plan.policyHash { scopes.append(StopScope(kind: .policyHash, value: hash.b64u).text) }
        scopes.sort()
        // Equal ones stand side by side now.
        let distinct = scopes.indices.filter { $0 == 0 || scopes[$0] != scopes[$0 - 1] }.map { scopes[$0] }
        return IssuedToken.ControlReach(
            scopes: distinct, isElevated: !plan.elevatedActions.isEmpty,
            policyHash: plan.policyHash ?? request.policyHash)
    }
}
