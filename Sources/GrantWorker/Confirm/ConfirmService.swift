import ApprovalSources
import ClawWire
import GrantLedger
import GraphConfirmation
import IssuanceRules
import Logging
import Observability
import Primitives
import ReceiptLog

/// The elected asker: reads back from the vendor what sources say, and decides what waits for it.
///
/// Nothing waits for the vendor but the approval itself: partitions move on, and what was said is kept with the note
/// that
/// it is not confirmed. An answer is kept as evidence before anything is decided on it. An approval that was
/// confirmed is
/// asked about again while it lasts, so that its end is seen even if its source falls silent.
final class ConfirmService: Sendable {
    /// Most confirmations taken up at once.
    private static let limit: Int64 = 64
    /// How often the counts are told.
    private static let countInterval: Duration = .seconds(5)

    private let ledger: any Ledger & ConfirmationLedger
    private let worker: WorkerID
    private let decider: Decider
    private let graph: GraphReader
    private let settings: WorkerConfiguration.Confirmation
    private let tenants: [SourceName: Set<String>]
    private let interval: Duration
    private let metrics = ConfirmMetrics()
    private let logger: Logger

    init(
        ledger: any Ledger & ConfirmationLedger, worker: WorkerID, decider: Decider, graph: GraphReader,
        settings: WorkerConfiguration.Confirmation, rules: RuleSet, interval: Duration, logger: Logger
    ) {
        self.ledger = ledger
        self.worker = worker
        self.decider = decider
        self.graph = graph
        self.settings = settings
        tenants = rules.sources.mapValues(\.tenants)
        self.interval = interval
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        var counted: ContinuousClock.Instant?
        try await ledger.hold(.confirmer, for: worker, every: interval, until: stop) { error in
            logger.log(.confirmingRestarted, metadata: ["error": "\(error)"])
        } work: { lease in
            if counted.map({ .now - $0 > Self.countInterval }) ?? true {
                metrics.waits(try await ledger.waitingConfirmations(), isCircuitOpen: graph.isCircuitOpen)
                counted = .now
            }
            while !stop(), try await work(lease) == Self.limit {}
        }
    }

    /// What asking about one confirmation came to.
    private enum Step: Sendable {
        case settled(Settled)
        case delayed(ConfirmationDelay)
    }

    /// An answer that changes something, before it has its place in the ledger.
    private struct Settled: Sendable {
        let verdict: ConfirmationVerdict
        let answer: GraphAnswer
        let due: DueConfirmation
        let subjects: Set<PersonID>
    }

    /// Asks about what is due; returns how many there were.
    private func work(_ lease: RoleLease) async throws -> Int64 {
        let due = try await ledger.dueConfirmations(limit: Self.limit)
        guard !due.isEmpty else { return 0 }
        var steps: [Step] = []
        try await withThrowingTaskGroup(of: Step.self) { group in
            var rest = due[...]
            for confirmation in rest.prefix(settings.concurrency) {
                group.addTask { try await self.ask(confirmation) }
            }
            rest = rest.dropFirst(settings.concurrency)
            while let step = try await group.next() {
                steps.append(step)
                if let next = rest.popFirst() { group.addTask { try await self.ask(next) } }
            }
        }
        try await commit(steps, lease)
        return Int64(due.count)
    }

    private func ask(_ due: DueConfirmation) async throws -> Step {
        guard !due.isApprovalClosed else { return .delayed(due.delay(nil, "approval_closed")) }
        let state: ApprovalState
        do {
            state = try ApprovalState(decoding: due.approval)
        } catch {
            throw LedgerError(.corrupted, "the state of approval \(due.key.approvalID) does not read: \(error)")
        }
        guard !state.isEnded else { return .delayed(due.delay(nil, "approval_ended")) }
        let claim = state.unconfirmedClaim(of: due.key.source)
        guard let kind = claim.entitlements.first?.kind,
            let target = GraphTarget(due.key.approvalID, entitlement: kind)
        else {
            logger.log(
                .unconfirmable, metadata: ["approval": .outside(due.key.approvalID), "source": "\(due.key.source)"])
            return .delayed(due.delay(nil, "not_askable"))
        }
        let start = ContinuousClock.now
        let answer: GraphAnswer
        do {
            answer = try await graph.read(target)
        } catch {
            metrics.failed(error)
            try Task.checkCancellation()
            logger.log(
                .vendorUnreachable, at: error.isRetriable ? .info : .error,
                metadata: ["approval": .outside(due.key.approvalID), "error": "\(error)"])
            let wait = max(error.retryAfter ?? .zero, backoff(due))
            return .delayed(due.delay(wait, error.code.rawValue, isAttempt: true))
        }
        let age = due.now.seconds(since: due.wantedAt)
        let verdict = Confirmation.judge(
            answer, against: claim, tenants: tenants[due.key.source] ?? [],
            isSettled: Duration.seconds(age) >= settings.unknownAfter)
        metrics.answered(verdict, in: .now - start)
        switch verdict {
        case .notYet(let why): return .delayed(due.delay(backoff(due), why, isAttempt: true))
        case .confirmed where due.state == .confirmed && due.answerDigest == answer.digest && claim.isConfirmed:
            return .delayed(due.delay(settings.recheckInterval, "confirmed"))
        case .confirmed:
            if due.state == .waiting { metrics.confirmed(after: .seconds(max(0, age))) }
            return .settled(Settled(verdict: verdict, answer: answer, due: due, subjects: claim.subjects))
        case .over, .contradicted:
            return .settled(Settled(verdict: verdict, answer: answer, due: due, subjects: claim.subjects))
        }
    }

    /// Doubling from the shortest to the longest wait.
    private func backoff(_ due: DueConfirmation) -> Duration {
        var wait = settings.shortestWait
        for _ in 0..<min(max(due.attempts, 0), 16) where wait < settings.longestWait { wait *= 2 }
        return min(wait, settings.longestWait)
    }

    private func commit(_ steps: [Step], _ lease: RoleLease) async throws {
        var delays: [ConfirmationDelay] = []
        var settled: [Settled] = []
        for step in steps {
            switch step {
            case .delayed(let delay): delays.append(delay)
            case .settled(let item): settled.append(item)
            }
        }
        try await ledger.delayConfirmations(delays, under: lease)
        guard !settled.isEmpty else { return }
        let numbers = try await ledger.recordAnswers(
            settled.map { item in
                let (state, why) = item.verdict.standing
                return ConfirmationAnswer(
                    key: item.due.key, state: state, why: why, digest: item.answer.digest,
                    requestIDs: item.answer.requestIDs, askedAt: item.answer.askedAt,
                    answeredAt: item.answer.answeredAt)
            }, under: lease)
        guard numbers.count == settled.count else {
            throw LedgerError(.corrupted, "the ledger kept \(numbers.count) of \(settled.count) answers")
        }
        let confirmations = zip(settled, numbers).map { item, number in
            let isConfirmed = if case .confirmed = item.verdict { true } else { false }
            return SettledConfirmation(
                key: item.due.key, verdict: item.verdict, answer: item.answer, number: number, subjects: item.subjects,
                dueAt: isConfirmed
                    ? Timestamp(
                        microseconds: item.due.now.microseconds
                            + Int64(settings.recheckInterval / .microseconds(1))) : nil)
        }
        try await decider.decide(decider.reader.read(confirmations, under: lease))
        for confirmation in confirmations {
            guard case .contradicted(let why, let sentence) = confirmation.verdict else { continue }
            logger.log(
                .vendorContradicts,
                metadata: [
                    "approval": .outside(confirmation.key.approvalID), "source": "\(confirmation.key.source)",
                    "code": "\(why.rawValue)", "detail": .outside(sentence),
                ])
        }
    }
}

extension DueConfirmation {
    fileprivate func delay(_ wait: Duration?, _ why: String, isAttempt: Bool = false) -> ConfirmationDelay {
        ConfirmationDelay(key: key, wait: wait, why: why, isAttempt: isAttempt)
    }
}
