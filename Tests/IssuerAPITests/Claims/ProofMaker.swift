import ClawWire

import enum Crypto.Curve25519
import enum Crypto.P256

@testable import IssuerAPI

/// Makes proofs as a job would, and wrong ones.
struct ProofMaker {
    enum Key {
        case ed25519(Curve25519.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
    }

    static let target = "https://issuer.harborline.example/v1/grants/req-1/claim"
    static let now = Timestamp(seconds: 1_795_165_260)

    var key: Key
    var header: JSONObject
    var claims: JSONObject

    init(_ key: Key = .ed25519(Curve25519.Signing.PrivateKey()), nonce: String? = nil, at now: Timestamp = Self.now) {
        self.key = key
        header = ["typ": "dpop+jwt", "alg": .string(Self.algorithm(key)), "jwk": Self.jwk(key)]
        claims = [
            "htm": "POST", "htu": .string(Self.target), "iat": .integer(now.seconds),
            "jti": .string("proof-\(UInt64.random(in: 0 ... .max))"),
        ]
        claims["nonce"] = nonce.map { .string($0) }
    }

    static func algorithm(_ key: Key) -> String {
        switch key {
        case .ed25519: "EdDSA"
        case .p256: "ES256"
        }
    }

    static func jwk(_ key: Key) -> JSONValue {
        switch key {
        case .ed25519(let key):
            let x = Base64URL.encode(Array(key.publicKey.rawRepresentation))
            return ["kty": "OKP", "crv": "Ed25519", "x": .string(x)]
        case .p256(let key):
            let point = Array(key.publicKey.x963Representation)
            return [
                "kty": "EC", "crv": "P-256", "x": .string(Base64URL.encode(Array(point[1..<33]))),
                "y": .string(Base64URL.encode(Array(point[33...]))),
            ]
        }
    }

    /// RFC 7638: the members of a key's JWK stand in the order of their names here already.
    static func thumbprint(_ key: Key) -> Digest { jwk(key).canonicalDigest }

    var text: String {
        let input =
            [header, claims].map { Base64URL.encode(JSONWriter.bytes(.object($0))) }.joined(separator: ".")
        return input + "." + Base64URL.encode(sign(Array(input.utf8)))
    }

    private func sign(_ bytes: [UInt8]) -> [UInt8] {
        switch key {
        case .ed25519(let key): (try? Array(key.signature(for: bytes))) ?? []
        case .p256(let key): (try? Array(key.signature(for: bytes).rawRepresentation)) ?? []
        }
    }

    static func expectation(target: String = Self.target, at now: Timestamp = Self.now) -> DPoPProof.Expectation {
        DPoPProof.Expectation(method: "POST", target: target, now: now, tolerance: .seconds(60))
    }
}
