public import Logging
import Primitives

/// Keeps every line of log, with all its fields.
public final class LogKeeper: LogHandler, Sendable {
    private let kept = Lock<[String]>([])

    /// An empty one.
    public init() {}

    /// The lines so far.
    public var lines: [String] { kept.withLock { $0 } }
    /// A logger that keeps its lines here.
    public var logger: Logger { Logger(label: "test") { _ in self } }

    /// Not kept.
    public subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    /// Not kept.
    public var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    /// Every level.
    public var logLevel: Logger.Level {
        get { .trace }
        set {}
    }

    /// Keeps a line.
    public func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        kept.withLock { $0.append("\(event.level) \(event.message) \(fields)") }
    }
}
