/// The properties of a client, by librdkafka's names (its CONFIGURATION.md lists them), in a fixed order.
///
/// Every property can be set; a name librdkafka does not know is refused when a client is made. Values of properties
/// that hold a secret are not printed. Each client documents the defaults it changes; all of them set
/// `socket.nagle.disable` to true.
public struct KafkaConfiguration: Sendable {
    /// Supplies a token whenever librdkafka wants one. Needed when `sasl.mechanism` is `OAUTHBEARER`, unless
    /// `sasl.oauthbearer.method` is `oidc`. It runs in a task of its own, which is cancelled when the client closes.
    public var tokenProvider: (@Sendable () async throws -> OAuthBearerToken)?

    private var names: [String] = []
    private var values: [String: String] = [:]

    /// Makes a configuration out of properties, ordered by name.
    public init(
        _ properties: [String: String] = [:],
        tokenProvider: (@Sendable () async throws -> OAuthBearerToken)? = nil
    ) {
        self.names = properties.keys.sorted()
        self.values = properties
        self.tokenProvider = tokenProvider
    }

    /// The value of a property. A new one goes to the end of the order; nil removes it.
    public subscript(name: String) -> String? {
        get { values[name] }
        set {
            if newValue == nil {
                names.removeAll { $0 == name }
            } else if values[name] == nil {
                names.append(name)
            }
            values[name] = newValue
        }
    }

    /// The names and values in order, secrets included.
    public var properties: [(name: String, value: String)] {
        names.compactMap { name in values[name].map { (name, $0) } }
    }

    /// Whether a property holds a secret, so that its value must not be printed.
    public static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return name.contains("password") || name.contains("secret") || name.hasSuffix("key.pem")
            || name == "sasl.oauthbearer.config"
    }
}

extension KafkaConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The properties as `name=value`, with a placeholder for secrets.
    public var description: String {
        properties.map { "\($0.name)=\(Self.isSecret($0.name) ? "(secret)" : $0.value)" }.joined(separator: ", ")
    }
    /// The same as `description`.
    public var debugDescription: String { description }
    /// Shows what `description` shows, so that `dump` does not print secrets either.
    public var customMirror: Mirror { Mirror(self, children: ["properties": description]) }
}
