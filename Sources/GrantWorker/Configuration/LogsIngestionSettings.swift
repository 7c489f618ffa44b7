public import GraphConfirmation

/// A stream of Azure Monitor's logs ingestion, which feeds Microsoft Sentinel, and how it is fed.
public struct LogsIngestionSettings: Sendable, Hashable {
    /// What proves that the worker is the application.
    public enum Proof: Sendable, Hashable {
        /// A client secret in a file, mode 0600, one line.
        case secret(file: String)
        /// A certificate that is registered with the application, and its RSA key.
        case certificate(CollectorConnection.Certificate, ClientCertificate.Algorithm)
    }

    /// Address of the data collection endpoint, without a slash at its end.
    public var endpoint: String
    /// Immutable identifier of the data collection rule: `dcr-…`.
    public var ruleID: String
    /// The rule's stream: `Custom-ClawIssuance_CL`.
    public var stream: String
    /// The tenant of the application.
    public var tenant: String
    /// The application's client identifier.
    public var clientID: String
    /// How the application proves itself.
    public var proof: Proof
    /// Address of the authority that gives out tokens, without the tenant; other clouds have others.
    public var authority = "https://login.microsoftonline.com"
    /// What a token is asked for; other clouds have others.
    public var scope = "https://monitor.azure.com/.default"
    /// Most bytes of one call before compression.
    public var requestBytes = 950_000
    /// Most events of one delivery.
    public var deliveryEvents = 5_000
    /// Most bytes of one delivery.
    public var deliveryBytes = 4 << 20
    /// How long before its end a token is replaced.
    public var tokenMargin: Duration = .seconds(300)
    /// How it is reached.
    public var connection = CollectorConnection()

    /// The standard settings for a stream of the public cloud.
    public init(
        endpoint: String, ruleID: String, stream: String, tenant: String, clientID: String, proof: Proof
    ) {
        self.endpoint = endpoint
        self.ruleID = ruleID
        self.stream = stream
        self.tenant = tenant
        self.clientID = clientID
        self.proof = proof
    }
}
