/// A line of librdkafka's log, or an error that no call waits for.
public struct KafkaLogEvent: Sendable {
    /// The severities of syslog (RFC 5424 section 6.2.1).
    public enum Level: Int, Sendable, Comparable {
        /// The system is unusable.
        case emergency = 0
        /// Action must be taken at once.
        case alert
        /// A critical condition.
        case critical
        /// An error.
        case error
        /// A warning.
        case warning
        /// Normal, but significant.
        case notice
        /// Informational.
        case informational
        /// For finding faults in programs.
        case debug

        /// Orders by urgency: the most urgent is the least.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// The severity.
    public let level: Level
    /// librdkafka's short name of the subject, such as `FAIL`, or `ERROR` for an error event.
    public let facility: String
    /// The text.
    public let message: String
    /// The error, when the event is one. librdkafka recovers by itself unless it is fatal.
    public let error: KafkaError?
}

/// Receives the log events of a client, on the client's own thread. It must return quickly and must not wait for the
/// client that called it.
public typealias KafkaLog = @Sendable (KafkaLogEvent) -> Void
