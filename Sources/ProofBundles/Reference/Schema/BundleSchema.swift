/// The schema of proof bundles (WIRE section 9).
enum BundleSchema {
    private static let manifestReference = SchemaRule.object(
        ObjectRule(
            [
                "urm_version": .constant("1"), "urm_id": .name, "resource_type": .name, "resource_hash_b64u": .hash,
                "metadata": .openObject,
            ], required: ["urm_version", "urm_id", "resource_type", "resource_hash_b64u"]))

    private static let event = SchemaRule.object(
        ObjectRule(
            [
                "event_id": .name, "run_id": .name, "event_type": .name, "timestamp": .dateTime,
                "payload_hash_b64u": .hash, "prev_hash_b64u": .optionalText(.base64url), "event_hash_b64u": .hash,
            ],
            required: [
                "event_id", "run_id", "event_type", "timestamp", "payload_hash_b64u", "prev_hash_b64u",
                "event_hash_b64u",
            ]))

    private static let attestation = SchemaRule.object(
        ObjectRule(
            [
                "attestation_id": .name, "attestation_type": .choice(["owner", "third_party"]),
                "attester_did": .did, "subject_did": .did, "expires_at": .dateTime, "signature_b64u": .hash,
            ], required: ["attestation_id", "attestation_type", "attester_did", "subject_did", "signature_b64u"]))

    private static let rateLimitClaim = SchemaRule.object(
        ObjectRule(
            [
                "claim_version": .constant("1"), "scope": .choice(["agent", "model", "tool"]), "scope_key": .name,
                "window_start": .dateTime, "window_end": .dateTime, "max_requests": .count,
                "observed_requests": .count, "max_tokens_input": .count, "observed_tokens_input": .count,
                "max_tokens_output": .count, "observed_tokens_output": .count, "run_id": .name,
            ],
            required: [
                "claim_version", "scope", "scope_key", "window_start", "window_end", "max_requests",
                "observed_requests",
            ]))

    private static let sentinels = SchemaRule.object(
        ObjectRule(
            [
                "interpose_active": .boolean, "shell_events": .count, "fs_events": .count, "net_events": .count,
                "net_suspicious": .count, "interpose_events": .count, "interpose_gateway": .count,
                "interpose_transcript": .count, "interpose_tool_calls": .count, "interpose_anomalies": .count,
                "preload_llm_events": .count, "tls_sni_events": .count, "tls_sni_receipts": .count,
                "tls_decrypt_receipts": .count, "vir_receipts": .count, "interpose_state": .openObject,
                "egress_policy_receipt": EgressPolicyReceipt.schema,
            ], required: ["interpose_active"]))

    private static let metadata = SchemaRule.object(
        ObjectRule(
            [
                "harness": .object(
                    ObjectRule(
                        ["id": .name, "version": .name, "runtime": .anyText, "config_hash_b64u": .hash],
                        required: ["id", "version"], others: .any)),
                "sentinels": sentinels,
            ], required: [], others: .any))

    /// `proof_bundle.v1`.
    static let payload = SchemaRule.object(
        ObjectRule(
            [
                "bundle_version": .constant("1"), "bundle_id": .name, "agent_did": .did,
                "eip8004_agent_id": .text(.digits), "eip8004_registry": .text(.chainAddress),
                "urm": manifestReference, "event_chain": .array(event, minimum: 1),
                "vir_receipts": .array(VIRSchemas.entry, minimum: 1),
                "receipts": .array(ReceiptSchemas.bundledGatewayEnvelope, minimum: 1),
                "web_receipts": .array(ReceiptSchemas.webEnvelope, minimum: 1),
                "coverage_attestations": .array(ReceiptSchemas.coverageEnvelope),
                "binary_semantic_evidence_attestations": .array(
                    .envelope("binary_semantic_evidence", payload: .openObject)),
                "tool_receipts": .array(ToolReceiptSchemas.entry, maximum: 1_000),
                "side_effect_receipts": .array(ReceiptSchemas.sideEffect, maximum: 1_000),
                "human_approval_receipts": .array(ReceiptSchemas.approval, maximum: 1_000),
                "delegation_receipts": .array(ReceiptSchemas.delegation, maximum: 1_000),
                "rate_limit_claims": .array(rateLimitClaim, maximum: 256),
                "attestations": .array(attestation, minimum: 1), "metadata": metadata,
            ], required: ["bundle_version", "bundle_id", "agent_did"],
            anyOf: [
                "urm", "event_chain", "receipts", "vir_receipts", "web_receipts",
                "binary_semantic_evidence_attestations", "tool_receipts", "side_effect_receipts",
                "human_approval_receipts", "delegation_receipts", "attestations",
            ]))

    /// `proof_bundle_envelope.v1`.
    static let envelope = SchemaRule.envelope("proof_bundle", payload: payload)
}
