public import ApprovalSources
public import ClawWire
public import HTTPService
import IssuanceRules
public import Kafka

/// One vendor's webhooks: where they arrive, what proves them, what becomes of them.
public struct WebhookSource: Sendable {
    /// What is written to the topic.
    public enum Output: Sendable {
        /// Our own events, signed by the bridge, made of what the reader of the configured kind understands.
        case native(SourceConfiguration, eventSource: String)
        /// The body as it came, with the headers that prove it and those named, in lower case.
        case raw(headers: [String])
    }

    /// Name, for logs, metrics and evidence.
    public var name: String
    /// The path that the vendor posts to.
    public var path: String
    /// The topic.
    public var topic: String
    /// What proves a body.
    public var verifier: HeaderSignatureVerifier
    /// The header with the vendor's name of a delivery, in lower case; `nil` when it has none.
    public var deliveryHeader: String?
    /// What is written.
    public var output: Output

    /// Describes a source.
    public init(
        name: String, path: String, topic: String, verifier: HeaderSignatureVerifier, deliveryHeader: String?,
        output: Output
    ) {
        self.name = name
        self.path = path
        self.topic = topic
        self.verifier = verifier
        self.deliveryHeader = deliveryHeader
        self.output = output
    }

    /// True for native events made of Security Event Tokens.
    var isOfSharedSignals: Bool {
        if case .native(let configuration, _) = output { configuration.kind == .sharedSignals } else { false }
    }
}

/// Everything a bridge is told at start.
public struct BridgeConfiguration: Sendable {
    /// What it listens on, and the bounds of requests.
    public var http: HTTPServiceConfiguration
    /// Properties of librdkafka.
    public var kafka: KafkaConfiguration
    /// The sources, each with a path of its own.
    public var sources: [WebhookSource]
    /// Signs native events; needed when a source writes them.
    public var signer: (any Ed25519Signer)?
    /// Most requests that are being worked on; more are answered with 429.
    public var maximumRequests = 64
    /// Most deliveries that are remembered.
    public var rememberedDeliveries = 10_000
    /// How long a write may take before the vendor is asked to come again.
    public var writeTimeout: Duration = .seconds(8)

    /// Makes a configuration.
    public init(
        http: HTTPServiceConfiguration, kafka: KafkaConfiguration, sources: [WebhookSource],
        signer: (any Ed25519Signer)?
    ) {
        self.http = http
        self.kafka = kafka
        self.sources = sources
        self.signer = signer
    }
}
