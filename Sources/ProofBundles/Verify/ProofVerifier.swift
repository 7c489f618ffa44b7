public import ClawWire
import ReceiptLog

/// Verifies whatever it is given, strictly: nothing is valid without a signature by a key that the trust configuration
/// lists for that purpose (WIRE section 14 says where the reference is weaker).
///
/// Pure: time, keys and trust are arguments. No input makes it crash or take more than a multiple of the input's size.
public enum ProofVerifier {
    /// What is read at most.
    public static let limits = JSONLimits(
        maximumBytes: 64 << 20, maximumDepth: 48, maximumMembers: 2_000_000, maximumStringBytes: 1 << 20)

    /// Verifies a document.
    ///
    /// - Parameters:
    ///   - bytes: the file as it is.
    ///   - trust: whom to trust.
    ///   - now: the time of verification.
    public static func verify(_ bytes: [UInt8], trust: TrustConfiguration, now: Timestamp) -> Verification {
        var list = CheckList()
        guard bytes.count <= limits.maximumBytes else {
            list.fail(
                "LIMIT_EXCEEDED", "", "the document has \(bytes.count) bytes; at most \(limits.maximumBytes) are read")
            return list.verification(.unknown)
        }
        guard bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else {
            return text(bytes, trust, now)
        }
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: limits)
        } catch {
            list.fail("MALFORMED_JSON", "", "\(error)")
            return list.verification(.unknown)
        }
        let kind = kind(of: value)
        var documents = SingleDocuments(trust: trust, now: now)
        switch kind {
        case .exportBundle:
            var export = ExportChecker(trust: trust, now: now)
            export.check(value)
            return export.list.verification(kind)
        case .proofBundle:
            var bundle = BundleVerifier(trust: trust, now: now, prefix: "")
            bundle.check(value, run: nil)
            return bundle.list.verification(kind)
        case .batch: documents.batch(bytes)
        case .checkpointPair: documents.checkpoints(value)
        case .inclusionProof: documents.inclusion(value)
        case .compatibleProof: documents.compatibleProof(value)
        case .receipt: documents.receipt(bytes)
        case .token: documents.token(value["token"]?.string ?? "")
        case .policy: documents.policy(value)
        case .aggregate: documents.aggregate(value)
        case .commitSignature: documents.commitSignature(value)
        case .toolReceipt: documents.toolReceipt(value)
        case .gatewayReceipt: documents.gatewayReceipt(value)
        case .approval: documents.approval(value)
        case .grant: documents.grant(bytes)
        case .revocationHead: documents.revocationHead(bytes)
        case .checkpoint, .unknown:
            documents.list.fail("UNKNOWN_DOCUMENT", "", "the document is none of the kinds that are known here")
        }
        return documents.list.verification(kind)
    }

    /// What a document says it is.
    public static func kind(of value: JSONValue) -> DocumentKind {
        guard let object = value.object else { return .unknown }
        if object.contains("export_version") { return .exportBundle }
        if let type = object["envelope_type"]?.string {
            return switch type {
            case "proof_bundle": .proofBundle
            case "aggregate_bundle": .aggregate
            case ToolReceipt.envelopeType: .toolReceipt
            case WPCEnvelope.type: .policy
            case GatewayCall.envelopeType: .gatewayReceipt
            case HumanApprovalReceipt.envelopeType: .approval
            default: .unknown
            }
        }
        // A bundle's payload without its envelope: known for what it is, and refused for it.
        if object.contains("bundle_version") { return .proofBundle }
        if object.contains("header"), object.contains("receipts") { return .batch }
        if object.contains("first"), object.contains("second") { return .checkpointPair }
        if object.contains("proof"), object.contains("receipt") { return .inclusionProof }
        if object.contains("proof_version") {
            return object.contains("leaf_hash_b64u") ? .compatibleProof : .inclusionProof
        }
        if object.contains("grant_version") { return .grant }
        if object.contains("head_version") { return .revocationHead }
        if object.contains("receipt_version"), object.contains("kind") { return .receipt }
        if object["token"]?.string != nil { return .token }
        if object["type"] == "message_signature", object["message"]?.string != nil { return .commitSignature }
        return .unknown
    }

    private static func text(_ bytes: [UInt8], _ trust: TrustConfiguration, _ now: Timestamp) -> Verification {
        var documents = SingleDocuments(trust: trust, now: now)
        guard bytes.count <= 131_072, let text = String(validating: bytes, as: UTF8.self) else {
            documents.list.fail("UNKNOWN_DOCUMENT", "", "neither JSON nor a token nor a checkpoint")
            return documents.list.verification(.unknown)
        }
        if text.contains("\n\n\u{2014} ") {
            documents.checkpoint(text, "")
            return documents.list.verification(.checkpoint)
        }
        guard let token = compactToken(text) else {
            documents.list.fail("UNKNOWN_DOCUMENT", "", "neither JSON nor a token nor a checkpoint")
            return documents.list.verification(.unknown)
        }
        documents.token(token)
        return documents.list.verification(.token)
    }

    /// The text without white space around it, where it looks like a compact token.
    static func compactToken(_ text: String) -> String? {
        let trimmed = ExactText.trimmed(text)
        return trimmed.utf8.count(where: { $0 == UInt8(ascii: ".") }) == 2 && !trimmed.utf8.contains(0x20)
            ? trimmed : nil
    }
}
