package import Kafka

/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum BrokerTokenReaders {
    /// The token in what a file or a command gave; `nil` when it is refused.
    package static func token(printed bytes: [UInt8]) -> OAuthBearerToken? {
        try? BrokerTokens.token(printed: bytes, from: "input")
    }
}
