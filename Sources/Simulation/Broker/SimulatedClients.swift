import ClawWire
import Kafka

/// Clients of a simulated broker, as one worker has them.
struct SimulatedClients: KafkaClients, ClusterDescription {
    let broker: SimulatedBroker
    let client: Node

    func consumer(
        _ configuration: KafkaConfiguration, bufferBytes: Int, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordConsumer {
        SimulatedConsumer(broker, client, isCommittedOnly: configuration["isolation.level"] != "read_uncommitted")
    }

    func producer(
        _ configuration: KafkaConfiguration, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordProducer {
        SimulatedProducer(broker, client, transactionalID: configuration["transactional.id"])
    }

    func metadata(timeout: Duration) async throws(KafkaError) -> ClusterMetadata {
        let call = BrokerCall(broker: broker, client: client, operation: .metadata, point: "broker.metadata")
        let counts = try await call.perform { .success(broker.partitionCounts) }
        return ClusterMetadata(partitionCounts: counts)
    }
}

/// A consumer of a simulated broker.
///
/// Partitions answer in any order, and not all of them each time; a record may come again.
final class SimulatedConsumer: RecordConsumer, @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    private let broker: SimulatedBroker
    private let client: Node
    private let isCommittedOnly: Bool
    private var positions: [TopicPartition: Int64] = [:]
    private var ends: [TopicPartition: Int64] = [:]
    private var generation: UInt64 = 0
    private var isClosed = false

    init(_ broker: SimulatedBroker, _ client: Node, isCommittedOnly: Bool) {
        self.broker = broker
        self.client = client
        self.isCommittedOnly = isCommittedOnly
    }

    private func change(
        _ positions: [TopicPartition: Int64]
    ) throws(KafkaError) -> UInt64 {
        guard !isClosed, !client.isDead else {
            throw KafkaError(code: .destroyed, kind: .permanent, operation: .assign, detail: "the client is closed")
        }
        for (partition, position) in positions {
            self.positions[partition] = position < 0 ? 0 : position
            ends[partition] = nil
        }
        generation += 1
        return generation
    }

    func assign(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 {
        self.positions = [:]
        return try change(positions)
    }

    func add(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 {
        if let known = positions.keys.first(where: { self.positions[$0] != nil }) {
            throw KafkaError(
                code: .conflict, kind: .permanent, operation: .assign, detail: "it is assigned already",
                topic: known.topic, partition: known.partition)
        }
        return try change(positions)
    }

    func remove(_ partitions: Set<TopicPartition>) async throws(KafkaError) -> UInt64 {
        for partition in partitions { positions[partition] = nil }
        return try change([:])
    }

    func seek(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 { try change(positions) }

    func nextBatch(
        maximumRecords: Int, maximumBytes: Int, linger: Duration, timeout: Duration
    ) async throws -> ConsumedBatch {
        let scheduler = broker.scheduler
        let deadline = scheduler.now + Int64(timeout / .nanoseconds(1))
        var delay: Int64 = scheduler.dice.within(50_000...1_500_000)
        if broker.faults.mayStrike(.delivery, oncein: 40) { delay = scheduler.dice.within(5_000_000...400_000_000) }
        while true {
            try Task.checkCancellation()
            guard !isClosed, !client.isDead else {
                throw KafkaError(
                    code: .destroyed, kind: .permanent, operation: .consume, detail: "the client is closed")
            }
            guard await client.wait(orUntil: min(deadline, scheduler.now + delay), { _ in }) != .cut else {
                throw CancellationError()
            }
            delay = 50_000
            if !broker.isDown, let batch = try fetch(min(maximumRecords, 1 + scheduler.dice.below(24))) {
                _ = broker.faults.strike("broker.fetch", client)
                return batch
            }
            guard scheduler.now < deadline else {
                return ConsumedBatch(records: [], endsReached: [:], generation: generation)
            }
            guard await client.wait(orUntil: deadline, { broker.listen($0) }) != .cut else { throw CancellationError() }
        }
    }

    /// What the broker has for the reader now; `nil` for nothing.
    private func fetch(_ maximumRecords: Int) throws(KafkaError) -> ConsumedBatch? {
        var records: [ConsumedRecord] = []
        var reached: [TopicPartition: Int64] = [:]
        var order = positions.keys.sorted()
        let scheduler = broker.scheduler
        for index in order.indices.dropFirst() { order.swapAt(index, scheduler.dice.below(index + 1)) }
        for partition in order {
            guard var position = positions[partition], let log = broker.log(partition) else { continue }
            guard position <= log.end else {
                throw KafkaError(
                    code: .positionOutOfRange, kind: .permanent, operation: .consume,
                    detail: "the position is not in the log", topic: partition.topic, partition: partition.partition)
            }
            if order.count > 1, scheduler.dice.once(in: 4) { continue }
            if position > 0, broker.faults.mayStrike(.delivery, oncein: 60) {
                position = max(0, position - scheduler.dice.within(1...4))
            }
            let end = broker.stableEnd(log, isCommittedOnly: isCommittedOnly)
            var index = log.index(of: position)
            while index < log.entries.count, records.count < maximumRecords {
                let entry = log.entries[index]
                guard entry.offset < end else { break }
                if broker.isVisible(entry, log, isCommittedOnly: isCommittedOnly), let record = entry.record {
                    records.append(record)
                }
                position = entry.offset + 1
                index += 1
            }
            if index >= log.entries.count || log.entries[index].offset >= end {
                position = max(position, end)
                if ends[partition] != end {
                    ends[partition] = end
                    reached[partition] = end
                }
            }
            positions[partition] = position
        }
        guard !records.isEmpty || !reached.isEmpty else { return nil }
        return ConsumedBatch(records: records, endsReached: reached, generation: generation)
    }

    func watermarks(
        _ partition: TopicPartition, timeout: Duration
    ) async throws(KafkaError) -> (low: Int64, high: Int64) {
        let call = BrokerCall(broker: broker, client: client, operation: .lookUpOffsets, point: "broker.watermarks")
        return try await call.perform { () -> Result<(low: Int64, high: Int64), KafkaError> in
            guard let log = broker.log(partition) else {
                return .failure(
                    KafkaError(
                        code: .unknownTopicOrPartition, kind: .permanent, operation: .lookUpOffsets,
                        detail: "no such partition", topic: partition.topic, partition: partition.partition))
            }
            return .success((0, log.end))
        }
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws(KafkaError) {
        let call = BrokerCall(broker: broker, client: client, operation: .commit, point: "broker.commit_offsets")
        try await call.perform { .success(()) }
    }

    func close(deadline: Duration) async -> Bool {
        isClosed = true
        return true
    }
}

/// A producer of a simulated broker.
final class SimulatedProducer: RecordProducer, @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    private let broker: SimulatedBroker
    private let client: Node
    private let transactionalID: String?
    private var epoch = 0
    private var isClosed = false

    init(_ broker: SimulatedBroker, _ client: Node, transactionalID: String?) {
        self.broker = broker
        self.client = client
        self.transactionalID = transactionalID
    }

    private func call(_ operation: KafkaError.Operation, _ point: String) throws(KafkaError) -> BrokerCall {
        guard !isClosed else {
            throw KafkaError(code: .destroyed, kind: .permanent, operation: operation, detail: "the client is closed")
        }
        return BrokerCall(broker: broker, client: client, operation: operation, point: point)
    }

    private static func fenced(_ operation: KafkaError.Operation) -> KafkaError {
        KafkaError(code: .fenced, kind: .fatal, operation: operation, detail: "a newer producer has this identity")
    }

    func initTransactions(timeout: Duration) async throws(KafkaError) {
        guard let transactionalID else { return }
        epoch = try await call(.initTransactions, "produce.init").perform {
            .success(broker.initialize(transactionalID))
        }
    }

    func beginTransaction() async throws(KafkaError) { _ = try call(.beginTransaction, "produce.begin") }

    func send(_ records: [ProducerRecord]) async throws(KafkaError) -> [DeliveredRecord] {
        var places: [TopicPartition: [Int]] = [:]
        for (index, record) in records.enumerated() { places[broker.partition(of: record), default: []].append(index) }
        var delivered: [DeliveredRecord?] = records.map { _ in nil }
        for partition in places.keys.sorted() {
            let indexes = places[partition] ?? []
            let offsets = try await call(.produce, "produce.send").perform {
                store(indexes.map { records[$0] }, in: partition)
            }
            for (index, offset) in zip(indexes, offsets) {
                delivered[index] = DeliveredRecord(topicPartition: partition, offset: offset)
            }
        }
        return delivered.compactMap(\.self)
    }

    private func store(_ records: [ProducerRecord], in partition: TopicPartition) -> Result<[Int64], KafkaError> {
        guard let transactionalID else {
            let offsets = records.map { put($0, partition) }
            // A client that tries again, and a broker that does not know that it has them already.
            if broker.faults.mayStrike(.broker, oncein: 80) {
                for record in records { broker.append(record, to: partition) }
            }
            return .success(offsets)
        }
        guard !broker.isFenced(transactionalID, epoch) else { return .failure(Self.fenced(.produce)) }
        let transaction = broker.transaction(transactionalID, epoch)
        broker.join(partition, transactionalID, epoch)
        return .success(records.map { put($0, partition, in: transaction) })
    }

    private func put(_ record: ProducerRecord, _ partition: TopicPartition, in transaction: Int? = nil) -> Int64 {
        broker.published?(record, client)
        return broker.append(record, to: partition, in: transaction)
    }

    func commitTransaction(timeout: Duration) async throws(KafkaError) {
        guard let transactionalID else { return }
        try await call(.commitTransaction, "produce.commit").perform { () -> Result<Void, KafkaError> in
            guard !broker.isFenced(transactionalID, epoch) else { return .failure(Self.fenced(.commitTransaction)) }
            guard broker.commit(transactionalID, epoch) else {
                return .failure(
                    KafkaError(
                        code: .invalidTransactionState, kind: .fatal, operation: .commitTransaction,
                        detail: "the outcome is not known"))
            }
            return .success(())
        }
    }

    func close(deadline: Duration) async -> Bool {
        isClosed = true
        return true
    }
}
