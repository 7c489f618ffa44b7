public import SecurityEvents

/// A Splunk HTTP event collector and how it is fed.
public struct SplunkHECSettings: Sendable, Hashable {
    /// Address of the collector without a path and without a slash at its end: `https://splunk.harborline.example:8088`.
    public var url: String
    /// File of the collector's token, mode 0600, one line.
    public var tokenFile: String
    /// Where Splunk files the events.
    public var target = SplunkHEC.Target()
    /// Whether events count as delivered once an indexer has confirmed them. Without it they count once the collector has
    /// taken them into its memory.
    public var awaitsAcknowledgement = true
    /// Longest pause between two questions about acknowledgements.
    public var longestPollInterval: Duration = .seconds(2)
    /// Most bytes of one request before compression; the collector's own limit is `max_content_length` in `limits.conf`.
    public var requestBytes = 800_000
    /// Most events of one delivery, whose requests wait for their acknowledgements together.
    public var deliveryEvents = 5_000
    /// Most bytes of one delivery.
    public var deliveryBytes = 4 << 20
    /// How it is reached.
    public var connection = CollectorConnection()

    /// The standard settings for a collector.
    public init(url: String, tokenFile: String) {
        self.url = url
        self.tokenFile = tokenFile
    }
}
