import ClawWire
import GrantLedger
import IssuanceRules
import Metrics
import ReceiptLog

/// The worker's metrics, by name in one place. Labels are bounded: outcomes, reason codes and stages, never a value from
/// outside.
struct WorkerMetrics: Sendable {
    let lostReplies = Counter(label: "clawgrant_lost_commit_replies_total")
    let retries = Counter(label: "clawgrant_decide_retries_total")
    let publishFailures = Counter(label: "clawgrant_publish_failures_total")
    private let records = Counter(label: "clawgrant_records_read_total")
    private let repeats = Counter(label: "clawgrant_repeats_seen_total")
    private let batchesDecided = Counter(label: "clawgrant_batches_decided_total")
    private let decideTime = Timer(label: "clawgrant_decide_seconds")
    private let sealTime = Timer(label: "clawgrant_seal_seconds")
    private let publishTime = Timer(label: "clawgrant_publish_seconds")
    private let receiptsSealed = Counter(label: "clawgrant_receipts_sealed_total")
    private let recordsPublished = Counter(label: "clawgrant_records_published_total")
    private let recordsPresent = Counter(label: "clawgrant_records_found_published_total")

    private let heldBackBatches = Counter(label: "clawgrant_batches_held_back_total")
    private let stopWait = Timer(label: "clawgrant_stop_lock_wait_seconds")
    private let tokensVoided = Counter(label: "clawgrant_tokens_revoked_by_control_total")

    func heldBack(_ why: HeldBack) {
        heldBackBatches.increment()
        let name =
            switch why {
            case .staleView: "stale_view"
            case .cutoffSecond: "cutoff_second"
            case .localStop: "local_stop"
            case .pollInFuture: "poll_in_future"
            case .clocksDiffer: "clocks_differ"
            case .ledgerNotCompared: "ledger_not_compared"
            }
        Counter(label: "clawgrant_held_back_total", dimensions: [("why", name)]).increment()
    }

    /// A control event was read and came to something; `result` is from a closed set.
    func controlled(_ operation: String, _ result: String, waited: Duration) {
        Counter(
            label: "clawgrant_control_events_total", dimensions: [("operation", operation), ("result", result)]
        ).increment()
        stopWait.record(duration: waited)
    }

    /// The ledger was held against its topics.
    func compared(isLevel: Bool) {
        Counter(
            label: "clawgrant_ledger_comparisons_total", dimensions: [("result", isLevel ? "level" : "behind")]
        ).increment()
    }

    func revoked(_ count: Int) { tokensVoided.increment(by: count) }

    func decided(_ summary: BatchSummary, in time: Duration) {
        records.increment(by: summary.records)
        repeats.increment(by: summary.repeats)
        batchesDecided.increment()
        decideTime.record(duration: time)
        for (outcome, count) in [
            ("issued", summary.issued), ("denied", summary.denied), ("expired", summary.expired),
            ("quarantined", summary.quarantined), ("waiting", summary.waiting), ("revoked", summary.revoked),
        ] where count > 0 {
            Counter(label: "clawgrant_outcomes_total", dimensions: [("outcome", outcome)]).increment(by: count)
        }
        for (code, count) in summary.findings {
            Counter(label: "clawgrant_findings_total", dimensions: [("code", code)]).increment(by: count)
        }
        if let redriven = summary.redriven { self.redriven(redriven) }
        for (reason, count) in summary.reasons {
            Counter(label: "clawgrant_reasons_total", dimensions: [("reason", reason)]).increment(by: count)
        }
        for (why, count) in summary.ignored {
            Counter(label: "clawgrant_ignored_total", dimensions: [("why", why)]).increment(by: count)
        }
    }

    /// How far the events of a source were behind when they were decided.
    func lag(_ seconds: Int64, of source: SourceName) {
        Gauge(label: "clawgrant_source_lag_seconds", dimensions: [("source", source.rawValue)]).record(seconds)
    }

    /// How long a source that is watched was not heard.
    func silence(_ seconds: Int64, of source: SourceName) {
        Gauge(label: "clawgrant_source_silence_seconds", dimensions: [("source", source.rawValue)]).record(seconds)
    }

    /// The record of a dead letter was read again.
    func redriven(_ outcome: Receipt.DeadLetterAction.Outcome) {
        Counter(label: "clawgrant_dead_letters_redriven_total", dimensions: [("outcome", outcome.rawValue)]).increment()
    }

    /// How many dead letters of a source are open. Sources are those of the rules, past and present.
    func openDeadLetters(_ count: Int64, of source: SourceName) {
        Gauge(label: "clawgrant_dead_letters_open", dimensions: [("source", source.rawValue)]).record(count)
    }

    func sealed(_ batches: [SealedBatch], in time: Duration) {
        sealTime.record(duration: time)
        for batch in batches { receiptsSealed.increment(by: batch.lastPosition - batch.firstPosition + 1) }
    }

    func published(records count: Int, repeats: Int, in time: Duration) {
        recordsPublished.increment(by: count)
        recordsPresent.increment(by: repeats)
        publishTime.record(duration: time)
    }
}
