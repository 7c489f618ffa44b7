import GrantLedger
import Kafka
import Logging

/// Reads the ends of the output topics back.
///
/// With broker transactions it reads committed records only: a record of an aborted transaction must be sent again for
/// the readers that never see it, and is a byte-identical repeat for those that did.
struct TailReader {
    struct Tail {
        var positions: Set<Publisher.StreamPosition> = []
        var ends: [InputPartition: Int64] = [:]
    }

    /// Longest wait for the whole tail, which is as long as what was published since the position was written down.
    private static let timeout: Duration = .seconds(120)
    let configuration: KafkaConfiguration
    let usesTransactions: Bool
    let topics: WorkerConfiguration.OutputTopics
    let admin: KafkaAdmin
    let logger: Logger

    /// Positions of all records from a publish position on, and where each partition ends.
    func read(from position: PublishPosition) async throws -> Tail {
        let metadata = try await admin.metadata(timeout: .seconds(15))
        var properties = configuration
        properties["isolation.level"] = usesTransactions ? "read_committed" : "read_uncommitted"
        properties["group.id"] = nil
        let consumer = try KafkaConsumer(configuration: properties, log: logger.kafka)
        do {
            let tail = try await read(consumer, metadata, position)
            _ = await consumer.close(deadline: .seconds(5))
            return tail
        } catch {
            _ = await consumer.close(deadline: .seconds(5))
            throw error
        }
    }

    private func read(
        _ consumer: KafkaConsumer, _ metadata: ClusterMetadata, _ position: PublishPosition
    ) async throws -> Tail {
        var tail = Tail()
        var starts: [TopicPartition: Int64] = [:]
        for stream in OutputStream.allCases {
            let name = topics.name(stream)
            guard let topic = metadata.topics[name], topic.error == nil, !topic.partitions.isEmpty else {
                throw LedgerError(
                    .unavailable, "the output topic \(name) does not exist; run `clawgrant topics apply`")
            }
            for partition in topic.partitions {
                let key = InputPartition(topic: name, partition: partition.id)
                let marks = try await consumer.watermarks(key.kafka, timeout: .seconds(15))
                tail.ends[key] = marks.high
                let start = max(position.readFrom[key] ?? marks.low, marks.low)
                if start < marks.high { starts[key.kafka] = start }
            }
        }
        guard !starts.isEmpty else { return tail }
        try await consumer.assign(starts)
        var open = Set(starts.keys)
        let deadline = ContinuousClock.now + Self.timeout
        while !open.isEmpty {
            guard ContinuousClock.now < deadline else {
                throw LedgerError(
                    .unavailable, "the tail of \(open.map(\.description).sorted().joined(separator: ", ")) did not arrive")
            }
            let batch = try await consumer.nextBatch(
                maximumRecords: 5_000, maximumBytes: 32 << 20, linger: .milliseconds(1), timeout: .seconds(5))
            for record in batch.records {
                if let found = Self.position(record) { tail.positions.insert(found) }
                let key = InputPartition(topic: record.topicPartition.topic, partition: record.topicPartition.partition)
                if record.offset + 1 >= tail.ends[key] ?? 0 { open.remove(record.topicPartition) }
            }
            for (partition, offset) in batch.endsReached {
                let key = InputPartition(topic: partition.topic, partition: partition.partition)
                if offset >= tail.ends[key] ?? 0 { open.remove(partition) }
            }
        }
        return tail
    }

    static func position(_ record: ConsumedRecord) -> Publisher.StreamPosition? {
        func text(_ name: String) -> String? {
            record.headers.first { $0.name == name }?.value.flatMap { String(validating: $0, as: UTF8.self) }
        }
        guard let stream = text("claw_stream"), let sequence = text("claw_seq").flatMap({ Int64($0) }) else {
            return nil
        }
        return Publisher.StreamPosition(stream: stream, sequence: sequence)
    }
}
