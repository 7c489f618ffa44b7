import ClawWire

/// What is decided when the tiers are known.
enum FinalWeighing {
    /// Raises the trust tier for an attested runner; for the hosted verifier then applies completeness, constrained
    /// evidence and the coverage phase.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        if context.components["runner_attestation_receipt_valid"] == true,
            context.trustTier == .basic || context.trustTier == .verified
        {
            context.trustTier = .attested
        }
        guard context.verifier == .service else { return }
        if let verdict = context.components["binary_semantic_evidence_policy_verdict"]?.string,
            BinaryEvidence.Verdict(rawValue: verdict)?.isConstrained == true
        {
            constrain(&context, tier: "BINARY_SEMANTIC_TIER", trust: "BINARY_SEMANTIC_TRUST")
        }
        try checkCompleteness(&context)
        try CoverageAttestations.decide(&context)
    }

    /// Brings the tiers down to the agent's own word.
    private static func constrain(_ context: inout ReferenceContext, tier: String, trust: String) {
        if let proofTier = context.proofTier, proofTier != .selfSigned, proofTier != .unknown {
            context.proofTier = .selfSigned
            context.riskFlags.insert(tier + "_CONSTRAINED")
        }
        if let trustTier = context.trustTier, trustTier != .basic, trustTier != .unknown {
            context.trustTier = .basic
            context.riskFlags.insert(trust + "_CONSTRAINED")
        }
    }

    private enum Completeness: String {
        case complete = "COMPLETE"
        case partial = "PARTIAL"
        case incomplete = "INCOMPLETE"
        case inconsistent = "INCONSISTENT"
    }

    private static func checkCompleteness(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let (verdict, reason) = completeness(context)
        context.components["completeness_verdict"] = .string(verdict.rawValue)
        context.components["completeness_reason_code"] = .string(reason)
        switch verdict {
        case .complete, .partial: return
        case .incomplete:
            constrain(&context, tier: "COMPLETENESS_PROOF_TIER", trust: "COMPLETENESS_TRUST_TIER")
        case .inconsistent:
            throw ReferenceRefusal(
                "EVIDENCE_MISMATCH", "payload", "the evidence is inconsistent: \(reason)", keepsTiers: true)
        }
    }

    private static func completeness(_ context: ReferenceContext) -> (Completeness, String) {
        func count(_ key: String) -> Int64 { context.components[key]?.integer ?? 0 }
        let hasChain = context.runID != nil
        if !context.entries("receipts").isEmpty {
            if !hasChain { return (.inconsistent, "BINDING_CONTEXT_MISSING") }
            if count("receipts_verified_count") == 0 {
                return count("receipts_signature_verified_count") > 0
                    ? (.inconsistent, "RECEIPT_BINDING_MISMATCH") : (.incomplete, "RECEIPT_CLASS_UNVERIFIED")
            }
        }
        let attested = count("attestations_verified_count")
        if attested == 0, count("attestations_signature_verified_count") > 0 {
            return (.partial, "ATTESTATION_CLASS_UNVERIFIED")
        }
        guard hasChain else { return (.partial, "ENVELOPE_ONLY") }
        return count("receipts_verified_count") > 0 || attested > 0
            ? (.complete, "COMPLETE_EVIDENCE_BOUND") : (.partial, "EVENT_CHAIN_ONLY")
    }
}
