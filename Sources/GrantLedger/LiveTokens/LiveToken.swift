public import ClawWire

/// A token that was issued, with everything by which a control event finds it.
public struct LiveToken: Sendable, Hashable {
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// Its request.
    public let requestID: RequestID
    /// The request's job.
    public let jobID: JobID
    /// The request's class.
    public let jobClass: JobClass
    /// The request's agent.
    public let agentDID: AgentDID
    /// Approvals that it rests on.
    public let approvals: [ApprovalID]
    /// Claim `jti`.
    public let tokenID: TokenID
    /// The key that signed it.
    public let kid: KeyID
    /// Claim `iat`.
    public let issuedAt: Timestamp
    /// Claim `exp`.
    public let expiresAt: Timestamp
    /// The other scopes that cover it, as `kind:value`.
    public let controlScopes: [String]
    /// True when it holds an elevated action.
    public let isElevated: Bool
    /// When and why it was revoked by its name, as of when it was read.
    public let revocation: TokenRevocation?

    /// Makes a token.
    public init(
        tokenHash: Digest, requestID: RequestID, jobID: JobID, jobClass: JobClass, agentDID: AgentDID,
        approvals: [ApprovalID], tokenID: TokenID, kid: KeyID, issuedAt: Timestamp, expiresAt: Timestamp,
        controlScopes: [String], isElevated: Bool, revocation: TokenRevocation? = nil
    ) {
        self.tokenHash = tokenHash
        self.requestID = requestID
        self.jobID = jobID
        self.jobClass = jobClass
        self.agentDID = agentDID
        self.approvals = approvals
        self.tokenID = tokenID
        self.kid = kid
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.controlScopes = controlScopes
        self.isElevated = isElevated
        self.revocation = revocation
    }

    /// Every scope that it is in, as ``RevocationRun/scopeKey`` names them.
    public var scopeKeys: [String] {
        [
            "all", "job_class:\(jobClass.rawValue)", "agent:\(agentDID.rawValue)", "request:\(requestID.rawValue)",
            "job:\(jobID.rawValue)", "token_hash:\(tokenHash.hex)", "jti:\(tokenID.rawValue)",
            "issuer_key:\(kid.rawValue)",
        ] + approvals.map { "approval:\($0.rawValue)" } + controlScopes
    }

    /// Whether a control event voids it, whose scope it is in: at once, however long it takes until it is revoked by its
    /// name. The same condition as the statement that finds the tokens to revoke.
    public func isVoid(by run: RevocationRun) -> Bool {
        guard issuedAt < run.issuedBefore else { return false }
        switch run.part {
        case .all: return true
        case .elevated: return isElevated
        case .pinned(let hash): return controlScopes.contains("policy_hash:\(hash.b64u)")
        case .notPinned(let hash): return !controlScopes.contains("policy_hash:\(hash.b64u)")
        case .unproxied: return !controlScopes.contains(IssuedToken.ControlReach.proxiedRoute)
        case .issuedSince(let time): return issuedAt >= time
        }
    }
}

extension RevocationRun {
    /// Its scope in one text: `kind:value`, or `all`.
    public var scopeKey: String { scopeValue.map { "\(scopeKind):\($0)" } ?? scopeKind }
}

/// How far the ledger has come with what voids tokens; one consistent look.
public struct RevocationMarks: Sendable, Hashable {
    /// Position of the last control event.
    public let controlPosition: Int64
    /// Number of the newest sealed batch; -1 for none.
    public let lastBatch: Int64
    /// The next sequence number of the revocations stream, behind that batch.
    public let nextSequence: Int64
    /// Groups with revocations or control events that are committed and not sealed.
    public let unsealed: [EffectGroupKey]
    /// The database that was asked; `nil` for none.
    public let incarnation: LedgerIncarnation?

    /// Makes marks.
    public init(
        controlPosition: Int64, lastBatch: Int64, nextSequence: Int64, unsealed: [EffectGroupKey],
        incarnation: LedgerIncarnation? = nil
    ) {
        self.incarnation = incarnation
        self.controlPosition = controlPosition
        self.lastBatch = lastBatch
        self.nextSequence = nextSequence
        self.unsealed = unsealed
    }
}

/// Where a group of effects stands.
public struct EffectGroupKey: Sendable, Hashable {
    /// Day of its partition.
    public let day: Int32
    /// Identifier.
    public let groupID: Int64

    /// Names a group.
    public init(day: Int32, groupID: Int64) {
        self.day = day
        self.groupID = groupID
    }
}

/// A token that is revoked by its name.
public struct RevokedTokenMark: Sendable, Hashable {
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// When it was revoked.
    public let revokedAt: Timestamp

    /// Makes a mark.
    public init(tokenHash: Digest, revokedAt: Timestamp) {
        self.tokenHash = tokenHash
        self.revokedAt = revokedAt
    }
}

/// A sealed batch that holds records of the revocations stream.
public struct RevocationBatch: Sendable, Hashable {
    /// Number.
    public let number: Int64
    /// Sequence number of its first revocation.
    public let firstSequence: Int64
    /// Sequence number behind its last one.
    public let nextSequence: Int64
    /// Its groups in order.
    public let groups: [EffectGroupKey]

    /// Makes a batch.
    public init(number: Int64, firstSequence: Int64, nextSequence: Int64, groups: [EffectGroupKey]) {
        self.number = number
        self.firstSequence = firstSequence
        self.nextSequence = nextSequence
        self.groups = groups
    }
}

/// One record of the revocations stream.
public struct StreamedRevocation: Sendable, Hashable {
    /// Its place in the stream, dense from 0.
    public let sequence: Int64
    /// Its key: a token hash in hexadecimal, or `cutoff:` and a scope.
    public let key: [UInt8]
    /// The record in JSON; `nil` where what stood under the key is over.
    public let value: [UInt8]?

    /// Makes a record.
    public init(sequence: Int64, key: [UInt8], value: [UInt8]?) {
        self.sequence = sequence
        self.key = key
        self.value = value
    }
}

/// What the surface that answers for live tokens asks of the ledger.
public protocol LiveTokenLedger: Sendable {
    /// How far the ledger has come with what voids tokens.
    func revocationMarks() async throws(LedgerError) -> RevocationMarks

    /// The runs of control events behind a position that may still void a living token.
    ///
    /// - Parameter since: runs that began earlier are left out.
    func revocationRuns(after position: Int64, startedSince since: Timestamp) async throws(LedgerError)
        -> [RevocationRun]

    /// Tokens revoked by their names that expire after an instant, in the order of expiry and request, from one place on.
    ///
    /// - Returns: at most `limit` of them, and the place of the last.
    func revokedTokenMarks(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> (marks: [RevokedTokenMark], last: (expiry: Timestamp, request: RequestID)?)

    /// Tokens that groups of effects revoke by their names.
    func revokedTokens(in groups: [EffectGroupKey]) async throws(LedgerError) -> [RevokedTokenMark]

    /// Batches that hold records of the revocations stream, with numbers after one and up to another, oldest first.
    func revocationBatches(
        after number: Int64, through last: Int64, limit: Int
    ) async throws(LedgerError) -> [RevocationBatch]

    /// The batch that holds a place of the revocations stream; `nil` when it is not sealed yet.
    func revocationBatch(holding sequence: Int64) async throws(LedgerError) -> RevocationBatch?

    /// The records of the revocations stream in a batch, in order.
    ///
    /// - Throws: ``LedgerError/Code/refused`` when its effects have left for the archive.
    func revocations(in batch: RevocationBatch) async throws(LedgerError) -> [StreamedRevocation]

    /// Issued tokens by their hash and that of their scope; those that are not known are left out.
    func liveTokens(_ asked: [(tokenHash: Digest, scopeHash: Digest)]) async throws(LedgerError) -> [LiveToken]
}
