public import ClawWire

/// Everything that leads from a receipt's bytes to a signed checkpoint: batch path, batch header, header path, note.
public struct InclusionProof: Sendable, Hashable {
    /// Index of the receipt in its batch.
    public let index: Int
    /// Path from the receipt's leaf to the batch root.
    public let batchPath: [Digest]
    /// Header of the batch.
    public let header: BatchHeader
    /// Path from the header's leaf to the checkpoint's root.
    public let headerPath: [Digest]
    /// The checkpoint, at least as large as the log was after the batch.
    public let checkpoint: SignedNote

    /// Joins the parts of a proof.
    public init(
        index: Int, batchPath: [Digest], header: BatchHeader, headerPath: [Digest], checkpoint: SignedNote
    ) {
        self.index = index
        self.batchPath = batchPath
        self.header = header
        self.headerPath = headerPath
        self.checkpoint = checkpoint
    }

    /// A proof that held.
    public struct Verified: Sendable, Hashable {
        /// The log.
        public let logID: LogID
        /// The receipt's position.
        public let position: SequenceNumber
        /// Its batch.
        public let batchNumber: SequenceNumber
        /// When the batch was sealed, by the log's word.
        public let sealedAt: Timestamp
        /// The checkpoint that commits to it.
        public let checkpoint: VerifiedCheckpoint
    }

    /// Verifies that a receipt stands in the log.
    ///
    /// - Parameters:
    ///   - receipt: The receipt's bytes as published.
    ///   - logKey: The log's public key.
    ///   - logID: The log that is expected; `nil` accepts the log that the proof names, if `logKey` signs for it.
    ///   - witnesses: Witnesses whose cosignatures are checked where present.
    /// - Throws: ``EvidenceError`` `inclusion_invalid`, or the fault of the checkpoint.
    public func verify(
        receipt: [UInt8], logKey: Ed25519PublicKey, logID: LogID? = nil, witnesses: [NoteKey] = []
    ) throws(EvidenceError) -> Verified {
        if let logID, header.logID != logID {
            throw EvidenceError(.logMismatch, "header.log_id", "the proof is of \(header.logID), not of \(logID)")
        }
        let verified = try VerifiedCheckpoint(
            checkpoint, logKey: logKey, logID: header.logID, witnesses: witnesses)
        guard index >= 0,
            RFC9162.verifyInclusion(
                leafHash: RFC9162.leafHash(receipt), index: UInt64(index), size: UInt64(header.count), path: batchPath,
                root: header.root)
        else {
            throw EvidenceError(
                .inclusionInvalid, "batch_path",
                "the receipt is not proven to be number \(index) of batch \(header.number)")
        }
        guard
            RFC9162.verifyInclusion(
                leafHash: RFC9162.leafHash(header.canonicalBytes), index: UInt64(header.number.value),
                size: verified.checkpoint.size, path: headerPath, root: verified.checkpoint.root)
        else {
            throw EvidenceError(
                .inclusionInvalid, "header_path",
                "batch \(header.number) is not proven to be in the log of \(verified.checkpoint.size) batches")
        }
        return Verified(
            logID: header.logID, position: SequenceNumber(header.firstPosition.value + Int64(index)),
            batchNumber: header.number, sealedAt: header.sealedAt, checkpoint: verified)
    }

    /// The portable form, canonical JSON.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 4_096)
        writer.openObject()
        writer.member("batch_path", batchPath)
        writer.member("checkpoint", checkpoint.encoded)
        writer.key("header")
        writer.verbatim(header.canonicalBytes)
        writer.member("header_path", headerPath)
        writer.member("index", Int64(index))
        writer.member("proof_version", "1")
        writer.closeObject()
        return writer.output
    }

    /// Reads the portable form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes, limits: JSONLimits(maximumBytes: 262_144))
        try reader.constant("proof_version", "1")
        self.init(
            index: Int(try reader.integer("index", in: 0...Int64(Int32.max))),
            batchPath: try reader.digests("batch_path", maximum: 64),
            header: try BatchHeader(try reader.nested("header")),
            headerPath: try reader.digests("header_path", maximum: 64),
            checkpoint: try SignedNote(
                parsing: try reader.string("checkpoint", maximumBytes: SignedNote.maximumBytes)))
        try requireCanonical(canonicalBytes, bytes, "proof")
    }
}
