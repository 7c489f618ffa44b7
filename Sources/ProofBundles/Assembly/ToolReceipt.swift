public import ClawWire
import ReceiptLog

/// A receipt of ours as a `tool_receipt` version 2 (WIRE section 8.3): the form that the stricter of the reference
/// verifiers checks, with a co-signature in the role of the approver.
///
/// `args_hash_b64u` is SHA-256(salt ‖ RFC 8785 text of the receipt's `inputs`), `result_hash_b64u` is SHA-256(salt ‖
/// receipt), so that whoever has the receipt can check both. Salts follow from the receipt; they hide nothing and only
/// fill members that the format demands.
public struct ToolReceipt: Sendable, Hashable {
    /// The envelope's type.
    public static let envelopeType = "tool_receipt"
    /// `tool_name` of an issuance.
    public static let issue = "clawgrant.issue"
    /// `tool_name` of a revocation.
    public static let revoke = "clawgrant.revoke"

    /// The payload.
    public let payload: JSONObject

    /// Makes the receipt of an issuance or a revocation; `nil` for other kinds.
    ///
    /// - Parameters:
    ///   - logged: our receipt.
    ///   - agent: `agent_did`; the reference demands the bundle's.
    ///   - runID: the run.
    ///   - eventHash: the entry of the chain that stands for the receipt.
    ///   - scopeHash: the token's scope hash.
    ///   - policyHash: the WPC.
    public init?(
        _ logged: LoggedReceipt, agent: String, runID: String, eventHash: Digest, scopeHash: Digest?,
        policyHash: Digest?
    ) {
        let tool: String
        switch logged.kind {
        case Receipt.Kind.grantIssued.rawValue: tool = Self.issue
        case Receipt.Kind.revocation.rawValue: tool = Self.revoke
        default: return nil
        }
        guard let id = logged.document["receipt_id"]?.string, let time = logged.document["occurred_at"]?.string else {
            return nil
        }
        let hashes = Self.hashes(logged.bytes, logged.document)
        var binding: JSONObject = ["run_id": .string(runID), "event_hash_b64u": .string(eventHash.b64u)]
        if let policyHash { binding["policy_hash"] = .string(policyHash.b64u) }
        if let scopeHash { binding["token_scope_hash_b64u"] = .string(scopeHash.b64u) }
        payload = [
            "receipt_version": "2", "receipt_id": .string("clawgrant:\(id)"), "tool_name": .string(tool),
            "tool_version": "1", "args_hash_b64u": .string(hashes.arguments.b64u),
            "result_hash_b64u": .string(hashes.result.b64u), "result_status": "success", "hash_algorithm": "SHA-256",
            "agent_did": .string(agent), "timestamp": .string(time), "latency_ms": 0, "binding": .object(binding),
            "args_salt_b64u": .string(hashes.argumentsSalt.b64u), "result_salt_b64u": .string(hashes.resultSalt.b64u),
        ]
    }

    struct Hashes {
        let arguments: Digest
        let result: Digest
        let argumentsSalt: Digest
        let resultSalt: Digest
    }

    static func hashes(_ receipt: [UInt8], _ document: JSONObject) -> Hashes {
        let digest = Digest(hashing: receipt)
        let argumentsSalt = Digest(hashing: "clawgrant-tool-receipt-v1\nargs\n\(digest.b64u)")
        let resultSalt = Digest(hashing: "clawgrant-tool-receipt-v1\nresult\n\(digest.b64u)")
        let inputs = JSONWriter.bytes(document["inputs"] ?? .array([]), order: .canonical)
        return Hashes(
            arguments: Digest(hashing: [argumentsSalt.bytes, inputs]),
            result: Digest(hashing: [resultSalt.bytes, receipt]), argumentsSalt: argumentsSalt, resultSalt: resultSalt)
    }

    /// Signs the receipt and has it co-signed.
    ///
    /// - Parameters:
    ///   - signer: who issued or revoked.
    ///   - approver: who co-signs as approver: by default the worker itself, which thereby says that it verified the
    ///     approval that the receipt names.
    /// - Throws: what the signers throw.
    public func sign(by signer: any Ed25519Signer, approver: any Ed25519Signer) throws -> JSONValue {
        let hash = SignedEnvelope.HashRule.document.digest(payload).b64u
        let message = Array(hash.utf8)
        let time = payload["timestamp"] ?? .null
        return [
            "envelope_version": "2", "envelope_type": .string(Self.envelopeType), "payload": .object(payload),
            "payload_hash_b64u": .string(hash), "hash_algorithm": "SHA-256",
            "signature_b64u": .string(try signer.sign(message).b64u), "algorithm": "Ed25519",
            "signer_did": .string(signer.publicKey.did), "issued_at": time,
            "co_signatures": [
                [
                    "signature_b64u": .string(try approver.sign(message).b64u), "algorithm": "Ed25519",
                    "signer_did": .string(approver.publicKey.did), "issued_at": time, "role": "approver",
                ]
            ],
        ]
    }
}
