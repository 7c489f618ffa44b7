import ApprovalSources
import ClawWire
import CrashPoints
import GrantLedger
import Kafka
import Logging
import Observability
import Primitives
import ReceiptLog

/// One consumer and one decide transaction at a time, over some of the worker's partitions.
///
/// The order of work per partition is the order of its offsets, because a partition belongs to one lane and a lane
/// decides one batch after the other. Several lanes keep the database and the signing core busy at the same time.
final class DecideLane: Sendable {
    private struct Held {
        var leases: [InputPartition: PartitionLease] = [:]
        /// The next offset to be committed, as this lane knows it.
        var next: [InputPartition: Int64] = [:]
    }

    private let consumer: any RecordConsumer
    private let decider: Decider
    private let limits: WorkerConfiguration.Limits
    private let logger: Logger
    private let held = Lock(Held())
    private let commands = Lock(Commands())
    private let lag = Lag()

    /// Offsets for lag displays that are still to be committed.
    private final class Lag: Sendable {
        struct State {
            var offsets: [TopicPartition: Int64] = [:]
            var isOnItsWay = false
        }

        private let state = Lock(State())

        func withLock<Result>(_ body: (inout State) -> Result) -> Result { state.withLock(body) }

        /// What is to be committed next; without anything, nothing is on its way any more.
        func take() -> [TopicPartition: Int64]? {
            state.withLock { state in
                defer { state.offsets = [:] }
                state.isOnItsWay = !state.offsets.isEmpty
                return state.isOnItsWay ? state.offsets : nil
            }
        }
    }

    private struct Commands {
        var waiting: [Command] = []
        /// Set under the same lock that takes commands in, so that none is left behind without an answer.
        var isOver = false
    }

    private enum Command {
        case add([PartitionLease])
        case remove(Set<InputPartition>, CheckedContinuation<Void, Never>)
    }

    init(consumer: any RecordConsumer, decider: Decider, limits: WorkerConfiguration.Limits, logger: Logger) {
        self.consumer = consumer
        self.decider = decider
        self.limits = limits
        self.logger = logger
    }

    /// Partitions this lane reads, those that are about to be added included.
    var partitions: Set<InputPartition> {
        var all = Set(held.withLock { $0.leases.keys })
        commands.withLock { commands in
            for case .add(let leases) in commands.waiting { all.formUnion(leases.map(\.partition)) }
        }
        return all
    }

    /// The next offset to be committed of each partition it reads.
    var positions: [InputPartition: Int64] { held.withLock { $0.next } }

    /// The epochs this lane commits under.
    var epochs: [InputPartition: LeaseEpoch] { held.withLock { $0.leases.mapValues(\.epoch) } }

    /// Takes partitions up before the next batch.
    func add(_ leases: [PartitionLease]) {
        guard !leases.isEmpty else { return }
        commands.withLock { $0.waiting.append(.add(leases)) }
    }

    /// Lays partitions down; returns when no batch of theirs is in flight any more.
    func remove(_ partitions: Set<InputPartition>) async {
        guard !partitions.isEmpty else { return }
        await withCheckedContinuation { continuation in
            let isOver = commands.withLock { commands in
                if !commands.isOver { commands.waiting.append(.remove(partitions, continuation)) }
                return commands.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    /// Reads and decides until stopped; the batch in hand is finished first.
    func run(until stop: @Sendable () -> Bool) async throws {
        var signatures = BatchSignatureCache(capacity: 4_096)
        defer { finish() }
        while !stop() {
            try Task.checkCancellation()
            try await obeyCommands()
            let batch: ConsumedBatch
            do {
                batch = try await consumer.nextBatch(
                    maximumRecords: limits.batchRecords, maximumBytes: limits.batchBytes, linger: limits.batchLinger,
                    timeout: .milliseconds(100))
            } catch let error as KafkaError where !error.isFatal && !error.isClosed {
                await recover(from: error)
                continue
            }
            if batch.records.isEmpty { continue }
            CrashPoint.pass(.batchFetched)
            signatures = try await decide(batch, signatures, until: stop)
        }
    }

    private func finish() {
        let rest = commands.withLock { commands in
            commands.isOver = true
            defer { commands.waiting.removeAll() }
            return commands.waiting
        }
        for case .remove(_, let continuation) in rest { continuation.resume() }
    }

    /// Takes one command after the other: when one fails, whoever waits for those behind it is told by ``finish()``.
    private func obeyCommands() async throws {
        while let command = commands.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
            switch command {
            case .add(let leases):
                var positions: [TopicPartition: Int64] = [:]
                held.withLock { held in
                    for lease in leases where held.leases[lease.partition] == nil {
                        held.leases[lease.partition] = lease
                        held.next[lease.partition] = lease.nextOffset
                        positions[lease.partition.kafka] = lease.nextOffset
                    }
                }
                guard !positions.isEmpty else { continue }
                try await consumer.add(positions)
                CrashPoint.pass(.partitionsTaken)
            case .remove(let partitions, let continuation):
                await lay(down: partitions)
                CrashPoint.pass(.partitionsLaidDown)
                continuation.resume()
            }
        }
    }

    private func lay(down partitions: Set<InputPartition>) async {
        held.withLock { held in
            for partition in partitions {
                held.leases[partition] = nil
                held.next[partition] = nil
            }
        }
        do {
            try await consumer.remove(Set(partitions.map(\.kafka)))
        } catch {
            logger.log(.unassignFailed, metadata: ["error": "\(error)"])
        }
    }

    /// A partition whose position is not in the log: what retention took is lost and said so; a log that is shorter than
    /// what was already committed is not read at all. A partition that cannot be put right now is laid down: the next
    /// heartbeat takes it up again where the ledger stands.
    private func recover(from error: KafkaError) async {
        guard let topicPartition = error.topicPartition else {
            logger.log(.consumerFailed, metadata: ["error": "\(error)"])
            return
        }
        let partition = InputPartition(topic: topicPartition.topic, partition: topicPartition.partition)
        guard let next = held.withLock({ $0.next[partition] }) else { return }
        do {
            let marks = try await consumer.watermarks(topicPartition, timeout: .seconds(2))
            if next < marks.low {
                logger.log(
                    .inputDeleted, metadata: ["partition": "\(partition)", "from": "\(next)", "to": "\(marks.low)"])
                try await consumer.seek([topicPartition: marks.low])
            } else if next > marks.high {
                logger.log(
                    .partitionShorter,
                    metadata: ["partition": "\(partition)", "committed": "\(next)", "end": "\(marks.high)"])
                await lay(down: [partition])
            } else {
                try await consumer.seek([topicPartition: next])
            }
        } catch {
            logger.log(.partitionUnreadable, metadata: ["partition": "\(partition)", "error": "\(error)"])
            await lay(down: [partition])
        }
    }

    private func decide(
        _ batch: ConsumedBatch, _ signatures: BatchSignatureCache, until stop: @Sendable () -> Bool
    ) async throws -> BatchSignatureCache {
        var signatures = signatures
        var rest = batch.records[...]
        while !rest.isEmpty {
            let (records, advances) = wanted(rest)
            guard !records.isEmpty else { return signatures }
            var understood = decider.read(records, advances, &signatures)
            CrashPoint.pass(.batchUnderstood)
            // A lift may rest on an approval that stands before it, so that is decided first. Lifts are rare.
            if let lift = understood.control.first(where: { $0.isAfterItsPast && $0.record > 0 }) {
                let cut = lift.found.origin
                let index = rest.firstIndex {
                    $0.topicPartition.topic == cut.topic && $0.topicPartition.partition == cut.partition
                        && $0.offset == cut.offset
                }
                if let index, index > rest.startIndex {
                    guard try await decide(head: rest[..<index], &signatures, until: stop) else {
                        await lay(down: Set(advances.keys))
                        return signatures
                    }
                    rest = rest[index...]
                    continue
                }
            }
            understood = try await decider.obey(understood)
            CrashPoint.pass(.stopsObeyed)
            _ = try await commit(understood, advances, until: stop)
            return signatures
        }
        return signatures
    }

    /// Decides the part of a batch that stands before a lift; false when the rest must not follow.
    private func decide(
        head: ArraySlice<ConsumedRecord>, _ signatures: inout BatchSignatureCache, until stop: @Sendable () -> Bool
    ) async throws -> Bool {
        let (records, advances) = wanted(head)
        guard !records.isEmpty else { return true }
        let understood = decider.read(records, advances, &signatures)
        return try await commit(try await decider.obey(understood), advances, until: stop)
    }

    /// The records of partitions that this lane holds and has not committed, and what committing them advances.
    private func wanted(
        _ batch: ArraySlice<ConsumedRecord>
    ) -> (records: [SourceRecord], advances: [InputPartition: OffsetAdvance]) {
        var records: [SourceRecord] = []
        records.reserveCapacity(batch.count)
        var advances: [InputPartition: OffsetAdvance] = [:]
        held.withLock { held in
            for record in batch {
                let partition = InputPartition(
                    topic: record.topicPartition.topic, partition: record.topicPartition.partition)
                guard let lease = held.leases[partition], let next = held.next[partition], record.offset >= next else {
                    continue
                }
                records.append(SourceRecord(record))
                advances[partition] = OffsetAdvance(
                    partition: partition, epoch: lease.epoch, from: next, to: record.offset + 1)
            }
        }
        return (records, advances)
    }

    /// Commits a batch; false when its partitions were laid down instead.
    private func commit(
        _ understood: UnderstoodBatch, _ advances: [InputPartition: OffsetAdvance], until stop: @Sendable () -> Bool
    ) async throws -> Bool {
        do {
            // What is held back keeps nobody: neither from leaving nor from handing partitions over.
            try await decider.decide(understood) { [commands] in
                !stop()
                    && commands.withLock { commands in
                        !commands.waiting.contains { if case .remove = $0 { true } else { false } }
                    }
            }
        } catch let error as LedgerError where error.code == .fenced {
            logger.log(.batchFenced, metadata: ["error": "\(error)"])
            await lay(down: Set(advances.keys))
            return false
        } catch let held as HeldBack {
            logger.log(.batchLaidDown, metadata: ["why": "\(held)"])
            await lay(down: Set(advances.keys))
            return false
        }
        CrashPoint.pass(.batchDecided)
        held.withLock { held in
            for advance in advances.values where held.next[advance.partition] == advance.from {
                held.next[advance.partition] = advance.to
            }
        }
        CrashPoint.pass(.laneAdvanced)
        reportLag(advances)
        return true
    }

    /// Group offsets only feed lag displays: losing one is nothing, and no batch waits for them. One commit is on its
    /// way at a time; the next carries what came meanwhile.
    private func reportLag(_ advances: [InputPartition: OffsetAdvance]) {
        let isFirst = lag.withLock { lag in
            for advance in advances.values { lag.offsets[advance.partition.kafka] = advance.to }
            defer { lag.isOnItsWay = true }
            return !lag.isOnItsWay
        }
        guard isFirst else { return }
        SteadyTime.detach { [consumer, lag, logger] in
            while let offsets = lag.take() {
                do {
                    try await consumer.commit(offsets)
                    CrashPoint.pass(.lagReported)
                } catch {
                    logger.log(.offsetsUncommitted, metadata: ["error": "\(error)"])
                }
            }
        }
    }
}

extension InputPartition {
    var kafka: TopicPartition { TopicPartition(topic: topic, partition: partition) }
}

extension SourceRecord {
    init(_ record: ConsumedRecord) {
        self.init(
            topic: record.topicPartition.topic, partition: record.topicPartition.partition, offset: record.offset,
            key: record.key, headers: record.headers.map { Header($0.name, $0.value) }, value: record.value,
            timestamp: record.timestamp.map { Timestamp(milliseconds: $0) })
    }
}
