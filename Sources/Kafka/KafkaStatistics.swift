#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Figures out of librdkafka's statistics document (STATISTICS.md) that matter for metrics.
public struct KafkaStatistics: Sendable, Hashable {
    /// A broker librdkafka knows.
    public struct Broker: Sendable, Hashable {
        /// The broker's number, or -1 for one of the configured addresses.
        public let id: Int32
        /// The state of the connection, such as `UP` or `DOWN`.
        public let state: String
        /// Requests waiting to be sent.
        public let waitingRequests: Int64
        /// Requests sent and not answered.
        public let requestsInFlight: Int64
        /// Failed sends since the start.
        public let sendErrors: Int64
        /// Requests that timed out since the start.
        public let timeouts: Int64
        /// The average time from request to answer in the last interval.
        public let averageRoundTrip: Duration
        /// The 99th percentile of the time from request to answer in the last interval.
        public let roundTrip99: Duration
    }

    /// A partition librdkafka reads or writes.
    public struct Partition: Sendable, Hashable {
        /// The partition.
        public let topicPartition: TopicPartition
        /// Records fetched and not yet taken from librdkafka.
        public let fetchedRecords: Int64
        /// Bytes fetched and not yet taken from librdkafka.
        public let fetchedBytes: Int64
        /// The offset the partition's next record will have, as last heard; nil when it was not.
        public let highWatermark: Int64?
        /// Records between the last one taken and the end; nil when unknown.
        public let lag: Int64?
    }

    /// When the document was written, in microseconds on librdkafka's monotonic clock.
    public let microseconds: Int64
    /// Records waiting in the producer's queue.
    public let queuedRecords: Int64
    /// Bytes waiting in the producer's queue.
    public let queuedBytes: Int64
    /// Records sent since the start.
    public let sentRecords: Int64
    /// Bytes of records sent since the start.
    public let sentBytes: Int64
    /// Records received since the start.
    public let receivedRecords: Int64
    /// Bytes of records received since the start.
    public let receivedBytes: Int64
    /// The brokers, ordered by number.
    public let brokers: [Broker]
    /// The partitions in order.
    public let partitions: [Partition]

    /// Reads a document; nil when it is not one of librdkafka's.
    public init?(document: [UInt8]) {
        guard let root = try? JSONDecoder().decode(Root.self, from: Data(document)) else { return nil }
        microseconds = root.ts
        queuedRecords = root.msg_cnt ?? 0
        queuedBytes = root.msg_size ?? 0
        sentRecords = root.txmsgs ?? 0
        sentBytes = root.txmsg_bytes ?? 0
        receivedRecords = root.rxmsgs ?? 0
        receivedBytes = root.rxmsg_bytes ?? 0
        brokers = (root.brokers ?? [:]).values.map(Broker.init).sorted { ($0.id, $0.state) < ($1.id, $1.state) }
        partitions = (root.topics ?? [:]).values.flatMap { topic in
            (topic.partitions ?? [:]).values.filter { $0.partition >= 0 }.map { Partition($0, topic: topic.topic) }
        }.sorted { $0.topicPartition < $1.topicPartition }
    }
}

// The names below are those of the document.
// swift-format-ignore: AlwaysUseLowerCamelCase
extension KafkaStatistics {
    fileprivate struct Root: Decodable {
        let ts: Int64
        let msg_cnt: Int64?
        let msg_size: Int64?
        let txmsgs: Int64?
        let txmsg_bytes: Int64?
        let rxmsgs: Int64?
        let rxmsg_bytes: Int64?
        let brokers: [String: RawBroker]?
        let topics: [String: RawTopic]?
    }

    fileprivate struct RawBroker: Decodable {
        let nodeid: Int32
        let state: String
        let outbuf_cnt: Int64?
        let waitresp_cnt: Int64?
        let txerrs: Int64?
        let req_timeouts: Int64?
        let rtt: RawWindow?
    }

    fileprivate struct RawWindow: Decodable {
        let avg: Int64
        let p99: Int64
    }

    fileprivate struct RawTopic: Decodable {
        let topic: String
        let partitions: [String: RawPartition]?
    }

    fileprivate struct RawPartition: Decodable {
        let partition: Int32
        let fetchq_cnt: Int64?
        let fetchq_size: Int64?
        let hi_offset: Int64?
        let consumer_lag: Int64?
    }
}

extension KafkaStatistics.Broker {
    fileprivate init(_ raw: KafkaStatistics.RawBroker) {
        id = raw.nodeid
        state = raw.state
        waitingRequests = raw.outbuf_cnt ?? 0
        requestsInFlight = raw.waitresp_cnt ?? 0
        sendErrors = raw.txerrs ?? 0
        timeouts = raw.req_timeouts ?? 0
        averageRoundTrip = .microseconds(raw.rtt?.avg ?? 0)
        roundTrip99 = .microseconds(raw.rtt?.p99 ?? 0)
    }
}

extension KafkaStatistics.Partition {
    fileprivate init(_ raw: KafkaStatistics.RawPartition, topic: String) {
        topicPartition = TopicPartition(topic: topic, partition: raw.partition)
        fetchedRecords = raw.fetchq_cnt ?? 0
        fetchedBytes = raw.fetchq_size ?? 0
        highWatermark = raw.hi_offset.flatMap { $0 >= 0 ? $0 : nil }
        lag = raw.consumer_lag.flatMap { $0 >= 0 ? $0 : nil }
    }
}
