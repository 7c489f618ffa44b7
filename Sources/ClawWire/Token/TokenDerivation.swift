/// The secret from which token identifiers and nonces are derived. Its description never shows it.
///
/// Use it for nothing else. Whoever knows it can foretell the identifiers of tokens that are yet to be minted.
public struct TokenIDSecret: Sendable, CustomStringConvertible, CustomReflectable {
    private let keyed: KeyedHash

    /// Takes at least 32 random bytes; `nil` for fewer.
    public init?(bytes: [UInt8]) {
        guard bytes.count >= 32 else { return nil }
        keyed = KeyedHash(key: bytes)
    }

    /// A placeholder.
    public var description: String { "<token id secret>" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }

    func uuid(label: String, requestID: RequestID) -> String {
        var message = Array(label.utf8)
        message.append(0)
        message.append(contentsOf: requestID.rawValue.utf8)
        var uuid = Array(keyed.authenticationCode(of: message).bytes.prefix(16))
        uuid[6] = uuid[6] & 0x0F | 0x40
        uuid[8] = uuid[8] & 0x3F | 0x80
        var text: [UInt8] = []
        text.reserveCapacity(36)
        Hex.append(uuid, to: &text)
        for place in [20, 16, 12, 8] { text.insert(UInt8(ascii: "-"), at: place) }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Identifier where Tag == IdentifierKind.Token {
    /// The `jti` of the one token of a request: a UUID of version 4's form made of HMAC-SHA-256 over the label
    /// `clawgrant jti`, a zero byte and the request's id.
    ///
    /// It is the same on every derivation, so that a token can be made again instead of being stored, and cannot be
    /// guessed without the secret.
    public static func derive(secret: TokenIDSecret, requestID: RequestID) -> TokenID {
        TokenID(secret.uuid(label: "clawgrant jti", requestID: requestID))
    }
}

/// The claim `nonce`, derived like the `jti` under a label of its own.
public enum TokenNonce {
    /// The nonce of the one token of a request.
    public static func derive(secret: TokenIDSecret, requestID: RequestID) -> String {
        secret.uuid(label: "clawgrant nonce", requestID: requestID)
    }
}
