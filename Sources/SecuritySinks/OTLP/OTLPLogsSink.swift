import ClawWire
public import GrantWorker
import Primitives
public import SecurityEvents

/// Sends security events to an OpenTelemetry collector as log records (OTLP over HTTP, JSON form).
///
/// The collector's 200 says what its pipeline makes it say: with a queue in memory, that the records are in the queue.
public final class OTLPLogsSink: SecurityEventSink {
    /// As configured.
    public let name: String
    private let settings: OTLPLogsSettings
    /// The resource of the records: who made the events that were rendered last, which is this worker.
    private let producer = Lock<EventProducer?>(nil)
    private let client: CollectorClient

    /// Makes a sink; it connects at its first delivery.
    public init(name: String, _ settings: OTLPLogsSettings) {
        self.name = name
        self.settings = settings
        client = CollectorClient(sink: name, connection: settings.connection)
    }

    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// As configured.
    public var maximumBytes: Int { settings.requestBytes }

    /// A log record in JSON.
    public func rendered(_ event: SecurityEvent) -> [UInt8] {
        producer.withLock { $0 = event.producer }
        return OTLPLogs.recordBytes(event)
    }

    /// Closes connections.
    public func close() async { await client.close() }

    /// Sends events and returns when the collector has taken all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let token: Credential? =
            if let file = settings.tokenFile { try await CredentialFile(path: file).read(for: name) } else { nil }
        for request in events.requests(maximumBytes: settings.requestBytes, separator: 1) {
            if let failure = try await send(request, token) { throw failure }
        }
    }

    /// Sends events; returns why some of them are skipped, when all before them are there.
    private func send(
        _ events: ArraySlice<RenderedEvent>, _ token: Credential?
    ) async throws(SinkFailure) -> SinkFailure? {
        guard let first = events.first else { return nil }
        guard let producer = producer.withLock({ $0 }) else {
            throw SinkFailure(.retry(after: nil), "\(name): events were to be sent that this sink did not render")
        }
        var fields = [(name: "content-type", value: "application/json")]
        if let token { fields.append(("authorization", "Bearer \(token.text)")) }
        let answer = try await client.send(
            CollectorRequest(
                address: settings.url, fields: fields, body: OTLPLogs.body(records: events.map(\.bytes), of: producer)),
            what: "sending logs")
        switch answer.status {
        case 200: return try partialSuccess(answer, events)
        case 413:
            guard events.count > 1 else {
                return SinkFailure(
                    .skip([first.sequence]), "\(name): event \(first.sequence) is larger than the collector takes")
            }
            let (front, rest) = events.halves
            if let failure = try await send(front, token) { return failure }
            return try await send(rest, token)
        // What may be tried again by the specification of OTLP, and what proxies say when nothing is behind them.
        case 408, 429, 500, 502, 503, 504:
            throw SinkFailure(.retry(after: answer.retryAfter), "\(name): the collector answered \(answer.status)")
        case 401, 403:
            throw SinkFailure(
                .misconfigured,
                "\(name): the collector answered \(answer.status); write a valid token into the file of `token_file`")
        default:
            throw SinkFailure(
                .misconfigured,
                "\(name): the collector answered \(answer.status); check that the address is that of OTLP logs over HTTP "
                    + "in JSON (…/v1/logs)")
        }
    }

    /// What a collector has rejected must not be sent again (OTLP specification, partial success); it gives a number alone.
    private func partialSuccess(
        _ answer: CollectorAnswer, _ events: ArraySlice<RenderedEvent>
    ) throws(SinkFailure) -> SinkFailure? {
        let value = answer.body.isEmpty ? JSONValue.object(JSONObject()) : try? JSONReader.parse(answer.body)
        guard let object = value?.object else {
            throw SinkFailure(
                .misconfigured, "\(name): the answer is not an OpenTelemetry collector's; check the address")
        }
        let partial = object["partialSuccess"] ?? object["partial_success"]
        let count = partial?["rejectedLogRecords"] ?? partial?["rejected_log_records"]
        guard let rejected = count?.string.flatMap({ Int64($0) }) ?? count?.integer, rejected > 0 else { return nil }
        let numbers = events.map(\.sequence)
        return SinkFailure(
            .skip(Set(numbers)),
            "\(name): the collector rejected \(rejected) of the \(numbers.count) events from \(numbers[0]) on and does not "
                + "say which; its log does")
    }
}
