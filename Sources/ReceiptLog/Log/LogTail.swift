public import ClawWire

/// Where a log ends: all that is needed to seal the next batch, in a few hundred bytes.
public struct LogTail: Sendable, Hashable {
    /// The log.
    public let logID: LogID
    /// Number of the next batch; batches count from 0.
    public let nextNumber: SequenceNumber
    /// Position of the next receipt; receipts count from 0.
    public let nextPosition: SequenceNumber
    /// Hash of the last batch header; of an empty log a hash of its name.
    public let previousHeaderHash: Digest
    /// Right edge of the tree over batch headers.
    public let frontier: MerkleFrontier
    /// When the last batch was sealed; `nil` for an empty log.
    public let sealedAt: Timestamp?

    /// The tail of an empty log.
    ///
    /// - Throws: ``EvidenceError`` `invalid_member` when the name cannot be the origin line of a checkpoint and the name
    ///   of a note key: 1 to 256 printable ASCII characters without space and plus, by convention a URL without scheme.
    public init(logID: LogID) throws(EvidenceError) {
        try Self.check(logID)
        self.init(
            logID: logID, nextNumber: SequenceNumber(0), nextPosition: SequenceNumber(0),
            previousHeaderHash: Self.genesis(of: logID), frontier: MerkleFrontier(), sealedAt: nil)
    }

    init(
        logID: LogID, nextNumber: SequenceNumber, nextPosition: SequenceNumber, previousHeaderHash: Digest,
        frontier: MerkleFrontier, sealedAt: Timestamp?
    ) {
        self.logID = logID
        self.nextNumber = nextNumber
        self.nextPosition = nextPosition
        self.previousHeaderHash = previousHeaderHash
        self.frontier = frontier
        self.sealedAt = sealedAt
    }

    /// What the first batch of a log names as its predecessor: no two logs share it.
    public static func genesis(of logID: LogID) -> Digest { Digest(hashing: "clawgrant-log-v1\n\(logID)") }

    /// The tail after a batch with this header.
    func following(_ header: BatchHeader) -> LogTail {
        let bytes = header.canonicalBytes
        var frontier = frontier
        frontier.append(RFC9162.leafHash(bytes))
        return LogTail(
            logID: logID, nextNumber: header.number.next, nextPosition: header.lastPosition.next,
            previousHeaderHash: Digest(hashing: bytes), frontier: frontier, sealedAt: header.sealedAt)
    }

    /// The checkpoint of the log as it is: the number of batches and the root over their headers.
    public var checkpoint: Checkpoint {
        Checkpoint(uncheckedOrigin: logID.rawValue, size: frontier.size, root: frontier.root)
    }

    /// The stored form, canonical JSON.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 512)
        writer.openObject()
        writer.member("frontier", frontier.nodes)
        writer.member("log_id", logID.rawValue)
        writer.member("next_number", nextNumber.value)
        writer.member("next_position", nextPosition.value)
        writer.member("previous_header_hash_b64u", previousHeaderHash)
        if let sealedAt { writer.member("sealed_at", sealedAt) }
        writer.member("tail_version", "1")
        writer.closeObject()
        return writer.output
    }

    /// Reads the stored form.
    ///
    /// - Throws: ``EvidenceError`` when it is not one, or its parts contradict each other.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes, limits: JSONLimits(maximumBytes: 65_536))
        try reader.constant("tail_version", "1")
        let number = try reader.integer("next_number")
        guard
            let frontier = MerkleFrontier(
                size: UInt64(number), nodes: try reader.digests("frontier", maximum: 64))
        else {
            throw EvidenceError(.countMismatch, "frontier", "does not have the number of nodes of \(number) batches")
        }
        self.init(
            logID: LogID(try reader.string("log_id")), nextNumber: SequenceNumber(number),
            nextPosition: SequenceNumber(try reader.integer("next_position")),
            previousHeaderHash: try reader.digest("previous_header_hash_b64u"), frontier: frontier,
            sealedAt: reader.has("sealed_at") ? try reader.timestamp("sealed_at") : nil)
        try Self.check(logID)
        try requireCanonical(canonicalBytes, bytes, "tail")
    }

    static func check(_ logID: LogID) throws(EvidenceError) {
        guard NoteKey.isName(logID.rawValue) else {
            throw EvidenceError(
                .invalidMember, "log_id",
                "\"\(logID.rawValue.prefix(64))\" cannot name a log: 1 to 256 printable ASCII characters without space "
                    + "and plus are needed, for example logs.example/clawgrant")
        }
    }
}
