import ClawWire

/// The checks of what a bundle says in its metadata and about causes, stage by stage.
enum MetadataChecks {
    /// Resolves the causal options, before anything of the envelope but its shape is read.
    ///
    /// - Throws: ``ReferenceRefusal``, for example `CAUSAL_POLICY_PROFILE_DOWNGRADE` at
    ///   `options.causal_connectivity_mode`. The verdict then says `envelope_valid: false`.
    static func causalPolicy(
        _ options: ReferenceOptions, verifier: ReferenceVerifier
    ) throws(ReferenceRefusal) -> CausalPolicy {
        try CausalPolicy(resolving: options)
    }

    /// Does the checks of one stage.
    ///
    /// Contract: called once for each stage in the order of ``MetadataStage``, for both verifiers; a check that only
    /// one of them has asks `context.verifier`. The payload is past schema and limits, so types may be relied upon
    /// where the schema fixes them, and must be asked for where it does not (`metadata` is open). Refuses by
    /// throwing; otherwise adds to `components` (the tiers are computed of its counts) and `riskFlags`. Never traps, and
    /// takes time no worse than n·log n in the input's size.
    static func check(_ stage: MetadataStage, _ context: inout ReferenceContext) throws(ReferenceRefusal) {
        switch stage {
        case .claims: try checkClaims(&context)
        case .urm: try RunManifestReference.check(&context)
        case .evidence: try checkEvidence(&context)
        case .causal: try checkCauses(context)
        case .virReceipts: try InferenceReceipts.check(&context)
        case .witnesses: try WebReceipts.check(&context)
        case .coverage:
            switch context.verifier {
            case .core: try RuntimeDiscrepancy.checkInLibrary(&context)
            case .service: CoverageAttestations.weigh(&context)
            }
        case .execution:
            try BinaryEvidence.check(&context)
            try ExecutionAttestations.check(&context)
        case .verdict: try FinalWeighing.check(&context)
        }
    }

    private static func checkClaims(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        try EgressPolicyReceipt.checkSchema(context.metadata)
        if context.verifier == .core {
            try PolicyBinding.check(context)
            try DataHandling.check(context)
            try RunnerMeasurement.check(context)
            try RunnerAttestation.check(&context)
            try ReviewerSignoff.check(&context)
        }
        try PromptCommitments.check(&context)
    }

    private static func checkEvidence(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        try PolicyBinding.check(context)
        try DataHandling.check(context)
        try RunnerMeasurement.check(context)
        try RunnerAttestation.check(&context)
        try EgressPolicyReceipt.check(&context)
        _ = try EscapeMetrics.claimed(context.metadata)
        try ProcessorPolicy.check(&context)
        try ReviewerSignoff.check(&context)
    }

    private static func checkCauses(_ context: ReferenceContext) throws(ReferenceRefusal) {
        let bindings = try CausalBinding.all(in: context)
        if context.verifier == .core { try ReceiptReplay.check(context) }
        let connectivity = context.policy.connectivity
        let graph = try CausalGraph(bindings, connectivity: connectivity)
        guard connectivity == .enforce else { return }
        try graph.checkAnchors(of: "side_effect_receipts", in: context, orphan: "CAUSAL_SIDE_EFFECT_ORPHANED")
        try graph.checkAnchors(of: "human_approval_receipts", in: context, orphan: "CAUSAL_HUMAN_APPROVAL_ORPHANED")
    }
}
