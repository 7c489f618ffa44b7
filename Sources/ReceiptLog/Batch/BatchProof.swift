public import ClawWire

/// Where a receipt stands and its path to the batch root: what a record carries of its receipt's proof.
///
/// With the batch's header (found by ``batchNumber`` on the batch topic) and a checkpoint it becomes an
/// ``InclusionProof``.
public struct BatchProof: Sendable, Hashable {
    /// The batch.
    public let batchNumber: SequenceNumber
    /// Hash of its header.
    public let headerHash: Digest
    /// Receipts in the batch.
    public let count: Int
    /// Index of the receipt in the batch.
    public let index: Int
    /// Position of the receipt in the log.
    public let position: SequenceNumber
    /// Path from the receipt's leaf to the batch root.
    public let path: [Digest]

    init?(header: BatchHeader, headerHash: Digest, tree: MerkleTree, index: Int) {
        guard let path = tree.inclusionPath(of: index) else { return nil }
        batchNumber = header.number
        self.headerHash = headerHash
        count = header.count
        self.index = index
        position = SequenceNumber(header.firstPosition.value + Int64(index))
        self.path = path
    }

    init(_ reader: MemberReader) throws(EvidenceError) {
        batchNumber = SequenceNumber(try reader.integer("batch_number"))
        headerHash = try reader.digest("header_hash_b64u")
        count = Int(try reader.integer("count", in: 1...Int64(Int32.max)))
        index = Int(try reader.integer("index", in: 0...Int64(Int32.max)))
        position = SequenceNumber(try reader.integer("position"))
        path = try reader.digests("path", maximum: 64)
    }

    /// True when the path leads from the receipt to the root of a batch with this header.
    public func leads(from receipt: [UInt8], to header: BatchHeader) -> Bool {
        header.hash == headerHash && header.number == batchNumber && header.count == count
            && header.firstPosition.value + Int64(index) == position.value
            && RFC9162.verifyInclusion(
                leafHash: RFC9162.leafHash(receipt), index: UInt64(index), size: UInt64(count), path: path,
                root: header.root)
    }
}

extension CanonicalWriter {
    mutating func member(_ name: String, _ proof: BatchProof) {
        key(name)
        openObject()
        member("batch_number", proof.batchNumber.value)
        member("count", Int64(proof.count))
        member("header_hash_b64u", proof.headerHash)
        member("index", Int64(proof.index))
        member("path", proof.path)
        member("position", proof.position.value)
        closeObject()
    }
}
