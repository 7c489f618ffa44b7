/// Whom Security Event Tokens are from and for.
public struct SignalParties: Sendable, Hashable {
    /// `iss`: the address of the worker's issuer.
    public var issuer: String
    /// `aud`: what the receiver calls itself.
    public var audience: String

    /// Names the parties.
    public init(issuer: String, audience: String) {
        self.issuer = issuer
        self.audience = audience
    }
}

/// A receiver of Security Event Tokens by push.
public struct SignalPushSettings: Sendable, Hashable {
    /// The receiver's address.
    public var url: String
    /// From whom and for whom.
    public var parties: SignalParties
    /// File of the bearer token that the receiver asks for, mode 0600, one line; `nil` sends none.
    public var tokenFile: String?
    /// Most pushes at a time.
    public var concurrency = 4
    /// Most events of one delivery. After a failure the whole delivery goes again.
    public var deliveryEvents = 200
    /// How it is reached.
    public var connection: CollectorConnection

    /// The standard settings for a receiver.
    public init(url: String, parties: SignalParties) {
        self.url = url
        self.parties = parties
        connection = CollectorConnection()
        // Receivers are not asked to read anything but the token (RFC 8935 section 2.1).
        connection.compresses = false
    }
}

/// The topic of Security Event Tokens.
public struct SignalTopicSettings: Sendable, Hashable {
    /// The standard name.
    public static let standardName = "claw.signals.v1"
    /// The topic.
    public var topic = standardName
    /// From whom and for whom.
    public var parties: SignalParties
    /// Most events of one delivery.
    public var deliveryEvents = 500

    /// The standard settings.
    public init(parties: SignalParties) {
        self.parties = parties
    }
}
