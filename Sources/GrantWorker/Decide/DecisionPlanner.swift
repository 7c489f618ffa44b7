import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// What a planned batch comes to, for metrics and logs.
struct BatchSummary: Sendable, Hashable {
    var records = 0
    var newEvents = 0
    var repeats = 0
    var issued = 0
    var denied = 0
    var expired = 0
    var quarantined = 0
    var waiting = 0
    var revoked = 0
    var reasons: [String: Int] = [:]
    var ignored: [String: Int] = [:]
    /// WPCs that waiting requests need and that no source had when they were last asked for.
    var missingPolicies: Set<Digest> = []
    /// True when the batch holds effects to seal.
    var hasEffects = false
}

/// What a plan lacks and did not know before it saw the ledger's state: a waiting request names its WPC and the request
/// it upgrades within its body. Nothing is written; the batch is planned again with them.
struct PlanNeeds: Error {
    var requests: Set<RequestID> = []
    var policies: Set<Digest> = []

    var isEmpty: Bool { requests.isEmpty && policies.isEmpty }
}

/// Turns a locked batch into what the ledger writes: the rules run here, tokens are signed here.
///
/// Pure but for the signature: what the ledger holds, the rules, the WPCs and the keys are arguments, the time is the
/// ledger's.
struct DecisionPlanner: Sendable {
    let rules: RuleSet
    let policies: [Digest: WPCAvailability]
    let minter: CSTMinter
    let tokenIDSecret: TokenIDSecret
    let keyValidUntil: Timestamp?
    let worker: WorkerID
    /// Decides and records, mints nothing.
    let isDryRun: Bool
    /// How soon a request is looked at again that waits for a WPC, in seconds.
    let policyRetrySeconds: Int64 = 2

    /// The longest time that an approval may be waited for, or wait for a request, in seconds.
    var longestWaitSeconds: Int64 {
        rules.jobClasses.values.map { max($0.waitTimeoutSeconds, $0.maximumApprovalAgeSeconds) }.max() ?? 86_400
    }

    /// Plans a batch read from topics, or found by a sweep (then `batch` has no entries and `due` names what to decide).
    ///
    /// - Throws: ``PlanNeeds`` when more must be loaded first; ``LedgerError`` when stored bytes do not read; what
    ///   minting throws.
    func plan(
        _ batch: UnderstoodBatch, due: DueWork, snapshot: DecideSnapshot
    ) throws -> (write: DecideWrite, result: BatchSummary) {
        var work = WorkingSet(planner: self, snapshot: snapshot, loadedRequests: batch.read.requestIDs)
        work.summary.records = batch.records
        work.summary.ignored = batch.ignored
        for refused in batch.refused { try work.quarantine(refused) }
        for entry in batch.entries {
            if snapshot.conflictingEvents.contains(entry.event) {
                try work.quarantineConflict(entry)
            } else if snapshot.newEvents.contains(entry.event) {
                work.summary.newEvents += 1
                try work.apply(entry)
            } else {
                work.summary.repeats += 1
            }
        }
        for request in due.requests { work.toDecide.insert(request.requestID) }
        for approval in due.approvals { work.touchedApprovals.insert(approval) }
        try work.settle()
        guard work.needs.isEmpty else { throw work.needs }
        return (work.write(), work.summary)
    }
}
