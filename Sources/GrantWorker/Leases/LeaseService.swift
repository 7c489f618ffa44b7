import CrashPoints
import GrantLedger
import Kafka
import Logging
import Metrics
import Observability
import Primitives
import ReceiptLog

/// Keeps this worker alive in the ledger and its lanes supplied with their share of partitions.
final class LeaseService: Sendable {
    /// Time between looks at the broker's topics, for partitions that were added.
    private static let topicInterval: Duration = .seconds(10)
    private let ledger: any Ledger
    private let worker: WorkerID
    private let lanes: [DecideLane]
    private let topics: [String]
    private let admin: any ClusterDescription
    private let offsets: any RecordConsumer
    private let limits: WorkerConfiguration.Limits
    private let metrics: WorkerMetrics
    private let logger: Logger
    private let counts = Lock<[String: Int32]>([:])
    private let starts = Lock<[InputPartition: Int64]>([:])

    init(
        ledger: any Ledger, worker: WorkerID, lanes: [DecideLane], topics: [String], admin: any ClusterDescription,
        offsets: any RecordConsumer, limits: WorkerConfiguration.Limits,
        metrics: WorkerMetrics, logger: Logger
    ) {
        self.ledger = ledger
        self.worker = worker
        self.lanes = lanes
        self.topics = topics
        self.admin = admin
        self.offsets = offsets
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
    }

    /// Beats until stopped. Asking the broker for its topics runs beside the heartbeat: a broker that does not answer
    /// must not cost this worker its life.
    func run(until stop: @escaping @Sendable () -> Bool) async throws {
        let began = SteadyTime.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.follow() }
            while !stop() {
                try Task.checkCancellation()
                do {
                    // The server may be told late that a process is gone; after a lease's lifetime it makes no difference.
                    if SteadyTime.now - began < limits.leaseLifetime { try await endPredecessors() }
                    try await beat()
                } catch let error as LedgerError {
                    logger.log(.heartbeatFailed, metadata: ["error": "\(error)"])
                }
                try await SteadyTime.sleep(for: limits.heartbeatInterval)
            }
            group.cancelAll()
        }
    }

    /// Makes this worker known to the ledger, in place of its earlier starts.
    func begin() async throws(LedgerError) {
        try await endPredecessors()
        try await stayAlive()
    }

    /// Ends what is left of this worker's earlier starts, so that a process which was killed and started again does not
    /// wait for its own leases.
    private func endPredecessors() async throws(LedgerError) {
        let ended = try await ledger.endPredecessors(of: worker)
        guard !ended.isEmpty else { return }
        metrics.predecessorsEnded.increment(by: ended.count)
        logger.log(
            .predecessorsEnded, metadata: ["workers": "\(ended.map { "\($0)" }.sorted().joined(separator: " "))"])
    }

    /// Stays alive without taking anything up, for as long as this worker finishes what it has begun.
    func linger() async throws {
        while true {
            do {
                try await stayAlive()
            } catch {
                try Task.checkCancellation()
                logger.log(.heartbeatFailed, metadata: ["error": "\(error)"])
            }
            try await SteadyTime.sleep(for: limits.heartbeatInterval)
        }
    }

    /// A heartbeat that asks for no partitions.
    private func stayAlive() async throws(LedgerError) {
        _ = try await ledger.heartbeat(
            worker: worker, lifetime: limits.leaseLifetime, topics: [:], initialOffset: { _ in 0 })
    }

    private func follow() async throws {
        while !Task.isCancelled {
            await learnTopics()
            let isReady = counts.withLock { !$0.isEmpty }
            do {
                try await SteadyTime.sleep(for: isReady ? Self.topicInterval : limits.heartbeatInterval)
            } catch {
                return
            }
        }
    }

    /// Gives everything back, so that others need not wait for this worker's lease to run out. A ledger that does not
    /// answer within the lease's lifetime is not waited for: by then others have taken over.
    func leave() async {
        let lifetime = limits.leaseLifetime
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    CrashPoint.pass(.leaving)
                    try await self.ledger.leave(worker: self.worker)
                    CrashPoint.pass(.left)
                } catch {
                    self.logger.log(.leavingFailed, metadata: ["error": "\(error)"])
                }
            }
            group.addTask { try? await SteadyTime.sleep(for: lifetime) }
            await group.next()
            group.cancelAll()
        }
    }

    private func learnTopics() async {
        do {
            let metadata = try await admin.metadata(timeout: .seconds(10))
            // A topic that the broker has no answer for at the moment keeps its partitions.
            var found = counts.withLock { $0 }
            for topic in topics {
                guard let description = metadata.topics[topic], description.error == nil,
                    !description.partitions.isEmpty
                else {
                    logger.log(.topicMissing, metadata: ["topic": "\(topic)"])
                    continue
                }
                found[topic] = Int32(description.partitions.count)
            }
            for (topic, count) in found { try await learnStarts(of: topic, count) }
            counts.withLock { $0 = found }
        } catch {
            logger.log(.topicsUnknown, metadata: ["error": "\(error)"])
        }
    }

    /// A partition that the ledger has never seen is read from the first offset that still exists.
    private func learnStarts(of topic: String, _ count: Int32) async throws {
        for partition in 0..<count {
            let key = InputPartition(topic: topic, partition: partition)
            if starts.withLock({ $0[key] != nil }) { continue }
            let marks = try await offsets.watermarks(key.kafka, timeout: .seconds(10))
            starts.withLock { $0[key] = marks.low }
        }
    }

    private func beat() async throws {
        let topics = counts.withLock { $0 }
        guard !topics.isEmpty else { return }
        let known = starts.withLock { $0 }
        CrashPoint.pass(.beatDue)
        // Asked before the ledger is: what was committed by then, it must know.
        let committed = lanes.reduce(into: [InputPartition: Int64]()) { $0.merge($1.positions) { $1 } }
        let view = try await ledger.heartbeat(
            worker: worker, lifetime: limits.leaseLifetime, topics: topics,
            initialOffset: { known[$0] ?? 0 })
        var assigned: [InputPartition: LeaseEpoch] = [:]
        for lane in lanes { assigned.merge(lane.epochs) { $1 } }
        let reading = lanes.reduce(into: Set<InputPartition>()) { $0.formUnion($1.partitions) }
        let held = Dictionary(uniqueKeysWithValues: view.held.map { ($0.partition, $0) })
        // A ledger that went back, as a replica does that takes over before it had everything, is followed: what its lost
        // transactions had decided is read again, whether or not something new comes to these partitions.
        let lost = assigned.filter { partition, epoch in
            guard let lease = held[partition], lease.epoch == epoch else { return true }
            return lease.nextOffset < committed[partition] ?? 0
        }.map(\.key)
        await layDown(Set(lost))
        CrashPoint.pass(.leasesLost)
        let fresh = view.held.filter { !reading.contains($0.partition) || lost.contains($0.partition) }
        for lease in fresh {
            lanes.min { $0.partitions.count < $1.partitions.count }?.add([lease])
        }
        CrashPoint.pass(.leasesHandedOut)
        if view.surplus > 0 {
            // By number before topic, as they are claimed: each worker keeps its share of every topic.
            let order = view.held.map(\.partition).sorted { ($0.partition, $0.topic) < ($1.partition, $1.topic) }
            let giving = Set(order.suffix(view.surplus))
            await layDown(giving)
            CrashPoint.pass(.surplusLaidDown)
            try await ledger.release(partitions: giving, of: worker)
            CrashPoint.pass(.surplusReleased)
        }
        if !fresh.isEmpty || !lost.isEmpty || view.surplus > 0 {
            logger.log(
                .partitionsChanged,
                metadata: [
                    "held": "\(view.held.count - view.surplus)", "taken": "\(fresh.count)", "lost": "\(lost.count)",
                    "given": "\(view.surplus)", "workers": "\(view.liveWorkers)",
                ])
        }
    }

    private func layDown(_ partitions: Set<InputPartition>) async {
        for lane in lanes {
            let mine = lane.partitions.intersection(partitions)
            if !mine.isEmpty { await lane.remove(mine) }
        }
    }
}
