public import ClawWire
import Crypto
import CryptoExtras
import Foundation

/// Signs Security Event Tokens: RSASSA-PKCS1-v1_5 with SHA-256 (`RS256`, RFC 7518 section 3.3). The same text has the same
/// signature each time.
///
/// It prints as its `kid`.
public struct SignalSigner: Sendable, CustomStringConvertible, CustomReflectable {
    /// The public half, with its `kid`.
    public let publicKey: PublicJWK
    private let key: _RSA.Signing.PrivateKey

    init(_ key: _RSA.Signing.PrivateKey, subject: String) throws(KeyError) {
        self.key = key
        publicKey = try RSADocument.jwk(key.publicKey, subject: subject)
    }

    /// Signs bytes. Takes about a millisecond of the calling thread.
    ///
    /// - Throws: ``KeyError`` with code `selfTestFailed` when the cryptographic library refuses.
    public func sign(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
        do {
            return Array(
                try key.signature(for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
        } catch {
            throw KeyError(
                .selfTestFailed, "set key \(publicKey.kid)", "the cryptographic library did not sign with it",
                remedy: "check the key with `clawgrant check`")
        }
    }

    /// The `kid`.
    public var description: String { "RS256 signer \(publicKey.kid)" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One key of purpose `set`, for lists and checks.
public struct SignalKeyStatus: Sendable, Hashable {
    /// The public key; its `kid` is the JWK thumbprint (RFC 7638).
    public let publicKey: PublicJWK
    /// The key as configured.
    public let configuration: KeyConfiguration
}

extension KeyRing {
    /// The signer of Security Event Tokens, when the instant is within its key's period. Ask for it once for each batch.
    ///
    /// - Throws: ``KeyError`` with code `noActiveKey`, `notYetValid` or `expired`.
    public func signalSigner(at now: Timestamp) throws(KeyError) -> SignalSigner {
        guard let key = signalKeys.first(where: { $0.configuration.state == .active }), let signer = key.signer else {
            throw Self.noActiveKey(.set)
        }
        try Self.requirePeriod(of: key.configuration, KeyID(key.publicKey.kid), at: now)
        return signer
    }

    /// The public keys by which Security Event Tokens are verified at an instant, the active one first.
    public func acceptedSignalKeys(at now: Timestamp) -> [PublicJWK] {
        let accepted = signalKeys.filter { $0.configuration.isAccepted(at: now) }
        return
            (accepted.filter { $0.configuration.state == .active }
            + accepted.filter { $0.configuration.state != .active }).map(\.publicKey)
    }

    /// Every key of purpose `set` in the order of the configuration.
    public func signalInventory() -> [SignalKeyStatus] {
        signalKeys.map { SignalKeyStatus(publicKey: $0.publicKey, configuration: $0.configuration) }
    }
}

/// A key of purpose `set`: its configuration, its public half and, where it is there, its signer.
package struct LoadedSignalKey: Sendable {
    let configuration: KeyConfiguration
    let publicKey: PublicJWK
    let signer: SignalSigner?

    init(loading configuration: KeyConfiguration) throws(KeyError) {
        guard case .file(let path) = configuration.location else {
            throw KeyError(
                .unsupportedKey, "set key at \(configuration.location)", "keys of this purpose are kept in files",
                remedy: "make one with `clawgrant keys generate --purpose set` and give its path as `file`")
        }
        self.configuration = configuration
        let file = try CheckedFile.read(path, limit: RSADocument.maximumFileSize, links: configuration.links)
        switch try RSADocument.parse(file.content, subject: path) {
        case .privateKey(let signer):
            try file.requirePrivate()
            publicKey = signer.publicKey
            self.signer = configuration.state == .active ? signer : nil
        case .publicKey(let key):
            guard configuration.state != .active else {
                throw KeyError(
                    .unsupportedKey, path, "this is a public key, and an active key has to sign",
                    remedy: "give the path of the private key, or make the key verify-only")
            }
            publicKey = key
            signer = nil
        }
    }

    static func refuseRepeats(_ keys: [LoadedSignalKey]) throws(KeyError) {
        for (index, key) in keys.enumerated() {
            guard let other = keys[..<index].first(where: { $0.publicKey.kid == key.publicKey.kid }) else { continue }
            throw KeyError(
                .duplicateKey, "key \(key.publicKey.kid)",
                "it is configured twice for set, at \(other.configuration.location) and \(key.configuration.location)",
                remedy: "take one of the two entries out")
        }
    }

    func selfTest() throws(KeyError) {
        guard let signer else { return }
        let message = Array("clawgrant key self-test, set, \(publicKey.kid)".utf8)
        let (first, second) = (try signer.sign(message), try signer.sign(message))
        guard publicKey.isValidSignature(first, for: message), first == second else {
            throw KeyError(
                .selfTestFailed, "set key \(publicKey.kid) at \(configuration.location)",
                "its signatures do not verify or are not the same each time", remedy: "do not use it; make another key")
        }
    }
}

/// An RSA key as files hold it, in PEM: PKCS#8, PKCS#1 or SubjectPublicKeyInfo (RFC 8017, RFC 5958, RFC 7468).
enum RSADocument {
    case privateKey(SignalSigner)
    case publicKey(PublicJWK)

    /// An RSA key of 4096 bits takes about 3300 bytes.
    static let maximumFileSize = 16_384
    private static let remedy = "make one with `clawgrant keys generate --purpose set`"

    /// Reads a document.
    ///
    /// - Parameter subject: the path, for errors.
    static func parse(_ content: SecretBytes, subject: String) throws(KeyError) -> RSADocument {
        let label: String
        do {
            label = try PEMBlock(parsing: content.copyExposed()).label
        } catch {
            throw KeyError(.notPEM, subject, error.finding, remedy: "a key file holds one PEM block; \(remedy)")
        }
        let text = content.textExposed() ?? ""
        switch label {
        case "PRIVATE KEY", "RSA PRIVATE KEY":
            guard let key = try? _RSA.Signing.PrivateKey(pemRepresentation: text) else {
                throw KeyError(
                    .unsupportedKey, subject, "this is no RSA key of 2048 bits or more, which purpose set needs",
                    remedy: remedy)
            }
            return .privateKey(try SignalSigner(key, subject: subject))
        case "PUBLIC KEY", "RSA PUBLIC KEY":
            guard let key = try? _RSA.Signing.PublicKey(pemRepresentation: text) else {
                throw KeyError(
                    .unsupportedKey, subject, "this is no public RSA key of 2048 bits or more, which purpose set needs",
                    remedy: remedy)
            }
            return .publicKey(try jwk(key, subject: subject))
        case "ENCRYPTED PRIVATE KEY":
            throw KeyError(
                .encryptedKey, subject, "the private key is encrypted, and there is nobody to ask for its passphrase",
                remedy: "decrypt it with `openssl pkey -in FILE -out NEW` (mode 0600)")
        default:
            throw KeyError(.unsupportedKey, subject, "this is a `\(label)`, not an RSA key in PKCS#8", remedy: remedy)
        }
    }

    /// The key as a JWK whose `kid` is its thumbprint (RFC 7638).
    static func jwk(_ key: _RSA.Signing.PublicKey, subject: String) throws(KeyError) -> PublicJWK {
        do {
            let numbers = try key.getKeyPrimitives()
            var document: JSONObject = [
                "e": .string(Base64URL.encode(Array(numbers.publicExponent))), "kty": "RSA",
                "n": .string(Base64URL.encode(Array(numbers.modulus))),
            ]
            document["kid"] = .string(JSONValue.object(document).canonicalDigest.b64u)
            return try PublicJWK(json: .object(document))
        } catch {
            throw KeyError(
                .unsupportedKey, subject, "this is no RSA key of 2048 to 4096 bits, which purpose set needs",
                remedy: remedy)
        }
    }
}
