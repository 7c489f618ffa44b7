public import ClawWire

/// A gateway's receipt of one call (WIRE section 8.2), read but not trusted until its signer was checked.
public struct GatewayCall: Sendable, Hashable {
    /// The envelope's type.
    public static let envelopeType = "gateway_receipt"

    /// The envelope as it was signed.
    public let envelope: SignedEnvelope
    /// The log proof that the gateway put into the signed payload afterwards, taken out again.
    public let strippedProof: JSONValue?
    /// `receipt_id`.
    public let receiptID: String
    /// `provider`.
    public let provider: String
    /// `model`.
    public let model: String
    /// `tokens_input`.
    public let tokensInput: Int64
    /// `tokens_output`.
    public let tokensOutput: Int64
    /// `timestamp`.
    public let timestamp: Timestamp
    /// `binding.run_id`.
    public let runID: String?
    /// `binding.event_hash_b64u`; `nil` when it is no SHA-256.
    public let eventHash: Digest?
    /// `binding.token_scope_hash_b64u`.
    public let scopeHash: Digest?
    /// `binding.policy_hash`.
    public let policyHash: Digest?
    /// `binding.nonce`.
    public let nonce: String?
    /// The spans that the receipt declares.
    public let spans: [String]

    /// Reads an envelope. A log proof that stands in its metadata is removed when only then the hash is right.
    ///
    /// - Throws: ``DocumentFault`` when it is no gateway receipt, or has the log proof of another (WIRE section 8.2).
    public init(_ value: JSONValue) throws(DocumentFault) {
        var envelope = try Self.envelope(value)
        var stripped: JSONValue?
        if HashText(SignedEnvelope.HashRule.document.digest(envelope.payload)) != envelope.payloadHash,
            let proof = envelope.payload["metadata"]?["log_inclusion_proof"], var object = value.object,
            var payload = object["payload"]?.object, var metadata = payload["metadata"]?.object
        {
            guard let leaf = proof["leaf_hash_b64u"]?.string, ExactText.equal(leaf, envelope.payloadHash.text) else {
                throw DocumentFault(
                    "HASH_MISMATCH", "payload.metadata.log_inclusion_proof.leaf_hash_b64u",
                    "the attached inclusion proof is another receipt's")
            }
            metadata["log_inclusion_proof"] = nil
            payload["metadata"] = metadata.isEmpty ? nil : .object(metadata)
            object["payload"] = .object(payload)
            envelope = try Self.envelope(.object(object))
            stripped = proof
        }
        // The closed schema and the ranges are the reference's; hash and signature are judged apart from the form.
        let verdict = GatewayReceiptVerdict(envelope: envelope.json, signers: [envelope.signerDID])
        if let refusal = verdict.refusal, !["HASH_MISMATCH", "SIGNATURE_INVALID"].contains(refusal.code) {
            throw DocumentFault(refusal.code, refusal.field ?? "", refusal.detail)
        }
        let payload = envelope.payload
        func malformed(_ key: String) -> DocumentFault {
            DocumentFault("MALFORMED_ENVELOPE", "payload.\(key)", "the member is missing or out of its range")
        }
        func text(_ key: String) throws(DocumentFault) -> String {
            guard let text = payload[key]?.string, !text.isEmpty else { throw malformed(key) }
            return text
        }
        func count(_ key: String) throws(DocumentFault) -> Int64 {
            guard let count = payload[key]?.integer, count >= 0, count <= 10_000_000 else { throw malformed(key) }
            return count
        }
        receiptID = try text("receipt_id")
        provider = try text("provider")
        model = try text("model")
        tokensInput = try count("tokens_input")
        tokensOutput = try count("tokens_output")
        guard let time = Timestamp(rfc3339: try text("timestamp")) else { throw malformed("timestamp") }
        timestamp = time
        let binding = payload["binding"]
        runID = binding?["run_id"]?.string
        eventHash = binding?["event_hash_b64u"]?.string.flatMap { Digest(b64u: $0) }
        scopeHash = binding?["token_scope_hash_b64u"]?.string.flatMap { Digest(b64u: $0) }
        policyHash = binding?["policy_hash"]?.string.flatMap { Digest(b64u: $0) }
        nonce = binding?["nonce"]?.string
        spans = ["span_id", "spanId", "parent_span_id", "parentSpanId", "tool_span_id", "toolSpanId"]
            .compactMap { binding?[$0]?.string }
        self.envelope = envelope
        strippedProof = stripped
    }

    private static func envelope(_ value: JSONValue) throws(DocumentFault) -> SignedEnvelope {
        do {
            return try SignedEnvelope.parse(value, type: envelopeType)
        } catch {
            throw DocumentFault(error.code.rawValue, error.field ?? "", error.detail)
        }
    }

    /// The payload's hash, by which the receipt log knows the call.
    public var payloadHash: Digest { SignedEnvelope.HashRule.document.digest(envelope.payload) }

    /// True when the payload has the hash it states and the stated signer signed that; says nothing of who that is.
    public var isIntact: Bool {
        guard let key = Ed25519PublicKey(did: envelope.signerDID) else { return false }
        return HashText(payloadHash) == envelope.payloadHash
            && key.isValidSignature(envelope.signature, for: Array(envelope.payloadHash.text.utf8))
    }
}

extension GatewayCall {
    /// Calls in the order in which they are written down: by time, then by identifier, then by hash.
    static func precedes(_ left: GatewayCall, _ right: GatewayCall) -> Bool {
        if left.timestamp != right.timestamp { return left.timestamp < right.timestamp }
        if !ExactText.equal(left.receiptID, right.receiptID) {
            return ExactText.precedes(left.receiptID, right.receiptID)
        }
        return left.payloadHash < right.payloadHash
    }
}
