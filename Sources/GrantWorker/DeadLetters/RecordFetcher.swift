public import Kafka
public import ReceiptLog

/// Reads single records again from where they stand.
///
/// A dead letter holds an excerpt without secrets and never the record: what is decided anew comes from the topic itself,
/// and is held against the digest of what was set aside.
public final class RecordFetcher: Sendable {
    /// Longest wait for a record that is there.
    private static let patience: Duration = .seconds(15)
    private let consumer: KafkaConsumer

    /// What was found at a place.
    public enum Finding: Sendable {
        /// The record.
        case found(ConsumedRecord)
        /// Retention or compaction took it, or the topic was made anew: for people.
        case gone(String)
    }

    /// Opens a reader.
    ///
    /// - Parameter configuration: librdkafka's properties; a group is not joined.
    /// - Throws: `KafkaError` when a property is refused.
    public init(_ configuration: KafkaConfiguration, log: @escaping KafkaLog = { _ in }) throws(KafkaError) {
        var properties = configuration
        properties["group.id"] = nil
        // One record is wanted of each place, not what stands behind it.
        properties["queued.max.messages.kbytes"] = "2048"
        properties["fetch.max.bytes"] = String(2 << 20)
        consumer = try KafkaConsumer(configuration: properties, bufferBytes: 2 << 20, log: log)
    }

    /// Reads the record at a place.
    ///
    /// - Throws: `KafkaError` when the broker or the topic cannot be reached; `CancellationError`.
    public func fetch(_ origin: RecordOrigin) async throws -> Finding {
        let place = TopicPartition(topic: origin.topic, partition: origin.partition)
        let marks = try await consumer.watermarks(place, timeout: Self.patience)
        guard origin.offset >= marks.low else {
            return .gone("its topic begins at offset \(marks.low) now: retention has taken it")
        }
        guard origin.offset < marks.high else {
            return .gone("its topic ends at offset \(marks.high): it was made anew, or has lost records")
        }
        try await consumer.assign([place: origin.offset])
        let deadline = ContinuousClock.now + Self.patience
        while .now < deadline {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1, maximumBytes: 1, linger: .zero, timeout: .milliseconds(500))
            if let record = batch.records.first {
                guard record.offset == origin.offset else {
                    return .gone("the next record of its partition is at offset \(record.offset): compaction took it")
                }
                return .found(record)
            }
            if batch.endsReached[place] != nil {
                return .gone("nothing of its partition can be read from there on: compaction took it")
            }
        }
        throw KafkaError(
            code: .timedOut, kind: .retriable, operation: .consume,
            detail: "the record at offset \(origin.offset) did not arrive", topic: origin.topic,
            partition: origin.partition)
    }

    /// Closes the reader.
    public func close() async { _ = await consumer.close(deadline: .seconds(2)) }
}
