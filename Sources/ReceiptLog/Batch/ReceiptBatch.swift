public import ClawWire

/// A batch of receipts under a signed header, as the sealer made it or as the ledger keeps it.
///
/// What comes from a topic is a ``VerifiedBatch``.
public struct ReceiptBatch: Sendable, Hashable {
    /// The header.
    public let header: BatchHeader
    /// SHA-256 of the canonical header.
    public let headerHash: Digest
    /// Over the header hash, see `docs/receipts.md`.
    public let signature: Ed25519Signature
    /// The log's key that signed.
    public let signer: Ed25519PublicKey
    /// The receipts.
    public let receipts: [[UInt8]]
    /// Tree over the receipts.
    public let tree: MerkleTree

    /// Tree over the receipts' digests by the compatible rule; built at each call.
    public func compatibleTree() -> ClawlogsTree { ClawlogsTree(leaves: receipts.map { Digest(hashing: $0) }) }

    /// Where a receipt stands, with its path to the batch root; `nil` when there is no such receipt.
    public func proof(of index: Int) -> BatchProof? {
        BatchProof(header: header, headerHash: headerHash, tree: tree, index: index)
    }

    /// Puts a sealed batch together again from what the ledger keeps of it.
    ///
    /// - Parameters:
    ///   - header: The canonical header.
    ///   - signature: The signature over it.
    ///   - logKeys: The log's keys, old ones too: which one signed is found by trying.
    ///   - receipts: The receipts in the order of their positions.
    /// - Throws: ``EvidenceError`` when the parts are not those of one batch.
    public init(
        reopening header: [UInt8], signature: Ed25519Signature, logKeys: [Ed25519PublicKey], receipts: [[UInt8]]
    ) throws(EvidenceError) {
        let parsed = try BatchHeader(parsing: header)
        let hash = Digest(hashing: header)
        let signed = BatchHeader.signedBytes(hash)
        guard let signer = logKeys.first(where: { $0.isValidSignature(signature, for: signed) }) else {
            throw EvidenceError(
                .signatureInvalid, "signature",
                "none of the \(logKeys.count) keys of the log signed batch \(parsed.number)")
        }
        let tree = MerkleTree(leaves: receipts)
        guard tree.count == parsed.count, tree.root == parsed.root else {
            throw EvidenceError(
                .rootMismatch, "header.root_b64u",
                "the receipts are not those that batch \(parsed.number) was sealed of")
        }
        self.init(
            header: parsed, headerHash: hash, signature: signature, signer: signer, receipts: receipts, tree: tree)
    }

    init(
        header: BatchHeader, headerHash: Digest, signature: Ed25519Signature, signer: Ed25519PublicKey,
        receipts: [[UInt8]], tree: MerkleTree
    ) {
        self.header = header
        self.headerHash = headerHash
        self.signature = signature
        self.signer = signer
        self.receipts = receipts
        self.tree = tree
    }

    /// Hands the record that is published to `body` in pieces, so that a large batch is never copied as a whole.
    ///
    /// - Parameters:
    ///   - checkpoint: The signed checkpoint after this batch, when it is to travel with the batch.
    ///   - compatibleRoot: The signed compatible root, when proofs by the compatible rule are offered.
    ///   - body: Called with each piece in order.
    public func encode<Failure: Error>(
        checkpoint: SignedNote? = nil, compatibleRoot: LogInclusionProof.SignedRoot? = nil,
        _ body: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        var head = CanonicalWriter(capacity: 2_048)
        head.openObject()
        head.member("checkpoint", checkpoint?.encoded)
        if let compatibleRoot {
            head.key("clawlogs_root_signature")
            head.openObject()
            head.member("sig_b64u", compatibleRoot.rootSignature.b64u)
            head.member("signer_did", compatibleRoot.signer.did)
            head.member("statement_sig_b64u", compatibleRoot.statementSignature.b64u)
            head.closeObject()
        }
        head.key("header")
        head.verbatim(header.canonicalBytes)
        head.key("receipts")
        head.openArray()
        try body(head.output)
        for (index, receipt) in receipts.enumerated() {
            if index > 0 { try body([UInt8(ascii: ",")]) }
            try body(receipt)
        }
        var foot = CanonicalWriter(capacity: 256)
        foot.openObject()
        foot.member("algorithm", "Ed25519")
        foot.member("signature_b64u", signature.b64u)
        foot.member("signer_did", signer.did)
        foot.closeObject()
        try body(Array("],\"signature\":".utf8))
        try body(foot.output)
        try body([UInt8(ascii: "}")])
    }

    /// The record that is published, in one piece.
    public func record(
        checkpoint: SignedNote? = nil, compatibleRoot: LogInclusionProof.SignedRoot? = nil
    ) -> [UInt8] {
        var record: [UInt8] = []
        record.reserveCapacity(receipts.reduce(4_096) { $0 + $1.count + 1 })
        encode(checkpoint: checkpoint, compatibleRoot: compatibleRoot) { record.append(contentsOf: $0) }
        return record
    }
}
