public import ClawWire

/// A key that signs notes, under a name (C2SP signed-note).
public struct NoteKey: Sendable, Hashable {
    /// How the key signs; the raw value is the signature type byte.
    public enum Algorithm: UInt8, Sendable, Hashable {
        /// Ed25519 over the note text: a log.
        case ed25519 = 0x01
        /// Timestamped Ed25519 cosignature over a checkpoint: a witness (C2SP tlog-cosignature).
        case cosignature = 0x04
    }

    /// Name, by convention a URL without scheme.
    public let name: String
    /// Public key.
    public let publicKey: Ed25519PublicKey
    /// How it signs.
    public let algorithm: Algorithm

    /// Names a key, or returns `nil` when the name is not 1 to 256 printable ASCII characters without space and plus.
    public init?(name: String, publicKey: Ed25519PublicKey, algorithm: Algorithm = .ed25519) {
        guard Self.isName(name) else { return nil }
        self.name = name
        self.publicKey = publicKey
        self.algorithm = algorithm
    }

    /// First four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
    public var keyID: [UInt8] {
        Array(Digest(hashing: Array(name.utf8) + [0x0A, algorithm.rawValue] + publicKey.bytes).bytes.prefix(4))
    }

    /// The verifier key in text: `name+hex key id+base64(type ‖ public key)`.
    public var text: String {
        "\(name)+\(Hex.encode(keyID))+\(Base64.encode([algorithm.rawValue] + publicKey.bytes))"
    }

    /// Reads a verifier key, or returns `nil` when the text is not one or its key id is wrong.
    public init?(text: String) {
        guard text.utf8.count <= 512 else { return nil }
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let material = Base64.decode(parts[2]), material.count == 33,
            let algorithm = Algorithm(rawValue: material[0]),
            let publicKey = Ed25519PublicKey(bytes: Array(material[1...]))
        else { return nil }
        self.init(name: String(parts[0]), publicKey: publicKey, algorithm: algorithm)
        guard Hex.encode(keyID) == parts[1] else { return nil }
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 256
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "+") }
    }
}
