/// Makes clients of one cluster.
///
/// The services ask for clients here, so that a simulation can hand them others; ``LibrdkafkaClients`` is the one there is.
public protocol KafkaClients: Sendable {
    /// Makes a consumer; see ``KafkaConsumer/init(configuration:bufferBytes:log:)``.
    func consumer(
        _ configuration: KafkaConfiguration, bufferBytes: Int, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordConsumer

    /// Makes a producer; see ``KafkaProducer/init(configuration:log:)``.
    func producer(
        _ configuration: KafkaConfiguration, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordProducer
}

/// What the services ask of a consumer; see ``KafkaConsumer``, whose documentation holds for all.
public protocol RecordConsumer: Sendable {
    /// See ``KafkaConsumer/assign(_:)``.
    @discardableResult
    func assign(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64
    /// See ``KafkaConsumer/add(_:)``.
    @discardableResult
    func add(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64
    /// See ``KafkaConsumer/remove(_:)``.
    @discardableResult
    func remove(_ partitions: Set<TopicPartition>) async throws(KafkaError) -> UInt64
    /// See ``KafkaConsumer/seek(_:)``.
    @discardableResult
    func seek(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64
    /// See ``KafkaConsumer/nextBatch(maximumRecords:maximumBytes:linger:timeout:)``.
    func nextBatch(
        maximumRecords: Int, maximumBytes: Int, linger: Duration, timeout: Duration
    ) async throws -> ConsumedBatch
    /// See ``KafkaConsumer/watermarks(_:timeout:)``.
    func watermarks(
        _ partition: TopicPartition, timeout: Duration
    ) async throws(KafkaError) -> (low: Int64, high: Int64)
    /// See ``KafkaConsumer/commit(_:)``.
    func commit(_ offsets: [TopicPartition: Int64]) async throws(KafkaError)
    /// See ``KafkaConsumer/close(deadline:)``.
    @discardableResult
    func close(deadline: Duration) async -> Bool
}

/// What the services ask of a producer; see ``KafkaProducer``, whose documentation holds for all.
public protocol RecordProducer: Sendable {
    /// See ``KafkaProducer/send(_:)``.
    @discardableResult
    func send(_ records: [ProducerRecord]) async throws(KafkaError) -> [DeliveredRecord]
    /// See ``KafkaProducer/initTransactions(timeout:)``.
    func initTransactions(timeout: Duration) async throws(KafkaError)
    /// See ``KafkaProducer/beginTransaction()``.
    func beginTransaction() async throws(KafkaError)
    /// See ``KafkaProducer/commitTransaction(timeout:)``.
    func commitTransaction(timeout: Duration) async throws(KafkaError)
    /// See ``KafkaProducer/close(deadline:)``.
    @discardableResult
    func close(deadline: Duration) async -> Bool
}

/// What the services ask about a cluster; see ``KafkaAdmin``.
public protocol ClusterDescription: Sendable {
    /// See ``KafkaAdmin/metadata(timeout:)``.
    func metadata(timeout: Duration) async throws(KafkaError) -> ClusterMetadata
}

extension KafkaConsumer: RecordConsumer {}
extension KafkaProducer: RecordProducer {}
extension KafkaAdmin: ClusterDescription {}

/// Clients over librdkafka.
public struct LibrdkafkaClients: KafkaClients {
    /// Makes no client yet.
    public init() {}

    /// See ``KafkaClients``.
    public func consumer(
        _ configuration: KafkaConfiguration, bufferBytes: Int, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordConsumer {
        try KafkaConsumer(configuration: configuration, bufferBytes: bufferBytes, log: log)
    }

    /// See ``KafkaClients``.
    public func producer(
        _ configuration: KafkaConfiguration, log: @escaping KafkaLog
    ) throws(KafkaError) -> any RecordProducer {
        try KafkaProducer(configuration: configuration, log: log)
    }
}
