import CRdKafka

/// Says what went wrong in an exchange with Kafka, to which input, and what the caller can do about it.
///
/// `kind` is what to act on; `code` is librdkafka's own, kept as it came (rdkafka.h, `rd_kafka_resp_err_t`).
public struct KafkaError: Error, Sendable, Hashable {
    /// What the caller can do about an error.
    public enum Kind: String, Sendable, Hashable {
        /// The same call may succeed later, with the same client.
        case retriable
        /// The open transaction must be aborted; the client stays usable.
        case abortable
        /// The client is dead: close it and make a new one.
        case fatal
        /// Repeating the call gives the same answer until the input, the configuration or the cluster is changed.
        case permanent
    }

    /// The operation that failed.
    public enum Operation: String, Sendable, Hashable {
        /// Setting a property, or making a client out of the properties.
        case configure
        /// Fetching records.
        case consume
        /// Changing or resuming a consumer's assignment, or pausing part of it.
        case assign
        /// Committing group offsets.
        case commit
        /// Asking a broker for offsets.
        case lookUpOffsets
        /// Writing records.
        case produce
        /// Waiting for records to be written.
        case flush
        /// Registering a transactional identity.
        case initTransactions
        /// Opening a transaction.
        case beginTransaction
        /// Committing a transaction.
        case commitTransaction
        /// Aborting a transaction.
        case abortTransaction
        /// Creating topics.
        case createTopics
        /// Deleting topics.
        case deleteTopics
        /// Adding partitions to a topic.
        case createPartitions
        /// Reading the settings of topics.
        case describeTopicConfiguration
        /// Changing the settings of topics.
        case alterConfiguration
        /// Reading the rules of access control.
        case describeAccess
        /// Reading the cluster's brokers and topics.
        case metadata
        /// Obtaining an OAuth bearer token.
        case refreshToken
        /// Work in the background that no call waits for, such as keeping a connection.
        case background
        /// Running the mock cluster of the tests.
        case mockCluster
    }

    /// librdkafka's or the broker's code.
    public let code: Code
    /// What the caller can do about it.
    public let kind: Kind
    /// The operation that failed.
    public let operation: Operation
    /// One sentence for people; never contains a secret.
    public let detail: String
    /// The topic concerned, where there is one.
    public let topic: String?
    /// The partition concerned, where there is one.
    public let partition: Int32?
    /// The position, in the batch given to `KafkaProducer.send`, of the first record that failed.
    public let recordIndex: Int?
    /// Whether the records concerned may have been written in spite of the error.
    public let mayHaveBeenWritten: Bool

    /// Makes an error.
    public init(
        code: Code, kind: Kind, operation: Operation, detail: String, topic: String? = nil, partition: Int32? = nil,
        recordIndex: Int? = nil, mayHaveBeenWritten: Bool = false
    ) {
        self.code = code
        self.kind = kind
        self.operation = operation
        self.detail = detail
        self.topic = topic
        self.partition = partition
        self.recordIndex = recordIndex
        self.mayHaveBeenWritten = mayHaveBeenWritten
    }

    /// Whether the client is dead and must be replaced.
    public var isFatal: Bool { kind == .fatal }
    /// Whether the same call may succeed later with the same client.
    public var isRetriable: Bool { kind == .retriable }
    /// Whether the open transaction must be aborted.
    public var requiresAbort: Bool { kind == .abortable }
    /// Whether the client had been closed, or was closed while the call waited.
    public var isClosed: Bool { code == .destroyed }

    /// The partition concerned, where both parts are known.
    public var topicPartition: TopicPartition? {
        guard let topic, let partition else { return nil }
        return TopicPartition(topic: topic, partition: partition)
    }
}

extension KafkaError: CustomStringConvertible {
    /// The operation, what it was about, the code's name, the kind and the detail, on one line.
    public var description: String {
        var text = "Kafka \(operation.rawValue)"
        if let topic { text += " \(topic)" }
        if let partition { text += "[\(partition)]" }
        if let recordIndex { text += " record \(recordIndex)" }
        text += ": \(code.name) (\(kind.rawValue)): \(detail)"
        if mayHaveBeenWritten { text += "; it may have been written" }
        return text
    }
}

extension KafkaError {
    /// The error of every call on a closed client.
    static func closed(_ operation: Operation) -> KafkaError {
        KafkaError(code: .destroyed, kind: .permanent, operation: operation, detail: "the client is closed")
    }

    /// An error of a bare code, classified by the code alone.
    init(
        code: Code, operation: Operation, detail: String? = nil, topic: String? = nil, partition: Int32? = nil
    ) {
        self.init(
            code: code, kind: code.kindByDefault, operation: operation, detail: detail ?? code.text, topic: topic,
            partition: partition)
    }

    /// The same error, telling which record of a batch it is about.
    func with(recordIndex: Int, mayHaveBeenWritten: Bool) -> KafkaError {
        KafkaError(
            code: code, kind: kind, operation: operation, detail: detail, topic: topic, partition: partition,
            recordIndex: recordIndex, mayHaveBeenWritten: mayHaveBeenWritten)
    }

    /// The same error as part of a transaction: what is neither fatal nor a closed client calls for an abort.
    func insideTransaction() -> KafkaError {
        guard kind != .fatal, !isClosed else { return self }
        return KafkaError(
            code: code, kind: .abortable, operation: operation, detail: detail, topic: topic, partition: partition,
            recordIndex: recordIndex, mayHaveBeenWritten: mayHaveBeenWritten)
    }
}
