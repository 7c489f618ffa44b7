import ClawWire
import Crypto
import CryptoExtras
import Foundation

/// The public keys of one sender, from a JSON Web Key Set (RFC 7517), for JSON Web Signatures.
public struct HeaderKeySet: Sendable, Hashable {
    /// Most keys of a set.
    public static let maximumKeys = 16

    /// The name under which it is recorded as the signer.
    public let name: String
    /// When its keys count.
    public let period: HeaderKeyPeriod
    let keys: [HeaderKey]

    /// Reads a key set. Keys for other uses and of other types are passed over, as RFC 7517 section 5 asks.
    ///
    /// - Throws: ``KeySetError`` when it is no key set, when a key of a known type is broken or has a private part, or
    ///   when no key is left.
    public init(name: String, jwks bytes: [UInt8], period: HeaderKeyPeriod = .always) throws(KeySetError) {
        guard let document = try? JSONReader.parse(bytes, limits: .token), let elements = document["keys"]?.array else {
            throw KeySetError("this is no JSON Web Key Set")
        }
        var keys: [HeaderKey] = []
        for element in elements where element["use"]?.string ?? "sig" == "sig" {
            if let key = try HeaderKey(jwk: element) { keys.append(key) }
        }
        guard !keys.isEmpty, keys.count <= Self.maximumKeys else {
            throw KeySetError(
                "\(keys.count) keys for EdDSA, ES256 or RS256; 1 to \(Self.maximumKeys) were expected")
        }
        self.name = name
        self.period = period
        self.keys = keys
    }

    /// Why a key set is refused.
    public struct KeySetError: Error, Sendable, Hashable, CustomStringConvertible {
        /// A sentence for people.
        public let description: String

        init(_ description: String) { self.description = description }
    }
}

/// A public key that verifies a JSON Web Signature.
struct HeaderKey: Sendable {
    /// A signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1). The text is the form in JOSE headers.
    enum Algorithm: String, Sendable, Hashable, CaseIterable {
        case edDSA = "EdDSA"
        case es256 = "ES256"
        case rs256 = "RS256"
    }

    private enum Key: Sendable {
        case ed25519(Curve25519.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    let kid: String?
    private let key: Key
    private let identity: [UInt8]

    var algorithm: Algorithm {
        switch key {
        case .ed25519: .edDSA
        case .p256: .es256
        case .rsa: .rs256
        }
    }

    /// Reads a key; `nil` when it is of a type or for an algorithm that is not taken.
    init?(jwk: JSONValue) throws(HeaderKeySet.KeySetError) {
        func part(_ name: String) throws(HeaderKeySet.KeySetError) -> [UInt8] {
            guard let bytes = jwk[name]?.string.flatMap({ Base64URL.decode($0) }) else {
                throw HeaderKeySet.KeySetError("a key's \(name) is missing or not base64url")
            }
            return bytes
        }
        do {
            switch (jwk["kty"]?.string, jwk["crv"]?.string) {
            case ("OKP", "Ed25519"):
                identity = try part("x")
                key = .ed25519(try Curve25519.Signing.PublicKey(rawRepresentation: identity))
            case ("EC", "P-256"):
                identity = [4] + (try part("x")) + (try part("y"))
                key = .p256(try P256.Signing.PublicKey(x963Representation: identity))
            case ("RSA", _):
                let modulus = try part("n")
                let exponent = try part("e")
                identity = modulus + exponent
                key = .rsa(try _RSA.Signing.PublicKey(n: modulus, e: exponent))
            default: return nil
            }
        } catch let error as HeaderKeySet.KeySetError {
            throw error
        } catch {
            throw HeaderKeySet.KeySetError("a key is no point of its curve, or an RSA key of less than 2048 bits")
        }
        guard jwk["d"] == nil else {
            throw HeaderKeySet.KeySetError("a key has its private part: whoever holds it can sign, so it is void")
        }
        kid = jwk["kid"]?.string
        if let name = jwk["alg"]?.string, name != algorithm.rawValue { return nil }
    }

    /// True when the signature is this key's over the bytes.
    func isValid(_ signature: [UInt8], over input: [UInt8]) -> Bool {
        switch key {
        case .ed25519(let key): return key.isValidSignature(signature, for: input)
        case .p256(let key):
            guard let value = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(value, for: SHA256.hash(data: input))
        case .rsa(let key):
            let value = _RSA.Signing.RSASignature(rawRepresentation: signature)
            return key.isValidSignature(value, for: SHA256.hash(data: input), padding: .insecurePKCS1v1_5)
        }
    }
}

extension HeaderKey: Hashable {
    static func == (left: HeaderKey, right: HeaderKey) -> Bool {
        left.kid == right.kid && left.algorithm == right.algorithm && left.identity == right.identity
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(kid)
        hasher.combine(algorithm)
        hasher.combine(identity)
    }
}
