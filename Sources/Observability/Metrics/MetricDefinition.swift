/// What is known of a metric before anybody emits it: its line in the documentation, and how it is shown.
public struct MetricDefinition: Sendable, Hashable {
    /// What kind of figure it is.
    public enum Kind: Sendable, Hashable {
        /// Only grows, from 0 at the start of the process.
        case counter
        /// Goes up and down.
        case gauge
        /// Observations, counted in buckets with these upper bounds; the last, without a bound, is implied.
        case histogram([Double])

        /// The word of the exposition formats.
        public var word: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// In what it is measured; the name says so too.
    public enum Unit: String, Sendable, Hashable {
        /// A number of things.
        case none = ""
        /// Seconds.
        case seconds
        /// Bytes.
        case bytes
    }

    /// A part of the documentation, and of the dashboard.
    public enum Section: String, Sendable, Hashable, CaseIterable {
        /// Reading, understanding, deciding, committing.
        case decide = "Deciding"
        /// Sealing and publishing.
        case publish = "Sealing and publishing"
        /// Stops and other control events.
        case control = "Stops and control events"
        /// Sources of approvals, confirmations, dead letters.
        case sources = "Sources"
        /// Gateway receipts and budgets.
        case usage = "Usage and budgets"
        /// Keys.
        case keys = "Keys"
        /// The ledger as a whole, the same on every worker.
        case ledger = "The ledger"
        /// Sinks of security events.
        case sinks = "Security events"
        /// The HTTP surface of a worker.
        case http = "The HTTP surface"
        /// The webhook bridge.
        case bridge = "The webhook bridge"
        /// The process and its own observation.
        case process = "The process"
    }

    /// Name, without what a format adds.
    public let name: String
    /// Kind.
    public let kind: Kind
    /// Unit.
    public let unit: Unit
    /// Names of the labels, in order.
    public let labels: [String]
    /// One sentence.
    public let help: String
    /// Where it is documented.
    public let section: Section

    /// Makes a definition.
    public init(
        _ name: String, _ kind: Kind, _ unit: Unit = .none, labels: [String] = [], in section: Section, _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
        self.section = section
    }
}

extension MetricDefinition.Kind {
    /// Work within the process, its database and its broker: 0.5 ms to 30 s.
    public static let latency = MetricDefinition.Kind.histogram([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ])
    /// How old something from outside is: 50 ms to a day.
    public static let age = MetricDefinition.Kind.histogram([
        0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
    ])
}
