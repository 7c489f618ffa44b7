/// Every kind of finding, by the name that reports print. docs/fsck.md explains each.
public enum FindingCode: String, Sendable, Hashable, CaseIterable {
    // One approval, one outcome.
    case secondOutcome = "outcome.second"
    case secondApprovalOutcome = "outcome.approval_second"
    case approvalUsedTwice = "approval.used_twice"
    case deadLetterTwice = "dead_letter.twice"
    case ledgerOutcomeDiffers = "ledger.outcome_differs"
    case ledgerRequestWithoutReceipt = "ledger.request_without_receipt"
    case ledgerReceiptWithoutRequest = "ledger.receipt_without_request"
    case ledgerUseMissing = "ledger.use_missing"
    case ledgerUseRepeated = "ledger.use_repeated"
    case ledgerUseWithoutReceipt = "ledger.use_without_receipt"

    // A stop is a line.
    case stopCrossed = "stop.crossed"
    case stopGrantsBefore = "stop.grants_before"
    case stopCutoffEarly = "stop.cutoff_early"
    case stopElevation = "stop.elevation"
    case stopRotation = "stop.rotation"
    case controlUnreadable = "control.unreadable"
    case controlPositionGap = "control.position_gap"
    case controlPositionRepeated = "control.position_repeated"
    case ledgerControlMissing = "ledger.control_missing"
    case ledgerControlWithoutReceipt = "ledger.control_without_receipt"
    case ledgerControlDiffers = "ledger.control_differs"
    case ledgerControlPosition = "ledger.control_position"

    // Fail closed.
    case grantWithoutControlPosition = "grant.no_control_position"
    case grantWithoutRules = "grant.no_rules"
    case grantWithoutPolicy = "grant.no_wpc"
    case grantPolicyUnverified = "grant.wpc_unverified"
    case grantKeyWithdrawn = "grant.key_withdrawn"

    // Everything leaves a receipt: batches.
    case batchUnreadable = "batch.unreadable"
    case batchNotCanonical = "batch.not_canonical"
    case batchUnknownMember = "batch.unknown_member"
    case batchTooLarge = "batch.too_large"
    case batchKey = "batch.key"
    case batchSignerUnknown = "batch.signer_unknown"
    case batchSignatureInvalid = "batch.signature_invalid"
    case batchRootSignatureInvalid = "batch.clawlogs_signature_invalid"
    case batchStatementInvalid = "batch.statement_signature_invalid"
    case headerUnreadable = "header.unreadable"
    case headerLog = "header.log_id"
    case headerNumberGap = "header.number_gap"
    case headerChainBroken = "header.chain_broken"
    case headerPositionGap = "header.position_gap"
    case headerPositionRange = "header.position_range"
    case headerCount = "header.count_mismatch"
    case headerCounts = "header.counts_mismatch"
    case headerRules = "header.rules_mismatch"
    case headerKeys = "header.keys_mismatch"
    case headerRoot = "header.root_mismatch"
    case headerClawlogsRoot = "header.clawlogs_root_mismatch"
    case headerTimeReversed = "header.time_reversed"
    case checkpointUnreadable = "checkpoint.unreadable"
    case checkpointOrigin = "checkpoint.origin"
    case checkpointSize = "checkpoint.size"
    case checkpointRoot = "checkpoint.root_mismatch"
    case checkpointSignatureInvalid = "checkpoint.signature_invalid"
    case checkpointUnsigned = "checkpoint.unsigned"

    // Everything leaves a receipt: receipts.
    case receiptTooLarge = "receipt.too_large"
    case receiptUnknownMember = "receipt.unknown_member"
    case receiptMember = "receipt.member_invalid"
    case receiptID = "receipt.id_mismatch"
    case receiptRepeated = "receipt.repeated"
    case receiptAfterSealing = "receipt.after_sealing"
    case keyUnannounced = "key.unannounced"

    // Everything leaves a receipt: the records that follow.
    case effectMissing = "effect.missing"
    case effectStray = "effect.stray"
    case effectOrder = "effect.order"
    case recordUnreadable = "record.unreadable"
    case recordNotCanonical = "record.not_canonical"
    case recordUnknownMember = "record.unknown_member"
    case recordKey = "record.key"
    case recordBatch = "record.batch_mismatch"
    case recordDigest = "record.receipt_digest"
    case grantMismatch = "grant.mismatch"
    case grantProof = "grant.proof_invalid"
    case decisionMismatch = "decision.mismatch"
    case revocationMismatch = "revocation.mismatch"
    case cutoffMismatch = "cutoff.mismatch"
    case deadLetterMismatch = "dead_letter.mismatch"
    case controlResultMismatch = "control_result.mismatch"
    case findingMismatch = "finding.mismatch"
    case revocationWithoutGrant = "revocation.without_grant"
    case deadLetterUnknown = "dead_letter.unknown"
    case headUnreadable = "head.unreadable"
    case headLog = "head.log_id"
    case headSignerUnknown = "head.signer_unknown"
    case headSignatureInvalid = "head.signature_invalid"
    case headSequence = "head.sequence"
    case headTimeReversed = "head.time_reversed"
    case headControlPosition = "head.control_position"
    case headMissing = "head.missing"
    case headBehind = "head.behind"

    // Everything leaves a receipt: the ledger.
    case ledgerBatchMissing = "ledger.batch_missing"
    case ledgerBatchUnpublished = "ledger.batch_unpublished"
    case ledgerBatchDiffers = "ledger.batch_differs"
    case ledgerReceiptsDiffer = "ledger.receipts_differ"
    case ledgerGroupUnreadable = "ledger.group_unreadable"
    case ledgerGroupLost = "ledger.group_lost"
    case ledgerGroupTwice = "ledger.group_twice"
    case ledgerGroupMissing = "ledger.group_missing"
    case ledgerUnsealed = "ledger.unsealed"

    // No bearer token at rest.
    case secretToken = "secret.token"
    case secretSealedToken = "secret.jwe_outside_delivery"
    case secretPrivateKey = "secret.private_key"
    case secretPlainDelivery = "secret.plain_delivery"

    // A grant is never wider than its parts.
    case grantScopeWider = "grant.scope_wider"
    case grantActionsWider = "grant.actions_wider"
    case grantAudienceWider = "grant.audience_wider"
    case grantLifetimeStated = "grant.lifetime_mismatch"
    case grantLifetimeInvalid = "grant.lifetime_invalid"
    case grantLifetimeLonger = "grant.lifetime_longer"
    case grantClassUnknown = "grant.class_unknown"
    case grantScopeOutsideRules = "grant.scope_outside_rules"
    case grantAudienceOutsideRules = "grant.audience_outside_rules"
    case grantActionOutsideRules = "grant.action_outside_rules"
    case grantLifetimeOverRule = "grant.lifetime_over_rule"
    case grantLifetimeOverPolicy = "grant.lifetime_over_wpc"
    case grantPolicyOutsideRules = "grant.wpc_outside_rules"

    // A token is bound.
    case tokenRepeated = "token.hash_repeated"
    case tokenIDRepeated = "token.jti_repeated"
    case tokenKeyUnknown = "token.kid_unknown"
    case tokenIDNotDerived = "token.jti_not_derived"
    case grantWithoutApproval = "grant.no_approval"
    case grantWithoutApprover = "grant.no_approver"
    case deliveryMode = "delivery.mode_mismatch"
    case deliveryReference = "delivery.reference_mismatch"
    case deliveryMalformed = "delivery.malformed"
    case claimsDigest = "claims.digest_mismatch"
    case claimsMismatch = "claims.mismatch"
    case claimsScopeHash = "claims.scope_hash_mismatch"
    case claimsToken = "claims.token_mismatch"
    case claimsNotPinned = "claims.not_pinned"
    case ledgerTokenDiffers = "ledger.token_differs"

    // Dense positions.
    case recordUnnumbered = "record.unnumbered"
    case recordWrongStream = "record.wrong_stream"
    case recordIdentity = "record.ce_id_mismatch"
    case sequenceGap = "sequence.gap"
    case sequenceConflict = "sequence.conflict"
    case sequenceMoved = "sequence.moved"
    case sequenceOutOfOrder = "sequence.out_of_order"
    case batchSequence = "batch.sequence_mismatch"

    /// The property that a finding of this kind breaks.
    public var property: Finding.Property {
        switch self {
        case .secondOutcome, .secondApprovalOutcome, .approvalUsedTwice, .deadLetterTwice, .ledgerOutcomeDiffers,
            .ledgerRequestWithoutReceipt, .ledgerReceiptWithoutRequest, .ledgerUseMissing, .ledgerUseRepeated,
            .ledgerUseWithoutReceipt:
            .oneOutcome
        case .stopCrossed, .stopGrantsBefore, .stopCutoffEarly, .stopElevation, .stopRotation, .controlUnreadable,
            .controlPositionGap, .controlPositionRepeated, .ledgerControlMissing, .ledgerControlWithoutReceipt,
            .ledgerControlDiffers, .ledgerControlPosition:
            .stopLine
        case .grantWithoutControlPosition, .grantWithoutRules, .grantWithoutPolicy, .grantPolicyUnverified,
            .grantKeyWithdrawn:
            .failClosed
        case .batchUnreadable, .batchNotCanonical, .batchUnknownMember, .batchTooLarge, .batchKey, .batchSignerUnknown,
            .batchSignatureInvalid, .batchRootSignatureInvalid, .batchStatementInvalid, .headerUnreadable, .headerLog,
            .headerNumberGap, .headerChainBroken, .headerPositionGap, .headerPositionRange, .headerCount,
            .headerCounts, .headerRules, .headerKeys, .headerRoot, .headerClawlogsRoot, .headerTimeReversed,
            .checkpointUnreadable, .checkpointOrigin, .checkpointSize, .checkpointRoot, .checkpointSignatureInvalid,
            .checkpointUnsigned, .receiptTooLarge, .receiptUnknownMember, .receiptMember,
            .receiptID, .receiptRepeated, .receiptAfterSealing, .keyUnannounced, .effectMissing, .effectStray,
            .effectOrder,
            .recordUnreadable, .recordNotCanonical, .recordUnknownMember, .recordKey, .recordBatch, .recordDigest,
            .grantMismatch, .grantProof, .decisionMismatch, .revocationMismatch, .cutoffMismatch, .deadLetterMismatch,
            .controlResultMismatch, .findingMismatch, .revocationWithoutGrant, .headUnreadable, .headLog,
            .headSignerUnknown, .deadLetterUnknown,
            .headSignatureInvalid, .headSequence, .headTimeReversed, .headControlPosition, .headMissing, .headBehind,
            .ledgerBatchMissing,
            .ledgerBatchUnpublished, .ledgerBatchDiffers, .ledgerReceiptsDiffer, .ledgerGroupUnreadable,
            .ledgerGroupLost, .ledgerGroupTwice, .ledgerGroupMissing, .ledgerUnsealed:
            .receipts
        case .secretToken, .secretSealedToken, .secretPrivateKey, .secretPlainDelivery: .noBearer
        case .grantScopeWider, .grantActionsWider, .grantAudienceWider, .grantLifetimeStated, .grantLifetimeInvalid,
            .grantLifetimeLonger, .grantClassUnknown, .grantScopeOutsideRules, .grantAudienceOutsideRules,
            .grantActionOutsideRules, .grantLifetimeOverRule, .grantLifetimeOverPolicy, .grantPolicyOutsideRules:
            .neverWider
        case .tokenRepeated, .tokenIDRepeated, .tokenKeyUnknown, .tokenIDNotDerived, .grantWithoutApproval,
            .grantWithoutApprover, .deliveryMode, .deliveryReference, .deliveryMalformed, .claimsDigest,
            .claimsMismatch, .claimsScopeHash, .claimsToken, .claimsNotPinned, .ledgerTokenDiffers:
            .bound
        case .recordUnnumbered, .recordWrongStream, .recordIdentity, .sequenceGap, .sequenceConflict, .sequenceMoved,
            .sequenceOutOfOrder, .batchSequence:
            .densePositions
        }
    }
}
