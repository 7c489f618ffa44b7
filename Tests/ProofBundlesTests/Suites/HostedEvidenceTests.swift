import ClawWire
import Testing

@testable import ProofBundles

/// Evidence that only the hosted verifier weighs, and what it does to the tiers.
struct HostedEvidenceTests {
    private let maker: MetadataMaker
    private let witness: SeedSigner

    init() throws {
        maker = try MetadataMaker()
        witness = try #require(SeedSigner(seed: Digest(hashing: "bundle tests: witness").bytes))
    }

    private func options(_ members: JSONObject) -> ReferenceOptions {
        var options = maker.bundles.options
        for member in members.members { options.members[member.key] = member.value }
        return options
    }

    private func hosted(
        _ more: JSONObject, _ members: JSONObject = [:], receipts: [JSONValue] = []
    ) throws -> ReferenceVerdict {
        try maker.verdict([:], .service, receipts: receipts, more: more, options: options(members))
    }

    // MARK: Completeness

    @Test func receiptsMustBind() throws {
        let bound = try maker.bundles.receipt(boundTo: maker.events[1])
        #expect(try hosted([:], receipts: [bound]).proofTier == .gateway)
        let unbound = try maker.bundles.receipt(boundTo: nil)
        let verdict = try hosted([:], receipts: [unbound])
        #expect(verdict.code == "EVIDENCE_MISMATCH")
        #expect(verdict.field == "payload")
        #expect(verdict.trustTier == .verified)
        #expect(verdict.components["completeness_reason_code"] == "RECEIPT_BINDING_MISMATCH")
        let nobodyAllowed = try hosted([:], ["allowlistedReceiptSignerDids": []], receipts: [bound])
        #expect(nobodyAllowed.status == .valid)
        #expect(nobodyAllowed.trustTier == .basic)
        #expect(nobodyAllowed.riskFlags.contains("COMPLETENESS_TRUST_TIER_CONSTRAINED"))
    }

    // MARK: Witnesses

    private func webReceipt(_ response: String, by signer: SeedSigner, listed: Bool = false) throws -> JSONValue {
        var payload: JSONObject = [
            "receipt_version": "1", "receipt_id": .string("w-\(signer.publicKey.kid)"), "witness_id": "w",
            "source": "other", "request_hash_b64u": "requesthash", "response_hash_b64u": .string(response),
            "timestamp": MetadataMaker.date, "binding": .object(maker.binding),
        ]
        if listed {
            let proof = try maker.transparency(WebReceipts.leaf(payload))["inclusion_proof"] ?? .null
            payload["transparency"] = ["inclusion_proof": proof]
        }
        return try maker.bundles.envelope("web_receipt", payload, by: signer)
    }

    @Test func witnessesMustAgree() throws {
        let signers = [witness, maker.reviewer]
        let allowed: JSONValue = .array(signers.map { .string($0.publicKey.did) })
        let quorum: JSONObject = [
            "allowlistedWitnessSignerDids": allowed, "witnessed_web_quorum_m": 2, "witnessed_web_quorum_n": 2,
        ]
        var enforced = quorum
        enforced["witnessed_web_policy_mode"] = "enforce"
        let same = try signers.map { try webReceipt("responsehash", by: $0) }
        #expect(try hosted(["web_receipts": .array(same)], quorum).proofTier == .witnessedWeb)
        let split = [same[0], try webReceipt("otherresponse", by: signers[1])]
        let degraded = try hosted(["web_receipts": .array(split)], quorum)
        #expect(degraded.proofTier == .selfSigned)
        #expect(degraded.riskFlags.contains("WITNESS_CONFLICT_SPLIT_VIEW"))
        #expect(try hosted(["web_receipts": .array(split)], enforced).field == "payload.web_receipts")
        #expect(try hosted(["web_receipts": [same[0]]], enforced).code == "EVIDENCE_MISMATCH")
        let inverted = try hosted(["web_receipts": [same[0]]], ["witnessed_web_quorum_m": 2])
        #expect(inverted.riskFlags.contains("WITNESS_QUORUM_POLICY_INVALID"))
    }

    @Test func witnessesMayHaveToBeInALog() throws {
        let allowed: JSONObject = [
            "allowlistedWitnessSignerDids": [.string(witness.publicKey.did)],
            "witnessed_web_transparency_mode": "enforce",
        ]
        let listed = try webReceipt("responsehash", by: witness, listed: true)
        #expect(try hosted(["web_receipts": [listed]], allowed).proofTier == .witnessedWeb)
        let plain = try webReceipt("responsehash", by: witness)
        #expect(try hosted(["web_receipts": [plain]], allowed).code == "EVIDENCE_MISMATCH")
        var later = allowed
        later["witnessed_web_transparency_required_after"] = "2026-02-01T00:00:00Z"
        #expect(try hosted(["web_receipts": [plain]], later).proofTier == .witnessedWeb)
    }

    // MARK: Inference receipts

    private func inference(_ edit: (inout JSONObject) -> Void = { _ in }) throws -> JSONValue {
        var payload: JSONObject = [
            "receipt_version": "1", "receipt_id": "v1", "source": "gateway", "provider": "openai", "model": "gpt-5.1",
            "request_hash_b64u": "requesthash", "response_hash_b64u": "responsehash", "tokens_input": 1,
            "tokens_output": 1, "latency_ms": 1, "agent_did": .string(maker.agent),
            "timestamp": "2026-01-01T00:00:01.000Z", "binding": .object(maker.binding),
        ]
        edit(&payload)
        return try maker.bundles.envelope("vir_receipt", payload, by: maker.bundles.agent)
    }

    @Test func highClaimsNeedAGateway() throws {
        let alone = try hosted(["vir_receipts": [try inference()]])
        #expect(alone.proofTier == .selfSigned)
        #expect(alone.riskFlags == ["VIR_HIGH_CLAIM_UNCORROBORATED"])
        #expect(alone.components["vir_best_source"] == "sni")
        let receipt = try maker.bundles.receipt(boundTo: maker.events[1])
        let corroborated = try hosted(["vir_receipts": [try inference()]], receipts: [receipt])
        #expect(corroborated.components["vir_best_source"] == "gateway")
        let tight = try hosted(
            ["vir_receipts": [try inference()]], ["maxVirCorroborationSkewMs": 10], receipts: [receipt])
        #expect(tight.riskFlags.contains("VIR_CORROBORATION_SKEW_EXCEEDED"))
    }

    @Test func observersMustReportWhatDiffers() throws {
        func conflict(_ fields: [String]) -> JSONValue {
            .array(
                fields.map {
                    [
                        "field": .string($0), "authoritative_source": "gateway", "divergent_source": "sni",
                        "authoritative_value": "a", "divergent_value": "b",
                    ]
                })
        }
        let silent = try inference {
            $0["model_claimed"] = "a"; $0["model_observed"] = "b"
        }
        #expect(try hosted(["vir_receipts": [silent]]).field == "payload.vir_receipts")
        let reported = try inference {
            $0["model_claimed"] = "a"
            $0["model_observed"] = "b"
            $0["evidence_conflicts"] = conflict(["model"])
        }
        #expect(try hosted(["vir_receipts": [reported]]).field == "payload.vir_receipts[0].evidence_conflicts")
        let capped = try hosted(["vir_receipts": [reported]], ["vir_conflict_policy_mode": "cap"])
        #expect(capped.status == .valid)
        #expect(capped.riskFlags.contains("MODEL_SUBSTITUTION_DETECTED"))
        let root = try inference {
            $0["selective_disclosure"] = ["merkle_root_b64u": "otherroot", "leaf_hashes_b64u": ["leafhash1"]]
        }
        #expect(try hosted(["vir_receipts": [root]]).code == "EVIDENCE_MISMATCH")
        let other = try inference { $0["receipt_id"] = "v2" }
        #expect(try hosted(["vir_receipts": [try inference(), other]]).code == "EVIDENCE_MISMATCH")
        let foreign = try hosted(["vir_receipts": [try inference()]], ["expectedVirNonce": "n"])
        #expect(foreign.components["vir_receipts_verified_count"] == 0)
    }

    // MARK: Coverage

    private func coverage(_ edit: (inout JSONObject) -> Void = { _ in }) throws -> JSONValue {
        var payload: JSONObject = [
            "attestation_version": "1", "attestation_id": "c1", "run_id": .string(maker.events[0].runID),
            "agent_did": .string(maker.agent), "sentinel_did": .string(witness.publicKey.did),
            "issued_at": MetadataMaker.date,
            "binding": ["event_chain_root_hash_b64u": .string(maker.events[0].hash.b64u)],
            "metrics": [
                "lineage": [
                    "root_pid": 1, "processes_tracked": 2, "unmonitored_spawns": 0, "escapes_suspected": false,
                ],
                "egress": ["connections_total": 1, "unmediated_connections": 0],
                "liveness": [
                    "status": "continuous", "uptime_ms": 10, "heartbeat_interval_ms": 1, "max_gap_ms": 1_000,
                ],
            ],
        ]
        edit(&payload)
        return try maker.bundles.envelope("coverage_attestation", payload, by: witness)
    }

    @Test func coverageIsDemandedByPhase() throws {
        let allowed: JSONObject = [
            "allowlistedCoverageAttestationSignerDids": [.string(witness.publicKey.did)],
            "coverage_enforcement_phase": "enforce",
        ]
        #expect(try hosted([:], allowed).field == "payload.coverage_attestations")
        #expect(try hosted(["coverage_attestations": [try coverage()]], allowed).status == .valid)
        var tight = allowed
        tight["maxCoverageLivenessGapMs"] = 999
        #expect(try hosted(["coverage_attestations": [try coverage()]], tight).code == "EVIDENCE_MISMATCH")
        let foreign = try coverage { $0["run_id"] = "other" }
        #expect(try hosted(["coverage_attestations": [foreign]], allowed).trustTier == .verified)
        #expect(try hosted(["coverage_attestations": [foreign]]).status == .valid)
        let claim: JSONObject = [
            "sentinels": [
                "interpose_active": true,
                "interpose_state": [
                    "cldd": ["unmediated_connections": 1, "unmonitored_spawns": 0, "escapes_suspected": false]
                ],
            ]
        ]
        for verifier in ReferenceVerifier.allCases {
            let verdict = try maker.verdict(
                claim, verifier, more: ["coverage_attestations": [try coverage()]], options: options(allowed))
            #expect(verdict.code == "COVERAGE_CLDD_DISCREPANCY_ENFORCED")
            #expect((verdict.trustTier != nil) == (verifier == .service))
        }
    }

    // MARK: Execution

    @Test func enclavesAreHeldToRootNonceAndBundle() throws {
        let bundle = try maker.bundles.bundle(maker.bundles.payload(maker.events))
        let hash = try #require(bundle["payload_hash_b64u"])
        func verdict(_ root: String, revoked: Bool = false, of target: JSONValue) throws -> ReferenceVerdict {
            let nonce: JSONValue = [
                "nonce_binding_version": "tee_nonce_binding_v1", "agent_did": .string(maker.agent),
                "run_id": .string(maker.events[0].runID), "proof_bundle_hash_b64u": target,
            ]
            let payload: JSONObject = [
                "attestation_version": "1", "attestation_id": "x1", "execution_type": "tee_execution",
                "agent_did": .string(maker.agent), "attester_did": .string(witness.publicKey.did),
                "run_id": .string(maker.events[0].runID), "proof_bundle_hash_b64u": target,
                "runtime_metadata": [
                    "tee": [
                        "attestation_type": "tdx_quote", "root_id": .string(root), "tcb_version": "7",
                        "nonce_binding_b64u": .string(nonce.documentDigest.b64u),
                        "evidence_ref": ["resource_type": "quote", "resource_hash_b64u": "quotehash"],
                        "measurements": [
                            "measurement_hash_b64u": "measurement", "model_weights_digest_b64u": "weightsdigest",
                        ],
                    ]
                ], "issued_at": MetadataMaker.date,
            ]
            let attestation = try maker.bundles.envelope("execution_attestation", payload, by: witness)
            let options = options([
                "execution_attestations": [attestation], "teeRootAllowlist": ["root"], "teeTcbAllowlist": ["7"],
                "teeTcbRevoked": revoked ? ["7"] : [],
                "allowlistedExecutionAttestationSignerDids": [.string(witness.publicKey.did)],
            ])
            return ReferenceVerifier.service.verify(bundle, options: options, now: maker.bundles.now)
        }
        #expect(try verdict("root", of: hash).proofTier == .tee)
        #expect(try verdict("root", revoked: true, of: hash).field == "execution_attestations[0]")
        #expect(try verdict("other", of: hash).code == "CLAIM_NOT_FOUND")
        #expect(
            try verdict("root", of: "otherbundle").field == "execution_attestations[0].payload.proof_bundle_hash_b64u")
    }

    // MARK: Processor policy

    @Test func processorPolicyAddsUp() throws {
        func metadata(_ edit: (inout JSONObject) -> Void = { _ in }) -> JSONObject {
            let constraints: JSONObject = [
                "allowed_providers": ["openai"], "allowed_models": ["gpt-5.1"], "allowed_regions": ["eu"],
                "allowed_retention_profiles": ["none"], "default_region": "eu", "default_retention_profile": "none",
            ]
            var hashed: JSONObject = ["policy_version": "1", "profile_id": "p", "enforce": true]
            var record = hashed
            for member in constraints.members { hashed[member.key] = member.value }
            record["receipt_version"] = "1"
            record["receipt_type"] = "processor_policy"
            record["policy_hash_b64u"] = .string(JSONValue.object(hashed).canonicalDigest.b64u)
            record["binding"] = [
                "run_id": .string(maker.events[0].runID),
                "event_chain_root_hash_b64u": .string(maker.events[0].hash.b64u),
            ]
            record["constraints"] = .object(constraints)
            record["counters"] = ["allowed_routes": 2, "denied_routes": 0]
            record["used_processors"] = [
                ["provider": "openai", "model": "gpt-5.1", "region": "eu", "retention_profile": "none", "count": 2]
            ]
            edit(&record)
            return ["processor_policy": .object(record)]
        }
        let path = "payload.metadata.processor_policy"
        #expect(try maker.verdict(metadata(), .service).status == .valid)
        #expect(try maker.verdict(metadata { $0["enforce"] = false }, .service).code == "HASH_MISMATCH")
        #expect(try maker.verdict(metadata { $0["enforce"] = false }, .core).status == .valid)
        let miscounted = try maker.verdict(
            metadata { $0["counters"] = ["allowed_routes": 1, "denied_routes": 0] }, .service)
        #expect(miscounted.field == "\(path).counters.allowed_routes")
        let foreign = try maker.verdict(metadata { $0["binding"] = ["run_id": "other"] }, .service)
        #expect(foreign.field == "\(path).binding.run_id")
        let empty = try maker.verdict(metadata { $0["used_processors"] = [["provider": " "]] }, .service)
        #expect(empty.field == "\(path).used_processors[0].provider")
    }

    // MARK: Binaries

    @Test func strippedBinariesHoldTheTiersDown() throws {
        func evidence(_ symbols: JSONValue, egress: JSONValue) throws -> JSONValue {
            let payload: JSONObject = [
                "evidence_version": "1", "binary_hash_b64u": "binaryhash",
                "binary_profile": [
                    "target_architecture": "arm64", "linkage": "STATIC", "symbols": symbols, "is_sip_protected": false,
                ], "extracted_claims": ["network_egress": egress, "dynamic_code_generation": "ABSENT"],
                "causality_metrics": ["merkle_chain_intact": true, "unattested_children_spawned": false],
                "forensic_metrics": [
                    "static_analysis_budget_exhausted": false, "parser_timeout": false,
                    "normalized_regions_scanned": 1,
                ],
            ]
            return try maker.bundles.envelope("binary_semantic_evidence", payload, by: witness)
        }
        let allowed: JSONObject = [
            "allowlistedBinarySemanticEvidenceSignerDids": [.string(witness.publicKey.did)]
        ]
        let receipt = try maker.bundles.receipt(boundTo: maker.events[1])
        func verdict(_ evidence: JSONValue, _ options: JSONObject) throws -> ReferenceVerdict {
            try hosted(["binary_semantic_evidence_attestations": [evidence]], options, receipts: [receipt])
        }
        #expect(try verdict(evidence("INTACT", egress: "PRESENT"), allowed).proofTier == .gateway)
        let stripped = try verdict(evidence("STRIPPED", egress: "PRESENT"), allowed)
        #expect(stripped.proofTier == .selfSigned)
        #expect(stripped.trustTier == .basic)
        #expect(try verdict(evidence("INTACT", egress: "ABSENT"), allowed).code == "EVIDENCE_MISMATCH")
        #expect(try verdict(evidence("INTACT", egress: "PRESENT"), [:]).code == "EVIDENCE_MISMATCH")
    }
}
