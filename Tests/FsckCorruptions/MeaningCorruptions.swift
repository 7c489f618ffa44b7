import ClawWire
import Fsck
import ReceiptLog

extension Corruption {
    /// The place of an effect that is added at the end of the last batch.
    private static let added = "batch 5 receipt 1"

    private static func adding(
        _ name: String, _ code: FindingCode, also: Set<FindingCode> = [],
        _ make: @escaping @Sendable () throws -> ForgedEffect
    ) -> Corruption {
        Corruption(name, code, at: added, also: also).forged { $0.batches[5].append(try make()) }
    }

    private static func granting(
        _ name: String, _ code: FindingCode, also: Set<FindingCode> = [],
        _ change: @escaping @Sendable (inout HealthyLog.GrantParts) -> Void
    ) -> Corruption {
        adding(name, code, also: also) {
            try HealthyLog.grant("x") {
                $0.controlPosition = 6
                change(&$0)
            }
        }
    }

    /// Outcomes and identifiers that are there twice.
    static let outcomes: [Corruption] = [
        adding("a denial after a grant", .secondOutcome) { try HealthyLog.refusal("g0", controlPosition: 6) },
        adding("an expiry after a denial", .secondOutcome) { try HealthyLog.refusal("d0", expired: true) },
        adding(
            "two tokens of one request", .secondOutcome, also: [.tokenIDNotDerived, .approvalUsedTwice]
        ) {
            try HealthyLog.grant("g0") {
                $0.controlPosition = 6
                $0.tokenID = "second"
            }
        },
        adding("two outcomes of one approval", .secondApprovalOutcome) {
            try HealthyLog.refusal("a0", withoutRequest: true)
        },
        granting("an approval that served a request before", .approvalUsedTwice) { $0.approvals = ["apr-g0"] },
        adding("a record that went to the dead letters twice", .deadLetterTwice) {
            try HealthyLog.quarantine(4, value: "other")
        },
        granting("a jti of another token", .tokenIDRepeated, also: [.tokenIDNotDerived]) { parts in
            guard let secret = TokenIDSecret(bytes: HealthyLog.secret) else { return }
            parts.tokenID = TokenID.derive(secret: secret, requestID: RequestID("req-g0")).rawValue
        },
        Corruption("a token of another grant", .tokenRepeated, at: "batch 0 receipt 2").forged { forge in
            let hash = forge.batches[0][1].receipt["token"]?["token_hash"] ?? .null
            setTokenHash(hash, of: &forge.batches[0][2])
        },
        granting("a jti that does not follow from the request", .tokenIDNotDerived) { $0.tokenID = "guess" },
        granting("a token of an unknown key", .tokenKeyUnknown, also: [.keyUnannounced]) {
            $0.signer = Forge.signer("stranger")
        },
        adding("a record read again that never went to the dead letters", .deadLetterUnknown) {
            try HealthyLog.redrive(4_711)
        },
        adding("a revocation of a token that nobody was given", .revocationWithoutGrant) {
            try HealthyLog.revocation(of: try HealthyLog.grant("ghost"))
        },
    ]

    private static func setTokenHash(_ hash: JSONValue, of effect: inout ForgedEffect) {
        effect.receipt.within("token") { $0["token_hash"] = hash }
        for index in effect.outputs.indices {
            if effect.outputs[index].stream == "grants" {
                effect.outputs[index].value.within("token") { $0["token_hash"] = hash }
            } else {
                effect.outputs[index].value.within("clawgrant") { $0.within("token") { $0["token_hash"] = hash } }
            }
        }
        effect.edit { _ in }
    }

    /// Grants that are wider than their parts, or bound to too little.
    static let bounds: [Corruption] = [
        granting("a scope that nobody asked for", .grantScopeWider) {
            $0.askedScope = ["proxy:call"]
            $0.scope = ["proxy:call", "proxy:read"]
        },
        Corruption("an action that nobody asked for", .grantActionsWider, at: "batch 3 receipt 1").forged {
            $0.batches[3][1] = try HealthyLog.grant("g4") {
                $0.jobClass = "halted"
                $0.controlPosition = 3
                $0.actions = ["enable_elevated"]
            }
        },
        granting("an audience that nobody asked for", .grantAudienceWider, also: [.grantAudienceOutsideRules]) {
            $0.audience = ["other.example"]
        },
        granting("another lifetime than is stated", .grantLifetimeStated) { $0.statedLifetime = 500 },
        granting("a longer lifetime than was asked for", .grantLifetimeLonger) { $0.lifetime = 700 },
        granting("a lifetime over the rule's", .grantLifetimeOverRule, also: [.grantLifetimeLonger]) {
            $0.lifetime = 1_000
        },
        granting("a token that never lives", .grantLifetimeInvalid) { $0.lifetime = 0 },
        Corruption("a lifetime over the WPC's", .grantLifetimeOverPolicy, at: "batch 3 receipt 5")
            .planned { $0.policies[HealthyLog.secondPolicy]?.maximumTTLSeconds = 300 },
        granting("a class that the rules do not know", .grantClassUnknown) { $0.jobClass = "unheard" },
        granting("a scope that the rules do not allow", .grantScopeOutsideRules) {
            $0.askedScope = ["admin:all"]
            $0.scope = ["admin:all"]
        },
        Corruption("an audience that the rules do not allow", .grantAudienceOutsideRules, at: "batch 0 receipt 1")
            .planned { plan in
                for hash in plan.rules.keys { plan.rules[hash]?.jobClasses["reconcile"]?.audience = [] }
            },
        Corruption("an action that the rules do not know", .grantActionOutsideRules, at: "batch 3 receipt 1").forged {
            $0.batches[3][1] = try HealthyLog.grant("g4") {
                $0.jobClass = "halted"
                $0.controlPosition = 3
                $0.askedActions = ["format_disk"]
                $0.actions = ["format_disk"]
            }
        },
        granting("a grant without an approval", .grantWithoutApproval) { $0.approvals = [] },
        granting("a grant that nobody approved", .grantWithoutApprover) { $0.approvers = [] },
        Corruption("a grant without rules", .grantWithoutRules, at: "batch 4 receipt 4").forged {
            $0.batches[4][4].edit { $0["rules_hash_b64u"] = nil }
            for index in $0.batches[4][4].outputs.indices {
                $0.batches[4][4].outputs[index].value.within("clawgrant") { $0["rules_hash_b64u"] = nil }
                if $0.batches[4][4].outputs[index].stream == "grants" {
                    $0.batches[4][4].outputs[index].value["clawgrant"] = nil
                }
            }
        },
        Corruption("a grant without a control position", .grantWithoutControlPosition, at: "batch 4 receipt 4")
            .forged { $0.batches[4][4].edit { $0["control_position"] = nil } },
    ]

    /// Lines that were crossed.
    static let stops: [Corruption] = [
        Corruption("a grant past a stop", .stopCrossed, at: "batch 3 receipt 1").forged {
            $0.batches[3][0] = try HealthyLog.control(
                "lift", "stop-1", position: 3, grantsBefore: 5, ["stop_id": "stop-1"])
            $0.batches[3][1] = try HealthyLog.grant("g4") {
                $0.jobClass = "halted"
                $0.controlPosition = 2
            }
        },
        Corruption("a grant past a stop of everything", .stopCrossed, at: "batch 3 receipt 5").forged {
            $0.batches[3][4] = try HealthyLog.control(
                "stop", "all-1", position: 6, grantsBefore: 5, ["stop_id": "all-1", "scope": ["kind": "all"]])
        },
        Corruption("a grant to an agent that is revoked", .stopCrossed, at: "batch 3 receipt 5").forged {
            $0.batches[3][4] = try HealthyLog.control(
                "revoke", "revoke-1", position: 6, grantsBefore: 5,
                ["scope": ["kind": "agent", "value": "did:web:agents.harborline.example"]])
        },
        Corruption("a grant under a suspect key", .stopCrossed, at: "batch 3 receipt 5").forged {
            $0.batches[3][4] = try HealthyLog.control(
                "suspect-key", "suspect-1", position: 6, grantsBefore: 5,
                ["kid": .string(Forge.token.publicKey.kid.rawValue)])
        },
        Corruption("a lift that only waits", .stopCrossed, at: "batch 3 receipt 1").forged {
            $0.batches[3][0] = try HealthyLog.control(
                "lift", "stop-2", position: 3, grantsBefore: 4, ["stop_id": "stop-2"])
        },
        Corruption("an elevated grant while elevation is off", .stopElevation, at: added).forged {
            $0.batches[5].append(
                try HealthyLog.grant("x") {
                    $0.controlPosition = 6
                    $0.askedActions = ["enable_elevated"]
                    $0.actions = ["enable_elevated"]
                })
        },
        Corruption("a grant under a WPC that was rotated away", .stopRotation, at: "batch 3 receipt 5").forged {
            $0.batches[3][5] = try HealthyLog.grant("g5") {
                $0.jobClass = "prod"
                $0.controlPosition = 6
                $0.policy = HealthyLog.firstPolicy
            }
        },
        Corruption(
            "a grant without a WPC after a rotation", .stopRotation, at: "batch 3 receipt 5",
            also: [.grantWithoutPolicy]
        ).forged {
            $0.batches[3][5] = try HealthyLog.grant("g5") {
                $0.jobClass = "prod"
                $0.controlPosition = 6
            }
        },
        Corruption("a stop that counts too few grants", .stopGrantsBefore, at: "batch 1 receipt 0").forged {
            $0.batches[1][0] = try HealthyLog.control(
                "drill", "drill-1", position: 1, grantsBefore: 1, ["scope": ["kind": "all"]])
        },
        Corruption("a stop that counts too many grants", .stopGrantsBefore, at: "batch 1 receipt 0").forged {
            $0.batches[1][0] = try HealthyLog.control(
                "drill", "drill-1", position: 1, grantsBefore: 3, ["scope": ["kind": "all"]])
        },
        Corruption("a cut-off that leaves a token valid", .stopCutoffEarly, at: "batch 2 receipt 0").forged {
            guard let halted = CutoffScope(.jobClass, "halted") else { return }
            $0.batches[2][0] = try HealthyLog.control(
                "stop", "stop-1", position: 2, grantsBefore: 4,
                ["stop_id": "stop-1", "scope": ["kind": "job_class", "value": "halted"], "action": "revoke_and_deny"],
                cutoffs: [halted], notIssuedBefore: Forge.noon)
        },
        Corruption("a control event that is missing", .controlPositionGap, at: "batch 2 receipt 0").forged {
            $0.batches[1][0] = try HealthyLog.heartbeat(77)
        },
        Corruption("two control events in one place", .controlPositionRepeated, at: added).forged {
            $0.batches[5].append(
                try HealthyLog.control(
                    "drill", "drill-2", position: 6, grantsBefore: 5, ["scope": ["kind": "all"]]))
        },
        Corruption(
            "a control event that does not count", .controlUnreadable, at: "batch 1 receipt 0",
            also: [.controlPositionGap]
        ).forged {
            $0.batches[1][0] = try HealthyLog.control(
                "drill", "drill-1", position: 1, grantsBefore: -1, ["scope": ["kind": "all"]])
        },
        granting("a grant that saw a control event which is not there", .controlPositionGap) { $0.controlPosition = 7 },
    ]

    /// Rows of the ledger that contradict the topics.
    static let ledger: [Corruption] = [
        Corruption(
            "a batch that the ledger does not have", .ledgerBatchMissing, at: "clawgrant.receipt_batch 5",
            also: [.ledgerGroupLost]
        ).withLedger.spoiled { $0.ledgerBatches.removeLast() },
        Corruption("a batch that was never published", .ledgerBatchUnpublished, at: "clawgrant.receipt_batch 5")
            .withLedger.spoiled { $0.topics["receipts.batches"]?.removeLast() },
        Corruption("another header in the ledger", .ledgerBatchDiffers, at: "clawgrant.receipt_batch 5").withLedger
            .spoiled { $0.ledgerBatches[5] = $0.ledgerBatches[5].with(header: Array("{}".utf8)) },
        Corruption("another signature in the ledger", .ledgerBatchDiffers, at: "clawgrant.receipt_batch 5").withLedger
            .spoiled { $0.ledgerBatches[5] = $0.ledgerBatches[5].with(signature: [UInt8](repeating: 1, count: 64)) },
        Corruption("another checkpoint in the ledger", .ledgerBatchDiffers, at: "clawgrant.receipt_batch 5").withLedger
            .spoiled { $0.ledgerBatches[5] = $0.ledgerBatches[5].with(checkpoint: "other\n") },
        Corruption("other receipts in the ledger", .ledgerReceiptsDiffer, at: "clawgrant.receipt_batch 5").withLedger
            .spoiled {
                let body = Forge.body([try HealthyLog.heartbeat(10)])
                $0.ledgerGroups[5] = LedgerGroup(key: $0.ledgerGroups[5].key, body: body)
            },
        Corruption("a group that does not read", .ledgerGroupUnreadable, at: "clawgrant.effect_group 6").withLedger
            .spoiled { $0.ledgerGroups[5] = LedgerGroup(key: $0.ledgerGroups[5].key, body: [1, 0, 0, 0, 9]) },
        Corruption("a group that was never sealed", .ledgerGroupLost, at: "clawgrant.effect_group 50").withLedger
            .spoiled {
                $0.ledgerGroups.append(
                    LedgerGroup(key: LedgerGroupKey(day: 20_000, group: 50), body: Forge.body([])))
            },
        Corruption(
            "a group that was sealed twice", .ledgerGroupTwice, at: "clawgrant.effect_group 1",
            also: [.ledgerReceiptsDiffer]
        ).withLedger.spoiled {
            $0.ledgerBatches[5] = $0.ledgerBatches[5].with(
                groups: $0.ledgerBatches[5].groups + [$0.ledgerGroups[0].key])
        },
        Corruption("a group that is gone", .ledgerGroupMissing, at: "clawgrant.receipt_batch 5").withLedger
            .spoiled { $0.ledgerGroups.removeLast() },
        Corruption("effects that wait for ever", .ledgerUnsealed, at: "clawgrant.unsealed").withLedger
            .spoiled { log in
                log.ledgerGroups.append(
                    LedgerGroup(key: LedgerGroupKey(day: 20_000, group: 50), body: Forge.body([])))
                log.unsealed = [50]
            },
        Corruption("an outcome without a receipt", .ledgerRequestWithoutReceipt, at: "req-zz").withLedger
            .spoiled { $0.ledgerRequests.append(LedgerRequest(id: "req-zz", state: 2, tokenHash: nil)) },
        Corruption("a receipt without a request", .ledgerReceiptWithoutRequest, at: "batch 0 receipt 3").withLedger
            .spoiled { $0.ledgerRequests.removeAll { $0.id == "req-d0" } },
        Corruption("another outcome in the ledger", .ledgerOutcomeDiffers, at: "req-d0").withLedger
            .spoiled { log in
                log.ledgerRequests.removeAll { $0.id == "req-d0" }
                log.ledgerRequests.append(LedgerRequest(id: "req-d0", state: 3, tokenHash: nil))
                log.ledgerRequests.sort { $0.id < $1.id }
            },
        Corruption("a request that waits and has an outcome", .ledgerOutcomeDiffers, at: "req-d0").withLedger
            .spoiled { log in
                log.ledgerRequests.removeAll { $0.id == "req-d0" }
                log.ledgerRequests.append(LedgerRequest(id: "req-d0", state: 0, tokenHash: nil))
                log.ledgerRequests.sort { $0.id < $1.id }
            },
        Corruption("another token in the ledger", .ledgerTokenDiffers, at: "req-g0").withLedger
            .spoiled { log in
                log.ledgerRequests.removeAll { $0.id == "req-g0" }
                log.ledgerRequests.append(
                    LedgerRequest(id: "req-g0", state: 1, tokenHash: Digest(hashing: "other").bytes))
                log.ledgerRequests.sort { $0.id < $1.id }
            },
        Corruption(
            "claims that were widened",
            [
                (.claimsMismatch, "clawgrant.effect_group 1"), (.claimsToken, "clawgrant.effect_group 1"),
                (.claimsScopeHash, "clawgrant.effect_group 1"), (.claimsDigest, "clawgrant.effect_group 1"),
                (.claimsDigest, "claw.grants.v1/0@0"),
            ]
        ).withLedger.forged { forge in
            let text = String(decoding: forge.batches[0][1].claims, as: UTF8.self)
            forge.batches[0][1].claims = Array(text.replacing("\"proxy:call\"", with: "\"proxy:call\",\"*\"").utf8)
        },
        Corruption("another digest of the claims", .claimsDigest, at: "claw.grants.v1/0@0").withLedger
            .spoiled { try $0.edit("grants", 0) { $0["claims_digest_b64u"] = .string(Digest(hashing: "x").b64u) } },
        Corruption("a token that its claims do not make", .claimsToken, at: "clawgrant.effect_group 1").withLedger
            .forged { forge in
                let hash = Digest(hashing: "another token")
                setTokenHash(.string(hash.hex), of: &forge.batches[0][2])
                forge.batches[0][2].tokenHash = hash.bytes
            },
        Corruption("another token hash beside the claims", .claimsToken, at: "clawgrant.effect_group 1").withLedger
            .spoiled { log in
                var forge = try HealthyLog.forge()
                forge.batches[0][2].tokenHash = Digest(hashing: "another token").bytes
                log.ledgerGroups[0] = LedgerGroup(key: log.ledgerGroups[0].key, body: Forge.body(forge.batches[0]))
            },
    ]
}

extension LedgerBatch {
    func with(
        header: [UInt8]? = nil, signature: [UInt8]? = nil, checkpoint: String? = nil, groups: [LedgerGroupKey]? = nil
    ) -> LedgerBatch {
        LedgerBatch(
            number: number, firstPosition: firstPosition, lastPosition: lastPosition, headerHash: headerHash,
            header: header ?? self.header, signature: signature ?? self.signature,
            checkpoint: checkpoint ?? self.checkpoint, groups: groups ?? self.groups)
    }
}
