/// A place in the code between two effects, by name: whoever dies there has done the one and not the other.
///
/// The simulation crashes workers at each of them and at every pair; builds for tests kill the process itself there.
public enum CrashPoint: String, Sendable, Hashable, CaseIterable {
    // A worker's start.
    case logOpened = "start.log_opened"
    case daysMade = "start.days_made"
    case propertiesChecked = "start.properties_checked"
    case keyInserted = "start.key_inserted"
    case keyRecorded = "start.key_recorded"
    case keysRegistered = "start.keys_registered"

    // Leases and roles.
    case beatDue = "lease.beat_due"
    case leaseRenewed = "lease.renewed"
    case leasesClaimed = "lease.claimed"
    case leasesLost = "lease.lost_laid_down"
    case leasesHandedOut = "lease.handed_out"
    case surplusLaidDown = "lease.surplus_laid_down"
    case surplusReleased = "lease.surplus_released"
    case roleClaimed = "role.claimed"
    case leaving = "leave.begun"
    case left = "leave.done"

    // A decide lane.
    case partitionsTaken = "lane.partitions_taken"
    case partitionsLaidDown = "lane.partitions_laid_down"
    case batchFetched = "lane.fetched"
    case batchUnderstood = "lane.understood"
    case stopsObeyed = "lane.stops_obeyed"
    case batchDecided = "lane.decided"
    case laneAdvanced = "lane.advanced"
    case lagReported = "lane.lag_reported"

    // A decide transaction of a lane.
    case decideBegun = "decide.begun"
    case decideRead = "decide.read"
    case decideRepeatsKnown = "decide.repeats_known"
    case decidePlanned = "decide.planned"
    case decideCommitting = "decide.committing"
    case decideCommitted = "decide.committed"
    case tokenSigned = "decide.token_signed"

    // The sweeper.
    case sweepDue = "sweep.due"
    case sweepBegun = "sweep.begun"
    case sweepRead = "sweep.read"
    case sweepPlanned = "sweep.planned"
    case sweepCommitting = "sweep.committing"
    case sweepCommitted = "sweep.committed"

    // Control events.
    case controlOffsetRead = "control.offset_read"
    case controlAssigned = "control.assigned"
    case controlFetched = "control.fetched"
    case controlBegun = "control.begun"
    case controlLocked = "control.locked"
    case controlRead = "control.read"
    case controlEvidenceRead = "control.evidence_read"
    case controlPlanned = "control.planned"
    case controlCommitting = "control.committing"
    case controlCommitted = "control.committed"
    case controlAdvanced = "control.advanced"
    case pollNoting = "control.poll_noting"
    case pollNoted = "control.poll_noted"

    // Single revocations.
    case revokeRead = "revoke.read"
    case revokeTokensRead = "revoke.tokens_read"
    case revokePlanned = "revoke.planned"
    case revokeCommitting = "revoke.committing"
    case revokeCommitted = "revoke.committed"

    // Sealing.
    case sealDue = "seal.due"
    case sealRead = "seal.read"
    case sealSigned = "seal.signed"
    case sealCommitting = "seal.committing"
    case sealCommitted = "seal.committed"
    case sealHandedOn = "seal.handed_on"

    // Publishing what is neither a revocation nor the answer to a control event.
    case publishRecovering = "publish.recovering"
    case publishProducerMade = "publish.producer_made"
    case publishInitialized = "publish.initialized"
    case publishPositionRead = "publish.position_read"
    case publishTailRead = "publish.tail_read"
    case publishCaughtUp = "publish.caught_up"
    case publishRendered = "publish.rendered"
    case publishBegun = "publish.begun"
    case publishSent = "publish.sent"
    case publishCommitted = "publish.committed"
    case publishNoted = "publish.noted"
    case publishSaving = "publish.saving"
    case publishSaved = "publish.saved"

    // Publishing revocations and the answers to control events.
    case controlPublishRecovering = "publish_control.recovering"
    case controlPublishProducerMade = "publish_control.producer_made"
    case controlPublishInitialized = "publish_control.initialized"
    case controlPublishPositionRead = "publish_control.position_read"
    case controlPublishTailRead = "publish_control.tail_read"
    case controlPublishCaughtUp = "publish_control.caught_up"
    case controlPublishRendered = "publish_control.rendered"
    case controlPublishBegun = "publish_control.begun"
    case controlPublishSent = "publish_control.sent"
    case controlPublishCommitted = "publish_control.committed"
    case controlPublishNoted = "publish_control.noted"
    case controlPublishSaving = "publish_control.saving"
    case controlPublishSaved = "publish_control.saved"

    // Heads of the revocations.
    case headHorizonRead = "head.horizon_read"
    case headSigned = "head.signed"
    case headSent = "head.sent"
}
