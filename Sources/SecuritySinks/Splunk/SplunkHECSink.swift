import ClawWire
import Foundation
public import GrantWorker
import Primitives
public import SecurityEvents

/// Sends security events to a Splunk HTTP event collector and waits for its indexers' word.
///
/// The collector's answer says that it has taken events into memory; an indexer's acknowledgement says that they are
/// written. A delivery sends all its requests and then asks about all of them together, on one channel.
public final class SplunkHECSink: SecurityEventSink {
    /// As configured.
    public let name: String
    private let settings: SplunkHECSettings
    private let acknowledgementTimeout: Duration
    private let client: CollectorClient
    /// Numbers of acknowledgements are counted by channel (`X-Splunk-Request-Channel`), which nobody else may use.
    private let channel = Lock(UUID().uuidString)

    /// Makes a sink; it connects at its first delivery.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - settings: where the collector is.
    ///   - timeout: longest time of one delivery, nine tenths of which may be spent on waiting for acknowledgements.
    public init(name: String, _ settings: SplunkHECSettings, timeout: Duration) {
        self.name = name
        acknowledgementTimeout = timeout * 9 / 10
        self.settings = settings
        client = CollectorClient(sink: name, connection: settings.connection)
    }

    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// As configured.
    public var maximumBytes: Int { settings.deliveryBytes }

    /// An object with the event in OCSF, as the collector reads it.
    public func rendered(_ event: SecurityEvent) -> [UInt8] { SplunkHEC.body([event], target: settings.target) }

    /// Closes connections.
    public func close() async { await client.close() }

    /// Sends events and returns when the indexers have all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        guard !events.isEmpty else { return }
        let token = try await CredentialFile(path: settings.tokenFile).read(for: name)
        var delivery = Delivery(token: token, channel: channel.withLock { $0 })
        var refused: SequenceNumber?
        for request in events.requests(maximumBytes: settings.requestBytes) {
            refused = try await send(request, &delivery)
            if refused != nil { break }
        }
        try await awaitAcknowledgements(delivery)
        if let refused {
            throw SinkFailure(
                .skip([refused]), "\(name): the collector refuses event \(refused) for its form and will never take it")
        }
    }

    /// What requests of one delivery have in common.
    private struct Delivery {
        let token: Credential
        let channel: String
        var unconfirmed: Set<Int64> = []

        var fields: [(name: String, value: String)] {
            [
                ("authorization", "Splunk \(token.text)"), ("x-splunk-request-channel", channel),
                ("content-type", "application/json"),
            ]
        }
    }

    /// Sends events up to the first that is refused.
    ///
    /// What stands before a refused event goes again, because an answer that refuses one has no number by which the word
    /// about the others could be asked for.
    private func send(
        _ events: ArraySlice<RenderedEvent>, _ delivery: inout Delivery
    ) async throws(SinkFailure) -> SequenceNumber? {
        guard let first = events.first else { return nil }
        let path = "/services/collector/event"
        let answer = try await client.send(
            CollectorRequest(
                address: settings.url + path, fields: delivery.fields, body: events.flatMap(\.bytes)),
            what: "POST \(path)")
        switch SplunkHECVerdict(status: answer.status, body: answer.body) {
        case .taken(let number):
            guard settings.awaitsAcknowledgement else { return nil }
            guard let number else {
                throw failure(
                    "the collector gives no acknowledgement; turn on indexer acknowledgement for the token, or set "
                        + "`acknowledgement: false`")
            }
            delivery.unconfirmed.insert(number)
            return nil
        case .invalidEvent(let place?) where events.indices.contains(events.startIndex + place):
            let index = events.startIndex + place
            if let earlier = try await send(events[..<index], &delivery) { return earlier }
            return events[index].sequence
        case .invalidEvent, .tooLong:
            guard events.count > 1 else { return first.sequence }
            let (front, rest) = events.halves
            if let refused = try await send(front, &delivery) { return refused }
            return try await send(rest, &delivery)
        case .channelUnknown: throw renewingChannel("the collector does not know the channel")
        case .busy(let said): throw SinkFailure(.retry(after: answer.retryAfter), "\(name): the collector \(said)")
        case .misconfigured(let said): throw failure("the collector \(said)")
        }
    }

    private func awaitAcknowledgements(_ delivery: Delivery) async throws(SinkFailure) {
        let end = ContinuousClock.now + acknowledgementTimeout
        var unconfirmed = delivery.unconfirmed
        var pause = min(Duration.milliseconds(20), settings.longestPollInterval)
        while !unconfirmed.isEmpty {
            if let confirmed = try await confirmed(among: unconfirmed, delivery) { unconfirmed.subtract(confirmed) }
            if unconfirmed.isEmpty { return }
            guard ContinuousClock.now + pause < end else {
                // A number that was confirmed once is forgotten: if that answer was lost, no later one will confirm it.
                throw renewingChannel(
                    "\(unconfirmed.count) of \(delivery.unconfirmed.count) requests were not confirmed by the indexers in time"
                )
            }
            do { try await Task.sleep(for: pause) } catch {
                throw renewingChannel("the wait for acknowledgements was cut short")
            }
            pause = min(pause * 2, settings.longestPollInterval)
        }
    }

    /// Asks about acknowledgements once; `nil` when there is no answer, which may come the next time.
    private func confirmed(
        among numbers: Set<Int64>, _ delivery: Delivery
    ) async throws(SinkFailure) -> Set<Int64>? {
        let path = "/services/collector/ack"
        let question: JSONValue = ["acks": .array(numbers.sorted().map { .integer($0) })]
        let answer: CollectorAnswer
        do throws(SinkFailure) {
            answer = try await client.send(
                CollectorRequest(
                    address: "\(settings.url)\(path)?channel=\(delivery.channel)", fields: delivery.fields,
                    body: JSONWriter.bytes(question), mayCompress: false),
                what: "POST \(path)")
        } catch {
            guard error.remedy == .retry(after: nil), !Task.isCancelled else { throw error }
            return nil
        }
        if answer.status == 200, let acks = (try? JSONReader.parse(answer.body))?["acks"]?.object {
            return Set(acks.members.filter { $0.value.bool == true }.compactMap { Int64($0.key) })
        }
        switch SplunkHECVerdict(status: answer.status, body: answer.body) {
        case .busy: return nil
        case .channelUnknown: throw renewingChannel("the collector does not know the channel")
        case .misconfigured(let said): throw failure("asked for acknowledgements, the collector \(said)")
        case .taken, .invalidEvent, .tooLong:
            throw failure("asked for acknowledgements, the collector answered \(answer.status) in another form")
        }
    }

    private func renewingChannel(_ why: String) -> SinkFailure {
        channel.withLock { $0 = UUID().uuidString }
        return SinkFailure(.retry(after: nil), "\(name): \(why)")
    }

    private func failure(_ why: String) -> SinkFailure { SinkFailure(.misconfigured, "\(name): \(why)") }
}
