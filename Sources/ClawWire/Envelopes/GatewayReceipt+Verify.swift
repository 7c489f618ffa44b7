/// A gateway receipt whose form, hash and signature were checked against a listed gateway signer.
public struct VerifiedGatewayReceipt: Sendable, Hashable {
    /// What the gateway states.
    public let receipt: GatewayReceipt
    /// The envelope as it was signed: without an inclusion proof that was attached after signing.
    public let envelope: SignedEnvelope
    /// The hash of the payload: the receipt's name in our log, and its leaf in the gateway's.
    public let payloadHash: Digest
    /// The key that signed it.
    public let signer: Ed25519PublicKey
    /// The `log_inclusion_proof` that was attached after signing. Its leaf is ``payloadHash``; its path and its root's
    /// signature are not checked here.
    public let inclusionProof: JSONObject?

    /// The payload as it was signed, in document order.
    public var payload: JSONObject { envelope.payload }
}

extension GatewayReceipt {
    /// The bounds within which a receipt is read: 64 KiB, 16 levels.
    public static let limits = JSONLimits(
        maximumBytes: 65_536, maximumDepth: 16, maximumMembers: 4_096, maximumStringBytes: 32_768)

    /// Verifies an envelope given as JSON text.
    ///
    /// - Throws: ``EnvelopeError``; a document that is not JSON, or beyond ``limits``, is `MALFORMED_ENVELOPE`.
    public static func verify(
        _ bytes: [UInt8], signers: Set<String>, limits: JSONLimits = GatewayReceipt.limits
    ) throws(EnvelopeError) -> VerifiedGatewayReceipt {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: limits)
        } catch {
            throw EnvelopeError(.malformed, "the record is no JSON document: \(error)")
        }
        return try verify(value, signers: signers)
    }

    /// Verifies an envelope.
    ///
    /// A gateway with a transparency log puts `metadata.log_inclusion_proof` into the payload after it signed. When the
    /// hash does not fit and such a proof is there, it is taken out again; then its leaf must be the payload's hash.
    ///
    /// - Parameters:
    ///   - value: the envelope.
    ///   - signers: DIDs of the gateways; none is trusted when it is empty.
    /// - Throws: ``EnvelopeError`` in the order of WIRE section 8.2, whose last `MALFORMED_ENVELOPE` covers numbers that
    ///   the schema lets pass. `expires_at` is not signed and not looked at.
    public static func verify(
        _ value: JSONValue, signers: Set<String>
    ) throws(EnvelopeError) -> VerifiedGatewayReceipt {
        let shape = try EnvelopeShape(value)
        let timestamp = try checkSchema(shape)
        guard shape.signer.hasPrefix("did:key:") || shape.signer.hasPrefix("did:web:"),
            DIDSyntax.isClaimDID(shape.signer), shape.signer.utf8.count <= 256
        else { throw EnvelopeError(.invalidDID, field: "signer_did", "the signer is neither a did:key nor a did:web") }
        guard !signers.isEmpty else {
            throw EnvelopeError(.noAllowlist, field: "signer_did", "no signer is allowed for gateway receipts")
        }
        guard ExactText.contains(signers, shape.signer) else {
            throw EnvelopeError(.signerNotAllowed, field: "signer_did", "\(shape.signer) is not an allowed signer")
        }
        guard let signature = Ed25519Signature(b64u: shape.signature) else {
            throw EnvelopeError(.malformed, field: "signature_b64u", "a signature is strict base64url of 64 bytes")
        }
        let receipt = try read(shape.payload, timestamp: timestamp)
        guard shape.hashAlgorithm == "SHA-256" else {
            // The reference's schema lets BLAKE3 pass and its verifier then compares with SHA-256, hence the code.
            throw EnvelopeError(
                .hashMismatch, field: "hash_algorithm",
                "the payload is hashed with \(shape.hashAlgorithm); only SHA-256 is taken")
        }
        guard let hash = HashText(shape.hash) else {
            throw EnvelopeError(.hashMismatch, field: "payload_hash_b64u", "no SHA-256 is written like this")
        }
        let envelope = SignedEnvelope(
            type: envelopeType, payload: shape.payload, payloadHash: hash, signature: signature,
            signerDID: shape.signer, issuedAt: shape.issuedAt, expiresAt: shape.expiresAt)
        do {
            return try finish(receipt, envelope, proof: nil, signers: signers)
        } catch let error where error.code == .hashMismatch {
            guard let (payload, proof) = withoutProof(shape.payload) else { throw error }
            let stripped = SignedEnvelope(
                type: envelopeType, payload: payload, payloadHash: hash, signature: signature,
                signerDID: shape.signer, issuedAt: shape.issuedAt, expiresAt: shape.expiresAt)
            var receipt = receipt
            receipt.metadata = payload["metadata"]?.object
            return try finish(receipt, stripped, proof: proof, signers: signers)
        }
    }

    private static func finish(
        _ receipt: GatewayReceipt, _ envelope: SignedEnvelope, proof: JSONObject?, signers: Set<String>
    ) throws(EnvelopeError) -> VerifiedGatewayReceipt {
        let verified = try envelope.verify(rule: .document, signers: signers)
        guard let digest = envelope.payloadHash.digest else {
            throw EnvelopeError(.hashMismatch, field: "payload_hash_b64u", "the hash is not strict base64url")
        }
        if let proof {
            guard let leaf = proof["leaf_hash_b64u"]?.string, ExactText.equal(leaf, envelope.payloadHash.text) else {
                throw EnvelopeError(
                    .hashMismatch, field: "payload.metadata.log_inclusion_proof.leaf_hash_b64u",
                    "the attached inclusion proof is another receipt's")
            }
        }
        return VerifiedGatewayReceipt(
            receipt: receipt, envelope: envelope, payloadHash: digest, signer: verified.signer, inclusionProof: proof)
    }

    /// The payload without `metadata.log_inclusion_proof`, and that proof. A gateway that had no metadata made them for
    /// the proof alone, so an empty rest goes too.
    private static func withoutProof(_ payload: JSONObject) -> (JSONObject, JSONObject)? {
        guard var metadata = payload["metadata"]?.object, let proof = metadata["log_inclusion_proof"]?.object else {
            return nil
        }
        metadata["log_inclusion_proof"] = nil
        var payload = payload
        payload["metadata"] = metadata.isEmpty ? nil : .object(metadata)
        return (payload, proof)
    }
}

/// The members of an envelope whose types are right and whose version, type and algorithms are known.
private struct EnvelopeShape {
    let object: JSONObject
    let payload: JSONObject
    let hash: String
    let hashAlgorithm: String
    let signature: String
    let signer: String
    let issuedAt: String
    let expiresAt: String?

    init(_ value: JSONValue) throws(EnvelopeError) {
        guard let object = value.object else {
            throw EnvelopeError(.malformed, "an envelope is an object, not \(value.typeName)")
        }
        func text(_ key: String) throws(EnvelopeError) -> String {
            guard let text = object[key]?.string, !text.isEmpty else {
                throw EnvelopeError(.malformed, field: key, "the member \(key) must be a text")
            }
            return text
        }
        let version = try text("envelope_version")
        let type = try text("envelope_type")
        let algorithm = try text("algorithm")
        self.object = object
        hash = try text("payload_hash_b64u")
        hashAlgorithm = try text("hash_algorithm")
        signature = try text("signature_b64u")
        signer = try text("signer_did")
        issuedAt = try text("issued_at")
        expiresAt = object.contains("expires_at") ? try text("expires_at") : nil
        guard let payload = object["payload"]?.object else {
            throw EnvelopeError(.malformed, field: "payload", "the payload must be an object")
        }
        self.payload = payload
        guard version == "1" else {
            throw EnvelopeError(.unknownVersion, field: "envelope_version", "only version 1 is known")
        }
        guard ExactText.equal(type, GatewayReceipt.envelopeType) else {
            throw EnvelopeError(
                .unknownType, field: "envelope_type",
                "the type is \"\(type.cut(toBytes: 64))\"; \"\(GatewayReceipt.envelopeType)\" was expected")
        }
        guard algorithm == "Ed25519" else {
            throw EnvelopeError(.unknownAlgorithm, field: "algorithm", "only Ed25519 is known")
        }
        // BLAKE3 is a name that the schema knows and nobody implements: it fails when the hash is computed.
        guard hashAlgorithm == "SHA-256" || hashAlgorithm == "BLAKE3" else {
            throw EnvelopeError(.unknownHashAlgorithm, field: "hash_algorithm", "only SHA-256 is known")
        }
    }
}

extension GatewayReceipt {
    private static let envelopeMembers: Set<String> = [
        "envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm", "signature_b64u",
        "algorithm", "signer_did", "issued_at", "expires_at",
    ]
    private static let payloadMembers: Set<String> = [
        "receipt_version", "receipt_id", "gateway_id", "provider", "model", "request_hash_b64u", "response_hash_b64u",
        "tokens_input", "tokens_output", "latency_ms", "timestamp", "binding", "metadata",
    ]
    private static let counts = ["tokens_input", "tokens_output", "latency_ms"]

    private static func invalid(_ field: String, _ detail: String) -> EnvelopeError {
        EnvelopeError(.schemaInvalid, field: field, detail)
    }

    /// Checks what the envelope's schema says. Returns the receipt's time.
    private static func checkSchema(_ shape: EnvelopeShape) throws(EnvelopeError) -> Timestamp {
        if let foreign = shape.object.keys.first(where: { !ExactText.contains(envelopeMembers, $0) }) {
            throw invalid(foreign.cut(toBytes: 64), "an envelope has no member of this name")
        }
        for (field, text) in [("payload_hash_b64u", shape.hash), ("signature_b64u", shape.signature)] {
            guard isBase64URL(text) else { throw invalid(field, "no base64url of at least 8 characters") }
        }
        let payload = shape.payload
        if let foreign = payload.keys.first(where: { !ExactText.contains(payloadMembers, $0) }) {
            throw invalid("payload." + foreign.cut(toBytes: 64), "a gateway receipt has no member of this name")
        }
        guard payload["receipt_version"]?.string == "1" else {
            throw invalid("payload.receipt_version", "only version 1 is known")
        }
        for key in ["receipt_id", "gateway_id", "provider", "model"] {
            guard let text = payload[key]?.string, !text.isEmpty else {
                throw invalid("payload.\(key)", "a text that is not empty is needed")
            }
        }
        for key in ["request_hash_b64u", "response_hash_b64u"] {
            guard let text = payload[key]?.string, isBase64URL(text) else {
                throw invalid("payload.\(key)", "no base64url of at least 8 characters")
            }
        }
        for key in counts {
            guard let number = payload[key]?.number, number >= 0 else {
                throw invalid("payload.\(key)", "a number from 0 is needed")
            }
        }
        guard let text = payload["timestamp"]?.string, let timestamp = Timestamp(rfc3339: text) else {
            throw invalid("payload.timestamp", "no RFC 3339 time with an offset")
        }
        if let binding = payload["binding"] {
            guard let binding = binding.object else { throw invalid("payload.binding", "an object is needed") }
            try checkBinding(binding)
        }
        if let metadata = payload["metadata"], metadata.object == nil {
            throw invalid("payload.metadata", "an object is needed")
        }
        for (field, text) in [("issued_at", shape.issuedAt), ("expires_at", shape.expiresAt ?? shape.issuedAt)] {
            guard Timestamp(rfc3339: text) != nil else { throw invalid(field, "no RFC 3339 time with an offset") }
        }
        return timestamp
    }

    private static func checkBinding(_ binding: JSONObject) throws(EnvelopeError) {
        for member in binding.members {
            let field = "payload.binding." + member.key.cut(toBytes: 64)
            if ExactText.contains(Binding.hashMembers, member.key) {
                guard let text = member.value.string, isBase64URL(text) else {
                    throw invalid(field, "no base64url of at least 8 characters")
                }
            } else if ExactText.contains(Binding.textMembers, member.key)
                || ExactText.contains(Binding.causalTexts, member.key)
            {
                guard let text = member.value.string, !text.isEmpty else {
                    throw invalid(field, "a text that is not empty is needed")
                }
            } else if ExactText.contains(Binding.causalNumbers, member.key) {
                guard let number = member.value.number, (0...1).contains(number) else {
                    throw invalid(field, "a number from 0 to 1 is needed")
                }
            } else {
                throw invalid(field, "a binding has no member of this name")
            }
        }
    }

    private static func isBase64URL(_ text: String) -> Bool {
        text.utf8.count >= 8 && text.utf8.allSatisfy(Base64URL.isInAlphabet)
    }

    /// Reads a payload that the schema lets pass: numbers must be whole and within their bounds.
    private static func read(_ payload: JSONObject, timestamp: Timestamp) throws(EnvelopeError) -> GatewayReceipt {
        func count(_ key: String, atMost limit: Int64) throws(EnvelopeError) -> Int64 {
            guard let value = payload[key]?.integer, value <= limit else {
                throw EnvelopeError(.malformed, field: "payload", "\(key) must be a whole number up to \(limit)")
            }
            return value
        }
        func text(_ key: String) -> String { payload[key]?.string ?? "" }
        let input = try count("tokens_input", atMost: maximumTokens)
        let output = try count("tokens_output", atMost: maximumTokens)
        let latency = try count("latency_ms", atMost: maximumLatency)
        let binding = payload["binding"]?.object.map { object in
            let causal = object.members.filter { !ExactText.contains(Binding.textMembers, $0.key) }
            return Binding(
                runID: object["run_id"]?.string, eventHash: object["event_hash_b64u"]?.string,
                nonce: object["nonce"]?.string, policyHash: object["policy_hash"]?.string,
                tokenScopeHash: object["token_scope_hash_b64u"]?.string,
                causal: JSONObject(causal.map { ($0.key, $0.value) }))
        }
        return GatewayReceipt(
            receiptID: text("receipt_id"), gatewayID: text("gateway_id"), provider: text("provider"),
            model: text("model"), requestHash: text("request_hash_b64u"), responseHash: text("response_hash_b64u"),
            tokensInput: input, tokensOutput: output, latencyMilliseconds: latency, timestamp: timestamp,
            binding: binding, metadata: payload["metadata"]?.object)
    }
}
