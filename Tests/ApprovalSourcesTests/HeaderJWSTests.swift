import ApprovalSources
import ClawWire
import Crypto
import CryptoExtras
import Foundation
import IssuanceRules
import Testing

@Suite struct HeaderJWSTests {
    typealias Base = HeaderSignatureTests

    /// The vector of RFC 8037 appendix A.4: an Ed25519 key and a JWS over a sentence.
    @Test func theVectorOfRFC8037Verifies() throws {
        let keys = try HeaderKeySet(
            name: "rfc",
            jwks: Array(
                #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#.utf8))
        let verifier = HeaderSignatureVerifier(jwsIn: nil, keys: [keys])
        let jws =
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
            + "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        let proof = try verifier.verify(headers: [], body: Array(jws.utf8), at: Base.now)
        #expect(proof.payload == Array("Example of Ed25519 signing".utf8))
        #expect(proof.keyName == "rfc")
    }

    /// The vector of RFC 7515 appendix A.3: ES256.
    @Test func theVectorOfRFC7515Verifies() throws {
        let keys = try HeaderKeySet(
            name: "rfc",
            jwks: Array(
                (#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
                    + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#).utf8))
        let jws =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
            + "lSApmWQxfKTUJqPP3-Kg6NU1Q"
        let verifier = HeaderSignatureVerifier(jwsIn: nil, keys: [keys])
        #expect(Base.reason(verifier, [], Array(jws.utf8)) == nil)
        let changed = Array(jws.replacing("DtEhU3", with: "DtEhU4").utf8)
        #expect(Base.reason(verifier, [], changed) == .signatureInvalid)
    }

    private struct Signer {
        let ed25519 = Curve25519.Signing.PrivateKey()
        let p256 = P256.Signing.PrivateKey()
        let rsa: _RSA.Signing.PrivateKey

        init() throws { rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048) }

        func jwks() throws -> [UInt8] {
            let point = Array(p256.publicKey.x963Representation.dropFirst())
            let primitives = try rsa.publicKey.getKeyPrimitives()
            let document: JSONValue = [
                "keys": [
                    [
                        "kty": "OKP", "crv": "Ed25519", "kid": "ed",
                        "x": .string(Base64URL.encode(Array(ed25519.publicKey.rawRepresentation))),
                    ],
                    [
                        "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
                        "x": .string(Base64URL.encode(Array(point[..<32]))),
                        "y": .string(Base64URL.encode(Array(point[32...]))),
                    ],
                    [
                        "kty": "RSA", "kid": "rsa", "use": "sig",
                        "n": .string(Base64URL.encode(Array(primitives.modulus))),
                        "e": .string(Base64URL.encode(Array(primitives.publicExponent))),
                    ],
                    ["kty": "oct", "k": "AAAA"],
                    ["kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"],
                ]
            ]
            return JSONWriter.bytes(document)
        }

        func detached(_ header: JSONValue, _ body: [UInt8]) throws -> String {
            let head = Base64URL.encode(JSONWriter.bytes(header))
            let input = Array("\(head).\(Base64URL.encode(body))".utf8)
            let signature: [UInt8] =
                switch header["alg"]?.string {
                case "EdDSA": Array(try ed25519.signature(for: input))
                case "ES256": Array(try p256.signature(for: SHA256.hash(data: input)).rawRepresentation)
                case "RS256":
                    Array(
                        try rsa.signature(for: SHA256.hash(data: input), padding: .insecurePKCS1v1_5)
                            .rawRepresentation)
                default: [1, 2, 3]
                }
            return "\(head)..\(Base64URL.encode(signature))"
        }
    }

    @Test func everyAlgorithmAndNoOtherIsTakenInAHeader() throws {
        let signer = try Signer()
        let verifier = HeaderSignatureVerifier(
            jwsIn: "X-JWS-Signature", keys: [try HeaderKeySet(name: "acme", jwks: try signer.jwks())])
        func reason(_ header: JSONValue, _ body: [UInt8] = Base.body) throws -> DeadLetterReason? {
            Base.reason(verifier, [.init("x-jws-signature", try signer.detached(header, Base.body))], body)
        }
        for (algorithm, kid) in [("EdDSA", "ed"), ("ES256", "ec"), ("RS256", "rsa")] {
            #expect(try reason(["alg": .string(algorithm), "kid": .string(kid)]) == nil)
            #expect(try reason(["alg": .string(algorithm)]) == nil)
            #expect(try reason(["alg": .string(algorithm), "kid": "other"]) == .unknownSigner)
            #expect(try reason(["alg": .string(algorithm)], Base.body + [0]) == .signatureInvalid)
        }
        // A key must not verify what it was not made for, and a public key is no shared secret.
        #expect(try reason(["alg": "EdDSA", "kid": "ec"]) == .unknownSigner)
        for algorithm in ["none", "HS256", "RS1", "RS512", "PS256", "eddsa", ""] {
            #expect(try reason(["alg": .string(algorithm)]) == .malformedSignature)
        }
        #expect(try reason(["alg": "EdDSA", "crit": ["b64"], "b64": false]) == .malformedSignature)
        #expect(try reason(["alg": "EdDSA", "b64": true]) == .malformedSignature)
        #expect(try reason(["alg": "EdDSA", "kid": 7]) == .malformedSignature)
        #expect(try reason(["kid": "ed"]) == .malformedSignature)
    }

    @Test func whatIsNoDetachedJWSIsRefused() throws {
        let signer = try Signer()
        let verifier = HeaderSignatureVerifier(
            jwsIn: "X-JWS-Signature", keys: [try HeaderKeySet(name: "acme", jwks: try signer.jwks())])
        let good = try signer.detached(["alg": "EdDSA"], Base.body)
        let parts = good.split(separator: ".", omittingEmptySubsequences: false)
        func reason(_ text: String) -> DeadLetterReason? {
            Base.reason(verifier, [.init("X-JWS-Signature", text)])
        }
        #expect(reason(good) == nil)
        #expect(reason("") == .unsigned)
        #expect(reason("..") == .unsigned)
        #expect(reason("\(good).x") == .unsigned)
        #expect(reason("\(parts[0]).\(Base64URL.encode(Base.body)).\(parts[2])") == .malformedSignature)
        #expect(reason("\(parts[0])..\(parts[2])=") == .malformedSignature)
        let repeated = Base64URL.encode(Array(#"{"alg":"none","alg":"EdDSA"}"#.utf8))
        #expect(reason("\(repeated)..\(parts[2])") == .malformedSignature)
        #expect(reason("bm90IGpzb24..\(parts[2])") == .malformedSignature)
    }

    @Test func keySetsThatCannotBeUsedAreRefused() throws {
        let signer = try Signer()
        let secret = Base64URL.encode(Array(signer.ed25519.rawRepresentation))
        let x = Base64URL.encode(Array(signer.ed25519.publicKey.rawRepresentation))
        for text in [
            "", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
            #"{"keys":[{"kty":"OKP","crv":"Ed25519"}]}"#, #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}"#,
            #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(x)","d":"\#(secret)"}]}"#,
            #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(x)","use":"enc"}]}"#,
            #"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        ] {
            #expect(throws: HeaderKeySet.KeySetError.self) { try HeaderKeySet(name: "a", jwks: Array(text.utf8)) }
        }
        #expect(throws: Never.self) {
            try HeaderKeySet(
                name: "a", jwks: Array(#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(x)"}]}"#.utf8))
        }
    }
}
