import CRdKafka

extension KafkaError {
    /// A code of `rd_kafka_resp_err_t`: negative ones come from librdkafka itself, positive ones from a broker.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number in rdkafka.h and, when positive, in the Kafka protocol.
        public let rawValue: Int32

        /// Makes a code from its number; every number is allowed.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        init(_ raw: rd_kafka_resp_err_t) { self.rawValue = raw.rawValue }

        /// librdkafka's name of the code, such as `TOPIC_ALREADY_EXISTS` or `_TIMED_OUT`.
        public var name: String { unsafe String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue))) }
        /// librdkafka's sentence for the code.
        public var text: String { unsafe String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue))) }
        /// The name and the number.
        public var description: String { "\(name) (\(rawValue))" }

        var isError: Bool { rawValue != 0 }
    }
}

extension KafkaError.Code {
    /// No error.
    public static let none = Self(RD_KAFKA_RESP_ERR_NO_ERROR)
    /// `_DESTROY`: the client is closed.
    public static let destroyed = Self(RD_KAFKA_RESP_ERR__DESTROY)
    /// `_TRANSPORT`: a connection failed.
    public static let transport = Self(RD_KAFKA_RESP_ERR__TRANSPORT)
    /// `_ALL_BROKERS_DOWN`: no broker can be reached.
    public static let allBrokersDown = Self(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    /// `_AUTHENTICATION`: a broker refused the credentials, or they could not be obtained.
    public static let authentication = Self(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    /// `_TIMED_OUT`: the time given to a call ran out.
    public static let timedOut = Self(RD_KAFKA_RESP_ERR__TIMED_OUT)
    /// `_MSG_TIMED_OUT`: a record was not written within `message.timeout.ms`.
    public static let messageTimedOut = Self(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    /// `_PARTITION_EOF`: not an error; the end of a partition.
    public static let partitionEnd = Self(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    /// `_UNKNOWN_PARTITION`: the topic has no such partition.
    public static let unknownPartition = Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    /// `_UNKNOWN_TOPIC`: there is no such topic.
    public static let unknownTopic = Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    /// `_INVALID_ARG`: a property or an argument is refused.
    public static let invalidArgument = Self(RD_KAFKA_RESP_ERR__INVALID_ARG)
    /// `_QUEUE_FULL`: the producer's queue is full.
    public static let queueFull = Self(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    /// `_CONFLICT`: the call contradicts the present state, such as adding a partition that is assigned.
    public static let conflict = Self(RD_KAFKA_RESP_ERR__CONFLICT)
    /// `_STATE`: the call does not fit the present state.
    public static let state = Self(RD_KAFKA_RESP_ERR__STATE)
    /// `_FENCED`: another producer has taken this one's transactional identity.
    public static let fenced = Self(RD_KAFKA_RESP_ERR__FENCED)
    /// `_FATAL`: the client is dead.
    public static let fatal = Self(RD_KAFKA_RESP_ERR__FATAL)
    /// `_PURGE_QUEUE`: the record was taken back before it was sent.
    public static let purgedFromQueue = Self(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    /// `_PURGE_INFLIGHT`: the record was given up after it had been sent.
    public static let purgedInFlight = Self(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    /// `_NOT_CONFIGURED`: a required property is missing.
    public static let notConfigured = Self(RD_KAFKA_RESP_ERR__NOT_CONFIGURED)
    /// `_AUTO_OFFSET_RESET`: the position is not in the log, and the consumer may not choose another.
    public static let positionOutOfRange = Self(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    /// `_CRIT_SYS_RESOURCE`: the system refused a thread or memory.
    public static let systemResource = Self(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
    /// `OFFSET_OUT_OF_RANGE`: the offset is not in the log.
    public static let offsetOutOfRange = Self(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    /// `UNKNOWN_TOPIC_OR_PART`: the broker has no such topic or partition.
    public static let unknownTopicOrPartition = Self(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    /// `NOT_LEADER_FOR_PARTITION`: the partition has another leader by now.
    public static let notLeaderForPartition = Self(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
    /// `REQUEST_TIMED_OUT`: the broker gave up on the request.
    public static let requestTimedOut = Self(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
    /// `MSG_SIZE_TOO_LARGE`: the record is larger than is allowed.
    public static let messageTooLarge = Self(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    /// `COORDINATOR_NOT_AVAILABLE`: the coordinator is not ready.
    public static let coordinatorNotAvailable = Self(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    /// `NOT_COORDINATOR`: the coordinator has moved.
    public static let notCoordinator = Self(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    /// `NOT_ENOUGH_REPLICAS`: fewer replicas are in sync than the topic demands.
    public static let notEnoughReplicas = Self(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
    /// `TOPIC_AUTHORIZATION_FAILED`: the client may not use the topic.
    public static let topicAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    /// `TOPIC_ALREADY_EXISTS`: there is a topic of that name.
    public static let topicAlreadyExists = Self(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`: the broker misses records of this producer.
    public static let outOfOrderSequenceNumber = Self(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
    /// `INVALID_PRODUCER_EPOCH`: the producer's epoch is not the current one.
    public static let invalidProducerEpoch = Self(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
    /// `INVALID_TXN_STATE`: the transaction is not in a state for this.
    public static let invalidTransactionState = Self(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE)
    /// `CONCURRENT_TRANSACTIONS`: the previous transaction is still being completed.
    public static let concurrentTransactions = Self(RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
    /// `PRODUCER_FENCED`: another producer has taken this one's transactional identity.
    public static let producerFenced = Self(RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
}

extension KafkaError.Code {
    /// The kind of an error of which only the code is known.
    ///
    /// Broker codes follow the "retriable" column of the error table in the Kafka protocol guide; librdkafka's own
    /// follow their descriptions in rdkafka.h.
    var kindByDefault: KafkaError.Kind {
        switch rd_kafka_resp_err_t(rawValue) {
        case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
            .fatal
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__QUEUE_FULL,
            RD_KAFKA_RESP_ERR__ISR_INSUFF, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR__INTR, RD_KAFKA_RESP_ERR__RETRY,
            RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__IN_PROGRESS,
            RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, RD_KAFKA_RESP_ERR_INVALID_MSG,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
            RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND,
            RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH, RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
            RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
            .retriable
        default:
            .permanent
        }
    }
}
