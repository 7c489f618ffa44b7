internal import Crypto
internal import CryptoExtras
internal import Foundation

/// A public signature key of a stranger (RFC 7517), for the algorithms ES256, RS256 and EdDSA with Ed25519 (RFC 7518,
/// RFC 8037). Our own services sign with Ed25519 alone; vendors do not.
public struct PublicJWK: Sendable, Hashable {
    /// A signature algorithm. The text is that of the header `alg`.
    public enum Algorithm: String, Sendable, Hashable, CaseIterable {
        /// ECDSA on P-256 with SHA-256.
        case es256 = "ES256"
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        case rs256 = "RS256"
        /// Ed25519.
        case edDSA = "EdDSA"
    }

    private enum Material: Sendable, Hashable {
        case p256(x: [UInt8], y: [UInt8])
        case rsa(modulus: [UInt8], exponent: [UInt8])
        case ed25519([UInt8])
    }

    /// Bytes of the modulus of the longest RSA key: verification costs time that grows with its square.
    private static let longestModulus = 512

    /// Member `kid`.
    public let kid: String
    private let material: Material

    /// The one algorithm the key is for.
    public var algorithm: Algorithm {
        switch material {
        case .p256: .es256
        case .rsa: .rs256
        case .ed25519: .edDSA
        }
    }

    /// Reads a key.
    ///
    /// - Throws: ``KeyDocumentError`` `malformed`: another type, no `kid`, an `alg` or `use` that is not a signature's, a
    ///   private part, an RSA key under 2048 or over 4096 bits, a point that is not on the curve.
    public init(json: JSONValue) throws(KeyDocumentError) {
        guard let object = json.object else { throw Self.fault("a key is an object") }
        guard let kid = object["kid"]?.string, !kid.isEmpty, kid.utf8.count <= 256 else {
            throw Self.fault("kid is missing")
        }
        guard ["d", "p", "q", "k"].allSatisfy({ object[$0] == nil }) else {
            throw Self.fault("the key has a private part")
        }
        guard object["use"]?.string ?? "sig" == "sig" else { throw Self.fault("use is not sig") }
        self.kid = kid
        material = try Self.material(object)
        if let alg = object["alg"], alg.string != algorithm.rawValue {
            throw Self.fault("alg is not \(algorithm.rawValue), which this type of key is for")
        }
    }

    private static func material(_ object: JSONObject) throws(KeyDocumentError) -> Material {
        func bytes(_ name: String) throws(KeyDocumentError) -> [UInt8] {
            guard let text = object[name]?.string, let bytes = Base64URL.decode(text), !bytes.isEmpty else {
                throw fault("\(name) is not base64url")
            }
            return bytes
        }
        switch (object["kty"]?.string, object["crv"]?.string) {
        case ("EC", "P-256"):
            let (x, y) = (try bytes("x"), try bytes("y"))
            guard x.count == 32, y.count == 32, (try? P256.Signing.PublicKey(x963Representation: [4] + x + y)) != nil
            else { throw fault("x and y are no point of P-256") }
            return .p256(x: x, y: y)
        case ("OKP", "Ed25519"):
            let x = try bytes("x")
            guard x.count == 32 else { throw fault("x has not 32 bytes") }
            return .ed25519(x)
        case ("RSA", _):
            let (modulus, exponent) = (try bytes("n"), try bytes("e"))
            guard modulus.count >= 256, modulus.count <= longestModulus, exponent.count <= 4,
                (try? _RSA.Signing.PublicKey(n: modulus, e: exponent)) != nil
            else { throw fault("n and e are no RSA key of 2048 to 4096 bits") }
            return .rsa(modulus: modulus, exponent: exponent)
        default: throw fault("kty and crv are not EC P-256, OKP Ed25519 or RSA")
        }
    }

    private static func fault(_ detail: String) -> KeyDocumentError { KeyDocumentError(.malformed, detail) }

    /// True when `signature`, in the form of RFC 7518, is this key's over `message`.
    public func isValidSignature(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        switch material {
        case .p256(let x, let y):
            guard let key = try? P256.Signing.PublicKey(x963Representation: [4] + x + y),
                let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
            else { return false }
            return key.isValidSignature(signature, for: message)
        case .rsa(let modulus, let exponent):
            guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else { return false }
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: message, padding: .insecurePKCS1v1_5)
        case .ed25519(let bytes):
            guard let key = Ed25519PublicKey(bytes: bytes), let signature = Ed25519Signature(bytes: signature) else {
                return false
            }
            return key.isValidSignature(signature, for: message)
        }
    }

    /// The key as a JWK, with `alg` and `use`.
    public var json: JSONValue {
        var object: JSONObject = ["kid": .string(kid), "alg": .string(algorithm.rawValue), "use": "sig"]
        func add(_ name: String, _ bytes: [UInt8]) { object[name] = .string(Base64URL.encode(bytes)) }
        switch material {
        case .p256(let x, let y):
            object["kty"] = "EC"
            object["crv"] = "P-256"
            add("x", x)
            add("y", y)
        case .rsa(let modulus, let exponent):
            object["kty"] = "RSA"
            add("n", modulus)
            add("e", exponent)
        case .ed25519(let bytes):
            object["kty"] = "OKP"
            object["crv"] = "Ed25519"
            add("x", bytes)
        }
        return .object(object)
    }
}
