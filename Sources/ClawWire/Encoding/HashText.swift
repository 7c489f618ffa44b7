/// A SHA-256 as it stands in a document: 43 characters of the base64url alphabet.
///
/// It is kept as text because the reference services compare and print it as text, and accept texts whose last
/// character carries bits that no digest has. Such a text equals no ``Digest``, so nothing is ever matched by it.
public struct HashText: Sendable, Hashable, CustomStringConvertible {
    /// The 43 characters.
    public let text: String

    /// Takes a digest.
    public init(_ digest: Digest) { text = digest.b64u }

    /// Takes 43 characters of the base64url alphabet, or returns `nil` for any other text.
    public init?(_ text: String) {
        guard text.utf8.count == 43, text.utf8.allSatisfy(Base64URL.isInAlphabet) else { return nil }
        self.text = text
    }

    /// The digest; `nil` when the text is not strict base64url of 32 bytes.
    public var digest: Digest? { Digest(b64u: text) }

    /// The text.
    public var description: String { text }
}
