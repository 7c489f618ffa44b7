import ClawWire
import GrantLedger
import IssuanceRules
import Logging
import Observability
import Primitives
import ReceiptLog

/// When sources were heard, by this worker, and not yet noted in the ledger.
final class SourceTracker: Sendable {
    private struct State {
        var pending: [SourceName: Timestamp] = [:]
        var noted: [SourceName: Timestamp] = [:]
    }

    private let state = Lock(State())
    private let watched: Set<SourceName>

    /// Keeps track of the sources that may not be silent for long.
    init(_ rules: [SourceName: HealthRule]) { watched = Set(rules.filter { $0.value.silence != nil }.keys) }

    /// Notes what a committed batch was heard of.
    func note(_ seen: [SourceName: Timestamp]) {
        guard !watched.isEmpty else { return }
        state.withLock { state in
            for (source, at) in seen where watched.contains(source) {
                guard state.noted[source].map({ at > $0 }) ?? true else { continue }
                state.pending[source] = max(state.pending[source] ?? at, at)
            }
        }
    }

    /// What is to be noted in the ledger now.
    func take() -> [SourceName: Timestamp] {
        state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
    }

    /// What stands in the ledger from now on.
    func settle(_ seen: [SourceName: Timestamp]) {
        state.withLock { state in state.noted.merge(seen) { max($0, $1) } }
    }
}

/// Keeps the ledger up to date about when sources were heard, measures silence, and reports it once.
///
/// Every worker does it: the ledger holds the one time that all of them decide by, and the report is made under a lock.
final class HealthService: Sendable {
    /// Time between two looks at the ledger.
    private static let interval: Duration = .seconds(1)
    private let rules: [SourceName: HealthRule]
    private let ledger: any HealthLedger
    private let decider: Decider
    private let worker: WorkerID
    private let limits: WorkerConfiguration.Limits
    private let metrics: WorkerMetrics
    private let logger: Logger

    init(
        rules: [SourceName: HealthRule], ledger: any HealthLedger, decider: Decider, worker: WorkerID,
        limits: WorkerConfiguration.Limits, metrics: WorkerMetrics, logger: Logger
    ) {
        self.rules = rules.filter { $0.value.silence != nil }
        self.ledger = ledger
        self.decider = decider
        self.worker = worker
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        var looked: ContinuousClock.Instant?
        while !stop() {
            try Task.checkCancellation()
            do {
                try await note()
                if looked.map({ .now - $0 >= Self.interval }) ?? true {
                    try await look(until: stop)
                    looked = .now
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.log(.healthFailed, metadata: ["error": "\(error)"])
            }
            if !stop() { try await Task.sleep(for: limits.sweepInterval) }
        }
    }

    private func note() async throws {
        let seen = decider.tracker.take()
        guard !seen.isEmpty else { return }
        do {
            try await ledger.noteSeen(seen)
        } catch {
            decider.tracker.note(seen)
            throw error
        }
        decider.tracker.settle(seen)
    }

    private func look(until stop: @Sendable () -> Bool) async throws {
        let (now, health) = try await ledger.sourceHealth(of: rules.keys.sorted())
        var hasNews = false
        for (source, rule) in rules {
            let stored = health[source]
            if let seenAt = stored?.seenAt { metrics.silence(now.seconds(since: seenAt), of: source) }
            var state = try SourceHealth(decoding: stored?.body ?? [])
            state.seenAt = stored?.seenAt
            hasNews = hasNews || state.hasSilenceToReport(under: rule, at: now)
        }
        guard hasNews else { return }
        logger.log(.sourceSilent, metadata: ["sources": "\(rules.keys.sorted().map(\.rawValue))"])
        var batch = UnderstoodBatch(read: DecideRead(worker: worker, fence: .offsets([])))
        batch.isHealthCheck = true
        try await decider.decide(batch) { !stop() }
    }
}
