import ClawWire
import Testing

@testable import ProofBundles

/// Makes metadata of bundles with keys of its own.
struct MetadataMaker {
    let bundles: BundleMaker
    let issuer: SeedSigner
    let reviewer: SeedSigner
    let events: [RunEvent]

    init() throws {
        bundles = try BundleMaker()
        issuer = try #require(SeedSigner(seed: Digest(hashing: "bundle tests: policy issuer").bytes))
        reviewer = try #require(SeedSigner(seed: Digest(hashing: "bundle tests: reviewer").bytes))
        events = bundles.events()
    }

    var agent: String { bundles.agent.publicKey.did }
    static let date: JSONValue = "2026-01-01T00:00:02.000Z"

    /// Run and second event of the chain.
    var binding: JSONObject {
        ["run_id": .string(events[1].runID), "event_hash_b64u": .string(events[1].hash.b64u)]
    }

    func verdict(
        _ metadata: JSONObject, _ verifier: ReferenceVerifier, receipts: [JSONValue] = [], more: JSONObject = [:],
        options: ReferenceOptions? = nil
    ) throws -> ReferenceVerdict {
        var more = more
        if !metadata.isEmpty { more["metadata"] = .object(metadata) }
        let bundle = try bundles.bundle(bundles.payload(events, receipts: receipts, more: more))
        return verifier.verify(bundle, options: options ?? bundles.options, now: bundles.now)
    }

    // MARK: Policy

    static let policy: JSONValue = [
        "statements": [["sid": "base", "effect": "Allow", "actions": ["model:invoke"], "resources": ["*"]]]
    ]

    /// A signed policy bundle with one layer; the hashes are over the normal form, which these documents have.
    func policyBundle(_ metadata: JSONObject? = nil) throws -> JSONValue {
        var payload: JSONObject = [
            "policy_bundle_version": "1", "bundle_id": "policies-7", "issuer_did": .string(issuer.publicKey.did),
            "issued_at": Self.date, "hash_algorithm": "SHA-256",
            "layers": [
                [
                    "layer_id": "org", "scope": ["scope_type": "org", "org_id": "harborline"], "apply_mode": "merge",
                    "policy": Self.policy, "policy_hash_b64u": .string(CollationOrder.digest(Self.policy).b64u),
                ]
            ],
        ]
        if let metadata { payload["metadata"] = .object(metadata) }
        let hash = CollationOrder.digest(.object(payload)).b64u
        return [
            "envelope_version": "1", "envelope_type": "policy_bundle", "payload": .object(payload),
            "payload_hash_b64u": .string(hash), "hash_algorithm": "SHA-256",
            "signature_b64u": .string(try issuer.sign(Array(hash.utf8)).b64u), "algorithm": "Ed25519",
            "signer_did": .string(issuer.publicKey.did), "issued_at": Self.date,
        ]
    }

    private var snapshot: JSONValue {
        [
            "snapshot_version": "1", "resolver_version": "org_project_task_exception.v1",
            "context": ["org_id": "harborline"],
            "source_bundle": [
                "bundle_id": "policies-7", "issuer_did": .string(issuer.publicKey.did), "issued_at": Self.date,
            ],
            "applied_layers": [
                ["layer_id": "org", "policy_hash_b64u": .string(CollationOrder.digest(Self.policy).b64u)]
            ], "effective_policy": Self.policy,
        ]
    }

    var policyHash: String { CollationOrder.digest(snapshot).b64u }

    /// A policy binding with the egress policy receipt that it needs.
    func policyMetadata(revoked: JSONObject? = nil, egress: (inout JSONObject) -> Void = { _ in }) throws -> JSONObject
    {
        let rules: JSONObject = [
            "policy_version": "1", "proofed_mode": true, "clawproxy_url": "https://gateway.harborline.example",
            "allowed_proxy_destinations": ["gateway.harborline.example"],
            "allowed_child_destinations": ["::1", "127.0.0.1"], "direct_provider_access_blocked": true,
        ]
        var receipt: JSONObject = [
            "receipt_version": "1", "receipt_id": "egress-1",
            "policy_hash_b64u": .string(JSONValue.object(rules).documentDigest.b64u),
            "effective_policy_hash_b64u": .string(policyHash), "blocked_attempt_count": 0,
            "blocked_attempts_observed": false, "hash_algorithm": "SHA-256", "agent_did": .string(agent),
            "timestamp": Self.date, "binding": .object(binding),
        ]
        for member in rules.members { receipt[member.key] = member.value }
        egress(&receipt)
        return [
            "policy_binding": [
                "binding_version": "1", "effective_policy_hash_b64u": .string(policyHash),
                "effective_policy_snapshot": snapshot, "signed_policy_bundle_envelope": try policyBundle(revoked),
            ],
            "sentinels": [
                "interpose_active": false,
                "egress_policy_receipt": try bundles.envelope("egress_policy_receipt", receipt, by: bundles.agent),
            ],
        ]
    }

    // MARK: Data handling

    /// A data handling receipt for which an approver's receipt was given.
    func approvedReceipt(
        approval edit: (inout JSONObject) -> Void = { _ in }, receipt editReceipt: (inout JSONObject) -> Void = { _ in }
    ) throws -> JSONValue {
        let scope = DataHandlingReceipt.scopeHash(
            provider: "openai", policy: policyHash, classes: ["secret.api_key"]
        ).b64u
        var approval: JSONObject = [
            "receipt_version": "1", "receipt_id": "approval-1", "approval_type": "explicit_approve",
            "approver_subject": "r.maas@harborline.example", "agent_did": .string(agent),
            "scope_hash_b64u": .string(scope), "policy_hash_b64u": .string(policyHash), "hash_algorithm": "SHA-256",
            "timestamp": "2026-01-01T00:00:00.000Z", "minted_capability_ttl_seconds": 60,
            "binding": .object(binding),
        ]
        edit(&approval)
        let envelope = try bundles.envelope("human_approval_receipt", approval, by: reviewer)
        let hash = JSONValue.string(Digest(hashing: "request").b64u)
        var receipt: JSONObject = [
            "receipt_version": "1", "receipt_id": "dlp-1", "policy_version": "prv.dlp.v1",
            "effective_policy_hash_b64u": .string(policyHash), "run_id": .string(events[0].runID),
            "provider": "OpenAI", "action": "allow", "reason_code": "PRV_DLP_APPROVAL_GRANTED",
            "classes": [
                [
                    "class_id": "secret.api_key", "rule_id": "prv.dlp.secret.api_key.v1",
                    "action": "require_approval", "match_count": 1,
                ]
            ],
            "approval": [
                "required": true, "satisfied": true, "mechanism": "signed_receipt", "scope_hash_b64u": .string(scope),
                "receipt_hash_b64u": envelope["payload_hash_b64u"] ?? .null,
                "receipt_signer_did": .string(reviewer.publicKey.did), "receipt_envelope": envelope,
            ],
            "redaction": [
                "applied": false, "original_payload_hash_b64u": hash, "outbound_payload_hash_b64u": hash,
            ], "timestamp": Self.date,
        ]
        editReceipt(&receipt)
        return try bundles.envelope("data_handling_receipt", receipt, by: bundles.agent)
    }

    func dataHandling(_ receipt: JSONValue) throws -> JSONObject {
        var metadata = try policyMetadata()
        metadata["data_handling"] = ["policy_version": "prv.dlp.v1", "receipts": [receipt]]
        return metadata
    }

    // MARK: Sign-off

    func signoff(_ edit: (inout JSONObject) -> Void = { _ in }) throws -> JSONObject {
        var bound = binding
        bound["bundle_id"] = "bundle-1"
        bound["target_kind"] = "run"
        var payload: JSONObject = [
            "receipt_version": "1", "receipt_id": "review-1", "reviewer_did": .string(reviewer.publicKey.did),
            "decision": "approve", "timestamp": Self.date, "binding": .object(bound),
        ]
        edit(&payload)
        return [
            "reviewer_signoff_receipts": [
                try bundles.envelope("reviewer_signoff_receipt", payload, by: reviewer)
            ]
        ]
    }

    /// Proofs that a log of one leaf lists a payload.
    func transparency(_ leaf: JSONObject, consistency: JSONObject = [:]) throws -> JSONValue {
        let hash = JSONValue.object(leaf).documentDigest.b64u
        var proof: JSONObject = [
            "proof_version": "1", "log_id": "harborline.example/reviews", "from_tree_size": 1, "to_tree_size": 1,
            "from_root_hash_b64u": .string(hash), "to_root_hash_b64u": .string(hash), "consistency_path": [],
        ]
        for member in consistency.members { proof[member.key] = member.value }
        return [
            "inclusion_proof": [
                "proof_version": "1", "log_id": "harborline.example/reviews", "tree_size": 1,
                "leaf_hash_b64u": .string(hash), "root_hash_b64u": .string(hash), "audit_path": [],
                "root_published_at": Self.date,
                "root_signature": [
                    "signer_did": .string(issuer.publicKey.did),
                    "sig_b64u": .string(try issuer.sign(Array(hash.utf8)).b64u),
                ], "metadata": ["leaf_index": 0],
            ], "consistency_proof": .object(proof),
        ]
    }
}
