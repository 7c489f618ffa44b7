import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import Logging
import Observability
import ReceiptLog

/// An end that was meant for approvals here and ended none, for the log.
struct UnmatchedEnd: Sendable, Hashable {
    let source: SourceName
    /// What was to end, and whom or what it names.
    let detail: String
    /// The record that brought it.
    let origin: ReceiptLog.RecordOrigin
}

extension UnmatchedEnd {
    /// The fields of its log line.
    var metadata: Logger.Metadata {
        ["source": "\(source)", "record": "\(origin)", "what": .outside(detail)]
    }
}

/// What a planned batch comes to, for metrics and logs.
struct BatchSummary: Sendable, Hashable {
    /// What decisions come to, as metrics and traces name it.
    enum Outcome: String, Sendable, Hashable, CaseIterable {
        case issued, denied, expired, quarantined, waiting, revoked
    }

    var records = 0
    var newEvents = 0
    var repeats = 0
    var issued = 0
    var denied = 0
    var expired = 0
    var quarantined = 0
    var waiting = 0
    var revoked = 0
    /// Reasons of decisions, by what they came to.
    var reasons: [Outcome: [String: Int]] = [:]
    var ignored: [String: Int] = [:]
    /// Findings, by code.
    var findings: [String: Int] = [:]
    /// Ends that were meant for approvals and ended none.
    var unmatchedEnds: [UnmatchedEnd] = []
    /// What became of the dead letter whose record the batch was.
    var redriven: Receipt.DeadLetterAction.Outcome?
    /// WPCs that waiting requests need and that no source had when they were last asked for.
    var missingPolicies: Set<Digest> = []
    /// True when the batch holds effects to seal.
    var hasEffects = false
    /// Age of the event that led to it, of each grant.
    var grantAges: [Duration] = []
    /// Spans to be told once the batch is committed.
    var spans: [PlannedSpan] = []

    func count(of outcome: Outcome) -> Int {
        switch outcome {
        case .issued: issued
        case .denied: denied
        case .expired: expired
        case .quarantined: quarantined
        case .waiting: waiting
        case .revoked: revoked
        }
    }
}

/// What a plan lacks and did not know before it saw the ledger's state: a waiting request names its WPC and the request
/// it upgrades within its body, and an approval may be the first with a budget. Nothing is written; the batch is planned
/// again with them.
struct PlanNeeds: Error {
    var requests: Set<RequestID> = []
    var policies: Set<Digest> = []
    /// Holders whose earlier ends were not read.
    var holders: Set<PersonID> = []
    /// Whether something limits a job of the batch, and what the jobs have used was not read.
    var usage = false

    var isEmpty: Bool { requests.isEmpty && policies.isEmpty && holders.isEmpty && !usage }
}

/// Why a batch waits although everything it needs is there. Nothing was written; it is tried again (P3).
enum HeldBack: Error, CustomStringConvertible {
    /// The control topic was not polled for too long: a stop may stand there unread.
    case staleView(ageSeconds: Double, limitSeconds: Double)
    /// The second of a cut-off is not over.
    case cutoffSecond
    /// A local stop halts this worker.
    case localStop(String)
    /// The last poll of the control topic is dated in the ledger's future: its clock was set back.
    case pollInFuture(aheadSeconds: Double)
    /// The ledger's clock and this worker's differ by too much; how far the ledger's is ahead.
    case clocksDiffer(ledgerAheadSeconds: Double, limitSeconds: Double)
    /// The database restarted, was taken over or restored, and was not compared with the topics yet.
    case ledgerNotCompared

    /// True when the batch in hand may be tried again as it was understood. Not when it may have been read by a clock that
    /// was wrong: then it is read again.
    var keepsBatch: Bool {
        switch self {
        case .staleView, .cutoffSecond, .localStop, .pollInFuture, .ledgerNotCompared: true
        case .clocksDiffer: false
        }
    }

    var description: String {
        switch self {
        case .staleView(let age, let limit):
            "nothing is issued: the control topic was last read to its end \(Int(age)) s ago, and "
                + "control.stop_view_max_age_ms allows \(Int(limit)) s; see to the topic, the broker, and the worker that "
                + "holds the role control"
        case .cutoffSecond: "waiting for the second of a cut-off to pass"
        case .localStop(let why): "nothing is issued: this worker is stopped locally (\(why))"
        case .ledgerNotCompared:
            "nothing is issued: the database is another one than was compared with the topics; waiting for the comparison"
        case .pollInFuture(let ahead):
            "nothing is issued until the control topic is read again: its last reading is dated \(Int(ahead)) s in the "
                + "ledger's future, so the clock of the database was set back"
        case .clocksDiffer(let ahead, let limit):
            "nothing is issued: the clock of the database is \(Int(ahead.magnitude)) s "
                + "\(ahead < 0 ? "behind" : "ahead of") this worker's, and limits.max_clock_difference_s allows "
                + "\(Int(limit)) s; set the wrong one"
        }
    }
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
    /// Oldest poll of the control topic under which anything is decided, in seconds; `nil` without a control topic.
    let stopViewMaximumAgeSeconds: Double?
    /// Address under which tokens delivered by reference are claimed, without a slash at its end; `nil` where none is
    /// configured.
    var claimBase: String?
    /// Which spans decisions get.
    var tracing = TracePlan.passing
    /// Where tokens are kept that are about to be published.
    var kept: KeptTokens?
    /// How soon a request is looked at again that waits for a WPC or for a source to be well, in seconds.
    let policyRetrySeconds: Int64 = 2

    /// The longest time that an approval may be waited for, or wait for a request, in seconds.
    var longestWaitSeconds: Int64 {
        rules.jobClasses.values.map { max($0.waitTimeoutSeconds, $0.maximumApprovalAgeSeconds) }.max() ?? 86_400
    }

    /// Refuses to decide under a stop state that may be old, and within the second of a cut-off that was lifted: a token
    /// of that second would be born void.
    func checkView(_ snapshot: DecideSnapshot, _ control: ControlState) throws(HeldBack) {
        if let limit = stopViewMaximumAgeSeconds {
            let age = Double(snapshot.now.microseconds - snapshot.controlPolledAt.microseconds) / 1e6
            if age > limit { throw HeldBack.staleView(ageSeconds: age, limitSeconds: limit) }
        }
        if let cutoff = control.latestBarrier, (0...1).contains(cutoff.seconds - snapshot.now.seconds) {
            throw HeldBack.cutoffSecond
        }
    }

    /// Plans a batch read from topics, or found by a sweep (then `batch` has no entries and `due` names what to decide).
    ///
    /// - Throws: ``PlanNeeds`` when more must be loaded first; ``LedgerError`` when stored bytes do not read; what
    ///   minting throws.
    func plan(
        _ batch: UnderstoodBatch, due: DueWork, snapshot: DecideSnapshot, control: ControlState
    ) throws -> (write: DecideWrite, result: BatchSummary) {
        try checkView(snapshot, control)
        if batch.isRedrive, snapshot.redrive == nil { throw RedriveOver() }
        var work = try WorkingSet(planner: self, snapshot: snapshot, control: control, read: batch.read)
        work.summary.records = batch.records
        work.summary.ignored = batch.ignored
        try work.watch(batch)
        for refused in batch.refused { try work.quarantine(refused) }
        for entry in batch.entries {
            if entry.event == UnderstoodEntry.noEvent {
                try work.apply(entry)
            } else if snapshot.conflictingEvents.contains(entry.event) {
                try work.quarantineConflict(entry)
            } else if snapshot.newEvents.contains(entry.event) {
                work.summary.newEvents += 1
                try work.apply(entry)
            } else {
                work.summary.repeats += 1
            }
        }
        for settled in batch.confirmations { try work.settle(settled) }
        for request in due.requests { work.toDecide.insert(request.requestID) }
        for approval in due.approvals { work.touchedApprovals.insert(approval) }
        try work.settle()
        guard work.needs.isEmpty else { throw work.needs }
        if let letter = snapshot.redrive { try work.recordRedrive(of: letter, batch) }
        return (work.write(), work.summary)
    }
}
