public import DevStack

/// What a playground is to be like.
public struct PlaygroundOptions: Sendable {
    /// Which broker program stands in for Kafka.
    public var broker = PrivateBroker.Kind.noida
    /// Where the broker programs are.
    public var tools = BrokerTools.find()
    /// Whether PostgreSQL forces commits to disk.
    public var durability = PrivatePostgres.Durability.volatile
    /// Server settings of PostgreSQL by name.
    public var databaseSettings: [String: String] = [:]
    /// A clock of PostgreSQL's own, that can be set while it runs; the machine's when `nil`.
    public var databaseClock: FakeClock?
    /// Whether PostgreSQL also listens on a loopback port, so that a relay can stand in front of it.
    public var databaseListensOnLoopback = false
    /// Partitions of each input topic.
    public var inputPartitions: Int32 = 4
    /// Partitions of each output topic but that of receipt batches, which has one.
    public var outputPartitions: Int32 = 2
    /// Whether publishers use broker transactions.
    public var usesTransactions = true
    /// Properties of librdkafka for every client, beside the address.
    public var kafkaProperties: [String: String] = [:]
    /// Values of the section `limits` of each worker's configuration, by key.
    public var limits: [String: Int] = ["lanes": 1]
    /// Oldest poll of the control topic under which workers issue, in milliseconds; the workers' own when `nil`.
    public var stopViewMaximumAge: Int?
    /// How long a request of a class with a short wait waits, in seconds, see ``PlaygroundClass/userAdmin``.
    public var shortWaitSeconds = 5
    /// Vendors whose records workers read too, each from a topic of its own.
    public var vendors: Set<PlaygroundVendor> = []
    /// Whether workers follow usage: read gateway receipts, raise findings and enforce budgets.
    public var followsUsage = false
    /// Further sections of each worker's configuration, as YAML without an indent.
    public var workerSections = ""
    /// The program that is run as a worker, as `PROGRAM run --config FILE`; `nil` is this program itself, or
    /// `clawgrant` beside it.
    public var workerProgram: String?
    /// Least severe level that workers log.
    public var logLevel = "info"
    /// Whether the directory survives ``Playground/stop()``.
    public var keepsDirectory = false

    /// A playground on noida-db and a PostgreSQL that forces nothing to disk.
    public init() {}
}
