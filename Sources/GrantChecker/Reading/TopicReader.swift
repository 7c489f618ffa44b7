import Kafka

/// A topic does not read as it should.
struct TopicReadError: Error, CustomStringConvertible {
    let description: String
}

/// Reads whole topics from their beginning, uncommitted records included: a reader proves exactly-once without trusting
/// the broker's transactions.
struct TopicReader {
    /// Longest wait for the next record or the end of a partition.
    private static let patience = Duration.seconds(30)
    let configuration: KafkaConfiguration

    /// Where the partitions of topics begin, and an offset that they reach at least: some brokers tell too little when
    /// they are asked for the end, so that the end is known only by reading up to it.
    func marks(_ topics: [String]) async throws -> [TopicPartition: (low: Int64, high: Int64)] {
        let admin = try KafkaAdmin(configuration: configuration)
        let metadata = try await admin.metadata(timeout: .seconds(15))
        _ = await admin.close(deadline: .seconds(2))
        let consumer = try consumer()
        var marks: [TopicPartition: (low: Int64, high: Int64)] = [:]
        for topic in topics {
            guard let description = metadata.topics[topic], description.error == nil, !description.partitions.isEmpty
            else { throw TopicReadError(description: "the topic \(topic) does not exist") }
            for partition in description.partitions {
                let key = TopicPartition(topic: topic, partition: partition.id)
                marks[key] = try await consumer.watermarks(key, timeout: .seconds(15))
            }
        }
        _ = await consumer.close(deadline: .seconds(2))
        return marks
    }

    /// Hands every record to `body`, each partition in its order, until the end of each partition was reached.
    ///
    /// - Returns: where each partition ends.
    func read(
        _ marks: [TopicPartition: (low: Int64, high: Int64)], _ body: (String, PublishedRecord) throws -> Void
    ) async throws -> [TopicPartition: Int64] {
        let starts = marks.mapValues(\.low)
        var ends: [TopicPartition: Int64] = [:]
        let consumer = try consumer()
        do {
            try await consumer.assign(starts)
            var last = ContinuousClock.now
            while ends.count < starts.count {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 2_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
                for record in batch.records where ends[record.topicPartition] == nil {
                    try body(record.topicPartition.topic, PublishedRecord(record))
                }
                for (partition, offset) in batch.endsReached where offset >= marks[partition]?.high ?? 0 {
                    ends[partition] = ends[partition] ?? offset
                }
                if !batch.records.isEmpty || !batch.endsReached.isEmpty { last = .now }
                guard ContinuousClock.now - last < Self.patience else {
                    let open = starts.keys.filter { ends[$0] == nil }.sorted().map(\.description)
                    throw TopicReadError(description: "\(open.joined(separator: ", ")) did not come to an end")
                }
            }
            _ = await consumer.close(deadline: .seconds(2))
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        return ends
    }

    private func consumer() throws -> KafkaConsumer {
        var properties = configuration
        properties["isolation.level"] = "read_uncommitted"
        properties["group.id"] = nil
        return try KafkaConsumer(configuration: properties)
    }
}

extension PublishedRecord {
    init(_ record: ConsumedRecord) {
        self.init(
            partition: record.topicPartition.partition, offset: record.offset, key: record.key, value: record.value,
            headers: record.headers.map { ($0.name, $0.value) })
    }
}
