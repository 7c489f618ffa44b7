import ApprovalSources
import Foundation
import GrantLedger
import IssuanceRules
import Kafka
import Keys
public import Logging
public import Metrics
import Observability
import Postgres
import Primitives

/// One worker: reads, decides, seals, publishes, sweeps, until it is told to stop.
///
/// Services start in the order of their needs and stop in reverse: lanes finish their batch, partitions and roles are
/// given back, what is sealed is published, connections close.
public final class Worker: Sendable {
    private let configuration: WorkerConfiguration
    private let logger: Logger
    private let stopping = Lock(false)
    private let localStop: LocalStop
    private let companions: [any WorkerCompanion]
    private let metrics: any MetricsFactory

    /// Makes a worker; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - configuration: what it is told.
    ///   - companions: services that live and end with it.
    ///   - metrics: takes its metrics.
    ///   - logger: takes its log.
    public init(
        configuration: WorkerConfiguration, companions: [any WorkerCompanion] = [],
        metrics: any MetricsFactory = MetricsSystem.factory, logger: Logger
    ) {
        self.metrics = metrics
        self.configuration = configuration
        self.companions = companions
        localStop = LocalStop(file: configuration.control.stopFile)
        var logger = logger
        logger[metadataKey: "worker"] = "\(configuration.workerID)"
        self.logger = logger
    }

    /// Asks the worker to finish what it has in hand and to leave. Returns at once; ``run()`` returns when it is done.
    public func stop() { stopping.withLock { $0 = true } }

    /// Halts issuing by this worker until its process ends, whatever else can be reached. It goes on sealing, publishing
    /// and applying control events.
    public func halt() { localStop.stop() }

    /// Runs until ``stop()``.
    ///
    /// - Throws: what keeps the worker from starting, with what to do about it; what ends it although it should go on.
    public func run() async throws {
        let isStopping: @Sendable () -> Bool = { [stopping] in stopping.withLock { $0 } }
        let parts = try await withMetricsFactory(metrics) {
            try await WorkerParts.open(configuration, localStop: localStop, logger: logger, until: isStopping)
        }
        logger.log(.workerStarts, metadata: ["log": "\(configuration.logID)", "rules": "\(parts.rules.hash)"])
        do {
            let surroundings = WorkerSurroundings(
                configuration: configuration, ledger: parts.ledger, keys: parts.keys, rules: parts.rules,
                policies: PolicyShelf(cache: parts.policies), localStop: localStop, lineage: parts.lineage,
                logger: logger)
            let companions = companions.map { companion -> CoreServices.Follower in
                { await companion.accompany(surroundings, until: $0, atMostUntil: $1) }
            }
            try await parts.core.run(
                with: parts.readers, followed: parts.followers + companions, until: isStopping)
        } catch {
            await parts.core.leave()
            await parts.close()
            throw error
        }
        await parts.core.leave()
        await parts.close()
        logger.log(.workerLeft)
    }
}
