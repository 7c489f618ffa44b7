import CRdKafka

/// A test aid: librdkafka's mock cluster (rdkafka_mock.h), which lives in this process and listens on loopback.
///
/// It speaks the protocol well enough for records, idempotence and the calls of transactions, and it answers requests
/// with any error it is told to. It does not hide aborted records, has no administrative requests, keeps 5 MiB or
/// 100 000 records of each partition, and does not wake a waiting fetch: set `fetch.wait.max.ms` to 10.
@safe public final class MockKafkaCluster: @unchecked Sendable {
    // Safe to send: the mock's functions pass their work to the mock's own thread, and the fields do not change.
    private let handle: ClientHandle
    private let raw: OpaquePointer

    /// The requests that errors can be injected into, with their numbers in the Kafka protocol.
    public enum Request: Int16, Sendable {
        /// Writing records.
        case produce = 0
        /// Reading records.
        case fetch = 1
        /// Asking for offsets.
        case listOffsets = 2
        /// Asking for brokers and topics.
        case metadata = 3
        /// Committing group offsets.
        case offsetCommit = 8
        /// Reading committed group offsets.
        case offsetFetch = 9
        /// Looking for a coordinator.
        case findCoordinator = 10
        /// Registering an idempotent or transactional producer.
        case initProducerID = 22
        /// Adding a partition to a transaction.
        case addPartitionsToTransaction = 24
        /// Committing or aborting a transaction.
        case endTransaction = 26
    }

    /// Starts a cluster.
    public init(brokers: Int32 = 1) throws(KafkaError) {
        // A client without brokers: it exists only to carry the cluster.
        handle = try ClientHandle(RD_KAFKA_PRODUCER, KafkaConfiguration(["client.id": "mock", "log_level": "0"]))
        guard let cluster = unsafe rd_kafka_mock_cluster_new(handle.raw, brokers) else {
            handle.destroy()
            throw KafkaError(
                code: .systemResource, kind: .permanent, operation: .mockCluster,
                detail: "a mock cluster of \(brokers) brokers could not be started")
        }
        unsafe raw = cluster
    }

    deinit {
        unsafe rd_kafka_mock_cluster_destroy(raw)
        handle.destroy()
    }

    /// The value for `bootstrap.servers`.
    public var bootstrapServers: String { unsafe String(cString: rd_kafka_mock_cluster_bootstraps(raw)) }

    /// Creates a topic. Topics that are only written to come into being with four partitions.
    public func createTopic(_ name: String, partitions: Int32, replicationFactor: Int32 = 1) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_topic_create(raw, name, partitions, replicationFactor), topic: name)
    }

    /// Has the next requests of a kind answered with these codes, one each, whichever broker they go to.
    /// `Code.transport` drops the connection instead.
    public func pushErrors(_ request: Request, _ codes: [KafkaError.Code]) {
        let errors = codes.map { rd_kafka_resp_err_t($0.rawValue) }
        // The errors are copied.
        unsafe errors.withUnsafeBufferPointer { (buffer: UnsafeBufferPointer<rd_kafka_resp_err_t>) -> Void in
            unsafe rd_kafka_mock_push_request_errors_array(raw, request.rawValue, buffer.count, buffer.baseAddress)
        }
    }

    /// Forgets the errors that have not been used.
    public func clearErrors(_ request: Request) {
        unsafe rd_kafka_mock_clear_request_errors(raw, request.rawValue)
    }

    /// Has every metadata answer report this error for a topic; `Code.none` ends it.
    public func setTopicError(_ topic: String, _ code: KafkaError.Code) {
        unsafe rd_kafka_mock_topic_set_error(raw, topic, rd_kafka_resp_err_t(code.rawValue))
    }

    /// Takes a broker down, with its connections. Brokers are numbered from 1.
    public func takeDown(broker: Int32) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_broker_set_down(raw, broker))
    }

    /// Brings a broker back.
    public func bringUp(broker: Int32) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_broker_set_up(raw, broker))
    }

    /// Delays every answer of a broker, to the millisecond.
    public func setRoundTripTime(_ time: Duration, broker: Int32) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_broker_set_rtt(raw, broker, time.wholeMilliseconds))
    }

    /// Moves a partition to another leader.
    public func setLeader(of partition: TopicPartition, broker: Int32) throws(KafkaError) {
        try check(
            unsafe rd_kafka_mock_partition_set_leader(raw, partition.topic, partition.partition, broker),
            topic: partition.topic)
    }

    /// Moves the coordinator of a transactional identity.
    public func setTransactionCoordinator(_ transactionalID: String, broker: Int32) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_coordinator_set(raw, "transaction", transactionalID, broker))
    }

    private func check(_ code: rd_kafka_resp_err_t, topic: String? = nil) throws(KafkaError) {
        let code = KafkaError.Code(code)
        guard code.isError else { return }
        throw KafkaError(code: code, operation: .mockCluster, topic: topic)
    }
}
