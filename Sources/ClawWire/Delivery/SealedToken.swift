internal import Crypto

/// Why a token could not be sealed or opened.
public struct SealError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// The recipient's key is not 32 bytes, or leads to the all-zero secret (RFC 7748 §6.1).
        case weakKey = "weak_key"
        /// No compact JWE of the one form that is written here.
        case malformed
        /// Sealed to another key.
        case wrongRecipient = "wrong_recipient"
        /// The text was changed, or sealed to another key.
        case authenticationFailed = "authentication_failed"
    }
    /// What is wrong.
    public let code: Code
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

/// The secret from which ephemeral keys are derived. Its description never shows it.
///
/// Together with a token's hash, which is public, it opens what was sealed: guard it as the signing key is guarded, and
/// use it for nothing else.
public struct SealingSecret: Sendable, CustomStringConvertible, CustomReflectable {
    /// The secret after the first step of HKDF, which is the same for every token.
    fileprivate let extracted: KeyedHash

    /// Takes at least 32 random bytes; `nil` for fewer.
    public init?(bytes: [UInt8]) {
        guard bytes.count >= 32 else { return nil }
        extracted = KeyedHash.extracting(bytes)
    }

    /// A placeholder.
    public var description: String { "<sealing secret>" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A recipient's X25519 private key. Its description never shows it.
public struct SealingPrivateKey: Sendable, CustomStringConvertible, CustomReflectable {
    fileprivate let key: Curve25519.KeyAgreement.PrivateKey

    /// Takes 32 bytes; `nil` for another length.
    public init?(bytes: [UInt8]) {
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes) else { return nil }
        self.key = key
    }

    /// The public half, 32 bytes.
    public var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    /// A placeholder with the thumbprint.
    public var description: String { "<sealing private key \(SealedToken.thumbprint(publicKey))>" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A token encrypted to one X25519 key: compact JWE (RFC 7516), `alg` ECDH-ES, `enc` A256GCM, `epk` OKP (RFC 8037).
public enum SealedToken {
    /// What was sealed.
    public struct Opened: Sendable, Hashable {
        /// The token.
        public let token: BearerToken
        /// The context it was sealed under.
        public let context: [UInt8]
    }

    /// Longest JWE that is read, in bytes.
    public static let maximumBytes = 65_536

    /// The recipient's `kid`: the JWK thumbprint (RFC 7638 §3, RFC 8037 §2) of an X25519 public key.
    public static func thumbprint(_ publicKey: [UInt8]) -> String {
        Digest(hashing: "{\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"\(Base64URL.encode(publicKey))\"}").b64u
    }

    /// Whether a token can be sealed to an X25519 public key: it has 32 bytes and is of no small order.
    public static func canSeal(to publicKey: [UInt8]) -> Bool {
        publicKey.count == 32 && !SmallOrderPoints.contains(publicKey)
    }

    /// Seals a token.
    ///
    /// The ephemeral private key and the IV are derived from the secret, the token's hash, the recipient's key and the
    /// context, so that sealing again gives the same bytes and a repeated delivery cannot be told from the first. That
    /// is safe for AES-GCM: the content key follows from the ephemeral key, and the ephemeral key, the IV, the
    /// plaintext and the protected header all follow from the same four values, so no key and IV ever meet two
    /// plaintexts.
    ///
    /// - Parameters:
    ///   - token: the token.
    ///   - publicKey: the recipient's X25519 public key, 32 bytes.
    ///   - ephemeralSecret: the sealer's secret.
    ///   - context: bound into key and header as `apv` (RFC 7518 §4.6.1.3), for example the request's id; may be empty.
    /// - Throws: ``SealError`` with `weak_key`, exactly when ``canSeal(to:)`` says no.
    public static func seal(
        _ token: BearerToken, to publicKey: [UInt8], ephemeralSecret: SealingSecret, context: [UInt8] = []
    ) throws(SealError) -> String {
        let seed = derive(ephemeralSecret, token: token.hash, recipient: publicKey, context: context)
        guard let recipient = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey),
            let ephemeral = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed[..<32])
        else { throw SealError(.weakKey, "an X25519 public key has 32 bytes, not \(publicKey.count)") }
        // Every value is of the base64url alphabet, so that nothing in the header needs an escape.
        var header = Array("{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\",\"typ\":\"JWT\",\"cty\":\"JWT\",\"kid\":\"".utf8)
        header.reserveCapacity(512)
        header.append(contentsOf: thumbprint(publicKey).utf8)
        header.append(contentsOf: "\",\"epk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"".utf8)
        Base64URL.append(Array(ephemeral.publicKey.rawRepresentation), to: &header)
        header.append(contentsOf: "\"}".utf8)
        if !context.isEmpty {
            header.append(contentsOf: ",\"apv\":\"".utf8)
            Base64URL.append(context, to: &header)
            header.append(UInt8(ascii: "\""))
        }
        header.append(UInt8(ascii: "}"))
        var output: [UInt8] = []
        output.reserveCapacity(2_048)
        Base64URL.append(header, to: &output)
        let protected = output
        let key = try contentKey(ephemeral, recipient, context: context)
        guard let nonce = try? AES.GCM.Nonce(data: seed[32...]),
            let box = try? AES.GCM.seal(
                Array(token.exposed.utf8), using: key, nonce: nonce, authenticating: protected)
        else { throw SealError(.weakKey, "AES-GCM refused the derived key") }
        let dot = UInt8(ascii: ".")
        output.append(contentsOf: [dot, dot])
        Base64URL.append(Array(seed[32...]), to: &output)
        output.append(dot)
        Base64URL.append(Array(box.ciphertext), to: &output)
        output.append(dot)
        Base64URL.append(Array(box.tag), to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Opens a sealed token.
    ///
    /// - Throws: ``SealError``.
    public static func open(_ jwe: String, privateKey: SealingPrivateKey) throws(SealError) -> Opened {
        let bytes = Array(jwe.utf8)
        guard bytes.count <= maximumBytes else { throw SealError(.malformed, "the JWE is longer than 64 KiB") }
        let segments = bytes.split(separator: UInt8(ascii: "."), maxSplits: 5, omittingEmptySubsequences: false)
        guard segments.count == 5, segments[1].isEmpty, let headerBytes = Base64URL.decode(segments[0]),
            let header = try? JSONReader.parse(headerBytes, limits: .token).object,
            let iv = Base64URL.decode(segments[2]), iv.count == 12, let ciphertext = Base64URL.decode(segments[3]),
            let tag = Base64URL.decode(segments[4]), tag.count == 16
        else { throw SealError(.malformed, "not a compact JWE of five segments with direct key agreement") }
        guard header["alg"]?.string == "ECDH-ES", header["enc"]?.string == "A256GCM", header["crit"] == nil,
            header["zip"] == nil, header["apu"] == nil
        else { throw SealError(.malformed, "only ECDH-ES with A256GCM, without crit, zip and apu, is opened") }
        if let kid = header["kid"] {
            guard kid.string == thumbprint(privateKey.publicKey) else {
                throw SealError(.wrongRecipient, "the token is sealed to another key")
            }
        }
        var context: [UInt8] = []
        if let value = header["apv"] {
            guard let decoded = value.string.flatMap({ Base64URL.decode($0) }) else {
                throw SealError(.malformed, "apv is not base64url")
            }
            context = decoded
        }
        guard header["epk"]?["kty"]?.string == "OKP", header["epk"]?["crv"]?.string == "X25519",
            let x = header["epk"]?["x"]?.string.flatMap({ Base64URL.decode($0) }),
            let ephemeral = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: x)
        else { throw SealError(.malformed, "epk is no X25519 public key") }
        let key = try contentKey(privateKey.key, ephemeral, context: context)
        guard let nonce = try? AES.GCM.Nonce(data: iv),
            let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: ciphertext, tag: tag),
            let plaintext = try? AES.GCM.open(box, using: key, authenticating: Array(segments[0])),
            let text = String(validating: Array(plaintext), as: UTF8.self)
        else { throw SealError(.authenticationFailed, "the text was changed, or is sealed to another key") }
        return Opened(token: BearerToken(text), context: context)
    }

    private static func derive(
        _ secret: SealingSecret, token: TokenHash, recipient: [UInt8], context: [UInt8]
    ) -> [UInt8] {
        // The recipient's length is fixed before the context's start, so no two inputs give one info text.
        var info = Array("clawgrant seal\u{0}".utf8)
        info.append(contentsOf: token.digest.bytes)
        info.append(contentsOf: lengthPrefixed(recipient))
        info.append(contentsOf: context)
        return secret.extracted.expand(info: info, count: 44)
    }

    private static func contentKey(
        _ privateKey: Curve25519.KeyAgreement.PrivateKey, _ publicKey: Curve25519.KeyAgreement.PublicKey,
        context: [UInt8]
    ) throws(SealError) -> SymmetricKey {
        guard let shared = try? privateKey.sharedSecretFromKeyAgreement(with: publicKey) else {
            throw SealError(.weakKey, "the public key leads to no shared secret")
        }
        let secret = shared.bytes
        guard secret.contains(where: { $0 != 0 }) else {
            throw SealError(.weakKey, "the public key leads to the all-zero secret")
        }
        return SymmetricKey(
            data: concatKDF(secret, algorithm: "A256GCM", partyU: [], partyV: context, keyBytes: 32))
    }

    /// The Concat KDF of RFC 7518 §4.6.2 with SHA-256, one round: keys of at most 32 bytes.
    static func concatKDF(
        _ secret: [UInt8], algorithm: String, partyU: [UInt8], partyV: [UInt8], keyBytes: Int
    ) -> [UInt8] {
        var input: [UInt8] = [0, 0, 0, 1]
        input.append(contentsOf: secret)
        input.append(contentsOf: lengthPrefixed(Array(algorithm.utf8)))
        input.append(contentsOf: lengthPrefixed(partyU))
        input.append(contentsOf: lengthPrefixed(partyV))
        input.append(contentsOf: bigEndian(UInt32(keyBytes * 8)))
        return Array(Digest(hashing: input).bytes[..<keyBytes])
    }

    private static func lengthPrefixed(_ bytes: [UInt8]) -> [UInt8] { bigEndian(UInt32(bytes.count)) + bytes }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }
}

extension SharedSecret {
    fileprivate var bytes: [UInt8] {
        unsafe withUnsafeBytes { (buffer: UnsafeRawBufferPointer) in unsafe Array(buffer) }
    }
}
