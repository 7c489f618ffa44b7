/// The schemas of tool receipts, both versions, bare and in envelopes (WIRE section 8.3).
enum ToolReceiptSchemas {
    private static let statuses = SchemaRule.choice(["success", "error", "timeout"])
    private static let payloadMembers = [
        "receipt_version", "receipt_id", "tool_name", "args_hash_b64u", "result_hash_b64u", "hash_algorithm",
        "agent_did", "timestamp", "latency_ms",
    ]

    /// `tool_receipt.v1`: its binding is open.
    static let payload1 = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("1"), "receipt_id": .name, "tool_name": .name,
                "tool_version": .anyText, "args_hash_b64u": .name, "result_hash_b64u": .name,
                "result_status": statuses, "hash_algorithm": .constant("SHA-256"), "agent_did": .name,
                "timestamp": .dateTime, "latency_ms": .count,
                "binding": .object(
                    ObjectRule(
                        [
                            "run_id": .anyText, "event_hash_b64u": .anyText, "nonce": .anyText,
                            "policy_hash": .anyText, "token_scope_hash_b64u": .anyText,
                        ], required: [], others: .any)),
            ], required: payloadMembers))

    /// `tool_receipt_envelope.v1`.
    static let envelope1 = SchemaRule.object(
        ObjectRule(
            [
                "envelope_version": .constant("1"), "envelope_type": .constant("tool_receipt"), "payload": payload1,
                "payload_hash_b64u": .name, "hash_algorithm": .constant("SHA-256"), "signature_b64u": .name,
                "algorithm": .constant("Ed25519"), "signer_did": .name, "issued_at": .dateTime,
                "expires_at": .dateTime,
            ], required: SchemaRule.envelopeMembers))

    /// `selective_disclosure.v1`.
    static let disclosure = SchemaRule.object(
        ObjectRule(
            [
                "disclosure_algorithm": .constant("vir_v2_typed_lexicographical"), "merkle_root_b64u": .hash,
                "redacted_leaf_hashes_b64u": .array(.hash),
                "disclosed_leaves": .object(
                    ObjectRule(
                        [:], required: [],
                        others: .object(
                            ObjectRule(
                                [
                                    "type": .choice(["string", "number", "boolean", "null", "array", "object"]),
                                    "value": .any, "salt_b64u": .hash,
                                ], required: ["type", "value", "salt_b64u"])))),
            ],
            required: [
                "disclosure_algorithm", "merkle_root_b64u", "redacted_leaf_hashes_b64u", "disclosed_leaves",
            ]))

    /// `tool_receipt.v2`.
    static let payload2 = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("2"), "receipt_id": .name, "tool_name": .name,
                "tool_version": .anyText, "args_hash_b64u": .hash, "result_hash_b64u": .hash,
                "result_status": statuses, "hash_algorithm": .eitherHash, "agent_did": .did,
                "timestamp": .dateTime, "latency_ms": .count, "binding": ReceiptSchemas.binding,
                "args_salt_b64u": .hash, "result_salt_b64u": .hash, "args_disclosure": disclosure,
                "result_disclosure": disclosure,
            ], required: payloadMembers + ["args_salt_b64u", "result_salt_b64u"]))

    /// `co_signature.v1`.
    static let coSignature = SchemaRule.object(
        ObjectRule(
            [
                "signature_b64u": .hash, "algorithm": .constant("Ed25519"), "signer_did": .did,
                "issued_at": .dateTime, "role": .choice(["proxy", "approver", "auditor", "supervisor"]),
            ], required: ["signature_b64u", "algorithm", "signer_did", "issued_at", "role"]))

    /// `tool_receipt_envelope.v2`.
    static let envelope2 = SchemaRule.envelope(
        "tool_receipt", payload: payload2, version: "2", coSignatures: .array(coSignature, maximum: 16))

    /// An entry of `tool_receipts`.
    static let entry = SchemaRule.oneOf([payload1, envelope1, payload2, envelope2])
}
