public import ClawWire

/// By what a later control event finds a token again, beside what the row of its request says: class, agent, request, job,
/// approvals and key.
extension DecisionInput {
    /// Scopes that cover the request, whatever approval serves it; normalized.
    public var controlScopes: [StopScope] {
        var scopes = [StopScope(kind: .source, value: requestSource.rawValue)]
        if let subject = request.subject {
            scopes.append(StopScope(kind: .subject, value: subject.rawValue).normalized)
        }
        if let hash = request.policyHash { scopes.append(StopScope(kind: .policyHash, value: hash.b64u)) }
        if case .available(let policy, _) = wpc, let id = policy.policyID {
            scopes.append(StopScope(kind: .policyID, value: id))
        }
        return scopes
    }
}

extension ApprovalState {
    /// Scopes that cover the approval, by what any of its sources states; normalized. They may be more than what the
    /// decision counted: a revocation that reaches too far is safe, one that misses is not.
    public var controlScopes: [StopScope] {
        var scopes: [StopScope] = []
        for index in claims.entries.indices {
            for entry in claims.entries[index].value.subjects.entries {
                scopes.append(StopScope(kind: .subject, value: entry.key.rawValue).normalized)
            }
            for entry in claims.entries[index].value.entitlements.entries {
                scopes += entry.key.scopeValues.map { StopScope(kind: .entitlement, value: $0) }
            }
            scopes.append(StopScope(kind: .source, value: claims.entries[index].key.source.rawValue))
        }
        return scopes
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

    /// The decision instead of this one when what it grants is more than a receipt holds.
    public func refusedBySize() -> Decision {
        Decision(
            outcome: .deny,
            reasons: [Reason(.scopeTooLarge, "what is asked for and granted is more than a receipt holds")],
            rule: rule, approvals: approvals, needed: ["a request for less, in shorter names"])
    }
}
