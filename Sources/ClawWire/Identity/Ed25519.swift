internal import Crypto

/// An Ed25519 public key (RFC 8032).
public struct Ed25519PublicKey: Sendable, Hashable, CustomStringConvertible {
    /// The 32 bytes.
    public let bytes: [UInt8]
    /// The `kid`: first 16 lowercase hex digits of SHA-256 over the 32 bytes (WIRE section 1).
    public let kid: KeyID

    /// Takes 32 bytes, or returns `nil` for another length.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
        kid = KeyID(Hex.encode(Digest(hashing: bytes).bytes.prefix(8)))
    }

    /// Keys are equal when their bytes are.
    public static func == (left: Ed25519PublicKey, right: Ed25519PublicKey) -> Bool { left.bytes == right.bytes }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// True when `signature` is this key's over `message`.
    public func isValidSignature(_ signature: Ed25519Signature, for message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return false }
        return key.isValidSignature(signature.bytes, for: message)
    }

    /// `did:key:z` + base58btc(0xED 0x01 ‖ key) (WIRE section 1).
    public var did: String { "did:key:z" + Base58.encode([0xED, 0x01] + bytes) }

    /// Reads a `did:key` of an Ed25519 key; `nil` for every other text.
    public init?(did: String) {
        let prefix = "did:key:z"
        guard did.hasPrefix(prefix), did.utf8.count <= 128,
            let decoded = Base58.decode(String(did.dropFirst(prefix.count))), decoded.count == 34,
            decoded[0] == 0xED, decoded[1] == 0x01
        else { return nil }
        self.init(bytes: Array(decoded[2...]))
    }

    /// The DID.
    public var description: String { did }
}

/// A tag for ``KeyID``.
public enum KeyIDKind {}
/// The identifier of a signing key, see ``Ed25519PublicKey/kid``.
public typealias KeyID = Identifier<KeyIDKind>

/// An Ed25519 signature.
public struct Ed25519Signature: Sendable, Hashable {
    /// The 64 bytes.
    public let bytes: [UInt8]

    /// Takes 64 bytes, or returns `nil` for another length.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 64 else { return nil }
        self.bytes = bytes
    }

    /// Reads strict base64url of 64 bytes.
    public init?(b64u: some StringProtocol) { self.init(b64u: String(b64u)) }

    /// Reads strict base64url of 64 bytes.
    public init?(b64u: String) {
        guard b64u.utf8.count == 86, let bytes = Base64URL.decode(b64u) else { return nil }
        self.init(bytes: bytes)
    }

    /// Base64url, 86 characters.
    public var b64u: String { Base64URL.encode(bytes) }
}

/// Something that signs with one Ed25519 key; where the private key lives is its own affair.
public protocol Ed25519Signer: Sendable {
    /// The key's public half.
    var publicKey: Ed25519PublicKey { get }

    /// Signs a message. Ed25519 is deterministic: the same message gives the same 64 bytes.
    ///
    /// - Throws: an error that names the key by its `kid` when the key cannot be used.
    func sign(_ message: [UInt8]) throws -> Ed25519Signature
}

/// A signer whose key is held in memory, made of a 32-byte seed. Its description never shows the seed.
public struct SeedSigner: Ed25519Signer, CustomStringConvertible, CustomReflectable {
    private let key: Curve25519.Signing.PrivateKey
    /// The key's public half.
    public let publicKey: Ed25519PublicKey

    /// Makes a signer of a 32-byte seed, or returns `nil` for another length.
    public init?(seed: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
            let publicKey = Ed25519PublicKey(bytes: Array(key.publicKey.rawRepresentation))
        else { return nil }
        self.key = key
        self.publicKey = publicKey
    }

    /// Signs a message.
    public func sign(_ message: [UInt8]) throws -> Ed25519Signature {
        // CryptoKit on Apple platforms randomises; swift-crypto on Linux signs as RFC 8032 says, which vectors check.
        guard let signature = Ed25519Signature(bytes: Array(try key.signature(for: message))) else {
            throw SignatureLengthError(kid: publicKey.kid)
        }
        return signature
    }

    /// A placeholder with the `kid`.
    public var description: String { "Ed25519 signer \(publicKey.kid)" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The cryptographic library returned a signature that is not 64 bytes long.
public struct SignatureLengthError: Error, CustomStringConvertible {
    /// The key that signed.
    public let kid: KeyID
    /// A sentence for people.
    public var description: String { "the signature of key \(kid) is not 64 bytes long" }
}
