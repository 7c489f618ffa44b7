/// The schemas of receipts that stand in bundles (WIRE sections 8.2 to 8.7).
enum ReceiptSchemas {
    private static let phases = [
        "setup", "planning", "reasoning", "execution", "observation", "reflection", "teardown",
    ]

    /// `receipt_binding.v1` with the causal members in both spellings.
    static let binding = SchemaRule.object(
        ObjectRule(
            [
                "run_id": .name, "event_hash_b64u": .hash, "nonce": .name, "policy_hash": .name,
                "token_scope_hash_b64u": .hash, "span_id": .name, "spanId": .name, "parent_span_id": .name,
                "parentSpanId": .name, "tool_span_id": .name, "toolSpanId": .name, "phase": .choice(phases),
                "attribution_confidence": .number(minimum: 0, maximum: 1),
                "attributionConfidence": .number(minimum: 0, maximum: 1),
            ], required: []))

    private static let auditReferences = SchemaRule.array(
        .object(
            ObjectRule(
                ["resource_type": .anyText, "resource_hash_b64u": .hash, "uri": .anyText],
                required: ["resource_hash_b64u"])))

    /// `log_inclusion_proof.v1`.
    static let inclusionProof = SchemaRule.object(
        ObjectRule(
            [
                "proof_version": .constant("1"), "log_id": .name, "tree_size": .count, "leaf_hash_b64u": .hash,
                "root_hash_b64u": .hash, "audit_path": .array(.hash), "root_published_at": .dateTime,
                "root_signature": .object(
                    ObjectRule(["signer_did": .did, "sig_b64u": .hash], required: ["signer_did", "sig_b64u"])),
                "metadata": .openObject,
            ],
            required: [
                "proof_version", "log_id", "tree_size", "leaf_hash_b64u", "root_hash_b64u", "audit_path",
                "root_published_at", "root_signature",
            ]))

    private static let fingerprint = SchemaRule.object(
        ObjectRule(
            [
                "ttft_ms": .number(), "itl_p50_ms": .number(), "itl_p95_ms": .number(), "itl_stddev_ms": .number(),
                "chunk_count": .integer(minimum: -.infinity), "burst_signature_b64u": .anyText,
                "hardware_inferred": .anyText, "confidence_score": .number(minimum: 0, maximum: 1),
                "total_tokens": .integer(minimum: -.infinity), "total_duration_ms": .number(),
            ],
            required: [
                "ttft_ms", "itl_p50_ms", "itl_p95_ms", "itl_stddev_ms", "chunk_count", "burst_signature_b64u",
            ]))

    private static let anomalyReport = SchemaRule.object(
        ObjectRule(
            [
                "threat_score": .number(minimum: 0, maximum: 100),
                "anomaly_type": .choice([
                    "benign", "prompt_injection_suspected", "data_exfiltration_topology", "alien_trajectory",
                    "model_impersonation",
                ]),
                "global_prevalence": .integer(minimum: -.infinity), "nearest_neighbors": .array(.anyText),
                "confidence": .number(minimum: 0, maximum: 1),
            ], required: ["threat_score", "anomaly_type"]))

    private static func gatewayPayload(metadata: SchemaRule) -> SchemaRule {
        .object(
            ObjectRule(
                [
                    "receipt_version": .constant("1"), "receipt_id": .name, "gateway_id": .name, "provider": .name,
                    "model": .name, "request_hash_b64u": .hash, "response_hash_b64u": .hash, "tokens_input": .count,
                    "tokens_output": .count, "latency_ms": .count, "timestamp": .dateTime, "binding": binding,
                    "metadata": metadata,
                ],
                required: [
                    "receipt_version", "receipt_id", "gateway_id", "provider", "model", "request_hash_b64u",
                    "response_hash_b64u", "tokens_input", "tokens_output", "latency_ms", "timestamp",
                ]))
    }

    /// A gateway receipt's envelope by itself; its metadata has more known members than in a bundle.
    static let gatewayEnvelope = SchemaRule.envelope(
        "gateway_receipt",
        payload: gatewayPayload(
            metadata: .object(
                ObjectRule(
                    [
                        "model_identity": ModelIdentity.schema, "model_identity_hash_b64u": .hash,
                        "audit_result_refs": auditReferences, "x402_payment_ref": .name,
                        "x402_amount_minor": .integer(minimum: 0), "x402_currency": .name, "x402_network": .name,
                        "x402_payment_auth_hash_b64u": .hash, "log_inclusion_proof": inclusionProof,
                        "kinematic_fingerprint": fingerprint, "sentinel_anomaly_report": anomalyReport,
                    ], required: [], others: .any))))

    /// A gateway receipt's envelope within a bundle.
    static let bundledGatewayEnvelope = SchemaRule.envelope(
        "gateway_receipt",
        payload: gatewayPayload(
            metadata: .object(
                ObjectRule(
                    [
                        "model_identity": ModelIdentity.schema, "model_identity_hash_b64u": .hash,
                        "audit_result_refs": auditReferences,
                    ], required: [], others: .any))))

    /// `web_receipt_envelope.v1`.
    static let webEnvelope = SchemaRule.envelope(
        "web_receipt",
        payload: .object(
            ObjectRule(
                [
                    "receipt_version": .constant("1"), "receipt_id": .name, "witness_id": .name,
                    "source": .choice(["chatgpt_web", "claude_web", "gemini_web", "other"]),
                    "request_hash_b64u": .hash, "response_hash_b64u": .hash, "session_hash_b64u": .hash,
                    "timestamp": .dateTime, "binding": binding,
                    "transparency": .object(
                        ObjectRule(
                            ["inclusion_proof": inclusionProof, "anchor_id": .name, "anchor_uri": .name],
                            required: [])),
                    "metadata": .openObject,
                ],
                required: [
                    "receipt_version", "receipt_id", "witness_id", "source", "request_hash_b64u",
                    "response_hash_b64u", "timestamp",
                ])))

    /// A side effect within a bundle: looser than the schema of its own.
    static let sideEffect = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("1"), "receipt_id": .name,
                "effect_class": .choice(["network_egress", "filesystem_write", "external_api_write"]),
                "target_digest": .anyText, "request_digest": .anyText, "response_digest": .anyText,
                "hash_algorithm": .eitherHash, "vendor_id": .anyText, "bytes_written": .count, "agent_did": .did,
                "timestamp": .dateTime, "binding": .openObject,
            ],
            required: ["receipt_version", "receipt_id", "effect_class", "hash_algorithm", "agent_did", "timestamp"],
            others: .any))

    /// A human approval within a bundle: a bare payload with free further members.
    static let approval = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("1"), "receipt_id": .name,
                "approval_type": .choice(["explicit_approve", "explicit_deny", "auto_approve", "timeout_deny"]),
                "scope_hash_b64u": .anyText, "plan_hash_b64u": .anyText, "approver_subject": .anyText,
                "capability_minted": .boolean, "policy_hash_b64u": .anyText, "agent_did": .did,
                "timestamp": .dateTime, "binding": .openObject,
            ],
            required: ["receipt_version", "receipt_id", "approval_type", "agent_did", "timestamp"], others: .any))

    /// A delegation within a bundle.
    static let delegation = SchemaRule.object(
        ObjectRule(
            [
                "receipt_version": .constant("1"), "receipt_id": .name, "delegator_did": .did, "delegate_did": .did,
                "task_description_hash_b64u": .hash, "delegate_bundle_hash_b64u": .hash,
                "delegation_policy": .anyText, "hash_algorithm": .eitherHash, "delegated_at": .dateTime,
                "completed_at": .dateTime, "binding": .openObject,
            ],
            required: [
                "receipt_version", "receipt_id", "delegator_did", "delegate_did", "task_description_hash_b64u",
                "delegate_bundle_hash_b64u", "hash_algorithm", "delegated_at",
            ], others: .any))

    /// `coverage_attestation_envelope.v1`.
    static let coverageEnvelope = SchemaRule.envelope(
        "coverage_attestation",
        payload: .object(
            ObjectRule(
                [
                    "attestation_version": .constant("1"), "attestation_id": .name, "run_id": .name,
                    "agent_did": .did, "sentinel_did": .did, "issued_at": .dateTime,
                    "binding": .object(
                        ObjectRule(
                            ["event_chain_root_hash_b64u": .hash], required: ["event_chain_root_hash_b64u"])),
                    "metrics": coverageMetrics, "metadata": .openObject,
                ],
                required: [
                    "attestation_version", "attestation_id", "run_id", "agent_did", "sentinel_did", "issued_at",
                    "binding", "metrics",
                ])))

    private static let coverageMetrics = SchemaRule.object(
        ObjectRule(
            [
                "lineage": .object(
                    ObjectRule(
                        [
                            "root_pid": .integer(minimum: 1), "processes_tracked": .integer(minimum: 0),
                            "unmonitored_spawns": .integer(minimum: 0), "escapes_suspected": .boolean,
                        ], required: ["root_pid", "processes_tracked", "unmonitored_spawns", "escapes_suspected"])),
                "egress": .object(
                    ObjectRule(
                        [
                            "connections_total": .integer(minimum: 0),
                            "unmediated_connections": .integer(minimum: 0),
                        ], required: ["connections_total", "unmediated_connections"])),
                "liveness": .object(
                    ObjectRule(
                        [
                            "status": .choice(["continuous", "interrupted"]), "uptime_ms": .integer(minimum: 0),
                            "heartbeat_interval_ms": .integer(minimum: 1), "max_gap_ms": .integer(minimum: 0),
                        ], required: ["status", "uptime_ms", "heartbeat_interval_ms", "max_gap_ms"])),
            ], required: ["lineage", "egress", "liveness"]))
}
