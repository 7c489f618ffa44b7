public import ClawWire
public import SecurityEvents

/// One place where security events go.
///
/// A sink is given events in the order of the log and knows nothing of where it stands: whoever drives it keeps the
/// position in the ledger and moves it behind what ``deliver(_:)`` has returned for. Delivery is at least once: the same
/// events come again after a crash.
public protocol SecurityEventSink: Sendable {
    /// Its name in the configuration, in metrics and in the ledger; unique within a log.
    var name: String { get }
    /// Most events of one delivery.
    var maximumEvents: Int { get }
    /// Most bytes of one delivery, as ``rendered(_:)`` counts them.
    var maximumBytes: Int { get }

    /// An event in the form in which it is sent.
    func rendered(_ event: SecurityEvent) -> [UInt8]

    /// Sends events, in order, and returns once the other side has them durably, by the strongest word it gives.
    ///
    /// - Throws: ``SinkFailure``; then none, some or all of them may have arrived.
    func deliver(_ events: [RenderedEvent]) async throws(SinkFailure)

    /// Closes connections. The sink opens them again by itself if it is used afterwards.
    func close() async
}

/// An event in the form in which a sink sends it.
public struct RenderedEvent: Sendable, Hashable {
    /// Its number: the position of its receipt in the log.
    public let sequence: SequenceNumber
    /// When what it tells happened.
    public let time: Timestamp
    /// The event.
    public let bytes: [UInt8]

    /// Makes a rendered event.
    public init(sequence: SequenceNumber, time: Timestamp, bytes: [UInt8]) {
        self.sequence = sequence
        self.time = time
        self.bytes = bytes
    }
}

/// Why a delivery did not succeed.
public struct SinkFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What to do about it.
    public enum Remedy: Sendable, Hashable {
        /// The other side is away or busy: the same again, not before `after` where it said so.
        case retry(after: Duration?)
        /// The other side will never take these events, by their numbers; all before the first of them it has. They are
        /// skipped with a finding, the others are sent again.
        case skip(Set<SequenceNumber>)
        /// Nothing can be sent until somebody changes the configuration: credentials refused, topic missing.
        case misconfigured
    }

    /// What to do about it.
    public let remedy: Remedy
    /// A sentence for people: what happened, to which sink, and what to do. Holds no credential and no event.
    public let description: String

    /// Makes a failure.
    public init(_ remedy: Remedy, _ description: String) {
        self.remedy = remedy
        self.description = description
    }
}
