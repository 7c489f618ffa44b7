/// A compact token that authorises whoever holds it. Every way of printing it shows a placeholder.
public struct BearerToken: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let text: String

    /// Takes the compact text.
    public init(_ text: String) { self.text = text }

    /// The compact text itself. Hand it to nobody but the token's recipient.
    public var exposed: String { text }

    /// The name of the token in revocations, receipts and logs.
    public var hash: TokenHash { TokenHash(Digest(hashing: text)) }

    /// A placeholder.
    public var description: String { "<bearer token>" }
    /// A placeholder.
    public var debugDescription: String { description }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// SHA-256 of a compact token's ASCII text. It names the token where the token itself must not stand (WIRE section 2).
public struct TokenHash: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The digest.
    public let digest: Digest

    /// Takes a digest of a compact token's text.
    public init(_ digest: Digest) { self.digest = digest }

    /// Reads 64 hexadecimal digits of either case, as the revocation route does; `nil` for any other text.
    public init?(hex: some StringProtocol) {
        guard let digest = Digest(hex: hex) else { return nil }
        self.digest = digest
    }

    /// Lowercase hexadecimal, 64 characters: the wire form.
    public var hex: String { digest.hex }

    /// The hexadecimal form.
    public var description: String { hex }

    /// Orders by the digest's bytes.
    public static func < (left: TokenHash, right: TokenHash) -> Bool { left.digest < right.digest }
}
