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
        let done = Lock(false)
        let isDrained: @Sendable () -> Bool = { done.withLock { $0 } }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await self.read(parts, until: isStopping)
                    try await parts.drain(atMost: self.configuration.limits.drainTimeout)
                    done.withLock { $0 = true }
                }
                group.addTask { try await parts.seal.run(until: isDrained) }
                group.addTask { await parts.gauges.run(until: isDrained) }
                if let spans = parts.spans { group.addTask { await spans.run(until: isDrained) } }
                for follower in parts.followers { group.addTask { try await follower.run(until: isDrained) } }
                let surroundings = WorkerSurroundings(
                    configuration: self.configuration, ledger: parts.ledger, keys: parts.keys, rules: parts.rules,
                    policies: PolicyShelf(cache: parts.policies), localStop: self.localStop, lineage: parts.lineage,
                    logger: self.logger)
                for companion in self.companions {
                    group.addTask {
                        await companion.accompany(surroundings, until: isStopping, atMostUntil: isDrained)
                    }
                }
                // The first task to fail ends the others: a worker that lost a part of itself is of no use.
                do {
                    while try await group.next() != nil {}
                } catch {
                    group.cancelAll()
                    throw error
                }
            }
        } catch {
            await parts.leases.leave()
            await parts.close()
            throw error
        }
        await parts.leases.leave()
        await parts.close()
        logger.log(.workerLeft)
    }

    /// Reads, decides and sweeps until told to stop; what is in hand then has the drain's time to be committed, and is
    /// left to others if it cannot be.
    private func read(_ parts: WorkerParts, until isStopping: @escaping @Sendable () -> Bool) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { readers in
            for lane in parts.lanes {
                readers.addTask {
                    try await lane.run(until: isStopping)
                    return true
                }
            }
            readers.addTask {
                try await parts.leases.run(until: isStopping)
                return true
            }
            readers.addTask {
                try await parts.lineage.run(until: isStopping)
                return true
            }
            readers.addTask {
                try await parts.sweep.run(until: isStopping)
                return true
            }
            readers.addTask {
                try await parts.revoke.run(until: isStopping)
                return true
            }
            readers.addTask {
                try await parts.redrive.run(until: isStopping)
                return true
            }
            if let health = parts.health {
                readers.addTask {
                    try await health.run(until: isStopping)
                    return true
                }
            }
            if let control = parts.control {
                readers.addTask {
                    try await control.run(until: isStopping)
                    return true
                }
            }
            if let usage = parts.usage {
                readers.addTask {
                    try await usage.run(until: isStopping)
                    return true
                }
            }
            if let confirm = parts.confirm {
                readers.addTask {
                    try await confirm.run(until: isStopping)
                    return true
                }
            }
            let limits = configuration.limits
            readers.addTask {
                while !isStopping() { try await Task.sleep(for: limits.heartbeatInterval) }
                try await Task.sleep(for: limits.drainTimeout)
                return false
            }
            let optional = [
                parts.control != nil, parts.usage != nil, parts.health != nil, parts.confirm != nil,
            ].count { $0 }
            var open = parts.lanes.count + 5 + optional
            do {
                while open > 0, let isReader = try await readers.next() {
                    guard isReader else {
                        logger.log(.drainTimedOut)
                        break
                    }
                    open -= 1
                }
            } catch {
                readers.cancelAll()
                throw error
            }
            readers.cancelAll()
            while let result = await readers.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }
}
