import ClawWire
import CrashPoints
import GrantLedger
import Keys
import Logging
import Metrics
import Observability
import Primitives
import ReceiptLog

/// The elected sealer: seals what is committed, publishes what is sealed.
///
/// Sealing the next batches and publishing the last ones run side by side; ``SealTurns`` says how far sealing may be ahead,
/// so memory stays bounded when the broker is slow.
final class SealService: Sendable {
    /// Most groups of one round. A group is what one decide transaction left: a handful of receipts when approvals come
    /// one by one, five hundred out of a backlog.
    private static let groupsPerRound = 512
    /// Most bytes of one round, some five hundred receipts: a stop waits for the round that is under way.
    private static let bytesPerRound = 2 << 20
    /// Receipts of a round behind which more can be expected to wait.
    private static let fullRound: Int64 = 250
    /// How long announcements are relied on: after it the sealer looks for itself.
    private static let lookInterval: Duration = .milliseconds(100)
    /// How old the position that is written down may be: what lies behind it is read back when publishing starts anew.
    private static let saveInterval: Duration = .milliseconds(250)
    private let ledger: any Ledger
    private let worker: WorkerID
    private let logID: LogID
    private let keys: KeyRing
    private let publisher: Publisher
    /// Revocations and control results: published beside everything else, and waiting for nothing of it.
    private let controlPublisher: Publisher
    private let heads: RevocationHeads
    private let statusLists: StatusListService?
    private let kept: KeptTokens?
    private let lineage: LineageGuard?
    private let limits: WorkerConfiguration.Limits
    /// Of any token under the rules.
    private let longestLife: Duration
    private let clock: @Sendable () -> Timestamp
    private let metrics: WorkerMetrics
    private let logger: Logger

    /// What the control lane does next.
    private enum ControlWork: Sendable {
        /// Publishes what these batches hold for it.
        case publish([SealedBatch])
        /// States how far it is.
        case state
    }

    init(
        ledger: any Ledger, worker: WorkerID, logID: LogID, keys: KeyRing, publisher: Publisher,
        controlPublisher: Publisher, heads: RevocationHeads, statusLists: StatusListService?,
        kept: KeptTokens? = nil, lineage: LineageGuard?, limits: WorkerConfiguration.Limits,
        longestLife: Duration, clock: @escaping @Sendable () -> Timestamp, metrics: WorkerMetrics,
        logger: Logger
    ) {
        self.ledger = ledger
        self.worker = worker
        self.logID = logID
        self.keys = keys
        self.publisher = publisher
        self.controlPublisher = controlPublisher
        self.heads = heads
        self.statusLists = statusLists
        self.kept = kept
        self.lineage = lineage
        self.limits = limits
        self.longestLife = longestLife
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Competes for the role and does its work until stopped. A broker that does not answer keeps nobody: what is on its
    /// way is given up a lease's lifetime after the stop, and at once when the task is cancelled.
    func run(until stop: @escaping @Sendable () -> Bool) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.compete(until: stop) }
            group.addTask {
                do {
                    while !stop() { try await SteadyTime.sleep(for: self.limits.heartbeatInterval) }
                    try await SteadyTime.sleep(for: self.limits.leaseLifetime)
                } catch {
                    // Cancelled: the same is due now.
                }
                await self.dropPublishers()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func compete(until stop: @escaping @Sendable () -> Bool) async throws {
        try await ledger.hold(.sealer, for: worker, every: limits.heartbeatInterval, until: stop) { error in
            metrics.publishFailures.increment()
            logger.log(.sealingRestarted, metadata: ["error": "\(error)"])
            await dropPublishers()
        } work: { lease in
            logger.log(.sealing, metadata: ["epoch": "\(lease.epoch.value)"])
            try await lead(lease, until: stop)
        }
        await dropPublishers()
    }

    private func lead(_ lease: RoleLease, until stop: @escaping @Sendable () -> Bool) async throws {
        kept?.open()
        defer { kept?.close() }
        for publisher in [controlPublisher, publisher] {
            try await publisher.recover()
            try await catchUp(publisher, lease)
        }
        // Behind both fences, and for what follows: whatever this worker holds of a batch is of one database.
        let database = try await lineage?.confirm()
        let (rounds, feed) = AsyncStream.makeStream(of: [SealedBatch].self, bufferingPolicy: .unbounded)
        let (controlRounds, controlFeed) = AsyncStream.makeStream(of: ControlWork.self, bufferingPolicy: .unbounded)
        let turns = SealTurns(distance: limits.sealInterval)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !stop() {
                    if let priority = try await self.ledger.waitForWork(atMost: Self.lookInterval) {
                        turns.announced(priority)
                    }
                }
            }
            group.addTask {
                defer {
                    feed.finish()
                    controlFeed.finish()
                }
                var quiet = SteadyTime.now
                var ends = SteadyTime.now
                var saved = SteadyTime.now
                while !stop() {
                    try Task.checkCancellation()
                    let turn = await turns.next(atMost: Self.lookInterval)
                    CrashPoint.pass(.sealDue)
                    let batches = try await self.sealOnce(
                        lease, in: database, controlAlone: turn == .controlAlone, quiet: quiet, nextEnds: &ends)
                    if batches.isEmpty {
                        // Not at each pause: when approvals come one by one, every one of them would pay for a commit.
                        if turn == .everything, SteadyTime.now - saved > Self.saveInterval {
                            if turns.isLevel { try await self.publisher.savePosition(under: lease) }
                            try await self.controlPublisher.savePosition(under: lease)
                            saved = SteadyTime.now
                        }
                    } else {
                        quiet = SteadyTime.now
                        let receipts = batches.reduce(0) { $0 + $1.lastPosition - $1.firstPosition + 1 }
                        turns.sealed(turn, isFull: receipts >= Self.fullRound)
                        controlFeed.yield(.publish(batches))
                        feed.yield(batches)
                        CrashPoint.pass(.sealHandedOn)
                    }
                }
            }
            group.addTask {
                var saved = SteadyTime.now
                for await batches in rounds {
                    defer { turns.published() }
                    try await self.publisher.publish(batches)
                    if SteadyTime.now - saved > Self.saveInterval {
                        try await self.publisher.savePosition(under: lease)
                        saved = SteadyTime.now
                    }
                }
                try await self.publisher.savePosition(under: lease)
            }
            group.addTask {
                // One after the other: a head stands behind all that it speaks of and before all that it does not.
                var answers: Int64?
                for await work in controlRounds {
                    switch work {
                    case .publish(let batches):
                        try await self.controlPublisher.publish(batches)
                        // Whoever declared a stop waits for this to be written down.
                        guard let answered = batches.last?.nextSequence[Int(OutputStream.controlResults.rawValue)],
                            answered != answers
                        else { continue }
                        answers = answered
                        try await self.controlPublisher.savePosition(under: lease)
                    case .state:
                        try await self.heads.publish(through: self.controlPublisher)
                        try await self.controlPublisher.savePosition(under: lease)
                    }
                }
                try await self.controlPublisher.savePosition(under: lease)
            }
            group.addTask {
                while !stop() {
                    controlFeed.yield(.state)
                    try await SteadyTime.sleep(for: RevocationHeads.interval)
                }
            }
            if let statusLists { group.addTask { try await statusLists.run(until: stop) } }
            // Whichever ends first with an error ends the others: they share one lease.
            do {
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    private func dropPublishers() async {
        await controlPublisher.drop()
        await publisher.drop()
    }

    /// Publishes what an earlier sealer left sealed and unpublished.
    private func catchUp(_ publisher: Publisher, _ lease: RoleLease) async throws {
        while true {
            let left = try await ledger.batches(from: publisher.nextBatch, limit: 8)
            if left.isEmpty { return CrashPoint.pass(publisher.lane.crashPoints.caughtUp) }
            try await publisher.publish(left)
            try await publisher.savePosition(under: lease)
        }
    }

    /// - Parameters:
    ///   - database: in which the topics were held against the ledger; `nil` where they are not.
    ///   - quiet: since when nothing was sealed.
    ///   - nextEnds: when to look for revocations that are over; moved on after a look.
    private func sealOnce(
        _ lease: RoleLease, in database: LedgerIncarnation?, controlAlone: Bool, quiet: ContinuousClock.Instant,
        nextEnds: inout ContinuousClock.Instant
    ) async throws -> [SealedBatch] {
        let sealer = BatchSealer(logID: logID, signer: try keys.signer(for: .receipt, at: clock()))
        let start = SteadyTime.now
        // By this process's clock alone: the ledger's may be set back, and then it would be due at once and for ever.
        let isHeartbeatDue = !controlAlone && (limits.logHeartbeatInterval.map { start - quiet >= $0 } ?? false)
        let worker = worker
        let beat: @Sendable (Timestamp) throws -> Effect = { try BatchSealer.heartbeat(of: worker, at: $0) }
        var ending: RevocationEnding?
        let found = Lock(0)
        if !controlAlone, start >= nextEnds {
            ending = RevocationEnding(
                grace: limits.revocationGrace, unknownTokenLife: longestLife,
                maximumTokens: RevocationEnds.maximumTokens,
                maximumCutoffs: RevocationEnds.maximumCutoffs
            ) { ended in
                found.withLock { $0 = max(ended.tokens.count, ended.cutoffs.count) }
                return try RevocationEnds.effect(ended, by: worker)
            }
        }
        do {
            let batches = try await ledger.seal(
                under: lease, maximumGroups: Self.groupsPerRound,
                maximumBytes: controlAlone ? 0 : Self.bytesPerRound,
                whenIdle: isHeartbeatDue ? beat : nil, ending: ending
            ) { input in
                try lineage?.requireCompared(input.incarnation)
                if let database, let present = input.incarnation, present != database {
                    throw LedgerError(
                        .unavailable, "the database is another one than sealing began in; sealing begins anew")
                }
                return try sealer.seal(input)
            }
            // There may be more at once; what is left of less than a chunk can wait.
            if ending != nil, found.withLock({ $0 }) < RevocationEnds.maximumCutoffs {
                nextEnds = start + RevocationEnds.interval
            }
            if !batches.isEmpty { metrics.sealed(batches, in: SteadyTime.now - start) }
            return batches
        } catch let error as LedgerError where error.code == .outcomeUnknown || error.code == .conflict {
            // Either the batches are in the ledger, and catching up finds them, or they are not, and sealing makes them.
            throw error
        }
    }
}
