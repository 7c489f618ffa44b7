public import ClawWire

/// One witness's cosignature of one checkpoint, verified (C2SP tlog-cosignature).
public struct CheckpointCosignature: Sendable, Hashable {
    /// Number of leaves of the checkpoint.
    public let size: UInt64
    /// The witness's name.
    public let witness: String
    /// Its key id, four bytes.
    public let keyID: [UInt8]
    /// When it cosigned, by its own clock, in whole seconds.
    public let cosignedAt: Timestamp
    /// Time stamp and Ed25519 signature as they stand in the note's line behind the key id, 72 bytes.
    public let signature: [UInt8]

    /// Makes a cosignature of what was verified before.
    public init(size: UInt64, witness: String, keyID: [UInt8], cosignedAt: Timestamp, signature: [UInt8]) {
        self.size = size
        self.witness = witness
        self.keyID = keyID
        self.cosignedAt = cosignedAt
        self.signature = signature
    }

    /// The line of a note that carries it.
    public var line: SignedNote.Signature { SignedNote.Signature(name: witness, keyID: keyID, bytes: signature) }
}

/// A checkpoint that came with cosignatures, held against the one that the log sealed.
public struct CosignedCheckpoint: Sendable, Hashable {
    /// What the log sealed.
    public let sealed: VerifiedCheckpoint
    /// The cosignatures of known witnesses, by witness and time.
    public let cosignatures: [CheckpointCosignature]

    /// Verifies a note: the text is what the log sealed, the log has signed it, and so has at least one known witness.
    ///
    /// Lines of keys that are not known say nothing and are left out.
    ///
    /// - Parameters:
    ///   - note: the note that was brought.
    ///   - sealed: the log's own note for the size that the brought one claims.
    ///   - logKeys: keys that may sign for the log, earlier ones too.
    ///   - logID: the log.
    ///   - witnesses: the known witnesses.
    /// - Throws: ``EvidenceError``: `log_mismatch`, `consistency_invalid` when the roots differ, `signature_invalid`,
    ///   `signer_unknown` when log or witnesses have not signed.
    public init(
        _ note: SignedNote, sealed: SignedNote, logKeys: [Ed25519PublicKey], logID: LogID, witnesses: [NoteKey]
    ) throws(EvidenceError) {
        let own = try Self.verify(sealed, logKeys, logID, [])
        let brought = try Checkpoint(parsing: note.text)
        guard brought.origin == logID.rawValue else {
            throw EvidenceError(
                .logMismatch, "checkpoint", "the checkpoint is of \"\(brought.origin.prefix(64))\", not of \(logID)")
        }
        guard brought.size == own.checkpoint.size else {
            throw EvidenceError(
                .countMismatch, "checkpoint",
                "the note is of size \(brought.size), the sealed checkpoint of size \(own.checkpoint.size)")
        }
        guard brought.root == own.checkpoint.root else {
            throw EvidenceError(
                .consistencyInvalid, "checkpoint",
                "the note has the root \(brought.root.b64u) for size \(brought.size), the log sealed "
                    + "\(own.checkpoint.root.b64u): somebody was shown another history")
        }
        guard note.text == sealed.text else {
            throw EvidenceError(
                .consistencyInvalid, "checkpoint", "the note has other extension lines than the sealed checkpoint")
        }
        let known = witnesses.filter { $0.algorithm == .cosignature }
        _ = try Self.verify(note, logKeys, logID, known)
        var cosignatures: Set<CheckpointCosignature> = []
        for line in note.signatures
        where known.contains(where: { $0.name == line.name && $0.keyID == line.keyID }) && line.bytes.count == 72 {
            // The time was verified with the signature, and is within the calendar.
            let seconds = line.bytes[..<8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
            cosignatures.insert(
                CheckpointCosignature(
                    size: brought.size, witness: line.name, keyID: line.keyID, cosignedAt: Timestamp(seconds: seconds),
                    signature: line.bytes))
        }
        guard !cosignatures.isEmpty else {
            let names = note.signatures.map(\.name).filter { $0 != logID.rawValue }.prefix(4).joined(separator: ", ")
            throw EvidenceError(
                .signerUnknown, "checkpoint",
                "no known witness has cosigned"
                    + (names.isEmpty ? "; only the log has signed" : "; not known are \(names)"))
        }
        self.sealed = own
        self.cosignatures = cosignatures.sorted {
            ($0.witness, $0.cosignedAt, $0.signature.description) < (
                $1.witness, $1.cosignedAt, $1.signature.description
            )
        }
    }

    /// Verifies under whichever key of the log has signed.
    private static func verify(
        _ note: SignedNote, _ logKeys: [Ed25519PublicKey], _ logID: LogID, _ witnesses: [NoteKey]
    ) throws(EvidenceError) -> VerifiedCheckpoint {
        let signer = logKeys.first { key in
            guard let named = NoteKey(name: logID.rawValue, publicKey: key) else { return false }
            return note.signatures.contains { $0.name == named.name && $0.keyID == named.keyID }
        }
        guard let signer else {
            throw EvidenceError(
                .signerUnknown, "checkpoint", "none of the \(logKeys.count) known keys of \(logID) has signed the note")
        }
        return try VerifiedCheckpoint(note, logKey: signer, logID: logID, witnesses: witnesses)
    }
}

/// What a ledger that keeps cosignatures says of one more: a witness goes forward only.
public enum CosignatureOrder {
    /// How far a witness's clock may be off, in seconds.
    public static let tolerance: Int64 = 300

    /// Says whether a verified cosignature is to be stored.
    ///
    /// - Parameters:
    ///   - new: the cosignature.
    ///   - stored: what is stored of this size and of the largest size by the same witness and key.
    ///   - sealedAt: when the checkpoint was sealed.
    ///   - now: the ledger's clock.
    /// - Returns: false for one that is stored already.
    /// - Throws: ``EvidenceError`` `position_mismatch` for one that goes back behind what the witness has cosigned,
    ///   `time_reversed` for a time before that or before the sealing, `invalid_member` for one in the future.
    public static func isNew(
        _ new: CheckpointCosignature, among stored: [CheckpointCosignature], sealedAt: Timestamp, now: Timestamp
    ) throws(EvidenceError) -> Bool {
        let own = stored.filter { $0.witness == new.witness && $0.keyID == new.keyID }
        if own.contains(where: { $0.size == new.size && $0.cosignedAt == new.cosignedAt }) { return false }
        guard new.cosignedAt.seconds >= sealedAt.seconds - tolerance else {
            throw EvidenceError(
                .timeReversed, "checkpoint",
                "\(new.witness) cosigned at \(new.cosignedAt), before the checkpoint was sealed at \(sealedAt)")
        }
        guard new.cosignedAt.seconds <= now.seconds + tolerance else {
            throw EvidenceError(
                .invalidMember, "checkpoint", "\(new.witness) cosigned at \(new.cosignedAt), and it is only \(now)")
        }
        guard let last = own.max(by: { ($0.size, $0.cosignedAt) < ($1.size, $1.cosignedAt) }) else { return true }
        guard new.size >= last.size else {
            throw EvidenceError(
                .positionMismatch, "checkpoint",
                "\(new.witness) has cosigned size \(last.size); a cosignature of size \(new.size) adds nothing to it")
        }
        guard new.cosignedAt > last.cosignedAt || new.size > last.size && new.cosignedAt == last.cosignedAt else {
            throw EvidenceError(
                .timeReversed, "checkpoint",
                "\(new.witness) has cosigned size \(last.size) at \(last.cosignedAt) and this one of size \(new.size) at "
                    + "\(new.cosignedAt): its clock went back")
        }
        return true
    }
}
