/// A text that never prints itself: a password, a token, a key.
public struct KafkaSecret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    private let value: String

    /// Wraps a secret text.
    public init(_ value: String) { self.value = value }

    /// Hands out the text itself; keep it away from logs and errors.
    public func reveal() -> String { value }

    /// A placeholder.
    public var description: String { "(secret)" }
    /// A placeholder.
    public var debugDescription: String { "(secret)" }
    /// Shows no children, so that `dump` prints nothing either.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// A token for the SASL mechanism OAUTHBEARER (RFC 7628).
public struct OAuthBearerToken: Sendable {
    /// The token as it goes to the broker.
    public let value: KafkaSecret
    /// The name the token speaks for.
    public let principal: String
    /// When the token expires, in milliseconds since the Unix epoch. A new one is asked for at 80 % of its life.
    public let expiresAt: Int64
    /// SASL extensions (RFC 7628 section 3.1), by name.
    public let extensions: [String: String]

    /// Makes a token. `expiresAt` is in milliseconds since the Unix epoch.
    public init(value: KafkaSecret, principal: String, expiresAt: Int64, extensions: [String: String] = [:]) {
        self.value = value
        self.principal = principal
        self.expiresAt = expiresAt
        self.extensions = extensions
    }
}
