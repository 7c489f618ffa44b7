public import ClawWire

/// By what a later control event finds a token again.
extension DecisionInput {
    /// Every scope that covers the request, whatever approval serves it; normalized.
    public var controlScopes: [StopScope] { scopes }
}

extension ApprovalState {
    /// Every scope that covers the approval, by what any of its sources states; normalized. It may hold more than what the
    /// decision counted: a revocation that reaches too far is safe, one that misses is not.
    public var controlScopes: [StopScope] {
        var scopes: Set<StopScope> = [StopScope(kind: .approval, value: approvalID.rawValue)]
        let claims = merged { _ in true }
        for entry in claims.subjects.entries {
            scopes.insert(StopScope(kind: .subject, value: entry.key.rawValue).normalized)
        }
        for entry in claims.entitlements.entries {
            for value in entry.key.scopeValues { scopes.insert(StopScope(kind: .entitlement, value: value)) }
        }
        for entry in self.claims.entries {
            scopes.insert(StopScope(kind: .source, value: entry.key.source.rawValue))
        }
        return scopes.sorted { $0.text < $1.text }
    }
}

extension ControlState {
    /// The latest instant up to which authority in any scope is dead.
    public var latestBarrier: Timestamp? { index.barriers.values.map(\.at).max() }
}

extension Decision {
    /// The refusal of a request whose token was revoked by its hash before it was minted.
    public func refusedByHash() -> Decision {
        Decision(
            outcome: .deny, reasons: [Reason(.tokenRevoked, "the token is revoked by its hash")], rule: "control",
            approvals: approvals, needed: ["another request: this one's token is revoked for good"])
    }
}
