public import ClawWire

/// Says whether a token may be relied on. Pure: time, keys and revocations are arguments.
///
/// It asks everything that the reference's gateway and introspection leave out: lifetime, `iat`, `kid`, audience,
/// scope hash, job, lane and revocation (WIRE section 14).
public struct TokenVerifier: Sendable {
    /// What is asked of a token.
    public var policy: VerificationPolicy

    /// Makes a verifier.
    public init(policy: VerificationPolicy) { self.policy = policy }

    /// Judges a token.
    ///
    /// The token itself is judged first, then what it is used for, then whether it is revoked. A token that is known to
    /// be revoked is refused as such even where the view of revocations is stale.
    ///
    /// - Parameters:
    ///   - token: the compact token.
    ///   - now: the gateway's time.
    ///   - keys: the issuer's keys, see ``ClawWire/AcceptedKeys``.
    ///   - state: the revocations, see ``RevocationFollower``.
    ///   - context: what is known of the token's grant.
    ///   - provenKey: SHA-256 thumbprint (RFC 7638) of the key that the caller has proven to hold, such as by DPoP. A token
    ///     that is bound to a key is refused without it.
    public func verify(
        _ token: BearerToken, now: Timestamp, keys: AcceptedKeys, state: RevocationState,
        context: TokenContext = .unknown, provenKey: Digest? = nil
    ) -> Verdict {
        let parsed: UnverifiedCST
        do {
            parsed = try CST.parse(token.exposed)
        } catch {
            return refusal(error, nil)
        }
        let verified: VerifiedCST
        do {
            verified = try inspection.inspect(parsed, now: now, keys: keys)
        } catch {
            switch error {
            case .token(let error): return refusal(error, parsed)
            case .controlChain(let fault): return .controlChain(fault)
            }
        }
        return misuse(verified.claims, provenKey: provenKey)
            ?? revocation(of: verified, now: now, state: state, context: context)
    }

    private var inspection: TokenInspection {
        var rules = CSTVerification.strict(
            audiences: policy.audiences, maximumLifetimeSeconds: policy.maximumLifetimeSeconds,
            maximumSkewSeconds: policy.clockSkewSeconds)
        rules.refusesUnknownClaims = policy.refusesUnknownClaims
        return TokenInspection(rules: rules)
    }

    private func refusal(_ error: CSTError, _ token: UnverifiedCST?) -> Verdict {
        let claims = token?.unverifiedClaims
        switch error.code {
        case .malformed: return .malformed(error.message)
        case .unsupportedAlgorithm: return .unsupportedAlgorithm
        case .unknownVersion: return .unknownVersion
        case .invalidClaims: return .invalidClaims(error.message)
        case .expired: return .expired(at: claims?.expires ?? Timestamp(seconds: 0))
        case .notYetValid: return .notYetValid(from: Timestamp(seconds: claims?.extended?.notBefore ?? 0))
        case .kidMissing: return .missingKid
        case .unknownKid: return .unknownKey(token?.kid ?? KeyID(""))
        case .kidExpired: return .keyExpired(token?.kid ?? KeyID(""))
        case .signatureInvalid: return .badSignature
        case .issuedInFuture: return .issuedInFuture(at: claims?.issued ?? Timestamp(seconds: 0))
        case .lifetimeTooLong:
            let seconds = claims.map { $0.expiresAt - $0.issuedAt } ?? 0
            return .lifetime(seconds: seconds, maximum: policy.maximumLifetimeSeconds)
        case .scopeHashRequired: return .scopeHash(.missing)
        case .scopeHashMismatch: return .scopeHash(.mismatch)
        case .badAudience: return .audience(claims?.audience.names ?? [])
        }
    }

    // MARK: What it is used for

    private func misuse(_ claims: CSTClaims, provenKey: Digest?) -> Verdict? {
        if !isSufficient(claims.scope) { return .scope(policy.scope) }
        if let agent = policy.agent, !ExactText.equal(agent.rawValue, claims.subject) { return .agent(claims.subject) }
        if let owner = policy.owner {
            guard let named = claims.ownerDID, ExactText.equal(named, owner) else { return .owner(claims.ownerDID) }
        }
        switch policy.job {
        case .bound:
            guard let job = claims.missionID, !ExactText.trimmed(job).isEmpty else { return .job(nil) }
        case .exactly(let expected):
            guard let job = claims.missionID, ExactText.equal(job, expected.rawValue) else {
                return .job(claims.missionID)
            }
        case .none: break
        }
        if let expected = policy.policyHash, claims.policyHash != HashText(expected) {
            return .policyHash(claims.policyHash?.text)
        }
        if let confirmation = claims.extended?.confirmation {
            guard let provenKey, KeyThumbprint.of(confirmation) == HashText(provenKey) else { return .keyNotProven }
        }
        return nil
    }

    private func isSufficient(_ granted: [String]) -> Bool {
        switch policy.scope {
        case .all(let needed): needed.allSatisfy { ExactText.contains(granted, $0) }
        case .any(let needed): needed.contains { ExactText.contains(granted, $0) }
        case .none: true
        }
    }

    // MARK: Whether it is revoked

    private func revocation(
        of token: VerifiedCST, now: Timestamp, state: RevocationState, context: TokenContext
    ) -> Verdict {
        let finding = state.finding(for: token, context: context)
        switch finding {
        case .revoked(let record): return .revoked(record, token)
        case .cutOff(let record): return .cutOff(record, token)
        case .undetermined, nil: break
        }
        switch policy.view {
        case .strict(let maximumAgeSeconds):
            let view = state.staleness(
                at: now, maximumAgeSeconds: maximumAgeSeconds, clockSkewSeconds: policy.clockSkewSeconds)
            if let view { return .staleView(view) }
        case .lastKnown: break
        }
        if case .undetermined(let record) = finding, policy.refusesUndetermined { return .undetermined(record) }
        return .valid(token, asOf: state.asOf)
    }
}
