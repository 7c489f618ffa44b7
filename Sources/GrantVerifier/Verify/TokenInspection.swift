public import ClawWire

/// What is asked of a token by itself, before what it is used for and whether it is revoked: form, key, signature, times,
/// scope hash, lane and delegation (WIRE section 14, gaps 4, 13 and 20).
///
/// Gateways ask it by way of ``TokenVerifier``, introspection directly: there is one answer to what a sound token is.
public struct TokenInspection: Sendable, Hashable {
    /// What is asked beside signature, key and expiry.
    public var rules: CSTVerification
    /// Whether lane, control chain and delegation must fit each other. The reference does not ask.
    public var asksControlChain: Bool

    /// Makes an inspection.
    public init(rules: CSTVerification, asksControlChain: Bool = true) {
        self.rules = rules
        self.asksControlChain = asksControlChain
    }

    /// Inspects a token that nobody has looked at yet.
    ///
    /// - Throws: ``TokenFault``.
    public func inspect(
        _ token: UnverifiedCST, now: Timestamp, keys: AcceptedKeys
    ) throws(TokenFault) -> VerifiedCST {
        let verified: VerifiedCST
        do {
            verified = try CST.verify(token, keys: keys, now: now, rules: rules)
        } catch {
            throw .token(error)
        }
        try inspectChain(verified.claims, now: now)
        return verified
    }

    /// Inspects a token again that passed before, at whatever time and under whatever keys: asks what these decide, and
    /// leaves out the signature.
    ///
    /// - Throws: ``TokenFault``, the same that ``inspect(_:now:keys:)`` would throw now.
    public func inspectAgain(_ token: VerifiedCST, now: Timestamp, keys: AcceptedKeys) throws(TokenFault) {
        let claims = token.claims
        guard claims.expiresAt > now.seconds else { throw .token(CSTError(.expired)) }
        guard keys.entries.contains(where: { $0.kid == token.kid }) else { throw .token(CSTError(.unknownKid)) }
        guard keys.accepted(at: now).contains(where: { $0.kid == token.kid }) else {
            throw .token(CSTError(.kidExpired))
        }
        let skew = rules.maximumSkewSeconds
        if let notBefore = claims.extended?.notBefore, notBefore > now.seconds + (skew ?? 0) {
            throw .token(CSTError(.notYetValid))
        }
        if let skew, claims.issuedAt > now.seconds + skew { throw .token(CSTError(.issuedInFuture)) }
        try inspectChain(claims, now: now)
    }

    private func inspectChain(_ claims: CSTClaims, now: Timestamp) throws(TokenFault) {
        guard asksControlChain, let fault = ControlChain.fault(claims, now: now) else { return }
        throw .controlChain(fault)
    }
}

/// Why a token is not sound, whatever it is used for and whatever is revoked.
public enum TokenFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Form, key, signature, times or scope hash.
    case token(CSTError)
    /// Lane, control chain and delegation do not fit each other.
    case controlChain(Verdict.ControlChainFault)

    /// What is wrong, for machines: the reference's codes where it has one.
    public var code: String {
        switch self {
        case .token(let error): error.code.rawValue
        case .controlChain(let fault): (Verdict.controlChain(fault).code ?? .controlChainMissing).rawValue
        }
    }

    /// One sentence for people. It never holds the token.
    public var message: String {
        switch self {
        case .token(let error): error.message
        case .controlChain(let fault): Verdict.controlChain(fault).sentence
        }
    }

    /// The HTTP status to answer with.
    public var status: Int {
        switch self {
        case .token(let error): error.status
        case .controlChain(let fault): Verdict.controlChain(fault).status
        }
    }

    /// True when the token bears an accepted key's signature and has not expired, so that somebody who asks less, or asks
    /// later, may take it: such a token can be revoked.
    public var leavesUsable: Bool {
        switch self {
        case .token(let error):
            switch error.code {
            case .notYetValid, .issuedInFuture, .lifetimeTooLong, .scopeHashRequired, .scopeHashMismatch, .badAudience:
                true
            case .malformed, .unsupportedAlgorithm, .unknownVersion, .invalidClaims, .expired, .kidMissing, .unknownKid,
                .kidExpired, .signatureInvalid:
                false
            }
        case .controlChain: true
        }
    }

    /// Code and sentence.
    public var description: String { "\(code): \(message)" }
}
