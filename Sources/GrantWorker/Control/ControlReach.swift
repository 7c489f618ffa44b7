import ClawWire
import GrantLedger
import IssuanceRules

extension DecisionInput {
    /// What a later control event finds the token by, beside what the request's row says.
    func controlReach(of plan: GrantPlan, approvals: [ApprovalCandidate]) -> IssuedToken.ControlReach {
        var scopes = Set(controlScopes.filter { Self.isStoredApart($0.kind) }.map(\.text))
        let used = Set(plan.approvals)
        for candidate in approvals where used.contains(candidate.state.approvalID) {
            scopes.formUnion(candidate.state.controlScopes.filter { Self.isStoredApart($0.kind) }.map(\.text))
        }
        if case .available(let policy, _) = wpc, policy.requiresProxy, policy.requiresReceipts {
            scopes.insert(IssuedToken.ControlReach.proxiedRoute)
        }
        if let hash = plan.policyHash { scopes.insert(StopScope(kind: .policyHash, value: hash.b64u).text) }
        return IssuedToken.ControlReach(
            scopes: scopes.sorted(), isElevated: !plan.elevatedActions.isEmpty,
            policyHash: plan.policyHash ?? request.policyHash)
    }

    private static func isStoredApart(_ kind: StopScope.Kind) -> Bool {
        switch kind {
        case .subject, .entitlement, .policyHash, .policyID, .source: true
        case .all, .jobClass, .agent, .approval, .request, .issuerKey, .token, .jti, .job: false
        }
    }
}
