import ClawWire
import Testing

@testable import ProofBundles

/// Policy bindings, data handling and sign-offs, with documents of our own.
struct MetadataEvidenceTests {
    private let maker: MetadataMaker
    private let receipts = "payload.metadata.data_handling.receipts[0].payload"
    private let approvalPath =
        "payload.metadata.data_handling.receipts[0].payload.approval.receipt_envelope.payload"
    private let signoffPath = "payload.metadata.reviewer_signoff_receipts[0].payload"

    init() throws { maker = try MetadataMaker() }

    private func expect(
        _ metadata: JSONObject, _ code: String?, _ field: String? = nil, service: String? = nil,
        location: SourceLocation = #_sourceLocation
    ) throws {
        for verifier in ReferenceVerifier.allCases {
            let verdict = try maker.verdict(metadata, verifier)
            let expected = verifier == .service ? service ?? code : code
            #expect(
                verdict.code == expected, "\(verifier): \(verdict.refusal?.description ?? "valid")",
                sourceLocation: location)
            if expected != nil { #expect(verdict.field == field, "\(verifier)", sourceLocation: location) }
        }
    }

    @Test func boundPolicyHolds() throws { try expect(maker.policyMetadata(), nil) }

    @Test func boundPolicyMustBeTheReceipts() throws {
        let metadata = try maker.policyMetadata { $0["effective_policy_hash_b64u"] = "aaaaaaaaaaaa" }
        try expect(
            metadata, "RECEIPT_BINDING_MISMATCH", EgressPolicyReceipt.path + ".payload.effective_policy_hash_b64u",
            service: "EVIDENCE_MISMATCH")
    }

    @Test func policyBundleMayRevokeItsSigner() throws {
        let revocation: JSONValue = [
            "revocation_version": "1", "revoked_signer_did": .string(maker.issuer.publicKey.did),
            "effective_at": "2026-01-01T00:00:02.000Z", "reason": "the key was lost",
        ]
        try expect(
            maker.policyMetadata(revoked: ["revoked_policy_issuer_keys": [revocation]]), "REVOKED",
            "payload.metadata.policy_binding.signed_policy_bundle_envelope.payload.metadata"
                + ".revoked_policy_issuer_keys[0].revoked_signer_did")
        var later = try #require(revocation.object)
        later["effective_at"] = "2026-01-02T00:00:00.000Z"
        try expect(maker.policyMetadata(revoked: ["revoked_policy_issuer_keys": [.object(later)]]), nil)
    }

    @Test func egressReceiptKeepsItsSchema() throws {
        let metadata = try maker.policyMetadata { $0["binding"] = ["run_id": "job-4711"] }
        try expect(
            metadata, "SCHEMA_VALIDATION_FAILED", EgressPolicyReceipt.path + ".payload.binding.event_hash_b64u")
    }

    @Test func onlyTheServiceLooksAtTheRestOfAnEgressReceipt() throws {
        let metadata = try maker.policyMetadata { $0["blocked_attempt_count"] = 2 }
        #expect(try maker.verdict(metadata, .core).status == .valid)
        #expect(try maker.verdict(metadata, .service).field?.hasSuffix(".blocked_attempts_observed") == true)
        let required = ReferenceOptions(["requireEgressPolicyReceipt": true])
        #expect(try maker.verdict([:], .service, options: required).code == "MISSING_REQUIRED_FIELD")
        #expect(try maker.verdict([:], .core, options: required).status == .valid)
    }

    @Test func embeddedApprovalUnlocks() throws { try expect(maker.dataHandling(maker.approvedReceipt()), nil) }

    struct ApprovalEdit: Sendable {
        let key: String
        let value: JSONValue
        var code: String?
        var field = ""
    }

    private static let mismatch = "EVIDENCE_MISMATCH"
    private static let malformed = "MALFORMED_ENVELOPE"
    private static let lifetime = "minted_capability_ttl_seconds"

    static let edits = [
        ApprovalEdit(key: "approval_type", value: "explicit_deny", code: mismatch, field: "approval_type"),
        ApprovalEdit(key: "approver_subject", value: " ", code: malformed, field: "approver_subject"),
        ApprovalEdit(key: "agent_did", value: "did:key:z6MkOther", code: mismatch, field: "agent_did"),
        ApprovalEdit(key: "policy_hash_b64u", value: "other", code: mismatch, field: "policy_hash_b64u"),
        ApprovalEdit(key: "scope_hash_b64u", value: "other", code: mismatch, field: "scope_hash_b64u"),
        ApprovalEdit(key: lifetime, value: 1.5, code: malformed, field: lifetime),
        ApprovalEdit(key: lifetime, value: 1, code: mismatch, field: "timestamp"),
        ApprovalEdit(key: lifetime, value: 9_007_199_254_740_991),
        ApprovalEdit(key: "timestamp", value: "2026-01-01T00:00:03.000Z", code: mismatch, field: "timestamp"),
        ApprovalEdit(key: "binding", value: ["run_id": "other"], code: mismatch, field: "binding.run_id"),
        ApprovalEdit(
            key: "binding", value: ["event_hash_b64u": "otherhash"], code: mismatch, field: "binding.event_hash_b64u"),
        ApprovalEdit(key: "binding", value: ["policy_hash": "other"], code: mismatch, field: "binding.policy_hash"),
        ApprovalEdit(key: "binding", value: [:]),
    ]

    @Test(arguments: edits)
    func embeddedApproval(_ edit: ApprovalEdit) throws {
        let receipt = try maker.approvedReceipt(approval: { $0[edit.key] = edit.value })
        try expect(maker.dataHandling(receipt), edit.code, "\(approvalPath).\(edit.field)")
    }

    @Test func theServiceReadsRuleNames() throws {
        let receipt = try maker.approvedReceipt(receipt: { receipt in
            receipt["classes"] = [
                [
                    "class_id": "secret.api_key", "rule_id": "prv.dlp.custom.other.abcdefgh.v1",
                    "action": "require_approval", "match_count": 1,
                ]
            ]
        })
        let metadata = try maker.dataHandling(receipt)
        #expect(try maker.verdict(metadata, .core).status == .valid)
        let verdict = try maker.verdict(metadata, .service)
        #expect(verdict.code == "EVIDENCE_MISMATCH")
        #expect(verdict.field == "\(receipts).classes[0].rule_id")
    }

    @Test func signedDecisionMustAgreeWithItself() throws {
        let receipt = try maker.approvedReceipt(receipt: { $0["reason_code"] = "PRV_DLP_ALLOW" })
        try expect(maker.dataHandling(receipt), "MALFORMED_ENVELOPE", "\(receipts).reason_code")
        let changed = try maker.approvedReceipt(receipt: { $0["timestamp"] = "yesterday" })
        try expect(maker.dataHandling(changed), "MALFORMED_ENVELOPE", "\(receipts).timestamp")
    }

    @Test func dataHandlingNeedsAPolicy() throws {
        try expect(
            ["data_handling": ["policy_version": "prv.dlp.v1", "receipts": []]], "EVIDENCE_MISMATCH",
            "payload.metadata.policy_binding.effective_policy_hash_b64u")
    }

    @Test func signoffHolds() throws { try expect(maker.signoff(), nil) }

    @Test func signoffIsBound() throws {
        for (key, value) in [("run_id", "other"), ("bundle_id", "other"), ("event_hash_b64u", "otherhash")] {
            let metadata = try maker.signoff { payload in
                var binding = payload["binding"]?.object ?? [:]
                binding[key] = .string(value)
                payload["binding"] = .object(binding)
            }
            try expect(
                metadata, "RECEIPT_BINDING_MISMATCH", "\(signoffPath).binding.\(key)", service: "EVIDENCE_MISMATCH")
        }
    }

    @Test func signoffMayBeInALog() throws {
        func listed(leaf: JSONObject? = nil, _ consistency: JSONObject = [:]) throws -> JSONObject {
            var failure: (any Error)?
            let metadata = try maker.signoff { payload in
                do {
                    payload["transparency"] = try maker.transparency(
                        leaf ?? ReviewerSignoff.leaf(payload), consistency: consistency)
                } catch { failure = error }
            }
            if let failure { throw failure }
            return metadata
        }
        try expect(listed(), nil)
        let proofs = "\(signoffPath).transparency"
        try expect(
            listed(leaf: ["leaf_version": "other"]), "RECEIPT_BINDING_MISMATCH",
            "\(proofs).inclusion_proof.leaf_hash_b64u", service: "EVIDENCE_MISMATCH")
        for key in ["from_root_hash_b64u", "to_root_hash_b64u"] {
            try expect(
                listed([key: "otherhash"]), "RECEIPT_BINDING_MISMATCH", "\(proofs).consistency_proof.\(key)",
                service: "EVIDENCE_MISMATCH")
        }
    }

    @Test func bindingPromptsToEvents() throws {
        let events = maker.events
        let root: JSONValue = ["prompt_pack_version": "1", "entries": []]
        func metadata(_ event: RunEvent, root hash: String) -> JSONObject {
            [
                "prompt_pack": [
                    "prompt_pack_version": "1", "hash_algorithm": "SHA-256", "prompt_root_hash_b64u": .string(hash),
                    "entries": [],
                ],
                "system_prompt_report": [
                    "system_prompt_report_version": "1", "report_id": "r", "run_id": .string(event.runID),
                    "agent_did": .string(maker.agent), "issued_at": MetadataMaker.date, "hash_algorithm": "SHA-256",
                    "calls": [
                        ["event_id": .string(event.id), "rendered_system_prompt_hash_b64u": "abcdefgh"]
                    ],
                ],
            ]
        }
        try expect(metadata(events[1], root: root.documentDigest.b64u), nil)
        try expect(
            metadata(events[1], root: "abcdefgh"), "HASH_MISMATCH",
            "payload.metadata.prompt_pack.prompt_root_hash_b64u")
        try expect(
            metadata(events[0], root: root.documentDigest.b64u), "PROMPT_COMMITMENT_MISMATCH",
            "payload.metadata.system_prompt_report.calls[0].event_id")
    }
}
