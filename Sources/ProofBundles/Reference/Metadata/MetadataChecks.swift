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
        CausalPolicy()
    }

    /// Does the checks of one stage.
    ///
    /// Contract: called once for each stage in the order of ``MetadataStage``, for both verifiers; a check that only
    /// one of them has asks `context.verifier`. The payload is past schema and limits, so types may be relied upon
    /// where the schema fixes them, and must be asked for where it does not (`metadata` is open). Refuses by
    /// throwing; otherwise adds to `components` (the tiers are computed of its counts) and `riskFlags`. Never traps, and takes time no worse than
    /// n·log n in the input's size.
    static func check(_ stage: MetadataStage, _ context: inout ReferenceContext) throws(ReferenceRefusal) {
        switch stage {
        case .claims, .urm, .evidence, .causal, .virReceipts, .witnesses, .coverage, .execution, .verdict: break
        }
    }
}
