public import ClawWire

/// The head of a batch: what its signature covers, and a leaf of the log's tree.
public struct BatchHeader: Sendable, Hashable {
    /// The log.
    public let logID: LogID
    /// Number of the batch, dense from 0.
    public let number: SequenceNumber
    /// Position of the first receipt, dense over the log.
    public let firstPosition: SequenceNumber
    /// Number of receipts, at least 1.
    public let count: Int
    /// RFC 9162 root over the receipts' bytes.
    public let root: Digest
    /// Root over the receipts' digests by the compatible rule, see ``ClawlogsTree``.
    public let compatibleRoot: Digest
    /// Hash of the header before this one, see ``LogTail/previousHeaderHash``.
    public let previousHeaderHash: Digest
    /// When the batch was sealed; never before the one before it.
    public let sealedAt: Timestamp
    /// Number of receipts by kind.
    public let counts: [String: Int]
    /// Rules that the receipts name, sorted.
    public let rulesHashes: [Digest]
    /// Keys that signed the tokens that the receipts name, sorted.
    public let keyIDs: [KeyID]

    /// Position of the last receipt.
    public var lastPosition: SequenceNumber { SequenceNumber(firstPosition.value + Int64(count) - 1) }

    /// SHA-256 of ``canonicalBytes``.
    public var hash: Digest { Digest(hashing: canonicalBytes) }

    /// What the batch signature is over.
    static func signedBytes(_ headerHash: Digest) -> [UInt8] { Array("clawgrant-batch-v1\n\(headerHash.b64u)".utf8) }

    /// The canonical form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter()
        writer.openObject()
        writer.member("batch_version", "1")
        writer.member("clawlogs_root_b64u", compatibleRoot)
        writer.member("count", Int64(count))
        writer.key("counts")
        writer.openObject()
        for (kind, number) in counts.sorted(by: { $0.key < $1.key }) { writer.member(kind, Int64(number)) }
        writer.closeObject()
        writer.member("first_position", firstPosition.value)
        writer.member("key_ids", keyIDs.map(\.rawValue))
        writer.member("last_position", lastPosition.value)
        writer.member("log_id", logID.rawValue)
        writer.member("number", number.value)
        writer.member("previous_header_hash_b64u", previousHeaderHash)
        writer.member("root_b64u", root)
        writer.member("rules_hashes_b64u", rulesHashes)
        writer.member("sealed_at", sealedAt)
        writer.closeObject()
        return writer.output
    }

    init(
        logID: LogID, number: SequenceNumber, firstPosition: SequenceNumber, count: Int, root: Digest,
        compatibleRoot: Digest, previousHeaderHash: Digest, sealedAt: Timestamp, counts: [String: Int],
        rulesHashes: [Digest], keyIDs: [KeyID]
    ) {
        self.logID = logID
        self.number = number
        self.firstPosition = firstPosition
        self.count = count
        self.root = root
        self.compatibleRoot = compatibleRoot
        self.previousHeaderHash = previousHeaderHash
        self.sealedAt = sealedAt
        self.counts = counts
        self.rulesHashes = rulesHashes
        self.keyIDs = keyIDs
    }

    /// Reads a header.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        try self.init(try MemberReader(parsing: bytes, limits: JSONLimits(maximumBytes: 262_144)))
        try requireCanonical(canonicalBytes, bytes, "header")
    }

    init(_ reader: MemberReader) throws(EvidenceError) {
        try reader.constant("batch_version", "1")
        let logID = LogID(try reader.string("log_id"))
        try LogTail.check(logID)
        let countsReader = try reader.nested("counts")
        var counts: [String: Int] = [:]
        var total: Int64 = 0
        for kind in countsReader.object.keys {
            guard ReceiptSummary.isKind(kind) else {
                throw EvidenceError(.invalidMember, countsReader.path, "\"\(kind.prefix(64))\" is no kind of receipt")
            }
            let number = try countsReader.integer(kind, in: 1...Int64(Int32.max))
            counts[kind] = Int(number)
            total += number
        }
        let count = try reader.integer("count", in: 1...Int64(Int32.max))
        guard total == count else {
            throw EvidenceError(.countMismatch, reader.at("counts"), "the counts add up to \(total), not to \(count)")
        }
        let first = try reader.integer("first_position")
        let last = try reader.integer("last_position")
        guard last - first + 1 == count else {
            throw EvidenceError(
                .positionMismatch, reader.at("last_position"),
                "positions \(first) to \(last) are not \(count) receipts")
        }
        self.init(
            logID: logID, number: SequenceNumber(try reader.integer("number")), firstPosition: SequenceNumber(first),
            count: Int(count), root: try reader.digest("root_b64u"),
            compatibleRoot: try reader.digest("clawlogs_root_b64u"),
            previousHeaderHash: try reader.digest("previous_header_hash_b64u"),
            sealedAt: try reader.timestamp("sealed_at"), counts: counts,
            rulesHashes: try reader.digests("rules_hashes_b64u"),
            keyIDs: try reader.strings("key_ids").map { KeyID($0) })
    }
}
