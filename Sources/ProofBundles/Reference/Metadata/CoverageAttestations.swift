import ClawWire

/// `coverage_attestations`: sentinels' signed word that nothing escaped them. The hosted verifier's check.
enum CoverageAttestations {
    /// Weighs all attestations; never refuses, because the phase decides only when the tiers are known.
    static func weigh(_ context: inout ReferenceContext) {
        let attestations = context.entries("coverage_attestations")
        guard !attestations.isEmpty else { return }
        let given = context.options.members["maxCoverageLivenessGapMs"]
        let maximumGap = Loose.count(given) ?? 1_000
        let signers = context.options.texts("allowlistedCoverageAttestationSignerDids")
        var signed = 0
        var verified = 0
        for attestation in attestations {
            guard
                let envelope = AllowedEnvelope(attestation, schema: ReceiptSchemas.coverageEnvelope, signers: signers)
            else {
                context.riskFlags.insert("COVERAGE_ATTESTATION_VERIFY_FAILED")
                continue
            }
            signed += 1
            let flags = flags(of: envelope.payload, maximumGap: maximumGap, context)
            if flags.isEmpty { verified += 1 }
            context.riskFlags.formUnion(flags)
        }
        if verified < attestations.count { context.riskFlags.insert("COVERAGE_ATTESTATION_VERIFY_PARTIAL_FAILURE") }
        context.components["coverage_attestations_count"] = .integer(attestations.count)
        context.components["coverage_attestations_signature_verified_count"] = .integer(signed)
        context.components["coverage_attestations_verified_count"] = .integer(verified)
        context.components["coverage_attestations_valid"] = .bool(verified == attestations.count)
    }

    private static func flags(
        of payload: JSONObject, maximumGap: Int64, _ context: ReferenceContext
    ) -> [String] {
        let metrics = payload["metrics"]
        let escapes = EscapeMetrics(attestedBy: .object(payload))
        var flags: [String] = []
        func note(_ isFault: Bool, _ flag: String) { if isFault { flags.append(flag) } }
        note(payload["agent_did"] != .string(context.agentDID), "COVERAGE_ATTESTATION_AGENT_MISMATCH")
        if let run = context.runID {
            note(payload["run_id"] != .string(run), "COVERAGE_ATTESTATION_RUN_ID_MISMATCH")
            note(
                payload["binding"]?["event_chain_root_hash_b64u"] != .string(context.chainRoot ?? ""),
                "COVERAGE_ATTESTATION_CHAIN_ROOT_MISMATCH")
        } else {
            flags.append("COVERAGE_ATTESTATION_BINDING_CONTEXT_MISSING")
        }
        note((escapes?.spawns ?? 1) > 0, "COVERAGE_UNMONITORED_SPAWNS")
        note(escapes?.escapes ?? true, "COVERAGE_ESCAPES_SUSPECTED")
        note((escapes?.connections ?? 1) > 0, "COVERAGE_UNMEDIATED_EGRESS")
        note(metrics?["liveness"]?["status"] != "continuous", "COVERAGE_LIVENESS_INTERRUPTED")
        note(
            (Loose.count(metrics?["liveness"]?["max_gap_ms"]) ?? .max) > maximumGap, "COVERAGE_LIVENESS_GAP_EXCEEDED")
        return flags
    }

    /// The worst metrics of all attestations that an allowed sentinel signed.
    static func attestedEscapes(_ context: ReferenceContext) -> EscapeMetrics? {
        let signers = context.options.texts("allowlistedCoverageAttestationSignerDids")
        return RuntimeDiscrepancy.worst(
            context.entries("coverage_attestations").map { attestation in
                AllowedEnvelope(attestation, schema: ReceiptSchemas.coverageEnvelope, signers: signers)
                    .flatMap { EscapeMetrics(attestedBy: .object($0.payload)) }
            })
    }

    /// Decides by the coverage phase when the tiers are known.
    static func decide(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let count = context.components["coverage_attestations_count"]?.integer ?? 0
        let verified = context.components["coverage_attestations_verified_count"]?.integer ?? 0
        let isEnforced = context.policy.coverage == .enforce
        let isRequired = isEnforced || context.metadata?["coverage_enforcement"]?["required"] == true
        let isMissing = isRequired && count == 0
        let hasFailed = verified < count
        let claimed: EscapeMetrics? = try EscapeMetrics.claimed(context.metadata)
        let discrepancy = RuntimeDiscrepancy.weigh(claimed, attestedEscapes(context), &context)
        if context.metadata?["sentinels"]?["interpose_active"] == true, count == 0 {
            context.riskFlags.formUnion([
                "COVERAGE_DEGRADED_NO_INTERPOSE", "COVERAGE_INTERPOSE_CLAIM_WITHOUT_ATTESTATION",
            ])
        }
        if hasFailed { context.riskFlags.insert("COVERAGE_INVARIANT_FAILED") }
        if isMissing { context.riskFlags.insert("COVERAGE_REQUIRED_MISSING") }
        if let discrepancy { throw discrepancy }
        guard isEnforced, isMissing || hasFailed else { return }
        throw ReferenceRefusal(
            "EVIDENCE_MISMATCH", "payload.coverage_attestations",
            isMissing ? "coverage is demanded and not attested" : "the coverage that is attested does not hold",
            keepsTiers: true)
    }
}
