import ClawWire
import GrantLedger
import Keys

/// Whether a worker does its work, and if not, why. Pure.
struct Readiness: Sendable, Hashable {
    /// Why a worker is not ready. The text is what probes see.
    enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The ledger did not answer in time.
        case ledgerUnreachable = "ledger_unreachable"
        /// The ledger was not held against its topics since the database started.
        case ledgerNotCompared = "ledger_not_compared"
        /// The control topic was not polled to its end for longer than `control.stop_view_max_age_ms`.
        case controlViewStale = "control_view_stale"
        /// The clocks of worker and ledger differ by more than `limits.max_clock_difference_s`.
        case clocksDiffer = "clocks_differ"
        /// No key may sign tokens or receipts.
        case keyUnusable = "key_unusable"
        /// The worker's life has run out in the ledger, or has not begun.
        case notAlive = "worker_not_alive"
        /// Input partitions are held by no live worker.
        case partitionsUnowned = "partitions_unowned"
        /// Committed receipts are not sealed.
        case sealingStuck = "sealing_stuck"
        /// This worker is halted, by a signal or by a file.
        case halted
    }

    /// What a worker may do before it is said to be unwell.
    struct Limits: Sendable, Hashable {
        /// Oldest complete poll of the control topic; `nil` without a control topic.
        var viewMaximumAge: Duration?
        /// Whether the database that answered last was held against the topics.
        var isCompared = true
        /// Whether the process is a worker, which is alive in the ledger and shares the partitions with others.
        var isDeciding = true
        /// By how much clocks may differ.
        var clockDifference: Duration = .seconds(300)
        /// Oldest receipt that waits for the log.
        var unsealedAge: Duration = .seconds(30)
    }

    /// Why it is not ready; empty when it is.
    let reasons: [Reason]
    /// Everything, for people.
    let details: JSONObject

    /// - Parameters:
    ///   - ledger: what the ledger says; `nil` when it did not answer.
    ///   - unusableKeys: purposes of which no key may sign, with the reasons.
    ///   - halted: why this worker is halted.
    ///   - now: the worker's own clock.
    init(
        ledger: LedgerReadiness?, unusableKeys: [(purpose: String, why: String)], halted: String?, now: Timestamp,
        limits: Limits
    ) {
        var reasons: [Reason] = []
        var details: JSONObject = ["worker_time": .string(now.iso8601)]
        if let ledger {
            func seconds(since time: Timestamp) -> Double {
                Double(ledger.now.microseconds - time.microseconds) / 1e6
            }
            let viewAge = seconds(since: ledger.controlPolledAt)
            let difference = Double(ledger.now.microseconds - now.microseconds) / 1e6
            if !limits.isCompared { reasons.append(.ledgerNotCompared) }
            if let limit = limits.viewMaximumAge, viewAge > limit / .seconds(1) { reasons.append(.controlViewStale) }
            if abs(difference) > limits.clockDifference / .seconds(1) { reasons.append(.clocksDiffer) }
            if limits.isDeciding, !ledger.isAlive { reasons.append(.notAlive) }
            if limits.isDeciding, ledger.unownedPartitions > 0 { reasons.append(.partitionsUnowned) }
            let waiting = ledger.oldestUnsealedAt.map(seconds(since:))
            if let waiting, waiting > limits.unsealedAge / .seconds(1) { reasons.append(.sealingStuck) }
            details["ledger_time"] = .string(ledger.now.iso8601)
            details["control_view_age_seconds"] = limits.viewMaximumAge == nil ? nil : .number(viewAge)
            details["live_workers"] = .integer(ledger.liveWorkers)
            details["partitions"] = .integer(ledger.partitions)
            details["own_partitions"] = .integer(ledger.ownPartitions)
            details["unowned_partitions"] = .integer(ledger.unownedPartitions)
            details["oldest_unsealed_seconds"] = waiting.map { .number($0) }
            details["unpublished_batches"] = .integer(ledger.unpublishedBatches)
        } else {
            reasons.append(.ledgerUnreachable)
        }
        if !unusableKeys.isEmpty {
            reasons.append(.keyUnusable)
            details["unusable_keys"] = .object(JSONObject(unusableKeys.map { ($0.purpose, .string($0.why)) }))
        }
        if let halted {
            reasons.append(.halted)
            details["halted_by"] = .string(halted)
        }
        self.reasons = reasons
        self.details = details
    }
}
