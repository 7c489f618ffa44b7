/// A topic to be created.
public struct TopicSpecification: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The number of partitions, at least 1; -1 for the cluster's default.
    public var partitions: Int32
    /// How many brokers keep each partition; -1 for the cluster's default.
    public var replicationFactor: Int32
    /// Settings of the topic, by the names of the Kafka documentation, such as `cleanup.policy`.
    public var configuration: [String: String]

    /// Describes a topic to be created.
    public init(
        name: String, partitions: Int32, replicationFactor: Int32 = -1, configuration: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

/// What an administrative call did to one topic.
public enum TopicOutcome: Sendable, Hashable {
    /// What was asked for was done.
    case done
    /// A topic to be created exists. It may differ from what was asked for.
    case alreadyExists
    /// The topic does not exist.
    case unknownTopic
    /// The broker refused.
    case failed(KafkaError)

    /// Whether what was asked for was done.
    public var isDone: Bool { self == .done }
}

/// The brokers and topics of a cluster at one time.
public struct ClusterMetadata: Sendable, Hashable {
    /// A broker.
    public struct Broker: Sendable, Hashable {
        /// The number.
        public let id: Int32
        /// The host it advertises.
        public let host: String
        /// The port it advertises.
        public let port: Int32
    }

    /// A partition.
    public struct Partition: Sendable, Hashable {
        /// The number, from 0.
        public let id: Int32
        /// The broker that leads it; nil when none does.
        public let leader: Int32?
        /// The brokers that keep it.
        public let replicas: [Int32]
        /// Those of them that are in sync.
        public let inSyncReplicas: [Int32]
        /// What is wrong with it, if anything is.
        public let error: KafkaError?
    }

    /// A topic.
    public struct Topic: Sendable, Hashable {
        /// The name.
        public let name: String
        /// The partitions, ordered by number.
        public let partitions: [Partition]
        /// What is wrong with it, if anything is.
        public let error: KafkaError?
    }

    /// Describes a cluster of one broker, for those who read from elsewhere than a broker.
    package init(partitionCounts: [String: Int32]) {
        self.init(
            brokers: [],
            topics: partitionCounts.reduce(into: [:]) { topics, count in
                topics[count.key] = Topic(
                    name: count.key,
                    partitions: (0..<count.value).map {
                        Partition(id: $0, leader: 0, replicas: [0], inSyncReplicas: [0], error: nil)
                    }, error: nil)
            })
    }

    init(brokers: [Broker], topics: [String: Topic]) {
        self.brokers = brokers
        self.topics = topics
    }

    /// The brokers, ordered by number.
    public let brokers: [Broker]
    /// The topics by name.
    public let topics: [String: Topic]
}
