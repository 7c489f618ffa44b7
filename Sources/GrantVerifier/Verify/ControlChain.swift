import ClawWire

/// Whether lane, control chain and delegation of a token fit each other (WIRE sections 2 and 6).
///
/// The reference mints delegation claims into legacy tokens without looking a chain up (WIRE section 14, 4); such a token
/// is refused here.
enum ControlChain {
    static func fault(_ claims: CSTClaims, now: Timestamp) -> Verdict.ControlChainFault? {
        switch claims.lane {
        case .canonical:
            guard claims.ownerDID != nil, claims.controllerDID != nil, let agent = claims.agentDID else {
                return .missing("a token of the canonical lane names owner, controller and agent")
            }
            guard ExactText.equal(agent, claims.subject) else { return .subjectMismatch }
            return delegationFault(claims, now: now)
        case .legacy, nil:
            if let agent = claims.agentDID, !ExactText.equal(agent, claims.subject) { return .subjectMismatch }
            if isDelegated(claims) { return .missing("a token of the legacy lane cannot be delegated") }
            if claims.scope.contains(where: { ExactText.trimmed($0).utf8.starts(with: "control:".utf8) }) {
                return .missing("a token of the legacy lane cannot hold a control scope")
            }
            return nil
        }
    }

    private static func isDelegated(_ claims: CSTClaims) -> Bool {
        claims.delegationID != nil || claims.delegatorDID != nil || claims.delegateDID != nil
            || claims.delegationPolicyHash != nil || claims.delegationSpendCapMinor != nil
            || claims.delegationExpiresAt != nil
    }

    private static func delegationFault(_ claims: CSTClaims, now: Timestamp) -> Verdict.ControlChainFault? {
        guard isDelegated(claims) else { return nil }
        guard claims.delegationID != nil, let delegator = claims.delegatorDID, let delegate = claims.delegateDID else {
            return .delegationMismatch("a delegation has an identifier, a delegator and a delegate")
        }
        guard ExactText.equal(delegate, claims.subject) else {
            return .delegationMismatch("the delegate is not sub")
        }
        guard ExactText.equal(delegator, claims.ownerDID ?? "") else {
            return .delegationMismatch("the delegator is not the owner")
        }
        if let seconds = claims.delegationExpiresAt, seconds <= now.seconds {
            return .delegationExpired(at: Timestamp(seconds: seconds))
        }
        return nil
    }
}

/// The name of a key that a token is bound to.
enum KeyThumbprint {
    /// The RFC 7638 §3 thumbprint with SHA-256; `nil` for a key of a type that is not known.
    static func of(_ confirmation: ExtendedClaims.Confirmation) -> HashText? {
        switch confirmation {
        case .thumbprint(let hash): return hash
        case .key(let key):
            let required: [String]
            switch key["kty"]?.string {
            case "OKP": required = ["crv", "kty", "x"]
            case "EC": required = ["crv", "kty", "x", "y"]
            case "RSA": required = ["e", "kty", "n"]
            default: return nil
            }
            var object = JSONObject()
            for name in required {
                guard let text = key[name]?.string else { return nil }
                object[name] = .string(text)
            }
            return HashText(JSONValue.object(object).canonicalDigest)
        }
    }
}
