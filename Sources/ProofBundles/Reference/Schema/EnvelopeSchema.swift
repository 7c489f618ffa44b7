/// Rules that the schemas share.
extension SchemaRule {
    static let name = SchemaRule.text(.length(1))
    static let anyText = SchemaRule.text(.length(0))
    static let hash = SchemaRule.text(.base64url)
    static let did = SchemaRule.text(.did)
    static let dateTime = SchemaRule.text(.dateTime)
    static let count = SchemaRule.number(minimum: 0)
    static let openObject = SchemaRule.object(ObjectRule([:], required: [], others: .any))
    static let eitherHash = SchemaRule.choice(["SHA-256", "BLAKE3"])

    /// The common signed envelope (WIRE section 8.1) of a payload.
    static func envelope(
        _ type: String, payload: SchemaRule, version: String = "1", expires: Bool = true,
        coSignatures: SchemaRule? = nil
    ) -> SchemaRule {
        // A member that the schema does not know is refused; one that it merely allows gets the rule `any`.
        switch (expires, coSignatures) {
        case (false, _):
            .object(
                ObjectRule(
                    [
                        "envelope_version": .constant(version), "envelope_type": .constant(type), "payload": payload,
                        "payload_hash_b64u": .hash, "hash_algorithm": .eitherHash, "signature_b64u": .hash,
                        "algorithm": .constant("Ed25519"), "signer_did": .did, "issued_at": .dateTime,
                    ], required: envelopeMembers))
        case (true, nil):
            .object(
                ObjectRule(
                    [
                        "envelope_version": .constant(version), "envelope_type": .constant(type), "payload": payload,
                        "payload_hash_b64u": .hash, "hash_algorithm": .eitherHash, "signature_b64u": .hash,
                        "algorithm": .constant("Ed25519"), "signer_did": .did, "issued_at": .dateTime,
                        "expires_at": .dateTime,
                    ], required: envelopeMembers))
        case (true, let coSignatures?):
            .object(
                ObjectRule(
                    [
                        "envelope_version": .constant(version), "envelope_type": .constant(type), "payload": payload,
                        "payload_hash_b64u": .hash, "hash_algorithm": .eitherHash, "signature_b64u": .hash,
                        "algorithm": .constant("Ed25519"), "signer_did": .did, "issued_at": .dateTime,
                        "expires_at": .dateTime, "co_signatures": coSignatures,
                    ], required: envelopeMembers))
        }
    }

    /// The members that every envelope has, in the schemas' order.
    static let envelopeMembers = [
        "envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm", "signature_b64u",
        "algorithm", "signer_did", "issued_at",
    ]
}
