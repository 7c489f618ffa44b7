public import ClawWire

/// A batch that was just sealed, and the log after it.
public struct SealedReceipts: Sendable, Hashable {
    /// The batch.
    public let batch: ReceiptBatch
    /// Path from the header's leaf to the root of ``tail``'s checkpoint.
    public let headerPath: [Digest]
    /// Where the log ends after this batch.
    public let tail: LogTail

    /// The whole proof of a receipt against the checkpoint of ``tail``; `nil` when there is no such receipt.
    public func inclusionProof(of index: Int, checkpoint: SignedNote) -> InclusionProof? {
        batch.tree.inclusionPath(of: index).map {
            InclusionProof(
                index: index, batchPath: $0, header: batch.header, headerPath: headerPath, checkpoint: checkpoint)
        }
    }
}

extension ReceiptBatch {
    /// Bytes set aside for the parts of a record that do not grow with its receipts: signatures, checkpoint, header.
    private static let fixedBytes = 8_192

    /// Cuts receipts into ranges that each fit one batch.
    ///
    /// - Throws: ``EvidenceError`` when a receipt is none, or is larger than a batch can be.
    public static func split(
        _ receipts: [[UInt8]], limits: BatchLimits = .sealing
    ) throws(EvidenceError) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var bytes = 0
        var summary = BatchSummary()
        for (index, receipt) in receipts.enumerated() {
            let part = try ReceiptSummary(receipt, path: "receipts[\(index)]")
            summary.add(part)
            bytes += receipt.count + 1
            let isFull = bytes + summary.headerBytes + fixedBytes > limits.maximumBytes
            if index > start, isFull || index - start >= limits.maximumReceipts {
                ranges.append(start..<index)
                start = index
                bytes = receipt.count + 1
                summary = BatchSummary()
                summary.add(part)
            }
            guard bytes + summary.headerBytes + fixedBytes <= limits.maximumBytes else {
                throw EvidenceError(
                    .limitExceeded, "receipts[\(index)]",
                    "the receipt of \(receipt.count) bytes does not fit a batch of \(limits.maximumBytes) bytes")
            }
        }
        if start < receipts.count { ranges.append(start..<receipts.count) }
        return ranges
    }

    /// Seals receipts as the next batch of a log.
    ///
    /// - Parameters:
    ///   - receipts: Canonical receipts, at least one, in the order of their positions.
    ///   - previous: Where the log ends.
    ///   - time: The sealer's time. A clock that went back is not followed: the batch is dated like the one before.
    ///   - signer: The log's key.
    /// - Throws: ``EvidenceError`` when there is no receipt or one is none; what the signer throws.
    public static func seal(
        receipts: [[UInt8]], previous: LogTail, at time: Timestamp, signer: any Ed25519Signer
    ) throws -> SealedReceipts {
        guard !receipts.isEmpty else {
            throw EvidenceError(.countMismatch, "receipts", "a batch holds at least one receipt; seal a heartbeat")
        }
        var summary = BatchSummary()
        for (index, receipt) in receipts.enumerated() {
            summary.add(try ReceiptSummary(receipt, path: "receipts[\(index)]"))
        }
        let tree = MerkleTree(leaves: receipts)
        let compatibleTree = ClawlogsTree(leaves: receipts.map { Digest(hashing: $0) })
        let now = time.cutToMilliseconds
        let header = BatchHeader(
            logID: previous.logID, number: previous.nextNumber, firstPosition: previous.nextPosition,
            count: receipts.count, root: tree.root, compatibleRoot: compatibleTree.root,
            previousHeaderHash: previous.previousHeaderHash, sealedAt: previous.sealedAt.map { max($0, now) } ?? now,
            counts: summary.counts, rulesHashes: summary.rulesHashes, keyIDs: summary.keyIDs)
        let hash = header.hash
        let batch = ReceiptBatch(
            header: header, headerHash: hash, signature: try signer.sign(BatchHeader.signedBytes(hash)),
            signer: signer.publicKey, receipts: receipts, tree: tree)
        return SealedReceipts(
            batch: batch, headerPath: previous.frontier.pathOfNextLeaf, tail: previous.following(header))
    }
}
