public import ClawWire
public import ReceiptLog

/// What claiming tokens that are delivered by reference asks of the ledger.
public protocol ClaimLedger: Sendable {
    /// The key with which nonces for proofs are made, the same for every worker: 32 bytes.
    func proofNonceKey() async throws(LedgerError) -> [UInt8]

    /// One claim transaction: the proof is used up, the request's row is locked, `plan` judges, what it returns is
    /// written, and the stop lock is taken shared before COMMIT, as by a decide transaction with ``StopLock/last``: a
    /// control event that came meanwhile fails it with ``LedgerError/Code/conflict``.
    ///
    /// - Parameter plan: called once with what the ledger holds; throwing takes everything back, the use of the proof
    ///   too.
    /// - Returns: what `plan` returned beside its write, once that is committed.
    func claim<Result: Sendable>(
        _ read: ClaimRead, plan: @Sendable (ClaimSnapshot) throws -> (write: ClaimWrite?, result: Result)
    ) async throws -> Result
}

/// What a claim is about.
public struct ClaimRead: Sendable {
    /// The worker that answers it.
    public let worker: WorkerID
    /// The request whose token is claimed.
    public let requestID: RequestID
    /// Digest of the proof's key and identifier: no second proof has it.
    public let proof: Digest
    /// When the proof is too old to be taken, whatever clock is asked; it is remembered until then.
    public let proofExpiry: Timestamp
    /// The control position up to which the caller knows the control orders; 0 for none.
    public let knownControlPosition: Int64

    /// Makes a read.
    public init(
        worker: WorkerID, requestID: RequestID, proof: Digest, proofExpiry: Timestamp, knownControlPosition: Int64
    ) {
        self.worker = worker
        self.requestID = requestID
        self.proof = proof
        self.proofExpiry = proofExpiry
        self.knownControlPosition = knownControlPosition
    }
}

/// A claim that was answered.
public struct StoredClaim: Sendable, Hashable {
    /// JWK thumbprint of the key that claimed.
    public let key: Digest
    /// JWK thumbprint of the key to which the answer was sealed; `nil` for an answer in the clear.
    public let sealedTo: Digest?
    /// When, by the ledger's clock.
    public let at: Timestamp

    /// Makes a claim.
    public init(key: Digest, sealedTo: Digest?, at: Timestamp) {
        self.key = key
        self.sealedTo = sealedTo
        self.at = at
    }
}

/// What the ledger held when the request was locked.
public struct ClaimSnapshot: Sendable {
    /// What is stopped, and the clocks, as a decide transaction sees them.
    public let control: DecideSnapshot
    /// The request; `nil` when the ledger has none.
    public let request: StoredRequest?
    /// What the token is made of again; `nil` when it was not issued, or its day is archived.
    public let material: GrantMaterial?
    /// True when the grant's receipt is in the log: before, nothing of the grant leaves.
    public let isSealed: Bool
    /// True when a control event has voided the token, and its own revocation is still to come.
    public let isVoided: Bool
    /// The claim that was answered before.
    public let earlier: StoredClaim?
    /// True when the proof was used before.
    public let isReplay: Bool

    /// Makes a snapshot.
    public init(
        control: DecideSnapshot, request: StoredRequest?, material: GrantMaterial?, isSealed: Bool, isVoided: Bool,
        earlier: StoredClaim?, isReplay: Bool
    ) {
        self.control = control
        self.request = request
        self.material = material
        self.isSealed = isSealed
        self.isVoided = isVoided
        self.earlier = earlier
        self.isReplay = isReplay
    }
}

/// What a claim leaves behind.
public struct ClaimWrite: Sendable {
    /// The claim.
    public let claim: StoredClaim
    /// When the token expires.
    public let expiresAt: Timestamp
    /// Its receipt.
    public let effect: Effect

    /// Makes a write.
    public init(claim: StoredClaim, expiresAt: Timestamp, effect: Effect) {
        self.claim = claim
        self.expiresAt = expiresAt
        self.effect = effect
    }
}
