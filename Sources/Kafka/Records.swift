/// One partition of one topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The topic's name.
    public let topic: String
    /// The partition's number, from 0.
    public let partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// Orders by topic, then by number.
    public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }

    /// The form `topic[partition]`.
    public var description: String { "\(topic)[\(partition)]" }
}

/// Positions that are not offsets (rdkafka.h, `RD_KAFKA_OFFSET_BEGINNING` and `RD_KAFKA_OFFSET_END`).
public enum KafkaOffset {
    /// Start at the oldest record there is.
    public static let beginning: Int64 = -2
    /// Start behind the newest record there is.
    public static let end: Int64 = -1
}

/// A header of a record.
public struct KafkaHeader: Sendable, Hashable {
    /// The name; several headers may share it.
    public let name: String
    /// The value, or nil for a header without one.
    public let value: [UInt8]?

    /// Makes a header.
    public init(name: String, value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}

/// A record as it was read.
public struct ConsumedRecord: Sendable, Hashable {
    /// Where it was read.
    public let topicPartition: TopicPartition
    /// Its offset in the partition.
    public let offset: Int64
    /// Milliseconds since the Unix epoch, by the producer or the broker as the topic says; nil when there is none.
    public let timestamp: Int64?
    /// The key; nil is not the same as empty.
    public let key: [UInt8]?
    /// The value; nil is a tombstone.
    public let value: [UInt8]?
    /// The headers in order.
    public let headers: [KafkaHeader]
    /// What the record counts towards limits in bytes: its key, value and headers, and `overhead` for itself.
    public let size: Int

    /// What an empty record counts towards limits in bytes.
    public static let overhead = 64

    /// Makes a record; its size follows from its parts.
    public init(
        topicPartition: TopicPartition, offset: Int64, timestamp: Int64? = nil, key: [UInt8]? = nil,
        value: [UInt8]? = nil, headers: [KafkaHeader] = []
    ) {
        self.topicPartition = topicPartition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
        self.size = headers.reduce(Self.overhead + (key?.count ?? 0) + (value?.count ?? 0)) { sum, header in
            sum + header.name.utf8.count + (header.value?.count ?? 0)
        }
    }
}

/// Records that were read together, in the order of each partition.
public struct ConsumedBatch: Sendable {
    /// The records; empty when the wait timed out or only ends were reached.
    public let records: [ConsumedRecord]
    /// The sum of the records' sizes.
    public let bytes: Int
    /// Partitions whose end was reached, with the offset the next record there will have. Every record read before
    /// the end has been delivered in this batch or an earlier one.
    public let endsReached: [TopicPartition: Int64]
    /// The generation of the assignment when the batch was cut, as the calls that change it return it.
    public let generation: UInt64

    /// Makes a batch, for consumers that read from elsewhere than a broker.
    package init(records: [ConsumedRecord], endsReached: [TopicPartition: Int64], generation: UInt64) {
        self.init(
            records: records, bytes: records.reduce(0) { $0 + $1.size }, endsReached: endsReached,
            generation: generation)
    }

    init(records: [ConsumedRecord], bytes: Int, endsReached: [TopicPartition: Int64], generation: UInt64) {
        self.records = records
        self.bytes = bytes
        self.endsReached = endsReached
        self.generation = generation
    }
}

/// A record to be written.
public struct ProducerRecord: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The partition, or nil to let the configured partitioner choose by key.
    public var partition: Int32?
    /// The key; nil is not the same as empty.
    public var key: [UInt8]?
    /// The value; nil is a tombstone.
    public var value: [UInt8]?
    /// The headers in order.
    public var headers: [KafkaHeader]
    /// Milliseconds since the Unix epoch, or nil for now.
    public var timestamp: Int64?

    /// Makes a record to be written.
    public init(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [],
        timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// Where a record was written.
public struct DeliveredRecord: Sendable, Hashable {
    /// The partition.
    public let topicPartition: TopicPartition
    /// The offset; nil when the broker did not tell. That happens when an idempotent producer had to send the record
    /// again and the broker had it already, or acknowledged a record behind it.
    public let offset: Int64?

    package init(topicPartition: TopicPartition, offset: Int64?) {
        self.topicPartition = topicPartition
        self.offset = offset
    }
}
