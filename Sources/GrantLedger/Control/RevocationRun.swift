public import ClawWire

/// Live tokens that a control event voided and that are revoked one by one, chunk by chunk.
public struct RevocationRun: Sendable, Hashable {
    /// Which tokens of the scope. The text of each case is what the ledger stores.
    public enum Part: Sendable, Hashable {
        /// All.
        case all
        /// Those with an elevated action.
        case elevated
        /// Those pinned to this WPC.
        case pinned(Digest)
        /// Those pinned to another WPC than this one, or to none.
        case notPinned(Digest)
        /// Those that do not bear ``IssuedToken/ControlReach/proxiedRoute``.
        case unproxied
        /// Those with an `iat` not smaller than this.
        case issuedSince(Timestamp)

        var stored: (name: String, value: String?) {
            switch self {
            case .all: ("all", nil)
            case .elevated: ("elevated", nil)
            case .pinned(let hash): ("pinned", hash.b64u)
            case .notPinned(let hash): ("not_pinned", hash.b64u)
            case .unproxied: ("unproxied", nil)
            case .issuedSince(let time): ("issued_since", String(time.seconds))
            }
        }

        init?(name: String, value: String?) {
            switch (name, value) {
            case ("all", nil): self = .all
            case ("elevated", nil): self = .elevated
            case ("unproxied", nil): self = .unproxied
            case ("pinned", let value?):
                guard let hash = Digest(b64u: value) else { return nil }
                self = .pinned(hash)
            case ("not_pinned", let value?):
                guard let hash = Digest(b64u: value) else { return nil }
                self = .notPinned(hash)
            case ("issued_since", let value?):
                guard let seconds = Int64(value) else { return nil }
                self = .issuedSince(Timestamp(seconds: seconds))
            default: return nil
            }
        }
    }

    /// Position of the control event.
    public let position: Int64
    /// Counts the runs of one event, from 0.
    public let ordinal: Int32
    /// The identifier under which people speak of the event.
    public let handle: String
    /// Kind of the scope, as on the wire.
    public let scopeKind: String
    /// Value of the scope.
    public let scopeValue: String?
    /// Which of its tokens.
    public let part: Part
    /// Why, for machines.
    public let cause: String
    /// Why, for people.
    public let detail: String
    /// Tokens with an `iat` not smaller than this are left alone.
    public let issuedBefore: Timestamp
    /// Tokens revoked so far.
    public let revoked: Int64
    /// When the event was applied.
    public let startedAt: Timestamp
    /// When the last token was revoked; `nil` while there may be more.
    public let finishedAt: Timestamp?
    /// Who declared the control event, the first of them; `nil` where it was not read or nobody is named.
    public let declaredBy: String?

    /// Makes a run.
    public init(
        position: Int64, ordinal: Int32, handle: String, scopeKind: String, scopeValue: String?, part: Part,
        cause: String, detail: String, issuedBefore: Timestamp, revoked: Int64 = 0, startedAt: Timestamp,
        finishedAt: Timestamp? = nil, declaredBy: String? = nil
    ) {
        self.position = position
        self.ordinal = ordinal
        self.handle = handle
        self.scopeKind = scopeKind
        self.scopeValue = scopeValue
        self.part = part
        self.cause = cause
        self.detail = detail
        self.issuedBefore = issuedBefore
        self.revoked = revoked
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.declaredBy = declaredBy
    }
}

/// A live token that a run revokes, with what its receipt says. There may be very many: nothing else is read.
public struct VoidedToken: Sendable, Hashable {
    /// Its request.
    public let requestID: RequestID
    /// The request's job.
    public let jobID: JobID
    /// The request's class.
    public let jobClass: JobClass
    /// The request's agent.
    public let agentDID: AgentDID
    /// Approvals that the token rests on.
    public let approvals: [ApprovalID]
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// Claim `jti`.
    public let tokenID: TokenID
    /// The key that signed it.
    public let kid: KeyID
    /// Claim `exp`.
    public let expiresAt: Timestamp
    /// The WPC that it is counted under.
    let policyHash: Digest?
    /// Where the row stands, by which the same transaction finds it again.
    let place: String

    /// Reads the token of a request; `nil` when it has none.
    package init?(_ request: StoredRequest) {
        guard let token = request.token else { return nil }
        self.init(
            requestID: request.requestID, jobID: request.jobID, jobClass: request.jobClass,
            agentDID: request.agentDID, approvals: request.approvals, tokenHash: token.tokenHash,
            tokenID: token.tokenID, kid: token.kid, expiresAt: token.expiresAt,
            policyHash: token.control?.policyHash, place: request.requestID.rawValue)
    }

    init(
        requestID: RequestID, jobID: JobID, jobClass: JobClass, agentDID: AgentDID, approvals: [ApprovalID],
        tokenHash: Digest, tokenID: TokenID, kid: KeyID, expiresAt: Timestamp, policyHash: Digest?, place: String
    ) {
        self.requestID = requestID
        self.jobID = jobID
        self.jobClass = jobClass
        self.agentDID = agentDID
        self.approvals = approvals
        self.tokenHash = tokenHash
        self.tokenID = tokenID
        self.kid = kid
        self.expiresAt = expiresAt
        self.policyHash = policyHash
        self.place = place
    }
}

/// The next tokens of a run, locked.
public struct RevocationChunk: Sendable {
    /// The run.
    public let run: RevocationRun
    /// Live tokens.
    public let tokens: [VoidedToken]
    /// The database's clock.
    public let now: Timestamp
    /// Position of the last control event.
    public let controlPosition: Int64
    /// The token that the run is about, when it names one by its hash that the ledger has neither living nor revoked, and
    /// that no run before named: it has no request, and its revocation must be told all the same.
    public let unknownToken: Digest?

    package init(
        run: RevocationRun, tokens: [VoidedToken], now: Timestamp, controlPosition: Int64, unknownToken: Digest? = nil
    ) {
        self.unknownToken = unknownToken
        self.run = run
        self.tokens = tokens
        self.now = now
        self.controlPosition = controlPosition
    }
}

/// A token that is revoked by its name.
public struct RevokedTokenRow: Sendable, Hashable {
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// The claim `exp`.
    public let expiresAt: Timestamp
    /// Its request.
    public let requestID: RequestID

    package init(tokenHash: Digest, expiresAt: Timestamp, requestID: RequestID) {
        self.tokenHash = tokenHash
        self.expiresAt = expiresAt
        self.requestID = requestID
    }
}

/// What a reader of the revocations topic must have seen to know everything up to an instant.
public struct RevocationHorizon: Sendable, Hashable {
    /// The database's clock when the rest was read.
    public let now: Timestamp
    /// Position of the last control event.
    public let controlPosition: Int64
    /// True when no committed revocation or control event is unsealed.
    public let isSealed: Bool
    /// The next batch to be sealed: everything before it is sealed.
    public let nextBatch: Int64
    /// The next sequence number of the revocations stream.
    public let nextSequence: Int64
    /// Control events with a smaller position have all their tokens revoked one by one.
    public let sweptPosition: Int64
    /// Revoked tokens that have not expired; a lower bound when there are very many.
    public let revokedTokens: Int64
    /// Cut-offs that are not over; a lower bound where there were some before they were counted.
    public let cutoffs: Int64

    package init(
        now: Timestamp, controlPosition: Int64, isSealed: Bool, nextBatch: Int64, nextSequence: Int64,
        sweptPosition: Int64, revokedTokens: Int64, cutoffs: Int64
    ) {
        self.now = now
        self.controlPosition = controlPosition
        self.isSealed = isSealed
        self.nextBatch = nextBatch
        self.nextSequence = nextSequence
        self.sweptPosition = sweptPosition
        self.revokedTokens = revokedTokens
        self.cutoffs = cutoffs
    }
}
