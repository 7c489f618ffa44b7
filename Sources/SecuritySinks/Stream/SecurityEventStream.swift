import ClawWire
import GrantLedger
public import GrantWorker
import Logging
import Observability
import Postgres
import ReceiptLog
import SecurityEvents

/// Streams the receipts of the log, as security events, to every sink of the configuration.
///
/// One worker does it, elected by the ledger. Each sink has a task, a position and a memory of its own: a slow or dead one
/// holds up no other, and none holds up issuing, which shares nothing with them, not even sessions of the database.
public struct SecurityEventStream: WorkerCompanion {
    /// Sessions of the database for all sinks together.
    private static let sessions = 2

    /// `security-events`.
    public var name: String { "security-events" }
    private let settings: SecurityEventSettings
    private let version: String
    private let make: @Sendable (SecurityEventSettings.Sink, SinkSurroundings) throws -> any SecurityEventSink

    /// Makes a stream.
    ///
    /// - Parameters:
    ///   - settings: what is streamed where.
    ///   - version: the program's, told in every event.
    ///   - make: makes the sinks.
    public init(
        _ settings: SecurityEventSettings, version: String,
        make: @escaping @Sendable (SecurityEventSettings.Sink, SinkSurroundings) throws -> any SecurityEventSink = {
            try $0.open($1)
        }
    ) {
        self.settings = settings
        self.version = version
        self.make = make
    }

    /// Streams until the worker leaves.
    public func run(
        _ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool
    ) async throws {
        var database = surroundings.configuration.database
        PostgresLedger.configure(&database, worker: surroundings.configuration.workerID)
        database.poolSize = Self.sessions
        let pool = PostgresPool(database)
        let ledger = PostgresLedger(pool: pool, configuration: database)
        let logger = surroundings.logger
        let made = SinkSurroundings(
            kafka: surroundings.configuration.kafka, keys: surroundings.keys, logger: logger)
        let sinks = settings.sinks.map { sink -> (SecurityEventSettings.Sink, any SecurityEventSink) in
            do {
                return (sink, try make(sink, made))
            } catch {
                logger.log(.sinkUnusable, metadata: ["sink": "\(sink.name)", "reason": "\(error)"])
                return (sink, UnusableSink(name: sink.name, reason: "\(error)"))
            }
        }
        do {
            try await run(
                sinks, ledger, logID: surroundings.configuration.logID, worker: surroundings.configuration.workerID,
                every: surroundings.configuration.limits.heartbeatInterval, logger, until: isStopping)
            await close(sinks, pool, ledger)
        } catch {
            await close(sinks, pool, ledger)
            throw error
        }
    }

    /// Drives sinks over a ledger whenever this worker is elected.
    func run(
        _ sinks: [(SecurityEventSettings.Sink, any SecurityEventSink)], _ ledger: any Ledger & SecurityEventLedger,
        logID: LogID, worker: WorkerID, every interval: Duration, _ logger: Logger,
        until stop: @escaping @Sendable () -> Bool
    ) async throws {
        let producer = EventProducer(version: version, logID: logID, workerID: worker, tenant: settings.tenant)
        try await ledger.hold(.securityEvents, for: worker, every: interval, until: stop) { error in
            logger.log(.sinksRestarted, metadata: ["error": "\(error)"])
            // Whoever is elected next may need what they hold: a file that one process at a time may write.
            await close(sinks)
        } work: { lease in
            logger.log(.sinksStreaming, metadata: ["sinks": "\(sinks.map(\.0.name))"])
            let parts = StreamParts(
                ledger: ledger,
                reader: EventReader(
                    ledger: ledger, producer: producer, pollInterval: settings.pollInterval,
                    maximumBytes: settings.readAheadBytes),
                lease: lease, pollInterval: settings.pollInterval, heartbeats: HeartbeatPacer(), logger: logger)
            let starts = Dictionary(sinks.map { ($0.0.name, $0.0.start.inLedger) }) { first, _ in first }
            let positions = try await ledger.openSinks(starts, under: lease)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (settings, sink) in sinks {
                    guard let position = positions[sink.name] else { continue }
                    group.addTask {
                        var driver = SinkDriver(sink, settings, at: position, parts)
                        try await driver.run(until: stop)
                    }
                }
                group.addTask { try await Self.keep(lease, in: ledger, every: interval, until: stop) }
                // The first to fail ends the others: the role is lost, or the ledger is.
                while try await group.next() != nil {}
            }
        }
    }

    /// Looks whether the role is still held, as an idle stream would not notice.
    private static func keep(
        _ lease: RoleLease, in ledger: any Ledger, every interval: Duration, until stop: @Sendable () -> Bool
    ) async throws {
        while !stop() {
            try await Task.sleep(for: interval)
            do {
                guard try await ledger.claim(role: lease.role, for: lease.owner) == lease else {
                    throw LedgerError(.fenced, "the role \(lease.role.rawValue) is held by another worker")
                }
            } catch let error as LedgerError where error.isRetriable {
                continue
            }
        }
    }

    private func close(
        _ sinks: [(SecurityEventSettings.Sink, any SecurityEventSink)], _ pool: PostgresPool, _ ledger: PostgresLedger
    ) async {
        await close(sinks)
        await ledger.close()
        await pool.shutdown()
    }

    private func close(_ sinks: [(SecurityEventSettings.Sink, any SecurityEventSink)]) async {
        await withTaskGroup(of: Void.self) { group in
            for (_, sink) in sinks { group.addTask { await sink.close() } }
        }
    }
}

extension SecurityEventSettings.Start {
    fileprivate var inLedger: SinkStart {
        switch self {
        case .beginning: .position(0)
        case .now: .end
        case .position(let position): .position(position)
        }
    }
}

/// Stands for a sink that could not be made, so that its failure is told like any other.
struct UnusableSink: SecurityEventSink {
    let name: String
    let reason: String
    var maximumEvents: Int { 1 }
    var maximumBytes: Int { 1 }

    func rendered(_ event: SecurityEvent) -> [UInt8] { [] }

    func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        throw SinkFailure(.misconfigured, "\(reason); correct the configuration and start the worker again")
    }

    func close() async {}
}
