public import ClawWire
public import ReceiptLog

/// What a verifier says of a token. There is one way to be accepted.
public enum Verdict: Sendable, Hashable {
    /// It may be relied on, as of the time of the revocations that were asked.
    case valid(VerifiedCST, asOf: Timestamp?)

    /// Not three segments of base64url JSON.
    case malformed(String)
    /// `alg` is not `EdDSA`.
    case unsupportedAlgorithm
    /// `token_version` is not 1.
    case unknownVersion
    /// A claim is missing, has another form, or is not known.
    case invalidClaims(String)
    /// The header names no key.
    case missingKid
    /// No accepted key has the name in the header.
    case unknownKey(KeyID)
    /// The key's overlap window is over.
    case keyExpired(KeyID)
    /// The signature is not the key's.
    case badSignature
    /// `exp` has come.
    case expired(at: Timestamp)
    /// `nbf` has not come.
    case notYetValid(from: Timestamp)
    /// `iat` is in the future.
    case issuedInFuture(at: Timestamp)
    /// The token lives longer than allowed, or not at all.
    case lifetime(seconds: Int64, maximum: Int64)
    /// The scope hash is missing, or is not that of the claims.
    case scopeHash(ScopeHashFault)

    /// `aud` names nobody that is served here.
    case audience([String])
    /// A scope string that is needed is not there.
    case scope(VerificationPolicy.ScopeRequirement)
    /// The token is another agent's.
    case agent(String)
    /// The token is another owner's, or names none.
    case owner(String?)
    /// The token is bound to another job, or to none.
    case job(String?)
    /// The token pins another WPC, or none.
    case policyHash(String?)
    /// Lane, control chain or delegation do not fit each other.
    case controlChain(ControlChainFault)
    /// The token is bound to a key whose possession was not proven.
    case keyNotProven

    /// It was revoked by its name.
    case revoked(RevokedToken, VerifiedCST)
    /// A cut-off covers it.
    case cutOff(CutoffRecord, VerifiedCST)
    /// A cut-off may cover it, and nobody can tell yet.
    case undetermined(CutoffRecord)
    /// The revocations are not known well enough to say.
    case staleView(StaleView)

    /// What is wrong with a scope hash.
    public enum ScopeHashFault: Sendable, Hashable {
        /// There is none.
        case missing
        /// It is another one.
        case mismatch
    }

    /// What is wrong with a control chain.
    public enum ControlChainFault: Sendable, Hashable {
        /// The lane needs something that is missing, or has something that it must not have.
        case missing(String)
        /// `agent_did` is not `sub`.
        case subjectMismatch
        /// The delegation's claims do not fit the token's.
        case delegationMismatch(String)
        /// The delegation is over.
        case delegationExpired(at: Timestamp)
    }
}

extension Verdict {
    /// Why a token is refused, for machines: the reference's codes where it has one (WIRE sections 6 and 16).
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// See ``Verdict/malformed(_:)``.
        case malformed = "TOKEN_MALFORMED"
        /// See ``Verdict/unsupportedAlgorithm``.
        case unsupportedAlgorithm = "TOKEN_UNSUPPORTED_ALG"
        /// See ``Verdict/unknownVersion``.
        case unknownVersion = "TOKEN_UNKNOWN_VERSION"
        /// See ``Verdict/invalidClaims(_:)``.
        case invalidClaims = "TOKEN_INVALID_CLAIMS"
        /// See ``Verdict/missingKid``. Ours.
        case missingKid = "TOKEN_KID_MISSING"
        /// See ``Verdict/unknownKey(_:)``.
        case unknownKey = "TOKEN_UNKNOWN_KID"
        /// See ``Verdict/keyExpired(_:)``.
        case keyExpired = "TOKEN_KID_EXPIRED"
        /// See ``Verdict/badSignature``.
        case badSignature = "TOKEN_SIGNATURE_INVALID"
        /// See ``Verdict/expired(at:)``.
        case expired = "TOKEN_EXPIRED"
        /// See ``Verdict/notYetValid(from:)``. Ours.
        case notYetValid = "TOKEN_NOT_YET_VALID"
        /// See ``Verdict/issuedInFuture(at:)``. Ours.
        case issuedInFuture = "TOKEN_ISSUED_IN_FUTURE"
        /// See ``Verdict/lifetime(seconds:maximum:)``. Ours.
        case lifetime = "TOKEN_LIFETIME_TOO_LONG"
        /// See ``Verdict/ScopeHashFault/missing``.
        case scopeHashRequired = "TOKEN_SCOPE_HASH_REQUIRED"
        /// See ``Verdict/ScopeHashFault/mismatch``.
        case scopeHashMismatch = "TOKEN_SCOPE_HASH_MISMATCH"
        /// See ``Verdict/audience(_:)``.
        case audience = "TOKEN_BAD_AUDIENCE"
        /// See ``Verdict/scope(_:)``.
        case scope = "TOKEN_INSUFFICIENT_SCOPE"
        /// See ``Verdict/agent(_:)``.
        case agent = "TOKEN_SUB_MISMATCH"
        /// See ``Verdict/owner(_:)``. Ours.
        case owner = "TOKEN_OWNER_MISMATCH"
        /// See ``Verdict/job(_:)``. Ours.
        case job = "TOKEN_JOB_MISMATCH"
        /// See ``Verdict/policyHash(_:)``.
        case policyHash = "POLICY_HASH_MISMATCH"
        /// See ``Verdict/ControlChainFault/missing(_:)``.
        case controlChainMissing = "TOKEN_CONTROL_CHAIN_MISSING"
        /// See ``Verdict/ControlChainFault/subjectMismatch``.
        case controlSubjectMismatch = "TOKEN_CONTROL_SUBJECT_MISMATCH"
        /// See ``Verdict/ControlChainFault/delegationMismatch(_:)``.
        case delegationMismatch = "TOKEN_DELEGATION_BINDING_INVALID"
        /// See ``Verdict/ControlChainFault/delegationExpired(at:)``.
        case delegationExpired = "TOKEN_DELEGATION_EXPIRED"
        /// See ``Verdict/keyNotProven``. Ours.
        case keyNotProven = "TOKEN_KEY_NOT_PROVEN"
        /// See ``Verdict/revoked(_:_:)`` and ``Verdict/cutOff(_:_:)``.
        case revoked = "TOKEN_REVOKED"
        /// See ``Verdict/undetermined(_:)``. Ours.
        case undetermined = "TOKEN_REVOCATION_UNDETERMINED"
        /// See ``Verdict/staleView(_:)``. Ours.
        case staleView = "TOKEN_REVOCATION_VIEW_STALE"
    }

    /// True when the token may be relied on.
    public var isValid: Bool {
        if case .valid = self { true } else { false }
    }

    /// Why it is refused; `nil` when it is not.
    public var code: Code? {
        switch self {
        case .valid: nil
        case .malformed: .malformed
        case .unsupportedAlgorithm: .unsupportedAlgorithm
        case .unknownVersion: .unknownVersion
        case .invalidClaims: .invalidClaims
        case .missingKid: .missingKid
        case .unknownKey: .unknownKey
        case .keyExpired: .keyExpired
        case .badSignature: .badSignature
        case .expired: .expired
        case .notYetValid: .notYetValid
        case .issuedInFuture: .issuedInFuture
        case .lifetime: .lifetime
        case .scopeHash(.missing): .scopeHashRequired
        case .scopeHash(.mismatch): .scopeHashMismatch
        case .audience: .audience
        case .scope: .scope
        case .agent: .agent
        case .owner: .owner
        case .job: .job
        case .policyHash: .policyHash
        case .controlChain(.missing): .controlChainMissing
        case .controlChain(.subjectMismatch): .controlSubjectMismatch
        case .controlChain(.delegationMismatch): .delegationMismatch
        case .controlChain(.delegationExpired): .delegationExpired
        case .keyNotProven: .keyNotProven
        case .revoked, .cutOff: .revoked
        case .undetermined: .undetermined
        case .staleView: .staleView
        }
    }

    /// The HTTP status to answer with: the gateway's own for its codes, 503 where asking again later may help.
    public var status: Int {
        switch self {
        case .valid: 200
        case .audience, .scope, .policyHash, .owner, .job: 403
        case .undetermined, .staleView: 503
        case .malformed, .unsupportedAlgorithm, .unknownVersion, .invalidClaims, .missingKid, .unknownKey, .keyExpired,
            .badSignature, .expired, .notYetValid, .issuedInFuture, .lifetime, .scopeHash, .agent, .controlChain,
            .keyNotProven, .revoked, .cutOff:
            401
        }
    }

    /// One sentence for people: what was found and what to do. It never holds the token.
    public var sentence: String {
        switch self {
        case .valid(_, let asOf):
            "the token is valid" + (asOf.map { "; revocations are known as of \($0)" } ?? "")
        case .malformed(let detail), .invalidClaims(let detail): detail
        case .unsupportedAlgorithm: "the token is not signed with EdDSA"
        case .unknownVersion: "the token's version is not 1"
        case .missingKid: "the token's header names no key"
        case .unknownKey(let kid): "no key of the issuer has the kid \(Self.cut(kid.rawValue)); fetch the key set again"
        case .keyExpired(let kid): "the key \(Self.cut(kid.rawValue)) is past its overlap window; ask for a new token"
        case .badSignature: "the signature is not that of the key the header names"
        case .expired(let instant): "the token expired at \(instant)"
        case .notYetValid(let instant): "the token is valid from \(instant) on"
        case .issuedInFuture(let instant):
            "the token was issued at \(instant), which is in the future; check the clocks"
        case .lifetime(let seconds, let maximum):
            "the token lives \(seconds) s; more than none and at most \(maximum) s are allowed"
        case .scopeHash(.missing): "the token has no scope hash, so that no receipt can be bound to it"
        case .scopeHash(.mismatch): "the token's scope hash is not that of its claims"
        case .audience(let names): "the token is for \(Self.list(names)), which is nobody here"
        case .scope(.all(let needed)): "the token lacks a scope; all of \(Self.list(needed)) are needed"
        case .scope(.any(let needed)): "the token lacks a scope; one of \(Self.list(needed)) is needed"
        case .scope(.none): "the token lacks a scope"
        case .agent(let name): "the token was issued to \(Self.cut(name)), not to the agent that presents it"
        case .owner(let name?): "the token's owner is \(Self.cut(name)), which is nobody here"
        case .owner(nil): "the token names no owner"
        case .job(let name?): "the token is bound to job \(Self.cut(name)), which is not the job of this call"
        case .job(nil): "the token is bound to no job"
        case .policyHash(let hash?): "the token pins the WPC \(Self.cut(hash)), not the one that is required"
        case .policyHash(nil): "the token pins no WPC"
        case .controlChain(.missing(let detail)), .controlChain(.delegationMismatch(let detail)): detail
        case .controlChain(.subjectMismatch): "agent_did is not sub"
        case .controlChain(.delegationExpired(let instant)): "the delegation expired at \(instant)"
        case .keyNotProven: "the token is bound to a key, and the caller has not proven to hold it"
        case .revoked(let record, _): "the token was revoked at \(record.revokedAt): \(record.cause.rawValue)"
        case .cutOff(let record, _):
            "tokens of \(Self.cut(record.scope.description)) issued before \(record.notIssuedBefore) are void: "
                + (record.reason ?? record.cause.rawValue)
        case .undetermined(let record):
            "tokens of \(Self.cut(record.scope.description)) issued before \(record.notIssuedBefore) are being revoked, "
                + "and the token does not say whether it is one of them; try again shortly"
        case .staleView(let view): "the token cannot be accepted: \(view.description)"
        }
    }

    /// The token, where its signature, times and keys are good even though it may be revoked.
    public var token: VerifiedCST? {
        switch self {
        case .valid(let token, _), .revoked(_, let token), .cutOff(_, let token): token
        case .malformed, .unsupportedAlgorithm, .unknownVersion, .invalidClaims, .missingKid, .unknownKey, .keyExpired,
            .badSignature, .expired, .notYetValid, .issuedInFuture, .lifetime, .scopeHash, .audience, .scope, .agent,
            .owner, .job, .policyHash, .controlChain, .keyNotProven, .undetermined, .staleView:
            nil
        }
    }

    private static func cut(_ text: String) -> String { text.count > 128 ? text.prefix(128) + "…" : text }

    private static func list(_ texts: [String]) -> String {
        let shown = texts.prefix(4).map { cut($0) }.joined(separator: ", ")
        return texts.count > 4 ? shown + " and others" : shown
    }
}
