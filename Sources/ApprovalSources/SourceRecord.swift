public import ClawWire

/// One record as it came from a topic: untouched bytes and where they were found.
public struct SourceRecord: Sendable, Hashable {
    /// One header; Kafka allows repeats and null values.
    public struct Header: Sendable, Hashable {
        /// Name.
        public let name: String
        /// Value; `nil` is Kafka's null.
        public let value: [UInt8]?
        /// Makes a header.
        public init(_ name: String, _ value: [UInt8]?) {
            self.name = name
            self.value = value
        }
        /// Makes a header of text.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = Array(value.utf8)
        }
    }

    /// Topic.
    public var topic: String
    /// Partition.
    public var partition: Int32
    /// Offset.
    public var offset: Int64
    /// Key; `nil` is Kafka's null.
    public var key: [UInt8]?
    /// Headers in order.
    public var headers: [Header]
    /// Value; `nil` is a tombstone.
    public var value: [UInt8]?
    /// The record's Kafka timestamp, when it has one. Never taken for the time of an occurrence that must be known.
    public var timestamp: Timestamp?

    /// Makes a record.
    public init(
        topic: String, partition: Int32 = 0, offset: Int64 = 0, key: [UInt8]? = nil, headers: [Header] = [],
        value: [UInt8]?, timestamp: Timestamp? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.headers = headers
        self.value = value
        self.timestamp = timestamp
    }
}
