import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import Keys
import Logging
import Metrics
import Observability
import Primitives
import ReceiptLog

/// Runs understood batches through the ledger until they are committed, or until the worker is no longer in charge.
final class Decider: Sendable {
    let reader: BatchReader
    let clock: @Sendable () -> Timestamp
    private let ledger: any Ledger
    private let rules: RuleSet
    private let policies: PolicyCache
    private let keys: KeyRing
    private let tokenIDSecret: TokenIDSecret
    private let worker: WorkerID
    private let isDryRun: Bool
    private let claimBase: String?
    private let control: ControlView
    private let applier: ControlApplier
    private let stopViewMaximumAge: Duration?
    private let clocks: ClockGuard
    private let lineage: LineageGuard?
    private let metrics: WorkerMetrics
    private let tracing: TracePlan
    private let tracer: WorkerTracer?
    private let kept: KeptTokens?
    private let logger: Logger
    /// Whether batches read what their jobs have used, in the round trip that reads everything else: from the beginning
    /// where the rules have budgets, else once an approval with one was met.
    private let readsUsage: Lock<Bool>
    /// When sources were heard.
    let tracker: SourceTracker
    private let health: HealthRead?
    /// How long control events may overtake a batch before it makes them wait.
    private static let overtakenLimit: Duration = .seconds(2)

    init(
        reader: BatchReader, clock: @escaping @Sendable () -> Timestamp, ledger: any Ledger, rules: RuleSet,
        policies: PolicyCache, keys: KeyRing, tokenIDSecret: TokenIDSecret, worker: WorkerID, isDryRun: Bool,
        claimBase: String?, control: ControlView, applier: ControlApplier, stopViewMaximumAge: Duration?,
        maximumClockDifference: Duration, lineage: LineageGuard? = nil, metrics: WorkerMetrics,
        tracing: TracePlan = .passing, tracer: WorkerTracer? = nil, kept: KeptTokens? = nil,
        logger: Logger
    ) {
        self.kept = kept
        self.lineage = lineage
        self.tracing = tracing
        self.tracer = tracer
        clocks = ClockGuard(
            clock: clock, viewMaximumAge: stopViewMaximumAge, maximumDifference: maximumClockDifference)
        self.control = control
        self.applier = applier
        self.stopViewMaximumAge = stopViewMaximumAge
        self.reader = reader
        self.clock = clock
        self.ledger = ledger
        self.rules = rules
        self.policies = policies
        self.keys = keys
        self.tokenIDSecret = tokenIDSecret
        self.worker = worker
        self.isDryRun = isDryRun
        self.claimBase = claimBase
        self.metrics = metrics
        self.logger = logger
        readsUsage = Lock(rules.jobClasses.values.contains { $0.budget != nil })
        let watched = rules.healthRules
        tracker = SourceTracker(watched)
        health =
            watched.isEmpty
            ? nil : HealthRead(sources: Array(watched.keys), locks: watched.values.contains(where: \.counts))
    }

    /// Understands the records of a lane.
    func read(
        _ records: [SourceRecord], _ advances: [InputPartition: OffsetAdvance], _ signatures: inout BatchSignatureCache
    ) -> UnderstoodBatch {
        let start = SteadyTime.now
        let batch = reader.read(
            records, fence: .offsets(Array(advances.values)), at: clock(), signatures: &signatures)
        metrics.read(in: SteadyTime.now - start)
        return batch
    }

    /// Decides a batch and commits it.
    ///
    /// Passing failures are waited out: the batch stays in hand and nothing is lost (P3).
    ///
    /// - Parameter mayWait: asked whenever the batch is held back; when it answers no, the batch is given up.
    /// - Throws: ``LedgerError/Code/fenced`` when the lease is lost; ``HeldBack`` when the batch was given up, with nothing
    ///   written; `CancellationError`; errors that nobody's waiting can cure.
    func decide(
        _ batch: UnderstoodBatch, due: DueWork = DueWork(requests: [], approvals: []),
        mayWait: @Sendable () -> Bool = { true }
    ) async throws {
        await policies.load(batch.policyHashes)
        var batch = batch
        batch.read.stopLock = .last
        batch.read.health = health(of: batch, due)
        var backoff = Backoff()
        var overtaken: ContinuousClock.Instant?
        while true {
            do {
                let start = SteadyTime.now
                let began = clock()
                let (summary, planning) = try await attempt(batch, due: due)
                metrics.decided(summary, in: SteadyTime.now - start, planning: planning)
                for end in summary.unmatchedEnds { logger.log(.endMatchedNobody, metadata: end.metadata) }
                tracer?.decided(summary.spans, readAt: batch.readAt, began: began)
                tracker.note(batch.seen)
                for (source, seconds) in batch.lag { metrics.lag(seconds, of: source) }
                if !summary.missingPolicies.isEmpty { await policies.load(summary.missingPolicies) }
                return
            } catch let needs as PlanNeeds {
                batch.read.requestIDs.formUnion(needs.requests)
                batch.read.holders.formUnion(needs.holders)
                if needs.usage { readsUsage.withLock { $0 = true } }
                await policies.load(needs.policies)
                continue
            } catch let error as LedgerError {
                if error.code == .outcomeUnknown, try await wasCommitted(batch) {
                    metrics.lostReplies.increment()
                    return
                }
                guard error.isRetriable else { throw error }
                if error.code == .conflict {
                    let first = overtaken ?? SteadyTime.now
                    overtaken = first
                    // Under many stops in a row a batch would never be done; then stops wait for it.
                    if SteadyTime.now - first > Self.overtakenLimit { batch.read.stopLock = .first }
                }
                metrics.retried(error)
                logger.log(.batchRetried, metadata: ["error": "\(error)"])
            } catch let held as HeldBack {
                metrics.heldBack(held)
                logger.log(.batchHeldBack, metadata: ["why": "\(held)"])
                guard held.keepsBatch, mayWait() else { throw held }
            } catch let error as KeyError {
                metrics.unusableKeys.increment()
                // Without a key nothing is issued and the input waits; a rotation or a mended module cures it.
                logger.log(.keyUnusable, metadata: ["error": "\(error)"])
            }
            try await backoff.wait()
        }
    }

    /// What a batch needs to know of the sources: nothing where it decides nothing. Only a look at silent sources writes
    /// where nothing is counted.
    private func health(of batch: UnderstoodBatch, _ due: DueWork) -> HealthRead? {
        guard let health else { return nil }
        if batch.isHealthCheck { return HealthRead(sources: health.sources, locks: true) }
        return batch.entries.isEmpty && due.requests.isEmpty && due.approvals.isEmpty ? nil : health
    }

    /// Applies the stops and lifts of a batch, before its offsets advance: a worker that dies in between finds them to be
    /// repeats. What is not obeyed goes to the dead letters with the batch.
    func obey(_ batch: UnderstoodBatch) async throws -> UnderstoodBatch {
        var batch = batch
        for control in batch.control {
            let answer = try await apply(control.event)
            let name = ControlApplier.name(answer.result)
            let event = control.event
            metrics.controlled(
                event.operation.kind.rawValue, name, in: .milliseconds(answer.milliseconds),
                waited: .milliseconds(answer.waitedMilliseconds))
            logger.log(
                .sourceControlApplied,
                metadata: [
                    "source": "\(control.source)", "operation": "\(event.operation.kind.rawValue)",
                    "handle": .outside(event.handle), "result": "\(name)",
                    "position": "\(answer.position.map(String.init) ?? "none")", "ms": "\(answer.milliseconds)",
                ])
            guard case .refused(let why) = answer.result else { continue }
            batch.refused.append(
                RefusedEntry(
                    source: control.source, found: control.found, reason: "control_\(why.rawValue)",
                    detail: "the \(event.operation.kind.rawValue) of \(event.handle) is not obeyed: \(why.rawValue)",
                    value: control.value))
        }
        return batch
    }

    private func apply(_ event: ControlEvent) async throws -> ControlAcknowledgement {
        let start = SteadyTime.now
        var backoff = Backoff()
        while true {
            do {
                return try await applier.apply(event, since: start)
            } catch let error as LedgerError where error.isRetriable || error.code == .outcomeUnknown {
                logger.log(.controlRetried, metadata: ["error": "\(error)"])
            }
            try await backoff.wait()
        }
    }

    /// What a batch came to, and the time of it that the rules took.
    private func attempt(
        _ batch: UnderstoodBatch, due: DueWork
    ) async throws -> (summary: BatchSummary, planning: Duration) {
        let signer = try keys.signer(for: .token, at: clock())
        let planner = DecisionPlanner(
            rules: rules, policies: policies.known(), minter: CSTMinter(signer: signer),
            tokenIDSecret: tokenIDSecret, keyValidUntil: keys.validUntil(for: .token), worker: worker,
            isDryRun: isDryRun,
            stopViewMaximumAgeSeconds: stopViewMaximumAge.map { $0 / .seconds(1) }, claimBase: claimBase,
            tracing: tracing, kept: kept)
        let known = control.current
        var batch = batch
        batch.read.knownControlPosition = known.state.position
        batch.read.readsUsage = readsUsage.withLock { $0 }
        let understood = batch
        return try await ledger.decide(understood.read) { snapshot in
            if let why = control.localStop?.reason { throw HeldBack.localStop(why) }
            if let lineage, !lineage.isCompared(snapshot.incarnation) { throw HeldBack.ledgerNotCompared }
            try clocks.check(snapshot, readAt: understood.readAt)
            let state = try control.state(known, advancedBy: snapshot)
            let start = SteadyTime.now
            let (write, summary) = try planner.plan(understood, due: due, snapshot: snapshot, control: state)
            return (write, (summary, SteadyTime.now - start))
        }
    }

    /// After a lost COMMIT reply the offsets tell: they were advanced in the same transaction.
    private func wasCommitted(_ batch: UnderstoodBatch) async throws -> Bool {
        guard case .offsets(let advances) = batch.read.fence else { return false }
        var backoff = Backoff()
        while true {
            do {
                let offsets = try await ledger.committedOffsets()
                return advances.allSatisfy { (offsets[$0.partition] ?? 0) >= $0.to }
            } catch {
                guard error.isRetriable else { throw error }
                try await backoff.wait()
            }
        }
    }
}

/// Waiting times between attempts: doubling from 10 ms to 1 s, with jitter so that workers do not march in step.
struct Backoff {
    private var milliseconds = 10

    mutating func wait() async throws {
        let jittered = SteadyTime.random(in: (milliseconds / 2)...milliseconds)
        milliseconds = min(milliseconds * 2, 1_000)
        try await SteadyTime.sleep(for: .milliseconds(jittered))
    }
}
