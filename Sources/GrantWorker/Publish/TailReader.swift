import ClawWire
import GrantLedger
import Kafka
import Logging
import Observability
import Primitives
import ReceiptLog

/// Reads the ends of the output topics back.
///
/// With broker transactions it reads committed records only: a record of an aborted transaction must be sent again for
/// the readers that never see it, and is a byte-identical repeat for those that did.
struct TailReader {
    struct Tail {
        var positions: Set<Publisher.StreamPosition> = []
        var ends: [InputPartition: Int64] = [:]
        /// Where each partition was read from.
        var starts: [InputPartition: Int64] = [:]
        /// The first batch that may not be on the topics in full.
        var nextBatch: Int64
        /// The date of the newest head of revocations that was found.
        var newestHead: Timestamp?
    }

    /// Longest wait for the next record or the end of a partition.
    private static let patience: Duration = .seconds(60)
    /// How far before the position the topic of revocations is read, for the head that stands there.
    private static let headOffsets: Int64 = 256
    let configuration: KafkaConfiguration
    let clients: any KafkaClients
    let usesTransactions: Bool
    let topics: WorkerConfiguration.OutputTopics
    /// The streams to read back.
    let streams: [OutputStream]
    let admin: any ClusterDescription
    let logger: Logger

    /// Positions of all records from a publish position on, and where each partition ends.
    ///
    /// A partition that ends before the position lost records that were acknowledged, for example with a leader that
    /// did not have them all. Then the topics are read from their beginnings, and publishing goes on from the last batch
    /// that the shortened partitions still hold: the truth is on the topics, not in the ledger's note of it.
    func read(from position: PublishPosition) async throws -> Tail {
        let metadata = try await admin.metadata(timeout: .seconds(15))
        var properties = configuration
        properties["isolation.level"] = usesTransactions ? "read_committed" : "read_uncommitted"
        properties["group.id"] = nil
        let consumer = try clients.consumer(properties, bufferBytes: 8 << 20, log: logger.kafka)
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
        _ consumer: any RecordConsumer, _ metadata: ClusterMetadata, _ position: PublishPosition
    ) async throws -> Tail {
        var tail = Tail(nextBatch: position.nextBatch)
        var beginnings: [InputPartition: Int64] = [:]
        for stream in streams {
            let name = topics.name(stream)
            guard let topic = metadata.topics[name], topic.error == nil, !topic.partitions.isEmpty else {
                throw LedgerError(
                    .unavailable, "the output topic \(name) does not exist; run `clawgrant topics apply`")
            }
            for partition in topic.partitions {
                let key = InputPartition(topic: name, partition: partition.id)
                let marks = try await consumer.watermarks(key.kafka, timeout: .seconds(15))
                tail.ends[key] = marks.high
                beginnings[key] = marks.low
            }
        }
        let shortened = tail.ends.filter { $0.value < position.readFrom[$0.key] ?? 0 }
        if shortened.isEmpty {
            tail.starts = beginnings.reduce(into: [:]) { starts, beginning in
                starts[beginning.key] = max(position.readFrom[beginning.key] ?? 0, beginning.value)
            }
        } else {
            tail.starts = beginnings
            var lastBatch: [InputPartition: Int64] = [:]
            try await Self.visit(consumer, beginnings.filter { shortened[$0.key] != nil }, tail.ends) { key, record in
                guard let found = Self.found(record) else { return }
                lastBatch[key] = max(lastBatch[key] ?? 0, found.batch)
            }
            tail.nextBatch = min(tail.nextBatch, shortened.keys.map { lastBatch[$0] ?? 0 }.min() ?? 0)
            logger.log(
                .recordsGone,
                metadata: [
                    "partitions": "\(shortened.keys.sorted().map(\.description).joined(separator: " "))",
                    "from_batch": "\(tail.nextBatch)",
                ])
        }
        let first = shortened.isEmpty ? 0 : tail.nextBatch
        var starts = tail.starts
        let heads = InputPartition(topic: topics.name(.revocations), partition: 0)
        if let start = starts[heads] { starts[heads] = max(start - Self.headOffsets, beginnings[heads] ?? 0) }
        try await Self.visit(consumer, starts, tail.ends) { key, record in
            if key == heads, record.key == SignedRevocationHead.recordKey, let time = Self.time(record) {
                tail.newestHead = max(tail.newestHead ?? time, time)
            }
            guard record.offset >= tail.starts[key] ?? 0 else { return }
            if let found = Self.found(record), found.batch >= first { tail.positions.insert(found.position) }
        }
        return tail
    }

    /// What the headers of a record say of its place.
    struct Found {
        let position: Publisher.StreamPosition
        let batch: Int64
    }

    /// Hands over what stands between starts and ends; ends early when `body` throws.
    static func visit(
        _ consumer: any RecordConsumer, _ starts: [InputPartition: Int64], _ ends: [InputPartition: Int64],
        _ body: (InputPartition, ConsumedRecord) throws -> Void
    ) async throws {
        let unread = starts.filter { $0.value < ends[$0.key] ?? 0 }
        guard !unread.isEmpty else { return }
        try await consumer.assign(
            unread.reduce(into: [:]) { positions, start in positions[start.key.kafka] = start.value })
        var open = Set(unread.keys)
        var heard = SteadyTime.now
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 5_000, maximumBytes: 32 << 20, linger: .milliseconds(1), timeout: .seconds(5))
            for record in batch.records {
                let key = InputPartition(topic: record.topicPartition.topic, partition: record.topicPartition.partition)
                try body(key, record)
                if record.offset + 1 >= ends[key] ?? 0 { open.remove(key) }
            }
            for (partition, offset) in batch.endsReached {
                let key = InputPartition(topic: partition.topic, partition: partition.partition)
                if offset >= ends[key] ?? 0 { open.remove(key) }
            }
            if !batch.records.isEmpty || !batch.endsReached.isEmpty { heard = SteadyTime.now }
            guard SteadyTime.now - heard < patience else {
                throw LedgerError(
                    .unavailable,
                    "the tail of \(open.sorted().map(\.description).joined(separator: ", ")) did not arrive")
            }
        }
    }

    private static func text(_ record: ConsumedRecord, _ name: String) -> String? {
        record.headers.first { $0.name == name }?.value.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The date of a head: as it says, not as the broker stamped it.
    private static func time(_ record: ConsumedRecord) -> Timestamp? {
        text(record, "ce_time").flatMap { Timestamp(rfc3339: $0) }
    }

    static func found(_ record: ConsumedRecord) -> Found? {
        guard let stream = text(record, "claw_stream"),
            let sequence = text(record, "claw_seq").flatMap({ Int64($0) }),
            let batch = text(record, "claw_batch").flatMap({ Int64($0) })
        else { return nil }
        return Found(position: Publisher.StreamPosition(stream: stream, sequence: sequence), batch: batch)
    }
}
