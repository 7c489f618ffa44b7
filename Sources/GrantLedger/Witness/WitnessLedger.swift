public import ClawWire
public import ReceiptLog

/// What keeping cosignatures of witnesses asks of the ledger.
public protocol WitnessLedger: Sendable {
    /// A checkpoint that was sealed, with its stored cosignatures.
    ///
    /// - Returns: `nil` when the log has none of that kind.
    func checkpoint(_ choice: CheckpointChoice) async throws(LedgerError) -> StoredCheckpoint?

    /// Stores what of some verified cosignatures of one checkpoint is not stored yet: all of it, or nothing.
    ///
    /// - Returns: the cosignatures that were new.
    /// - Throws: `EvidenceError` for a cosignature that is refused, see ``CosignatureOrder``; ``LedgerError``.
    func store(_ checkpoint: CosignedCheckpoint) async throws -> [CheckpointCosignature]

    /// The newest cosignature of each witness, by name.
    func newestCosignatures() async throws(LedgerError) -> [StoredCosignature]
}

/// Which checkpoint is asked for.
public enum CheckpointChoice: Sendable, Hashable {
    /// The newest.
    case newest
    /// The newest that a witness has cosigned.
    case newestCosigned
    /// The one of a number of batches.
    case size(UInt64)
}

/// A cosignature with the time at which it was stored.
public struct StoredCosignature: Sendable, Hashable {
    /// The cosignature.
    public let cosignature: CheckpointCosignature
    /// When, by the ledger's clock.
    public let storedAt: Timestamp
}

/// A checkpoint as the log sealed it, with what was stored of witnesses.
public struct StoredCheckpoint: Sendable, Hashable {
    /// Number of batches.
    public let size: UInt64
    /// The log's own note.
    public let sealed: SignedNote
    /// When it was sealed.
    public let sealedAt: Timestamp
    /// Cosignatures by witness and time.
    public let cosignatures: [StoredCosignature]

    /// The note with the newest cosignature of each witness.
    public var note: SignedNote {
        var newest: [String: CheckpointCosignature] = [:]
        for stored in cosignatures {
            let cosignature = stored.cosignature
            let key = "\(cosignature.witness) \(Hex.encode(cosignature.keyID))"
            if newest[key].map({ $0.cosignedAt < cosignature.cosignedAt }) ?? true { newest[key] = cosignature }
        }
        return sealed.adding(newest.sorted { $0.key < $1.key }.map(\.value.line))
    }
}
