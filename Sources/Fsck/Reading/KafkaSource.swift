import Kafka

/// Reads topics from a broker, uncommitted records included: nothing is taken on the word of broker transactions.
final class KafkaSource: TopicSource {
    /// Longest wait for the next record or the end of a partition.
    private static let patience = Duration.seconds(30)
    private let configuration: KafkaConfiguration

    init(_ configuration: KafkaConfiguration) {
        var properties = configuration
        properties["isolation.level"] = "read_uncommitted"
        properties["group.id"] = nil
        self.configuration = properties
    }

    func beginnings(of topic: String) async throws -> [Int32: Int64] {
        try await marks(of: topic).mapValues(\.low)
    }

    /// The streams with what the broker says of their compaction; a broker that does not say changes nothing.
    func described(_ streams: [FsckPlan.Stream]) async throws -> [FsckPlan.Stream] {
        let admin = try KafkaAdmin(configuration: configuration)
        let settings = try? await admin.describeTopicConfiguration(streams.map(\.topic), timeout: .seconds(10))
        _ = await admin.close(deadline: .seconds(2))
        return streams.map { stream in
            guard let cleanup = settings?[stream.topic]?["cleanup.policy"] else { return stream }
            return FsckPlan.Stream(name: stream.name, topic: stream.topic, isCompacted: cleanup.contains("compact"))
        }
    }

    private func marks(of topic: String) async throws -> [Int32: (low: Int64, high: Int64)] {
        let admin = try KafkaAdmin(configuration: configuration)
        let partitions: [Int32]
        do {
            guard let found = try await admin.metadata(timeout: .seconds(15)).topics[topic], found.error == nil,
                !found.partitions.isEmpty
            else { throw FsckError("the topic \(topic) does not exist; check the configuration's topics") }
            partitions = found.partitions.map(\.id)
            _ = await admin.close(deadline: .seconds(2))
        } catch {
            _ = await admin.close(deadline: .seconds(2))
            throw error
        }
        return try await withConsumer { consumer in
            var marks: [Int32: (low: Int64, high: Int64)] = [:]
            for partition in partitions {
                marks[partition] = try await consumer.watermarks(
                    TopicPartition(topic: topic, partition: partition), timeout: .seconds(15))
            }
            return marks
        }
    }

    func read(_ topic: String, _ body: (FsckRecord) throws -> Void) async throws {
        let marks = try await marks(of: topic)
        try await withConsumer { consumer in
            var starts: [TopicPartition: Int64] = [:]
            for (partition, mark) in marks {
                starts[TopicPartition(topic: topic, partition: partition)] = mark.low
            }
            _ = try await consumer.assign(starts)
            var open = Set(marks.keys)
            var heard = ContinuousClock.now
            while !open.isEmpty {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 2_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
                for record in batch.records where open.contains(record.topicPartition.partition) {
                    try body(FsckRecord(record))
                }
                for (partition, offset) in batch.endsReached
                where offset >= marks[partition.partition]?.high ?? 0 {
                    open.remove(partition.partition)
                }
                if !batch.records.isEmpty || !batch.endsReached.isEmpty { heard = .now }
                guard ContinuousClock.now - heard < Self.patience else {
                    throw FsckError("\(topic) did not come to an end within \(Self.patience)")
                }
            }
        }
    }

    private func withConsumer<Value>(_ body: (KafkaConsumer) async throws -> Value) async throws -> Value {
        let consumer = try KafkaConsumer(configuration: configuration)
        do {
            let value = try await body(consumer)
            _ = await consumer.close(deadline: .seconds(2))
            return value
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
    }
}

extension FsckRecord {
    init(_ record: ConsumedRecord) {
        self.init(
            partition: record.topicPartition.partition, offset: record.offset, timestamp: record.timestamp,
            key: record.key, value: record.value, headers: record.headers.map { ($0.name, $0.value) })
    }
}
