public import GrantLedger
public import Logging
import Observability
import Primitives

/// Keeps a worker from deciding and sealing in a database that was not held against the topics, and the HTTP surface from
/// giving out what rests on one.
///
/// Each decide, seal and claim transaction asks which database it runs in; another one than was compared takes the
/// transaction back. The comparison is then made anew, and ends the process when the ledger is behind its topics.
public final class LineageGuard: Sendable {
    private let compared = Lock<LedgerIncarnation?>(nil)
    private let ledger: any LineageLedger
    private let comparison: LedgerComparison
    private let interval: Duration
    private let report: @Sendable (_ isLevel: Bool) -> Void
    private let logger: Logger

    convenience init(
        ledger: any LineageLedger, comparison: LedgerComparison, interval: Duration, metrics: WorkerMetrics,
        logger: Logger
    ) {
        self.init(
            watching: ledger, comparison: comparison, interval: interval, report: { metrics.compared(isLevel: $0) },
            logger: logger)
    }

    /// Makes a guard under which no database is compared yet.
    ///
    /// - Parameters:
    ///   - ledger: is asked which database it is.
    ///   - comparison: holds it against its topics.
    ///   - interval: time between two looks at which database answers.
    ///   - report: told of each comparison that came to a result.
    ///   - logger: takes what happens.
    public convenience init(
        ledger: PostgresLedger, comparison: LedgerComparison, interval: Duration,
        report: @escaping @Sendable (_ isLevel: Bool) -> Void, logger: Logger
    ) {
        self.init(
            watching: ledger, comparison: comparison, interval: interval, report: report, logger: logger)
    }

    private init(
        watching ledger: any LineageLedger, comparison: LedgerComparison, interval: Duration,
        report: @escaping @Sendable (_ isLevel: Bool) -> Void, logger: Logger
    ) {
        self.ledger = ledger
        self.comparison = comparison
        self.interval = interval
        self.report = report
        self.logger = logger
    }

    /// True while the database that answered last is the one that was compared.
    public var isLevel: Bool { compared.withLock { $0 != nil } }

    /// True for the database that was compared. What comes from no database, as in tests of the pure parts, passes.
    public func isCompared(_ incarnation: LedgerIncarnation?) -> Bool {
        guard let incarnation else { return true }
        return compared.withLock { $0 == incarnation }
    }

    /// Refuses to seal in a database that was not compared.
    func requireCompared(_ incarnation: LedgerIncarnation?) throws(LedgerError) {
        guard isCompared(incarnation) else {
            throw LedgerError(.unavailable, "the database is another one than was compared with the topics; comparing")
        }
    }

    /// Holds the compared database against its topics once more.
    ///
    /// The sealer does so behind the broker's fence: between the comparison and the fence a sealer that slept through the
    /// change of the database may have published what it had sealed in the one that is gone. Behind the fence no such
    /// thing comes any more.
    ///
    /// - Returns: the database for which it holds.
    /// - Throws: ``LedgerError/Code/behind``, and then no database is compared any more; ``LedgerError`` for a database
    ///   that was not compared before, or that does not answer.
    func confirm() async throws -> LedgerIncarnation {
        do {
            let incarnation = try await comparison.run()
            try requireCompared(incarnation)
            return incarnation
        } catch let error as LedgerError where error.code == .behind {
            refuse(error)
            throw error
        }
    }

    /// Refuses to publish what the database that answers now does not hold: it was sealed in one that is gone.
    ///
    /// - Throws: ``LedgerError/Code/unavailable`` when it does not hold the batch; ``LedgerError`` when it does not answer.
    func requireHeld(_ batch: SealedBatch) async throws(LedgerError) {
        guard try await ledger.headerHash(ofBatch: batch.number) == batch.headerHash else {
            throw LedgerError(
                .unavailable,
                "batch \(batch.number) is not in the database that answers now, so it is not published: the database was "
                    + "replaced since it was sealed")
        }
    }

    private func refuse(_ error: LedgerError) {
        compared.withLock { $0 = nil }
        report(false)
        logger.log(.ledgerBehind, metadata: ["error": "\(error)"])
    }

    /// Compares, for as long as it takes to reach both sides.
    ///
    /// - Throws: ``LedgerError/Code/behind``, and what else of the ledger no waiting cures; `CancellationError`.
    public func compare(until stop: @Sendable () -> Bool) async throws {
        try await compare(until: stop, preparing: {})
    }

    private func compare(
        until stop: @Sendable () -> Bool, preparing prepare: @Sendable () async throws -> Void
    ) async throws {
        var backoff = Backoff()
        while !stop() {
            do {
                let incarnation = try await comparison.run()
                try await prepare()
                compared.withLock { $0 = incarnation }
                report(true)
                return
            } catch let error as LedgerError where error.code == .behind {
                refuse(error)
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch let error as LedgerError where !error.isRetriable {
                throw error
            } catch {
                logger.log(.ledgerNotCompared, metadata: ["error": "\(error)"])
            }
            try await backoff.wait()
        }
    }

    /// Watches which database answers, and compares whenever it is another one.
    ///
    /// - Parameter prepare: writes into another database what its users rely on, before it counts as compared.
    /// - Throws: what ``compare(until:)`` throws.
    public func run(
        until stop: @escaping @Sendable () -> Bool, preparing prepare: @Sendable () async throws -> Void = {}
    ) async throws {
        while !stop() {
            try await SteadyTime.sleep(for: interval)
            do {
                let standing = try await ledger.standing()
                guard !isCompared(standing.incarnation) else { continue }
                compared.withLock { $0 = nil }
                logger.log(.ledgerChanged, metadata: ["database": "\(standing.incarnation)"])
                try await compare(until: stop, preparing: prepare)
            } catch let error as LedgerError where error.code != .behind {
                // A database that does not answer is nobody's to compare; deciding and sealing wait for it as well.
                logger.log(
                    .ledgerUnidentified, at: error.isRetriable ? .debug : .warning, metadata: ["error": "\(error)"])
            }
        }
    }
}
