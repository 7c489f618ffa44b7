/// An OpenTelemetry collector that takes logs over HTTP, and how it is fed.
public struct OTLPLogsSettings: Sendable, Hashable {
    /// The whole address: `https://otel.harborline.example:4318/v1/logs`.
    public var url: String
    /// File of a bearer token for the collector, mode 0600, one line; `nil` sends none.
    public var tokenFile: String?
    /// Most bytes of one request before compression; the OpenTelemetry collector takes 20 MiB.
    public var requestBytes = 1 << 20
    /// Most events of one delivery, which is one request: what a collector rejects it does not name, so the finding about
    /// it names the whole delivery.
    public var deliveryEvents = 512
    /// How it is reached.
    public var connection = CollectorConnection()

    /// The standard settings for a collector.
    public init(url: String) {
        self.url = url
    }
}
