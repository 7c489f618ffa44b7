/// The schemas of verifiable inference receipts, both versions, bare and in envelopes.
enum VIRSchemas {
    private static let sources = SchemaRule.choice(["tls_decrypt", "gateway", "interpose", "preload", "sni"])
    private static let longText = SchemaRule.text(.length(8))

    /// `vir.v1`.
    static let payload1 = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("1"), "receipt_id": .name, "source": sources, "provider": .name,
                "model": .name, "model_claimed": .anyText, "model_observed": .anyText,
                "request_hash_b64u": .anyText, "response_hash_b64u": .anyText, "tokens_input": .count,
                "tokens_output": .count, "latency_ms": .count, "agent_did": .did, "timestamp": .dateTime,
                "binding": .object(
                    ObjectRule(
                        ["run_id": .name, "event_hash_b64u": longText, "nonce": .name], required: [], others: .any)),
                "transport_attestation": .object(
                    ObjectRule(
                        [
                            "source": sources, "keylog_present": .boolean, "cipher_spool_present": .boolean,
                            "decrypted_match": .optionalBoolean,
                        ], required: [])),
                "process_attestation": .object(
                    ObjectRule(
                        [
                            "harness_attestation_hash": .optionalText(.length(0)), "harness_recheck_match": .boolean,
                            "interpose_active": .boolean,
                        ], required: [])),
                "semantic_attestation": .object(
                    ObjectRule(
                        [
                            "tool_calls_count": .count, "side_effect_receipts_count": .count,
                            "event_chain_len": .count,
                        ], required: [])),
                "selective_disclosure": .object(
                    ObjectRule(
                        [
                            "merkle_root_b64u": .hash, "leaf_hashes_b64u": .array(longText),
                            "disclosed_leaves": .object(ObjectRule([:], required: [], others: longText)),
                            "redacted_fields": .array(.name),
                        ], required: [], others: .any)),
                "merkle_disclosure": .object(
                    ObjectRule(["chain_hash": .name, "event_count": .count], required: [])),
                "metadata": .openObject,
            ],
            required: [
                "receipt_version", "receipt_id", "source", "provider", "model", "request_hash_b64u",
                "response_hash_b64u", "tokens_input", "tokens_output", "latency_ms", "agent_did", "timestamp",
            ], others: .any))

    private static let conflict = SchemaRule.object(
        ObjectRule(
            [
                "field": .name, "authoritative_source": sources, "divergent_source": sources,
                "authoritative_value": .any, "divergent_value": .any,
            ],
            required: [
                "field", "authoritative_source", "divergent_source", "authoritative_value", "divergent_value",
            ]))

    private static let disclosure = SchemaRule.object(
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
                                    "type": .choice(["string", "number", "boolean", "null"]), "value": .any,
                                    "salt_b64u": .hash,
                                ], required: ["type", "value", "salt_b64u"])))),
            ],
            required: [
                "disclosure_algorithm", "merkle_root_b64u", "redacted_leaf_hashes_b64u", "disclosed_leaves",
            ]))

    /// `vir.v2`.
    static let payload2 = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("2"), "receipt_id": .name, "source": sources, "provider": .name,
                "model": .name, "model_claimed": .anyText, "model_observed": .anyText,
                "request_hash_b64u": longText, "response_hash_b64u": longText, "tokens_input": .count,
                "tokens_output": .count, "latency_ms": .count, "agent_did": .did, "timestamp": .dateTime,
                "binding": .object(
                    ObjectRule(
                        [
                            "run_id": .name, "event_hash_b64u": longText, "nonce": .name, "subject": .did,
                            "subject_did": .did, "scope": .name, "scope_hash_b64u": longText,
                        ], required: [], others: .any)),
                "legal_binding": .object(
                    ObjectRule(
                        [
                            "nonce": longText, "subject_did": .did, "scope_hash_b64u": longText, "job_id": .anyText,
                            "contract_id": .anyText, "policy_hash_b64u": longText, "jurisdiction": .anyText,
                        ], required: ["nonce", "subject_did", "scope_hash_b64u"])),
                "evidence_conflicts": .array(conflict), "selective_disclosure": disclosure,
                "metadata": .openObject,
            ],
            required: [
                "receipt_version", "receipt_id", "source", "provider", "model_claimed", "model_observed",
                "agent_did", "timestamp", "legal_binding", "selective_disclosure",
            ], others: .any))

    /// An entry of `vir_receipts`.
    static let entry = SchemaRule.oneOf([
        payload1, payload2, .envelope("vir_receipt", payload: payload1, expires: false),
        .envelope("vir_receipt", payload: payload2, expires: false),
    ])
}
