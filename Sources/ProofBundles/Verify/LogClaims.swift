import ClawWire
import ReceiptLog

/// What documents say of logs, to be held against each other: a log that shows two histories to two readers is found
/// out as soon as their documents lie side by side.
public struct LogClaims: Sendable {
    private struct Claim: Hashable {
        let log: String
        let what: String
        let number: UInt64
    }
    private var seen: [Claim: (value: String, document: String)] = [:]
    private var found: [Check] = []

    /// Starts with nothing.
    public init() {}

    /// The contradictions found so far.
    public var contradictions: [Check] { found }

    /// Takes what a verified document says. Unverified ones prove nothing; do not add them.
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
        case .exportBundle:
            let log = value["metadata"]?[BundleAssembler.metadataKey]?["log"]
            checkpoint(log?["checkpoint"]?.string ?? "", name)
            for batch in log?["batches"]?.array ?? [] {
                if let text = batch["header"]?.string { header(Array(text.utf8), name) }
            }
        case .batch:
            checkpoint(value["checkpoint"]?.string ?? "", name)
            if let object = value["header"] { header(JSONWriter.bytes(object, order: .canonical), name) }
        case .checkpointPair:
            checkpoint(value["first"]?.string ?? "", name)
            checkpoint(value["second"]?.string ?? "", name)
        case .inclusionProof:
            checkpoint((value["proof"] ?? value)["checkpoint"]?.string ?? "", name)
            if let object = (value["proof"] ?? value)["header"] {
                header(JSONWriter.bytes(object, order: .canonical), name)
            }
        case .proofBundle, .checkpoint, .compatibleProof, .receipt, .token, .policy, .gatewayReceipt, .approval,
            .grant, .revocationHead, .unknown:
            break
        }
    }

    private mutating func checkpoint(_ text: String, _ name: String) {
        guard let note = try? SignedNote(parsing: text), let checkpoint = try? Checkpoint(parsing: note.text) else {
            return
        }
        record(Claim(log: checkpoint.origin, what: "checkpoint", number: checkpoint.size), checkpoint.root.b64u, name)
    }

    private mutating func header(_ bytes: [UInt8], _ name: String) {
        guard let header = try? BatchHeader(parsing: bytes) else { return }
        record(
            Claim(log: header.logID.rawValue, what: "batch", number: UInt64(header.number.value)),
            Digest(hashing: bytes).b64u, name)
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
