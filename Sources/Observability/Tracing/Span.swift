public import ClawWire

/// One finished piece of work of a trace (OpenTelemetry).
public struct Span: Sendable, Hashable {
    /// Its part in the traffic between programs; the numbers are OTLP's.
    public enum Kind: Int, Sendable, Hashable {
        /// Within this program.
        case `internal` = 1
        /// A call of another program, such as a database.
        case client = 3
        /// A message sent.
        case producer = 4
        /// A message taken.
        case consumer = 5
    }

    /// The value of an attribute.
    public enum Value: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        /// Text, at most ``maximumTextLength`` characters of it.
        case text(String)
        /// A whole number.
        case number(Int64)

        /// Longest text.
        public static let maximumTextLength = 256

        /// Makes a text.
        public init(stringLiteral value: String) { self = .text(value) }
        /// Makes a number.
        public init(integerLiteral value: Int64) { self = .number(value) }
    }

    /// An attribute.
    public struct Attribute: Sendable, Hashable {
        /// Name, of the semantic conventions where they have one.
        public let name: String
        /// Value.
        public let value: Value
        /// Makes an attribute.
        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The trace, and the span itself.
    public var context: TraceContext
    /// The span it is a part of; `nil` for the first of a trace.
    public var parent: TraceContext.SpanID?
    /// Name, of the semantic conventions.
    public var name: String
    /// Kind.
    public var kind: Kind
    /// When it began.
    public var start: Timestamp
    /// When it ended; not before it began.
    public var end: Timestamp
    /// What is known of it: never a secret, never what a person wrote.
    public var attributes: [Attribute]
    /// Other traces that led to it.
    public var links: [TraceContext]
    /// What went wrong, in a word; `nil` when nothing did.
    public var fault: String?

    /// Makes a span.
    public init(
        _ name: String, _ kind: Kind, in context: TraceContext, under parent: TraceContext.SpanID?,
        from start: Timestamp,
        to end: Timestamp, attributes: [Attribute] = [], links: [TraceContext] = [], fault: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.start = start
        self.end = max(start, end)
        self.attributes = attributes
        self.links = links
        self.fault = fault
    }
}

extension TraceContext.SpanID {
    /// An identifier that no other span has.
    public static func random() -> TraceContext.SpanID {
        while true {
            if let made = TraceContext.SpanID(UInt64.random(in: 1 ... .max)) { return made }
        }
    }
}
