import ClawWire
import CrashPoints
import GrantLedger
import IssuanceRules
import Logging
import Observability
import Primitives
import ReceiptLog

/// The elected sweeper: times out what waits too long, looks again at what waits for a WPC, closes approvals whose time is
/// over.
final class SweepService: Sendable {
    private static let limit = 200
    /// How often the counts of grants are folded: a stop reads what has come since, a row for each transaction.
    private static let foldInterval: Duration = .seconds(10)
    /// How often control orders are looked through for those that can never matter again, and most taken away at once.
    private static let pruneInterval: Duration = .seconds(3_600)
    private static let pruneLimit = 500
    private let ledger: any Ledger
    private let worker: WorkerID
    private let decider: Decider
    private let days: DayPartitions
    private let limits: WorkerConfiguration.Limits
    private let logger: Logger

    init(
        ledger: any Ledger, worker: WorkerID, decider: Decider, days: DayPartitions, limits: WorkerConfiguration.Limits,
        logger: Logger
    ) {
        self.ledger = ledger
        self.worker = worker
        self.decider = decider
        self.days = days
        self.limits = limits
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        var daysMade = SteadyTime.now
        var folded = SteadyTime.now
        var pruned: ContinuousClock.Instant?
        try await ledger.hold(.sweeper, for: worker, every: limits.sweepInterval, until: stop) { error in
            logger.log(.sweepFailed, metadata: ["error": "\(error)"])
        } work: { lease in
            if SteadyTime.now - daysMade > DayPartitions.interval {
                try await days.ensure()
                daysMade = SteadyTime.now
            }
            if SteadyTime.now - folded > Self.foldInterval {
                try await ledger.foldTallies()
                folded = SteadyTime.now
            }
            if pruned.map({ SteadyTime.now - $0 > Self.pruneInterval }) ?? true {
                try await pruneControlOrders(lease, until: stop)
                pruned = SteadyTime.now
            }
            while !stop(), try await sweep(lease) == Self.limit {}
        }
    }

    /// Takes away the control orders that can never matter again, in chunks.
    private func pruneControlOrders(_ lease: RoleLease, until stop: @Sendable () -> Bool) async throws {
        let day: Int64 = 86_400
        while !stop() {
            let rows = try await ledger.controlState(after: 0)
            let state = try ControlState.none.advanced(to: rows.position, with: rows.orders)
            let instant = rows.now.adding(seconds: -limits.maximumEventAge - day)
            let over = state.prunable(before: instant, limit: Self.pruneLimit)
            guard !over.isEmpty else { return }
            let count = try await ledger.pruneControlOrders(
                Dictionary(over.map { ($0.key, $0.position) }) { first, _ in first }, under: lease)
            logger.log(.ordersPruned, metadata: ["orders": "\(count)"])
            guard over.count == Self.pruneLimit, count > 0 else { return }
        }
    }

    /// Decides what is due; returns the larger of the two counts, at most ``limit``.
    private func sweep(_ lease: RoleLease) async throws -> Int {
        let due = try await ledger.due(limit: Self.limit)
        guard !due.requests.isEmpty || !due.approvals.isEmpty else { return 0 }
        CrashPoint.pass(.sweepDue)
        let batch = Self.batch(due, DecideRead(worker: worker, fence: .role(lease)))
        try await decider.decide(batch, due: due)
        return max(due.requests.count, due.approvals.count)
    }

    /// A batch without records that reads everything by which what is due may be decided.
    static func batch(_ due: DueWork, _ read: DecideRead) -> UnderstoodBatch {
        var batch = UnderstoodBatch(read: read)
        for request in due.requests {
            batch.read.requestIDs.insert(request.requestID)
            if let approval = request.approvalReference {
                batch.read.approvalIDs.insert(approval)
                batch.read.meetingApprovalIDs.insert(approval)
            }
            if let ticket = request.ticketReference { batch.read.tickets.insert(ticket) }
            if let subject = request.subjectReference { batch.read.subjects.insert(subject) }
        }
        for approval in due.approvals {
            batch.read.approvalIDs.insert(approval)
            batch.read.meetingApprovalIDs.insert(approval)
            batch.read.endingApprovalIDs.insert(approval)
        }
        return batch
    }
}

/// Keeps the ledger's day partitions ahead of the events that are taken.
struct DayPartitions: Sendable {
    /// How often to look; partitions are made two days ahead.
    static let interval: Duration = .seconds(3_600)
    let ledger: any Ledger
    let limits: WorkerConfiguration.Limits

    /// Makes a partition for each day that an event may be dated to.
    func ensure() async throws {
        let day: Int64 = 86_400
        try await ledger.ensureDays(
            past: Int32(clamping: min(limits.maximumEventAge, 365 * day) / day + 1),
            future: Int32(clamping: min(limits.maximumEventAhead, 30 * day) / day + 2))
    }
}
