import ClawWire

/// `binary_semantic_evidence_attestations`: analysts' signed word of what a tool's binary can do. The hosted verifier's
/// check.
enum BinaryEvidence {
    private static let field = "payload.binary_semantic_evidence_attestations"

    /// What an attestation is worth.
    enum Verdict: String {
        case valid = "VALID"
        case partial = "PARTIAL"
        case inapplicable = "INAPPLICABLE"
        case unknown = "UNKNOWN"
        case invalid = "INVALID"

        /// True when it holds the tiers down.
        var isConstrained: Bool { self == .inapplicable || self == .partial }
        /// True when the bundle falls with it.
        var refuses: Bool { self == .invalid || self == .unknown }
    }

    private struct Outcome {
        let verdict: Verdict
        let reason: String

        /// Where it stands among several: the lowest decides.
        var rank: Int {
            switch verdict {
            case .invalid: reason == "CAPABILITY_EXCEEDS_STATIC_PROOF" ? 1 : 0
            case .unknown: 2
            case .inapplicable: 3
            case .partial: 4
            case .valid: 5
            }
        }
    }

    private static let metrics = SchemaRule.object(
        ObjectRule(
            ["merkle_chain_intact": .boolean, "unattested_children_spawned": .boolean],
            required: ["merkle_chain_intact", "unattested_children_spawned"]))
    private static let capability = SchemaRule.choice(["PRESENT", "ABSENT", "UNKNOWN"])

    private static let schema = SchemaRule.envelope(
        "binary_semantic_evidence",
        payload: .object(
            ObjectRule(
                [
                    "evidence_version": .constant("1"), "binary_hash_b64u": .hash,
                    "binary_profile": .object(
                        ObjectRule(
                            [
                                "target_architecture": .choice(["x86_64", "arm64", "x86", "arm", "riscv64", "unknown"]),
                                "linkage": .choice(["STATIC", "DYNAMIC", "UNKNOWN"]),
                                "symbols": .choice(["STRIPPED", "INTACT", "UNKNOWN"]), "is_sip_protected": .boolean,
                            ], required: ["target_architecture", "linkage", "symbols", "is_sip_protected"])),
                    "extracted_claims": .object(
                        ObjectRule(
                            ["network_egress": capability, "dynamic_code_generation": capability],
                            required: ["network_egress", "dynamic_code_generation"])),
                    "causality_metrics": metrics,
                    "forensic_metrics": .object(
                        ObjectRule(
                            [
                                "static_analysis_budget_exhausted": .boolean, "parser_timeout": .boolean,
                                "normalized_regions_scanned": .integer(minimum: 0),
                            ],
                            required: [
                                "static_analysis_budget_exhausted", "parser_timeout", "normalized_regions_scanned",
                            ])), "metadata": .openObject,
                ],
                required: [
                    "evidence_version", "binary_hash_b64u", "binary_profile", "extracted_claims", "causality_metrics",
                    "forensic_metrics",
                ])))

    /// Weighs all attestations; the worst decides.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let attestations = context.entries("binary_semantic_evidence_attestations")
        guard context.verifier == .service, !attestations.isEmpty else { return }
        let usedNetwork = ["receipts", "vir_receipts", "web_receipts"].contains { kind in
            (context.components["\(kind)_verified_count"]?.integer ?? 0) > 0
        }
        let signers = context.options.texts("allowlistedBinarySemanticEvidenceSignerDids") ?? []
        var signed = 0
        var outcomes: [Outcome] = []
        for attestation in attestations {
            if let fault = fault(of: attestation, signers) {
                outcomes.append(fault)
            } else {
                signed += 1
                outcomes.append(outcome(of: attestation["payload"], usedNetwork: usedNetwork))
            }
        }
        guard
            let worst = outcomes.min(by: {
                ($0.rank, $0.reason) < ($1.rank, $1.reason)
            })
        else { return }
        context.components["binary_semantic_evidence_count"] = .integer(attestations.count)
        context.components["binary_semantic_evidence_signature_verified_count"] = .integer(signed)
        context.components["binary_semantic_evidence_verified_count"] = .integer(
            outcomes.count { !$0.verdict.refuses })
        context.components["binary_semantic_evidence_policy_verdict"] = .string(worst.verdict.rawValue)
        context.components["binary_semantic_evidence_reason_code"] = .string(worst.reason)
        context.components["binary_semantic_evidence_valid"] = .bool(worst.verdict == .valid)
        guard !worst.verdict.refuses else { throw ReferenceRefusal("EVIDENCE_MISMATCH", field, worst.reason) }
        if worst.verdict.isConstrained { context.riskFlags.insert("BINARY_SEMANTIC_\(worst.reason)") }
    }

    private static func fault(of attestation: JSONValue, _ signers: [String]) -> Outcome? {
        guard schema.firstBreach(in: attestation) == nil, let signer = Loose.did(attestation["signer_did"]) else {
            return Outcome(verdict: .invalid, reason: "SIGNATURE_MISMATCH")
        }
        if signers.isEmpty { return Outcome(verdict: .unknown, reason: "MISSING_DEPENDENCY") }
        guard ExactText.contains(signers, signer) else {
            return Outcome(verdict: .invalid, reason: "SIGNATURE_MISMATCH")
        }
        guard attestation["payload"]?.documentDigest.b64u == attestation["payload_hash_b64u"]?.string else {
            return Outcome(verdict: .invalid, reason: "HASH_MISMATCH")
        }
        return AllowedEnvelope.isSigned(attestation) ? nil : Outcome(verdict: .invalid, reason: "SIGNATURE_MISMATCH")
    }

    private static func outcome(of payload: JSONValue?, usedNetwork: Bool) -> Outcome {
        let causality = payload?["causality_metrics"]
        let forensics = payload?["forensic_metrics"]
        let profile = payload?["binary_profile"]
        let rules: [(Bool, Verdict, String)] = [
            (causality?["merkle_chain_intact"] != true, .invalid, "MERKLE_CHAIN_BROKEN"),
            (causality?["unattested_children_spawned"] == true, .invalid, "UNATTESTED_CHILD_PROCESS"),
            (payload?["metadata"]?["static_hook_spoofing_detected"] == true, .invalid, "STATIC_HOOK_SPOOFING"),
            (
                usedNetwork && payload?["extracted_claims"]?["network_egress"] == "ABSENT", .invalid,
                "CAPABILITY_EXCEEDS_STATIC_PROOF"
            ),
            (
                forensics?["static_analysis_budget_exhausted"] == true || forensics?["parser_timeout"] == true,
                .unknown, "STATIC_ANALYSIS_TIMEOUT"
            ),
            (profile?["target_architecture"] == "unknown", .inapplicable, "UNSUPPORTED_ARCH"),
            (profile?["is_sip_protected"] == true, .inapplicable, "SIP_RESTRICTION_INAPPLICABLE"),
            (profile?["symbols"] == "STRIPPED", .partial, "STRIPPED_SYMBOLS"),
        ]
        let first = rules.first { $0.0 }
        return Outcome(verdict: first?.1 ?? .valid, reason: first?.2 ?? "SEMANTICS_VERIFIED")
    }
}
