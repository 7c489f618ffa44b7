import ClawWire
import ReceiptLog

/// What documents say of logs, to be held against each other: a log that shows two histories to two readers is found
/// out as soon as their documents lie side by side.
///
/// Only what a trusted key signed, or what is proven to lie under such a signature, is a claim; whatever else is wrong
/// with the document does not matter.
public struct LogClaims: Sendable {
    private struct Claim: Hashable {
        let log: String
        let what: String
        let number: UInt64
    }
    private let trust: TrustConfiguration
    private var seen: [Claim: (value: String, document: String)] = [:]
    private var found: [Check] = []

    /// Starts with nothing.
    ///
    /// - Parameter trust: whose signatures make a claim.
    public init(trust: TrustConfiguration) { self.trust = trust }

    /// The contradictions found so far.
    public var contradictions: [Check] { found }

    /// Takes what a document says under a trusted signature, whatever the verdict about the document is.
    ///
    /// - Parameters:
    ///   - bytes: the document.
    ///   - name: what to call it.
    public mutating func add(_ bytes: [UInt8], named name: String) {
        guard let value = try? JSONReader.parse(bytes, limits: ProofVerifier.limits) else {
            if let text = String(validating: bytes, as: UTF8.self) { checkpoint(text, name) }
            return
        }
        switch ProofVerifier.kind(of: value) {
        case .exportBundle: export(value, name)
        case .proofBundle: proofBundle(value, name)
        case .batch: batch(bytes, name)
        case .checkpointPair:
            checkpoint(value["first"]?.string ?? "", name)
            checkpoint(value["second"]?.string ?? "", name)
        case .inclusionProof:
            let proof = value["proof"] ?? value
            let verified = checkpoint(proof["checkpoint"]?.string ?? "", name)
            if let object = proof["header"] {
                header(JSONWriter.bytes(object, order: .canonical), proof["header_path"], verified, name)
            }
        case .compatibleProof: compatibleProof(value, name)
        case .revocationHead: revocationHead(bytes, name)
        case .aggregate, .commitSignature, .checkpoint, .receipt, .token, .policy, .gatewayReceipt, .toolReceipt,
            .approval, .grant, .unknown:
            break
        }
    }

    // MARK: Documents

    private mutating func export(_ value: JSONValue, _ name: String) {
        if let bundle = value["artifacts"]?["proof_bundle_envelope"] { proofBundle(bundle, name) }
        guard let evidence = value["metadata"]?[BundleAssembler.metadataKey] else { return }
        let verified = checkpoint(evidence["log"]?["checkpoint"]?.string ?? "", name)
        for batch in (evidence["log"]?["batches"]?.array ?? []).prefix(RunCollector.maximumReceipts) {
            header(Array((batch["header"]?.string ?? "").utf8), batch["path"], verified, name)
        }
        for receipt in (evidence["receipts"]?.array ?? []).prefix(RunCollector.maximumReceipts) {
            if let proof = receipt["log_inclusion_proof"] { compatibleProof(proof, name) }
        }
        if let head = evidence["revocations"]?["head"]?.string { revocationHead(Array(head.utf8), name) }
    }

    /// A signed proof bundle names a checkpoint without holding it.
    private mutating func proofBundle(_ value: JSONValue, _ name: String) {
        guard let envelope = try? EnvelopeChecks.parse(value, type: "proof_bundle"),
            trust.bundleSigners.contains(envelope.signerDID),
            (try? envelope.verify(rule: .document, signers: trust.bundleSigners)) != nil,
            let stated = envelope.payload["metadata"]?[BundleAssembler.metadataKey],
            let log = stated["log_id"]?.string, let size = stated["checkpoint_size"]?.integer, size >= 0,
            let root = stated["checkpoint_root_b64u"]?.string
        else { return }
        record(Claim(log: log, what: "checkpoint", number: UInt64(size)), root, name)
    }

    private mutating func batch(_ bytes: [UInt8], _ name: String) {
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        for log in trust.logs {
            let batch = try? VerifiedBatch(
                parsing: record, previous: nil, logID: log.logID, logKeys: log.keys, depth: .receipts)
            guard let batch else { continue }
            claim(batch.header, batch.header.canonicalBytes, name)
            if let checkpoint = batch.checkpoint { claim(checkpoint.checkpoint, name) }
            return
        }
    }

    @discardableResult
    private mutating func checkpoint(_ text: String, _ name: String) -> Checkpoint? {
        guard let note = try? SignedNote(parsing: text), let stated = try? Checkpoint(parsing: note.text),
            let log = trust.logs.first(where: { ExactText.equal($0.logID.rawValue, stated.origin) }),
            let verified = try? LogChecks.verify(note, of: log)
        else { return nil }
        claim(verified.checkpoint, name)
        return verified.checkpoint
    }

    /// A header that is proven to be a leaf under a signed checkpoint.
    private mutating func header(
        _ bytes: [UInt8], _ path: JSONValue?, _ checkpoint: Checkpoint?, _ name: String
    ) {
        let path = path?.array ?? []
        let digests = path.prefix(65).compactMap { $0.string.flatMap { Digest(b64u: $0) } }
        guard let checkpoint, digests.count == path.count, let header = try? BatchHeader(parsing: bytes),
            ExactText.equal(header.logID.rawValue, checkpoint.origin),
            RFC9162.verifyInclusion(
                leafHash: RFC9162.leafHash(bytes), index: UInt64(header.number.value), size: checkpoint.size,
                path: digests, root: checkpoint.root)
        else { return }
        claim(header, bytes, name)
    }

    /// Trees of this form are those of single batches: log, size and time name one of them.
    private mutating func compatibleProof(_ value: JSONValue, _ name: String) {
        for log in trust.logs {
            for key in log.keys {
                guard let proof = try? LogInclusionProof.verifyStrictly(value, logKey: key, logID: log.logID) else {
                    continue
                }
                record(
                    Claim(
                        log: log.logID.rawValue, what: "tree of \(proof.rootPublishedAt.prefix(40)), size",
                        number: proof.treeSize), Base64URL.encode(proof.root), name)
                return
            }
        }
    }

    /// Of one moment and one place of the stream there is one head.
    private mutating func revocationHead(_ bytes: [UInt8], _ name: String) {
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        for log in trust.logs {
            let signed = try? SignedRevocationHead(verifying: record, logKeys: log.keys, logID: log.logID)
            guard let head = signed?.head else { continue }
            self.record(
                Claim(
                    log: log.logID.rawValue, what: "revocation head of \(head.asOf), next sequence",
                    number: UInt64(head.nextSequence.value)),
                "control \(head.controlPosition), live \(head.live.tokens) and \(head.live.cutoffs)", name)
            return
        }
    }

    // MARK: Claims

    private mutating func claim(_ checkpoint: Checkpoint, _ name: String) {
        record(
            Claim(log: checkpoint.origin, what: "checkpoint", number: checkpoint.size), checkpoint.root.b64u, name)
    }

    /// A header says what it is, and what the one before it is.
    private mutating func claim(_ header: BatchHeader, _ bytes: [UInt8], _ name: String) {
        let number = UInt64(header.number.value)
        record(
            Claim(log: header.logID.rawValue, what: "batch", number: number), Digest(hashing: bytes).b64u, name)
        guard number > 0 else { return }
        record(
            Claim(log: header.logID.rawValue, what: "batch", number: number - 1), header.previousHeaderHash.b64u, name)
    }

    private mutating func record(_ claim: Claim, _ value: String, _ name: String) {
        guard let first = seen[claim] else {
            seen[claim] = (value, name)
            return
        }
        guard first.value != value, found.count < 64 else { return }
        found.append(
            Check(
                "SPLIT_VIEW", name, .failed,
                "\(claim.what) \(claim.number) of \(claim.log.prefix(128)) is \(value) here and \(first.value) in "
                    + first.document))
    }
}
