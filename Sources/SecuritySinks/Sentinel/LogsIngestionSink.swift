import ClawWire
public import GrantWorker
public import SecurityEvents

/// Sends security events to Azure Monitor's logs ingestion, which feeds Microsoft Sentinel.
///
/// The service's 204 says that it has taken the rows and will put them into the table; it has no stronger word.
public final class LogsIngestionSink: SecurityEventSink {
    /// As configured.
    public let name: String
    private let settings: LogsIngestionSettings
    private let client: CollectorClient
    private let tokens: IngestionTokens

    /// Makes a sink; it asks for a token and connects at its first delivery.
    public init(name: String, _ settings: LogsIngestionSettings) {
        self.name = name
        self.settings = settings
        client = CollectorClient(sink: name, connection: settings.connection)
        tokens = IngestionTokens(sink: name, settings)
    }

    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// As configured.
    public var maximumBytes: Int { settings.deliveryBytes }

    /// A row of the table, as JSON.
    public func rendered(_ event: SecurityEvent) -> [UInt8] { LogsIngestion.rowBytes(event) }

    /// Closes connections. The token is kept.
    public func close() async {
        await client.close()
        await tokens.close()
    }

    /// Sends events and returns when the service has taken all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        for request in events.requests(maximumBytes: settings.requestBytes - 2, separator: 1) {
            if let refused = try await send(request) {
                throw SinkFailure(
                    .skip([refused]),
                    "\(name): event \(refused) is larger than a call of the logs ingestion may be and can never be taken"
                )
            }
        }
    }

    /// Sends events up to the first that is too large by itself, and returns its number.
    private func send(_ events: ArraySlice<RenderedEvent>) async throws(SinkFailure) -> SequenceNumber? {
        guard let first = events.first else { return nil }
        let body = events.jsonArray
        let token = try await tokens.token()
        var answer = try await post(body, token)
        if answer.status == 401 {
            // A token can end before its time: its key was changed, or the application's access was.
            answer = try await post(body, try await tokens.token(refused: token))
        }
        switch answer.status {
        case 200..<300: return nil
        case 413:
            guard events.count > 1 else { return first.sequence }
            let (front, rest) = events.halves
            if let refused = try await send(front) { return refused }
            return try await send(rest)
        default: throw failure(answer)
        }
    }

    private func post(_ body: [UInt8], _ token: Credential) async throws(SinkFailure) -> CollectorAnswer {
        let path = "/dataCollectionRules/\(settings.ruleID)/streams/\(settings.stream)"
        return try await client.send(
            CollectorRequest(
                address: "\(settings.endpoint)\(path)?api-version=2023-01-01",
                fields: [("authorization", "Bearer \(token.text)"), ("content-type", "application/json")], body: body),
            what: "POST \(path)")
    }

    private func failure(_ answer: CollectorAnswer) -> SinkFailure {
        let code = codeName((try? JSONReader.parse(answer.body))?["error"]?["code"]?.string)
        let said = "\(name): the logs ingestion answered \(answer.status)\(code)"
        switch answer.status {
        case 408, 429, 500...: return SinkFailure(.retry(after: answer.retryAfter), said)
        case 401:
            return SinkFailure(
                .misconfigured, "\(said) to a new token; check `scope` and that the tenant is the endpoint's")
        case 403:
            return SinkFailure(
                .misconfigured,
                "\(said); give the application the role Monitoring Metrics Publisher on the data collection rule, which "
                    + "takes up to half an hour to count")
        case 404: return SinkFailure(.misconfigured, "\(said); check endpoint, rule and stream")
        // Nothing is skipped on a word that may as well mean the settings.
        default:
            return SinkFailure(
                .misconfigured,
                "\(said); check the rule's stream against docs/collectors.md")
        }
    }
}
