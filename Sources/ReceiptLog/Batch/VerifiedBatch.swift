public import ClawWire

/// A published batch that has been checked. Only ``init(parsing:previous:logID:logKeys:limits:depth:)`` makes one.
public struct VerifiedBatch: Sendable, Hashable {
    /// How far the receipts themselves are read.
    public enum Depth: Sendable, Hashable {
        /// Hashes, kinds, rules and keys.
        case hashes
        /// Also the whole of each receipt: kind known, canonical, identifier as it must be.
        case receipts
    }

    /// The header.
    public let header: BatchHeader
    /// SHA-256 of the header's bytes.
    public let headerHash: Digest
    /// Who signed.
    public let signer: Ed25519PublicKey
    /// The receipts' bytes.
    public let receipts: [[UInt8]]
    /// Tree over the receipts.
    public let tree: MerkleTree
    /// The checkpoint that came with the batch; its signature, log and size are checked.
    public let checkpoint: VerifiedCheckpoint?
    /// The signatures under the root by the compatible rule that came with the batch, both checked.
    public let compatibleRoot: LogInclusionProof.SignedRoot?
    /// Where the log ends after this batch; `nil` when the batch was checked alone.
    public let tail: LogTail?

    /// Reads and checks the record of a batch.
    ///
    /// - Parameters:
    ///   - record: The record's value.
    ///   - previous: Where the log ended before; `nil` checks the batch alone, without its place in the log.
    ///   - logID: The log that is expected when there is no `previous`.
    ///   - logKeys: The keys that may sign for the log, at that time or now.
    ///   - limits: How much is read.
    ///   - depth: How far the receipts are read.
    /// - Throws: ``EvidenceError`` with the path of the first fault.
    public init(
        parsing record: [UInt8], previous: LogTail?, logID: LogID? = nil, logKeys: [Ed25519PublicKey],
        limits: BatchLimits = .reading, depth: Depth = .receipts
    ) throws(EvidenceError) {
        let parts = try BatchParts(record, limits)
        let header = try BatchHeader(parsing: parts.header)
        let headerHash = Digest(hashing: parts.header)
        let signer = try Self.signer(parts, headerHash, logKeys)
        if let expected = previous?.logID ?? logID, header.logID != expected {
            throw EvidenceError(.logMismatch, "header.log_id", "the batch is of \(header.logID), not of \(expected)")
        }
        if let previous { try Self.checkPlace(header, previous) }
        let tree = try Self.checkReceipts(parts.receipts, header, depth)

        var tail: LogTail?
        if let previous { tail = previous.following(header) }
        var checkpoint: VerifiedCheckpoint?
        if let note = parts.checkpoint {
            checkpoint = try Self.checkpoint(note, header, tail, logKeys)
        }
        compatibleRoot = try parts.compatibleRoot.map { root throws(EvidenceError) in
            try Self.compatibleRoot(root, header, logKeys)
        }
        self.header = header
        self.headerHash = headerHash
        self.signer = signer
        receipts = parts.receipts
        self.tree = tree
        self.checkpoint = checkpoint
        self.tail = tail
    }

    /// Where a receipt stands, with its path to the batch root; `nil` when there is no such receipt.
    public func proof(of index: Int) -> BatchProof? {
        BatchProof(header: header, headerHash: headerHash, tree: tree, index: index)
    }

    /// The proof of a receipt by the compatible rule, for verifiers that know no other; `nil` when there is no such receipt,
    /// or when the batch came without ``compatibleRoot``. The leaf is the receipt's digest.
    public func compatibleProof(of index: Int) -> LogInclusionProof? {
        compatibleRoot.flatMap {
            LogInclusionProof(
                tree: ClawlogsTree(leaves: receipts.map { Digest(hashing: $0) }), index: index, signedRoot: $0)
        }
    }

    private static func signer(
        _ parts: BatchParts, _ headerHash: Digest, _ logKeys: [Ed25519PublicKey]
    ) throws(EvidenceError) -> Ed25519PublicKey {
        guard let key = logKeys.first(where: { $0.did == parts.signerDID }) else {
            throw EvidenceError(
                .signerUnknown, "signature.signer_did",
                "\"\(parts.signerDID.prefix(64))\" is none of the \(logKeys.count) keys of the log")
        }
        guard key.isValidSignature(parts.signature, for: BatchHeader.signedBytes(headerHash)) else {
            throw EvidenceError(
                .signatureInvalid, "signature.signature_b64u", "the header is not the one that was signed")
        }
        return key
    }

    private static func checkPlace(_ header: BatchHeader, _ previous: LogTail) throws(EvidenceError) {
        guard header.number == previous.nextNumber else {
            throw EvidenceError(
                .positionMismatch, "header.number",
                "batch \(previous.nextNumber) was expected, found \(header.number)")
        }
        guard header.previousHeaderHash == previous.previousHeaderHash else {
            throw EvidenceError(
                .chainBroken, "header.previous_header_hash_b64u",
                "\(header.previousHeaderHash) is not the hash of the header before, \(previous.previousHeaderHash)")
        }
        guard header.firstPosition == previous.nextPosition else {
            throw EvidenceError(
                .positionMismatch, "header.first_position",
                "position \(previous.nextPosition) was expected, found \(header.firstPosition)")
        }
        if let sealedAt = previous.sealedAt, header.sealedAt < sealedAt {
            throw EvidenceError(
                .timeReversed, "header.sealed_at", "\(header.sealedAt) is before the batch before, \(sealedAt)")
        }
    }

    private static func checkReceipts(
        _ receipts: [[UInt8]], _ header: BatchHeader, _ depth: Depth
    ) throws(EvidenceError) -> MerkleTree {
        guard receipts.count == header.count else {
            throw EvidenceError(
                .countMismatch, "header.count", "\(header.count) receipts are stated, \(receipts.count) are there")
        }
        let tree = MerkleTree(leaves: receipts)
        guard tree.root == header.root else {
            throw EvidenceError(
                .rootMismatch, "header.root_b64u", "the receipts have the root \(tree.root): one was altered or moved")
        }
        guard ClawlogsTree(leaves: receipts.map { Digest(hashing: $0) }).root == header.compatibleRoot else {
            throw EvidenceError(
                .rootMismatch, "header.clawlogs_root_b64u", "the receipts have another root by the compatible rule")
        }
        var summary = BatchSummary()
        for (index, receipt) in receipts.enumerated() {
            let path = "receipts[\(index)]"
            summary.add(try ReceiptSummary(receipt, path: path))
            if depth == .receipts {
                do { _ = try Receipt(parsing: receipt) } catch { throw error.under(path) }
            }
        }
        guard summary.counts == header.counts else {
            throw EvidenceError(.countMismatch, "header.counts", "the kinds of the receipts are counted otherwise")
        }
        guard summary.rulesHashes == header.rulesHashes else {
            throw EvidenceError(.summaryMismatch, "header.rules_hashes_b64u", "the receipts name other rules")
        }
        guard summary.keyIDs == header.keyIDs else {
            throw EvidenceError(.summaryMismatch, "header.key_ids", "the receipts name other keys")
        }
        return tree
    }

    private static func compatibleRoot(
        _ root: MemberReader, _ header: BatchHeader, _ logKeys: [Ed25519PublicKey]
    ) throws(EvidenceError) -> LogInclusionProof.SignedRoot {
        let did = try root.string("signer_did")
        guard let key = logKeys.first(where: { $0.did == did }) else {
            throw EvidenceError(.signerUnknown, root.at("signer_did"), "\"\(did.prefix(64))\" is no key of the log")
        }
        guard let rootSignature = Ed25519Signature(b64u: try root.string("sig_b64u")),
            let statementSignature = Ed25519Signature(b64u: try root.string("statement_sig_b64u")),
            let signed = LogInclusionProof.SignedRoot(
                header: header, signer: key, rootSignature: rootSignature, statementSignature: statementSignature)
        else {
            throw EvidenceError(
                .signatureInvalid, root.path, "the signatures are not over the compatible root of the header")
        }
        return signed
    }

    private static func checkpoint(
        _ text: String, _ header: BatchHeader, _ tail: LogTail?, _ logKeys: [Ed25519PublicKey]
    ) throws(EvidenceError) -> VerifiedCheckpoint {
        let note = try SignedNote(parsing: text)
        var fault = EvidenceError(.signerUnknown, "checkpoint", "no key of the log is known")
        for key in logKeys {
            let verified: VerifiedCheckpoint
            do { verified = try VerifiedCheckpoint(note, logKey: key, logID: header.logID) } catch {
                fault = error
                continue
            }
            guard verified.checkpoint.size == UInt64(header.number.value) + 1 else {
                throw EvidenceError(
                    .positionMismatch, "checkpoint",
                    "size \(verified.checkpoint.size) is not that of the log after batch \(header.number)")
            }
            if let tail, verified.checkpoint.root != tail.frontier.root {
                throw EvidenceError(
                    .consistencyInvalid, "checkpoint", "the root is not that of the batches up to \(header.number)")
            }
            return verified
        }
        throw fault
    }
}

/// The parts of a batch record, cut but not yet trusted.
private struct BatchParts {
    let header: [UInt8]
    let receipts: [[UInt8]]
    let signature: Ed25519Signature
    let signerDID: String
    let checkpoint: String?
    let compatibleRoot: MemberReader?

    init(_ record: [UInt8], _ limits: BatchLimits) throws(EvidenceError) {
        guard record.count <= limits.maximumBytes else {
            throw EvidenceError(
                .limitExceeded, "", "the record has \(record.count) bytes; at most \(limits.maximumBytes) are read")
        }
        var values: [String: Range<Int>] = [:]
        var previous = ""
        for member in try CanonicalScanner.members(record, record.indices, maximum: 8) {
            let key = String(decoding: record[member.key], as: UTF8.self)
            guard Self.known.contains(key), previous < key else {
                throw EvidenceError(
                    .notCanonical, "", "\"\(key.prefix(64))\" is unknown, repeated or out of RFC 8785 order")
            }
            previous = key
            values[key] = member.value
        }
        guard let header = values["header"], let receipts = values["receipts"], values["signature"] != nil else {
            throw EvidenceError(.invalidMember, "", "a batch has a header, receipts and a signature")
        }
        self.header = Array(record[header])
        var parts: [[UInt8]] = []
        for range in try CanonicalScanner.elements(record, receipts, maximum: limits.maximumReceipts) {
            parts.append(Array(record[range]))
        }
        self.receipts = parts

        // The small members are read by the strict reader, from a record without its receipts.
        var small = CanonicalWriter()
        small.openObject()
        for key in ["checkpoint", "clawlogs_root_signature", "signature"] {
            if let range = values[key] {
                guard range.count <= 2 * SignedNote.maximumBytes else {
                    throw EvidenceError(.limitExceeded, key, "longer than a signature or a checkpoint can be")
                }
                small.key(key)
                small.verbatim(Array(record[range]))
            }
        }
        small.closeObject()
        let reader = try MemberReader(parsing: small.output)
        let signatureReader = try reader.nested("signature")
        try signatureReader.constant("algorithm", "Ed25519")
        guard let bytes = Ed25519Signature(b64u: try signatureReader.string("signature_b64u")) else {
            throw EvidenceError(.invalidMember, "signature.signature_b64u", "64 bytes in base64url were expected")
        }
        self.signature = bytes
        signerDID = try signatureReader.string("signer_did")
        checkpoint = try reader.optionalString("checkpoint", maximumBytes: SignedNote.maximumBytes)
        compatibleRoot = try reader.optionalNested("clawlogs_root_signature")
        var known: JSONObject = [
            "signature": [
                "algorithm": "Ed25519", "signature_b64u": .string(bytes.b64u), "signer_did": .string(signerDID),
            ]
        ]
        if let checkpoint { known["checkpoint"] = .string(checkpoint) }
        if let compatibleRoot {
            known["clawlogs_root_signature"] = [
                "sig_b64u": .string(try compatibleRoot.string("sig_b64u")),
                "signer_did": .string(try compatibleRoot.string("signer_did")),
                "statement_sig_b64u": .string(try compatibleRoot.string("statement_sig_b64u")),
            ]
        }
        try requireCanonical(
            JSONWriter.bytes(.object(known), order: .canonical), small.output, "signature")
    }

    private static let known: Set<String> = [
        "checkpoint", "clawlogs_root_signature", "header", "receipts", "signature",
    ]
}
