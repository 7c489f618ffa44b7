import ClawWire
import Foundation
import Keys

/// Reads keys that people name on the command line.
enum KeyArguments {
    /// Public keys from a `did:key`, or from a file: a JSON Web Key Set or a PEM file.
    static func publicKeys(_ text: String) throws -> [Ed25519PublicKey] {
        if text.hasPrefix("did:") {
            guard let key = Ed25519PublicKey(did: text) else {
                throw CommandFailure.usage("\"\(text)\" is no did:key of an Ed25519 key (did:key:z6Mk…)")
            }
            return [key]
        }
        let bytes = try InputFile.bytes(text, atMost: 1 << 20)
        if bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
            do {
                return try JWKS.parse(bytes)
            } catch {
                throw CommandFailure.usage("\(text): \(error); a JSON Web Key Set of Ed25519 keys was expected")
            }
        }
        // A key that signs no more may be given by its public half; its time has no meaning here.
        let configuration = KeyConfiguration(
            purpose: .receipt, location: .file(text), state: .verifyOnly(notAfter: Timestamp(seconds: .max)),
            links: .anywhere)
        return try KeyRing.load([configuration], required: [], at: Clock.now).inventory().map(\.publicKey)
    }

    /// A signer from a private key file.
    static func signer(_ path: String) throws -> any Ed25519Signer {
        let configuration = KeyConfiguration(purpose: .envelope, location: .file(path), links: .anywhere)
        let now = Clock.now
        return try KeyRing.load([configuration], required: [.envelope], at: now).signer(for: .envelope, at: now)
    }

    /// A job's key for sealed delivery, as a JWK (RFC 8037 section 2) in a file of mode 0600.
    static func deliveryKey(_ path: String) throws -> SealingPrivateKey {
        let bytes = try SecretFile.load(path, links: .anywhere).copyExposed()
        guard let jwk = try? JSONReader.parse(bytes, limits: .token), jwk["kty"]?.string == "OKP",
            jwk["crv"]?.string == "X25519", let d = jwk["d"]?.string.flatMap({ Base64URL.decode($0) }),
            let key = SealingPrivateKey(bytes: d)
        else {
            throw CommandFailure.usage(
                "\(path) is no private JWK of kty OKP and crv X25519; make one with `clawgrant request "
                    + "--generate-delivery-key FILE`")
        }
        if let x = jwk["x"]?.string, Base64URL.decode(x) != key.publicKey {
            throw CommandFailure.usage("\(path): x is not the public half of d")
        }
        return key
    }

    /// Makes a delivery key in a new file and returns its public half.
    static func makeDeliveryKey(_ path: String) throws -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        guard let key = SealingPrivateKey(bytes: seed) else {
            throw CommandFailure.defect("32 random bytes are no X25519 key")
        }
        let jwk: JSONValue = [
            "kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(key.publicKey)),
            "d": .string(Base64URL.encode(seed)), "kid": .string(SealedToken.thumbprint(key.publicKey)),
            "use": "enc",
        ]
        try NewPrivateFile.write(JSONWriter.bytes(jwk) + [UInt8(ascii: "\n")], to: path)
        return key.publicKey
    }

    /// A public X25519 key from a JWK file or 43 characters of base64url.
    static func deliveryPublicKey(_ text: String) throws -> [UInt8] {
        let x: String
        if text.utf8.count == 43, Base64URL.decode(text) != nil, !FileManager.default.fileExists(atPath: text) {
            x = text
        } else {
            let bytes = try InputFile.bytes(text, atMost: 65_536)
            guard let jwk = try? JSONReader.parse(bytes, limits: .token), jwk["crv"]?.string == "X25519",
                let value = jwk["x"]?.string
            else { throw CommandFailure.usage("\(text) is no JWK of crv X25519") }
            x = value
        }
        guard let key = Base64URL.decode(x), SealedToken.canSeal(to: key) else {
            throw CommandFailure.usage(
                "\(text): x is not 32 bytes of base64url, or is a key of small order, to which nothing is sealed")
        }
        return key
    }
}
