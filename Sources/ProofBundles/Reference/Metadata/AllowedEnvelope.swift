import ClawWire

/// An envelope that keeps its schema and that an allowed signer signed; its faults have no code in the answer.
struct AllowedEnvelope {
    /// The payload.
    let payload: JSONObject
    /// `signer_did`.
    let signer: String

    /// Reads and verifies an envelope; `nil` when anything is wrong with it, or nobody is allowed.
    init?(_ value: JSONValue, schema: SchemaRule, signers: [String]?) {
        guard schema.firstBreach(in: value) == nil, let payload = value["payload"]?.object,
            let signer = Loose.did(value["signer_did"]), ExactText.contains(signers ?? [], signer),
            Self.isSigned(value)
        else { return nil }
        self.payload = payload
        self.signer = signer
    }

    /// True when hash and signature of an envelope hold.
    static func isSigned(_ envelope: JSONValue) -> Bool {
        guard let hash = envelope["payload_hash_b64u"]?.string, let signer = envelope["signer_did"]?.string,
            let signature = envelope["signature_b64u"]?.string,
            ReferenceSignature.hash(
                envelope["payload"] ?? .null, algorithm: envelope["hash_algorithm"]?.string ?? "") == hash
        else { return false }
        return ReferenceSignature.holds(signature, by: signer, over: hash)
    }
}
