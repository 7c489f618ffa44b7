public import ClawWire

/// Which gateways are believed, and how far their clocks may be off.
public struct GatewayRules: Sendable, Hashable {
    /// Keys that may sign gateway receipts; nobody when there is none.
    public let signers: [Ed25519PublicKey]
    /// How many seconds a gateway's clock may be off.
    public let clockSkewSeconds: Int64

    /// Clock skew where none is given, in seconds.
    public static let standardClockSkew: Int64 = 60

    /// Makes rules.
    public init(signers: [Ed25519PublicKey] = [], clockSkewSeconds: Int64 = GatewayRules.standardClockSkew) {
        self.signers = signers
        self.clockSkewSeconds = clockSkewSeconds
    }

    /// The signers' DIDs.
    public var signerDIDs: Set<String> { Set(signers.map(\.did)) }
}
