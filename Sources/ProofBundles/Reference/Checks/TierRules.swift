import ClawWire

/// How the tiers follow from what holds.
enum TierRules {
    static func set(_ context: inout ReferenceContext) {
        let components = context.components
        func holds(_ key: String) -> Bool { components[key]?.bool ?? false }
        func counted(_ key: String) -> Bool { (components[key]?.integer ?? 0) > 0 }
        // The components of the hosted verifier alone are absent in the library's answers.
        let isHosted = context.verifier == .service
        let receipts =
            holds("receipts_valid")
            || isHosted && (holds("vir_receipts_valid") || holds("web_receipts_valid"))
        // What raises it to attested is the runner's attestation, which is weighed with the verdict.
        context.trustTier =
            if holds("urm_valid"), holds("event_chain_valid"), receipts,
                holds("attestations_valid") || isHosted && holds("execution_attestations_valid")
            {
                .full
            } else if holds("event_chain_valid") || receipts {
                .verified
            } else {
                .basic
            }
        let source = components["vir_best_source"]?.string
        context.proofTier =
            if isHosted, counted("tee_execution_verified_count") {
                .tee
            } else if counted("attestations_verified_count")
                || isHosted && counted("execution_attestations_verified_count")
            {
                .sandbox
            } else if counted("receipts_verified_count") {
                .gateway
            } else if isHosted, counted("vir_receipts_verified_count"),
                source == "tls_decrypt" || source == "gateway" || source == "interpose"
            {
                .gateway
            } else if isHosted, counted("web_receipts_verified_count") {
                .witnessedWeb
            } else {
                .selfSigned
            }
    }
}
