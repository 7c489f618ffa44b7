import ClawWire
import GrantLedger
import IssuanceRules
import Metrics
import Observability
import ReceiptLog

/// The worker's metrics, by name in one place. Labels are bounded: outcomes, reason codes and stages, never a value from
/// outside.
struct WorkerMetrics: Sendable {
    /// Decisions and their reasons.
    struct Verdict: Hashable, Sendable {
        let outcome: BatchSummary.Outcome
        let reason: String
    }

    struct ControlResult: Hashable, Sendable {
        let operation: String
        let result: String
    }

    let lostReplies: Counter
    let publishFailures: Counter
    let unusableKeys: Counter
    let predecessorsEnded: Counter
    /// The backend, for parts that have metrics of their own.
    let factory: any MetricsFactory
    private let retries: LabelledCounters<LedgerError.Code>
    private let records: Counter
    private let repeats: Counter
    private let batchesDecided: Counter
    private let outcomes: LabelledCounters<BatchSummary.Outcome>
    private let reasons: LabelledCounters<Verdict>
    private let ignored: LabelledCounters<String>
    private let findings: LabelledCounters<String>
    private let readTime: Timer
    private let planTime: Timer
    private let commitTime: Timer
    private let decideTime: Timer
    private let decisionAge: Timer
    private let grantAge: Timer
    private let grantDelay: Timer
    private let sealTime: Timer
    private let receiptsSealed: Counter
    private let lanes: [PublishLane: LaneMetrics]
    private let heldBackBatches: Counter
    private let heldBackReasons: LabelledCounters<String>
    private let comparisons: LabelledCounters<String>
    private let controlEvents: LabelledCounters<ControlResult>
    private let acknowledgeTime: Timer
    private let stopWait: Timer
    private let tokensVoided: Counter
    private let redrives: LabelledCounters<String>
    private let sourceLag: LabelledGauges<SourceName>
    private let sourceSilence: LabelledGauges<SourceName>
    private let deadLetters: LabelledGauges<SourceName>

    private struct LaneMetrics: Sendable {
        let time: Timer
        let published: Counter
        let present: Counter
    }

    /// Makes every handler once: none is made while deciding.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        lostReplies = Counter(label: "clawgrant_lost_commit_replies_total", factory: factory)
        publishFailures = Counter(label: "clawgrant_publish_failures_total", factory: factory)
        unusableKeys = Counter(label: "clawgrant_key_unusable_total", factory: factory)
        predecessorsEnded = Counter(label: "clawgrant_predecessors_ended_total", factory: factory)
        retries = LabelledCounters(
            label: "clawgrant_decide_retries_total", known: [.conflict, .unavailable], factory: factory
        ) { [("code", $0.rawValue)] }
        records = Counter(label: "clawgrant_records_read_total", factory: factory)
        repeats = Counter(label: "clawgrant_repeats_seen_total", factory: factory)
        batchesDecided = Counter(label: "clawgrant_batches_decided_total", factory: factory)
        outcomes = LabelledCounters(
            label: "clawgrant_outcomes_total", known: BatchSummary.Outcome.allCases, factory: factory
        ) { [("outcome", $0.rawValue)] }
        reasons = LabelledCounters(label: "clawgrant_reasons_total", factory: factory) {
            [("outcome", $0.outcome.rawValue), ("reason", $0.reason)]
        }
        ignored = LabelledCounters(label: "clawgrant_ignored_total", factory: factory) { [("why", $0)] }
        findings = LabelledCounters(label: "clawgrant_findings_total", factory: factory) { [("code", $0)] }
        readTime = Timer(label: "clawgrant_read_seconds", factory: factory)
        planTime = Timer(label: "clawgrant_plan_seconds", factory: factory)
        commitTime = Timer(label: "clawgrant_commit_seconds", factory: factory)
        decideTime = Timer(label: "clawgrant_decide_seconds", factory: factory)
        decisionAge = Timer(label: "clawgrant_decision_age_seconds", factory: factory)
        grantAge = Timer(label: "clawgrant_grant_age_seconds", factory: factory)
        grantDelay = Timer(label: "clawgrant_grant_delay_seconds", factory: factory)
        sealTime = Timer(label: "clawgrant_seal_seconds", factory: factory)
        receiptsSealed = Counter(label: "clawgrant_receipts_sealed_total", factory: factory)
        lanes = Dictionary(
            uniqueKeysWithValues: PublishLane.allCases.map { lane in
                let labels = [("lane", lane.rawValue)]
                return (
                    lane,
                    LaneMetrics(
                        time: Timer(label: "clawgrant_publish_seconds", dimensions: labels, factory: factory),
                        published: Counter(
                            label: "clawgrant_records_published_total", dimensions: labels, factory: factory),
                        present: Counter(
                            label: "clawgrant_records_found_published_total", dimensions: labels, factory: factory))
                )
            })
        heldBackBatches = Counter(label: "clawgrant_batches_held_back_total", factory: factory)
        heldBackReasons = LabelledCounters(
            label: "clawgrant_held_back_total", known: HeldBack.codes, factory: factory
        ) { [("why", $0)] }
        comparisons = LabelledCounters(
            label: "clawgrant_ledger_comparisons_total", known: ["level", "behind"], factory: factory
        ) { [("result", $0)] }
        controlEvents = LabelledCounters(label: "clawgrant_control_events_total", factory: factory) {
            [("operation", $0.operation), ("result", $0.result)]
        }
        acknowledgeTime = Timer(label: "clawgrant_control_acknowledge_seconds", factory: factory)
        stopWait = Timer(label: "clawgrant_stop_lock_wait_seconds", factory: factory)
        tokensVoided = Counter(label: "clawgrant_tokens_revoked_by_control_total", factory: factory)
        redrives = LabelledCounters(label: "clawgrant_dead_letters_redriven_total", factory: factory) {
            [("outcome", $0)]
        }
        sourceLag = LabelledGauges(label: "clawgrant_source_lag_seconds", factory: factory) {
            [("source", $0.rawValue)]
        }
        sourceSilence = LabelledGauges(label: "clawgrant_source_silence_seconds", factory: factory) {
            [("source", $0.rawValue)]
        }
        deadLetters = LabelledGauges(label: "clawgrant_dead_letters_open", factory: factory) {
            [("source", $0.rawValue)]
        }
    }

    // MARK: Deciding

    /// A batch of records was read and understood.
    func read(in time: Duration) { readTime.record(duration: time) }

    func retried(_ error: LedgerError) { retries[error.code].increment() }

    func heldBack(_ why: HeldBack) {
        heldBackBatches.increment()
        heldBackReasons[why.code].increment()
    }

    /// - Parameters:
    ///   - time: of the attempt that committed.
    ///   - planning: of it, rules and signatures.
    func decided(_ summary: BatchSummary, in time: Duration, planning: Duration) {
        records.increment(by: summary.records)
        repeats.increment(by: summary.repeats)
        batchesDecided.increment()
        decideTime.record(duration: time)
        planTime.record(duration: planning)
        commitTime.record(duration: time - planning)
        for outcome in BatchSummary.Outcome.allCases {
            let count = summary.count(of: outcome)
            if count > 0 { outcomes[outcome].increment(by: count) }
        }
        for age in summary.grantAges { decisionAge.record(duration: age) }
        for (code, count) in summary.findings { findings[code].increment(by: count) }
        if let redriven = summary.redriven { self.redriven(redriven) }
        for (outcome, counts) in summary.reasons {
            for (reason, count) in counts {
                reasons[Verdict(outcome: outcome, reason: reason)].increment(by: count)
            }
        }
        for (why, count) in summary.ignored { ignored[why].increment(by: count) }
    }

    // MARK: Control events

    /// A control event was read and came to something; `result` is from a closed set.
    func controlled(_ operation: String, _ result: String, in time: Duration, waited: Duration) {
        controlEvents[ControlResult(operation: operation, result: result)].increment()
        acknowledgeTime.record(duration: time)
        stopWait.record(duration: waited)
    }

    /// The ledger was held against its topics.
    func compared(isLevel: Bool) { comparisons[isLevel ? "level" : "behind"].increment() }

    func revoked(_ count: Int) { tokensVoided.increment(by: count) }

    // MARK: Sources

    /// How far the events of a source were behind when they were decided.
    func lag(_ seconds: Int64, of source: SourceName) { sourceLag.set(source, to: Double(seconds)) }

    /// How long a source that is watched was not heard.
    func silence(_ seconds: Int64, of source: SourceName) { sourceSilence.set(source, to: Double(seconds)) }

    /// The record of a dead letter was read again.
    func redriven(_ outcome: Receipt.DeadLetterAction.Outcome) { redrives[outcome.rawValue].increment() }

    /// How many dead letters of a source are open. Sources are those of the rules, past and present.
    func openDeadLetters(_ count: Int64, of source: SourceName) { deadLetters.set(source, to: Double(count)) }

    // MARK: Sealing and publishing

    func sealed(_ batches: [SealedBatch], in time: Duration) {
        sealTime.record(duration: time)
        for batch in batches { receiptsSealed.increment(by: batch.lastPosition - batch.firstPosition + 1) }
    }

    func published(by lane: PublishLane, records count: Int, repeats: Int, in time: Duration) {
        guard let metrics = lanes[lane] else { return }
        metrics.published.increment(by: count)
        metrics.present.increment(by: repeats)
        metrics.time.record(duration: time)
    }

    /// A grant can be read, at an instant.
    func granted(_ origin: EffectOrigin, at now: Timestamp) {
        if let occurredAt = origin.occurredAt { grantAge.record(duration: Self.time(from: occurredAt, to: now)) }
        if let recordedAt = origin.recordedAt { grantDelay.record(duration: Self.time(from: recordedAt, to: now)) }
    }

    /// Clocks differ a little; no time is negative.
    private static func time(from start: Timestamp, to end: Timestamp) -> Duration {
        .microseconds(max(0, end.microseconds - start.microseconds))
    }
}

extension HeldBack {
    /// The codes, as labels of a metric.
    static let codes = [
        "stale_view", "cutoff_second", "local_stop", "poll_in_future", "clocks_differ", "ledger_not_compared",
    ]

    /// The code of a case, among ``codes``.
    var code: String {
        switch self {
        case .staleView: "stale_view"
        case .cutoffSecond: "cutoff_second"
        case .localStop: "local_stop"
        case .pollInFuture: "poll_in_future"
        case .clocksDiffer: "clocks_differ"
        case .ledgerNotCompared: "ledger_not_compared"
        }
    }
}
