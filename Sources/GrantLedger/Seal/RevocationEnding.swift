public import ClawWire

/// A cut-off that is published, as the ledger remembers it until it is over.
public struct StoredCutoff: Sendable, Hashable {
    /// The text of its key on the revocations topic.
    public let key: String
    /// Position of the control event.
    public let position: Int64
    /// When the last token that it voids has expired; `nil` for one that is never over.
    public let endsAt: Timestamp?

    /// Makes a row.
    public init(key: String, position: Int64, endsAt: Timestamp?) {
        self.key = key
        self.position = position
        self.endsAt = endsAt
    }
}

/// How revocations and cut-offs are ended that no living token needs: by the sealer, within a seal transaction.
///
/// Nobody else could: an end that is committed apart from its sealing may be sealed behind a newer cut-off of the same
/// scope, and would erase it on the topic.
public struct RevocationEnding: Sendable {
    /// Time after the expiry of a token before its revocation is over: no clock that judges it is further behind.
    public let grace: Duration
    /// How long after its revocation a token may live that the ledger never issued; `nil` to end none of them.
    public let unknownTokenLife: Duration?
    /// Most tokens ended at once.
    public let maximumTokens: Int
    /// Most cut-offs ended at once.
    public let maximumCutoffs: Int
    /// Makes the effect: the receipt, and one record without a value for each key.
    public let effect: @Sendable (EndedRevocations) throws -> Effect

    /// Says how to end.
    public init(
        grace: Duration, unknownTokenLife: Duration? = nil, maximumTokens: Int, maximumCutoffs: Int,
        effect: @escaping @Sendable (EndedRevocations) throws -> Effect
    ) {
        self.grace = grace
        self.unknownTokenLife = unknownTokenLife
        self.maximumTokens = maximumTokens
        self.maximumCutoffs = maximumCutoffs
        self.effect = effect
    }
}

/// Revocations and cut-offs that are over, each told once.
public struct EndedRevocations: Sendable, Hashable {
    /// Hashes of revoked tokens, in the order of their expiry, and behind them of those that the ledger never issued.
    public let tokens: [Digest]
    /// Keys of cut-offs, see ``StoredCutoff/key``.
    public let cutoffs: [String]
    /// Every token concerned expired before this instant.
    public let expiredBefore: Timestamp
    /// The database's clock.
    public let now: Timestamp

    package init(tokens: [Digest], cutoffs: [String], expiredBefore: Timestamp, now: Timestamp) {
        self.tokens = tokens
        self.cutoffs = cutoffs
        self.expiredBefore = expiredBefore
        self.now = now
    }
}
