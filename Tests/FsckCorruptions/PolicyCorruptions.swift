import ClawWire
import Fsck
import ReceiptLog

extension Corruption {
    /// The grant under a WPC.
    private static let pinned = "batch 3 receipt 5"

    private static func planned(
        _ name: String, _ code: FindingCode, _ change: @escaping @Sendable (inout FsckPlan.Policy) -> Void
    ) -> Corruption {
        Corruption(name, code, at: pinned).planned { plan in
            var policy = HealthyLog.policy()
            change(&policy)
            plan.policies[HealthyLog.secondPolicy] = policy
        }
    }

    private static func unpinned(_ forge: inout Forge) throws {
        forge.batches[3][5] = try HealthyLog.grant("g5") {
            $0.jobClass = "prod"
            $0.controlPosition = 6
            $0.policy = HealthyLog.secondPolicy
            $0.isPinned = false
        }
    }

    /// WPCs that do not stand, or not for what they served.
    static let policies: [Corruption] = [
        Corruption("a grant without the WPC that its class demands", .grantWithoutPolicy, at: "batch 0 receipt 1")
            .planned { plan in
                for hash in plan.rules.keys { plan.rules[hash]?.jobClasses["reconcile"]?.workPolicy.isRequired = true }
            },
        planned("a WPC by a stranger", .grantPolicyUnverified) {
            $0 = HealthyLog.policy(signedBy: Forge.signer("stranger"))
        },
        planned("an altered WPC", .grantPolicyUnverified) { policy in
            var envelope = HealthyLog.policyEnvelope(signedBy: Forge.policy).object ?? JSONObject()
            envelope.within("payload") { $0["policy_id"] = "other" }
            policy.signerDID = FsckPlan.Policy(envelope: .object(envelope)).signerDID
        },
        planned("an altered WPC with its own hash", .grantPolicyUnverified) { policy in
            var envelope = HealthyLog.policyEnvelope(signedBy: Forge.policy).object ?? JSONObject()
            envelope.within("payload") { $0["policy_id"] = "other" }
            envelope["payload_hash_b64u"] = .string(envelope["payload"]?.canonicalDigest.b64u ?? "")
            policy.signerDID = FsckPlan.Policy(envelope: .object(envelope)).signerDID
        },
        Corruption("a WPC that the class does not list", .grantPolicyOutsideRules, at: pinned).planned { plan in
            for hash in plan.rules.keys {
                plan.rules[hash]?.jobClasses["prod"]?.workPolicy.hashes = [HealthyLog.firstPolicy]
            }
        },
        planned("a policy id that the class does not list", .grantPolicyOutsideRules) {
            $0.policyID = "sandbox-policy"
        },
        planned("a WPC for another class", .grantPolicyOutsideRules) { $0.jobClass = "sandbox" },
        planned("a WPC that demands too little", .grantPolicyOutsideRules) { $0.properties = [.proxy, .sandbox] },
        Corruption("a token that does not name its WPC", .claimsNotPinned, at: "clawgrant.effect_group 4").withLedger
            .forged { try unpinned(&$0) },
        Corruption("a token that a WPC wants pinned", .claimsNotPinned, at: "clawgrant.effect_group 4").withLedger
            .forged { try unpinned(&$0) }
            .planned { plan in
                for hash in plan.rules.keys {
                    plan.rules[hash]?.jobClasses["prod"]?.workPolicy.isAlwaysPinned = false
                }
                plan.policies[HealthyLog.secondPolicy]?.isPinned = true
            },
    ]

    /// Keys that sign without leave.
    static let keys: [Corruption] = [
        Corruption("a token key without a receipt", .keyUnannounced, at: "batch 0 receipt 1").forged {
            $0.batches[0][0] = try HealthyLog.heartbeat(3)
        },
        Corruption("a log key without a receipt", .keyUnannounced, at: "claw.receipts.batches.v1/0@0").forged {
            $0.batches[4][$0.batches[4].count - 1] = try HealthyLog.heartbeat(3)
        },
        Corruption("a log key that was announced for tokens", .keyUnannounced, at: "claw.receipts.batches.v1/0@0")
            .forged { $0.batches[4][$0.batches[4].count - 1] = try HealthyLog.keyChange(Forge.log, .token) },
        Corruption("a token of a key that was retired", .grantKeyWithdrawn, at: "batch 0 receipt 1").forged {
            $0.batches[5].append(
                try HealthyLog.keyChange(Forge.token, .token, .retired, at: Forge.noon.adding(seconds: -5)))
            $0.batches[0][0] = try HealthyLog.keyChange(
                Forge.token, .token, .activated, at: Forge.noon.adding(seconds: -60))
        },
        Corruption("a token of a compromised key", .grantKeyWithdrawn, at: "batch 5 receipt 2").forged {
            $0.batches[5].append(
                try HealthyLog.keyChange(Forge.token, .token, .compromised, at: Forge.noon.adding(seconds: 5)))
            $0.batches[5].append(
                try HealthyLog.grant("x") {
                    $0.controlPosition = 6
                    $0.issuedAt = Forge.noon.adding(seconds: 6)
                })
        },
    ]
}
