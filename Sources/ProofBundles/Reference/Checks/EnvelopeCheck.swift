import ClawWire

/// The checks of an envelope of a proof bundle, in the reference's order.
struct EnvelopeCheck {
    let verifier: ReferenceVerifier
    let now: Timestamp
    /// Milliseconds by which the expiry may have passed.
    let skew: Int64

    /// The envelope; `nil` for a bare payload, which only the library takes.
    static func envelope(_ bundle: JSONValue, _ verifier: ReferenceVerifier) throws(ReferenceRefusal) -> JSONObject? {
        let object = bundle.object
        if verifier == .core, !["envelope_version", "payload", "signature_b64u"].allSatisfy({ has(object, $0) }) {
            return nil
        }
        return try structured(object)
    }

    private static func has(_ object: JSONObject?, _ key: String) -> Bool { object?.contains(key) ?? false }

    /// An object with all members of an envelope, whatever they are.
    static func structured(_ object: JSONObject?) throws(ReferenceRefusal) -> JSONObject {
        guard let object, SchemaRule.envelopeMembers.allSatisfy({ object.contains($0) }) else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", nil, "no envelope, or one that lacks a required member")
        }
        return object
    }

    /// Version, type and algorithms.
    static func checkKinds(
        _ envelope: JSONObject, type: String
    ) throws(ReferenceRefusal) {
        guard envelope["envelope_version"] == "1" else {
            throw ReferenceRefusal("UNKNOWN_ENVELOPE_VERSION", "envelope_version", "only version 1 is known")
        }
        guard envelope["envelope_type"] == .string(type) else {
            throw ReferenceRefusal("UNKNOWN_ENVELOPE_TYPE", "envelope_type", "the type is not \(type)")
        }
        guard envelope["algorithm"] == "Ed25519" else {
            throw ReferenceRefusal("UNKNOWN_ALGORITHM", "algorithm", "only Ed25519 is known")
        }
        guard envelope["hash_algorithm"] == "SHA-256" || envelope["hash_algorithm"] == "BLAKE3" else {
            throw ReferenceRefusal("UNKNOWN_HASH_ALGORITHM", "hash_algorithm", "only SHA-256 and BLAKE3 are known")
        }
    }

    /// Checks everything but hash and signature.
    ///
    /// - Returns: the payload, in the library without legacy receipts.
    func payload(of envelope: JSONObject) throws(ReferenceRefusal) -> JSONValue {
        try Self.checkKinds(envelope, type: "proof_bundle")
        try Self.checkSigner(envelope)
        guard ReferenceDate.milliseconds(envelope["issued_at"]) != nil else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "issued_at", "issued_at is no date")
        }
        if verifier == .core { try checkExpiry(envelope) }
        try Self.checkForms(envelope)
        var read = envelope
        if verifier == .core { read["payload"] = envelope["payload"].map(Self.withoutLegacyReceipts) }
        if let field = BundleSchema.envelope.firstBreach(in: .object(read)) {
            throw ReferenceRefusal(Self.schemaCode(field), field.isEmpty ? nil : field, "the schema is not kept")
        }
        return read["payload"] ?? .null
    }

    static func checkSigner(_ envelope: JSONObject) throws(ReferenceRefusal) {
        guard let signer = envelope["signer_did"]?.string, ReferenceText.isDID(signer) else {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "signer_did", "the signer is no did:key or did:web")
        }
    }

    private func checkExpiry(_ envelope: JSONObject) throws(ReferenceRefusal) {
        guard let expiry = envelope["expires_at"] else { return }
        guard let expiry = ReferenceDate.milliseconds(expiry) else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "expires_at", "expires_at is no date")
        }
        guard now.milliseconds <= expiry.addingReportingOverflow(skew).partialValue else {
            throw ReferenceRefusal("EXPIRED_TTL", "expires_at", "the envelope has expired")
        }
    }

    static func checkForms(_ envelope: JSONObject) throws(ReferenceRefusal) {
        for key in ["payload_hash_b64u", "signature_b64u"] {
            guard let text = envelope[key]?.string, ReferenceText.isBase64URL(text) else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", key, "\(key) is no base64url")
            }
        }
    }

    /// Breaches of the schema in causal members have codes of their own.
    static func schemaCode(_ field: String) -> String {
        func concerns(_ names: [String]) -> Bool {
            names.contains { name in
                let key = "binding.\(name)"
                guard let range = field.utf8.lastRange(of: key.utf8) else { return false }
                let before = field.utf8[..<range.lowerBound].last
                let after = field.utf8[range.upperBound...].first
                return (before == nil || before == UInt8(ascii: "."))
                    && (after == nil || after == UInt8(ascii: ".") || after == UInt8(ascii: "["))
            }
        }
        if concerns(["phase"]) { return "CAUSAL_PHASE_INVALID" }
        if concerns(["attribution_confidence", "attributionConfidence"]) { return "CAUSAL_CONFIDENCE_OUT_OF_RANGE" }
        if concerns(["span_id", "spanId", "parent_span_id", "parentSpanId", "tool_span_id", "toolSpanId"]) {
            return "CAUSAL_BINDING_NORMALIZATION_FAILED"
        }
        return "SCHEMA_VALIDATION_FAILED"
    }

    /// The library overlooks receipts of an older recorder: objects with `receipt_type` and no `envelope_type`.
    static func withoutLegacyReceipts(_ payload: JSONValue) -> JSONValue {
        guard case .object(var object) = payload, let receipts = object["receipts"]?.array else { return payload }
        let kept = receipts.filter { receipt in
            guard let receipt = receipt.object else { return true }
            return receipt.contains("envelope_type") || !receipt.contains("receipt_type")
        }
        guard kept.count < receipts.count else { return payload }
        object["receipts"] = kept.isEmpty ? nil : .array(kept)
        return .object(object)
    }

    /// Signer, hash and signature.
    static func checkSignature(of envelope: JSONObject, agent: String) throws(ReferenceRefusal) {
        let signer = envelope["signer_did"]?.string ?? ""
        guard ExactText.equal(signer, agent) else {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "signer_did", "the signer is not the bundle's agent")
        }
        try checkHashAndSignature(of: envelope)
    }

    /// Hash, key and signature of any envelope.
    static func checkHashAndSignature(of envelope: JSONObject) throws(ReferenceRefusal) {
        let signer = envelope["signer_did"]?.string ?? ""
        let hash = envelope["payload_hash_b64u"]?.string ?? ""
        let algorithm = envelope["hash_algorithm"]?.string ?? ""
        let computed = ReferenceSignature.hash(envelope["payload"] ?? .null, algorithm: algorithm)
        guard let computed, ExactText.equal(computed, hash) else {
            throw ReferenceRefusal("HASH_MISMATCH", nil, "the payload has another hash, or one that cannot be made")
        }
        if case .none = ReferenceSignature.key(of: signer) {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "signer_did", "the signer is no Ed25519 did:key")
        }
        guard ReferenceSignature.holds(envelope["signature_b64u"]?.string ?? "", by: signer, over: hash) else {
            throw ReferenceRefusal("SIGNATURE_INVALID", nil, "the signature is not the signer's")
        }
    }
}

extension String.UTF8View {
    /// Where another text stands for the last time.
    fileprivate func lastRange(of other: String.UTF8View) -> Range<Index>? {
        var start = endIndex
        while start > startIndex {
            start = index(before: start)
            if self[start...].starts(with: other) { return start..<index(start, offsetBy: other.count) }
        }
        return nil
    }
}
