public import ClawWire
import ReceiptLog
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

    /// How many events before its position are sent again whenever it begins and after every failure: for a protocol
    /// that acknowledges nothing, and so cannot tell what was lost with a connection. 0 where the other side's word is
    /// good.
    var replayedEvents: Int { get }

    /// Sends events, in order, and returns once the other side has them durably, by the strongest word it gives.
    ///
    /// Heeds cancellation: a delivery that takes longer than the configuration allows is cancelled.
    ///
    /// - Throws: ``SinkFailure``; then none, some or all of them may have arrived.
    func deliver(_ events: [RenderedEvent]) async throws(SinkFailure)

    /// Closes connections. The sink opens them again by itself if it is used afterwards.
    func close() async
}

extension SecurityEventSink {
    /// 0: what was delivered is there.
    public var replayedEvents: Int { 0 }
}

/// An event in the form in which a sink sends it.
public struct RenderedEvent: Sendable, Hashable {
    /// Its number: the position of its receipt in the log.
    public let sequence: SequenceNumber
    /// When what it tells happened.
    public let time: Timestamp
    /// The kind of its receipt: `grant.issued`, `stop.declared` …
    public let kind: String
    /// What ties events about one matter together; see ``SecurityEvent/correlation``.
    public let correlation: String
    /// The event.
    public let bytes: [UInt8]

    /// Makes a rendered event.
    public init(_ event: SecurityEvent, bytes: [UInt8]) {
        sequence = event.sequence
        time = event.receipt.occurredAt
        kind = event.code
        correlation = event.correlation
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
