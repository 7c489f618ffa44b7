/// The schemas of export bundles and of aggregates.
enum ExportSchemas {
    /// `export_bundle_manifest.v1`.
    static let manifest = SchemaRule.object(
        ObjectRule(
            [
                "manifest_version": .constant("1"), "generated_at": .dateTime,
                "entries": .array(
                    .object(
                        ObjectRule(
                            ["path": .name, "sha256_b64u": .hash, "content_type": .name, "size_bytes": .count],
                            required: ["path", "sha256_b64u", "content_type", "size_bytes"])), minimum: 1),
            ], required: ["manifest_version", "generated_at", "entries"]))

    private static func attestations(_ type: String) -> SchemaRule {
        .array(.envelope(type, payload: .openObject))
    }

    /// `export_bundle.v1`.
    static let bundle = SchemaRule.object(
        ObjectRule(
            [
                "export_version": .constant("1"), "export_id": .name, "created_at": .dateTime, "issuer_did": .did,
                "manifest": manifest,
                "artifacts": .object(
                    ObjectRule(
                        [
                            "proof_bundle_envelope": BundleSchema.envelope,
                            "execution_attestation_envelopes": attestations("execution_attestation"),
                            "derivation_attestation_envelopes": attestations("derivation_attestation"),
                            "audit_result_attestation_envelopes": attestations("audit_result_attestation"),
                        ], required: ["proof_bundle_envelope"])),
                "bundle_hash_b64u": .hash, "hash_algorithm": .constant("SHA-256"), "signature_b64u": .hash,
                "algorithm": .constant("Ed25519"), "issued_at": .dateTime, "expires_at": .dateTime,
                "metadata": .openObject,
            ],
            required: [
                "export_version", "export_id", "created_at", "issuer_did", "manifest", "artifacts",
                "bundle_hash_b64u", "hash_algorithm", "signature_b64u", "algorithm", "issued_at",
            ]))

    private static let fleetSummary = SchemaRule.object(
        ObjectRule(
            [
                "total_members": .number(minimum: 1), "unique_agents": .number(minimum: 1),
                "total_runs": .number(minimum: 1), "fleet_proof_tier": .anyText,
            ], required: ["total_members", "unique_agents", "total_runs"]))

    /// `aggregate_bundle_envelope.v1`.
    static let aggregateEnvelope = SchemaRule.envelope(
        "aggregate_bundle",
        payload: .object(
            ObjectRule(
                [
                    "aggregate_version": .constant("1"), "aggregate_id": .name, "created_at": .dateTime,
                    "expires_at": .dateTime, "issuer_did": .did, "manifest": manifest,
                    "artifacts": .object(
                        ObjectRule(
                            [
                                "member_bundles": .array(
                                    .oneOf([BundleSchema.envelope, bundle]), minimum: 1, maximum: 1_000)
                            ], required: ["member_bundles"])),
                    "metadata": .object(
                        ObjectRule(["fleet_summary": fleetSummary], required: ["fleet_summary"], others: .any)),
                ],
                required: [
                    "aggregate_version", "aggregate_id", "created_at", "issuer_did", "manifest", "artifacts",
                    "metadata",
                ])))
}
