import ClawWire
import Testing

import enum Crypto.Curve25519
import enum Crypto.P256

@testable import IssuerAPI

/// What is checked of a proof, RFC 9449 section 4.3 point by point.
@Suite struct DPoPProofTests {
    private func fault(_ values: [String]) -> DPoPProof.Fault? {
        do throws(DPoPProof.Fault) {
            _ = try DPoPProof(values, expecting: ProofMaker.expectation())
            return nil
        } catch {
            return error
        }
    }

    private func fault(_ change: (inout ProofMaker) -> Void) -> String? {
        var maker = ProofMaker()
        change(&maker)
        return fault([maker.text])?.description
    }

    @Test func bothAlgorithmsAreTakenAndTheKeyIsNamed() throws {
        let keys: [ProofMaker.Key] = [
            .ed25519(Curve25519.Signing.PrivateKey()), .p256(P256.Signing.PrivateKey()),
        ]
        for key in keys {
            let maker = ProofMaker(key, nonce: "n")
            let proof = try DPoPProof([maker.text], expecting: ProofMaker.expectation())
            #expect(proof.key == ProofMaker.thumbprint(key))
            #expect(proof.nonce == "n" && proof.sealTo == nil && proof.issuedAt == ProofMaker.now)
        }
    }

    /// The example of RFC 7638 section 3.1 is an RSA key; this one is of RFC 8037 appendix A.3.
    @Test func theThumbprintIsThatOfTheStandard() throws {
        let seed = try #require(Base64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
        let key = ProofMaker.Key.ed25519(try Curve25519.Signing.PrivateKey(rawRepresentation: seed))
        let proof = try DPoPProof([ProofMaker(key).text], expecting: ProofMaker.expectation())
        #expect(proof.key.b64u == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    }

    @Test func oneFieldIsNeeded() {
        #expect(fault([])?.description == "the request has no field DPoP")
        let text = ProofMaker().text
        #expect(fault([text, text])?.description == "the request has several fields DPoP")
        #expect(fault([text])?.description == nil)
    }

    @Test(arguments: [
        "", "a.b", "a.b.c", "a.b.c.d", "..", "é.é.é", String(repeating: "a", count: 9_000),
    ])
    func whatIsNoSignedJWTIsRefused(_ text: String) {
        #expect(fault([text])?.code == .invalid)
    }

    @Test func theHeaderSaysWhatItIs() {
        #expect(fault { $0.header["typ"] = "JWT" } == "typ is not dpop+jwt")
        #expect(fault { $0.header["typ"] = nil } == "typ is not dpop+jwt")
        #expect(fault { $0.header["crit"] = ["exp"] } == "no extension named in crit is known here")
    }

    @Test(arguments: ["none", "HS256", "RS256", "ES384", "eddsa", ""])
    func noOtherAlgorithmIsTaken(_ name: String) {
        #expect(fault { $0.header["alg"] = .string(name) } == "alg is neither EdDSA nor ES256")
    }

    @Test func anAlgorithmIsForItsTypeOfKey() {
        #expect(fault { $0.header["alg"] = "ES256" } == "jwk is no key for ES256")
    }

    @Test func noPrivateKeyIsTaken() throws {
        let key = Curve25519.Signing.PrivateKey()
        let fault = fault { maker in
            maker.key = .ed25519(key)
            var jwk = ProofMaker.jwk(maker.key).object ?? JSONObject()
            jwk["d"] = .string(Base64URL.encode(Array(key.rawRepresentation)))
            maker.header["jwk"] = .object(jwk)
        }
        #expect(fault?.contains("private part") == true)
        #expect(fault?.contains(Base64URL.encode(Array(key.rawRepresentation))) == false)
    }

    @Test func theKeyOfTheHeaderMustHaveSigned() {
        let other = ProofMaker.jwk(.ed25519(Curve25519.Signing.PrivateKey()))
        #expect(fault { $0.header["jwk"] = other } == "the signature is not that of the key in the header")
        #expect(fault { $0.header["jwk"] = nil } == "the header has no public key as jwk")
    }

    @Test func anyChangedByteBreaksIt() {
        let text = Array(ProofMaker().text.utf8)
        for index in stride(from: 0, to: text.count, by: 7) where text[index] != UInt8(ascii: ".") {
            var changed = text
            changed[index] = text[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(fault([String(decoding: changed, as: UTF8.self)])?.code == .invalid, "byte \(index)")
        }
    }

    @Test func itIsForOneMethodAndOneAddress() {
        #expect(fault { $0.claims["htm"] = "GET" } == "htm is not POST")
        #expect(fault { $0.claims["htm"] = "post" } == "htm is not POST")
        #expect(fault { $0.claims["htu"] = nil } == "htu is not \(ProofMaker.target)")
        for other in [
            "https://issuer.harborline.example/v1/grants/req-2/claim",
            "http://issuer.harborline.example/v1/grants/req-1/claim",
            "https://issuer.harborline.example.evil.example/v1/grants/req-1/claim",
            "https://issuer.harborline.example:8443/v1/grants/req-1/claim", "/v1/grants/req-1/claim", "",
        ] {
            #expect(fault { $0.claims["htu"] = .string(other) } == "htu is not \(ProofMaker.target)", "\(other)")
        }
    }

    @Test func theTimeIsNearThePresent() {
        for distance in [-60, 60] as [Int64] {
            #expect(fault { $0.claims["iat"] = .integer(ProofMaker.now.seconds + distance) } == nil)
        }
        for distance in [-61, 61, -1_000_000] as [Int64] {
            #expect(
                fault { $0.claims["iat"] = .integer(ProofMaker.now.seconds + distance) }?.contains("iat is") == true)
        }
        for value in [.null, "1795165260", 1.5, -1, .number(1e18)] as [JSONValue] {
            #expect(fault { $0.claims["iat"] = value } == "iat is no time in whole seconds", "\(value)")
        }
    }

    @Test func theIdentifierIsAText() {
        for value in [.null, "", 7, .string(String(repeating: "j", count: 257))] as [JSONValue] {
            #expect(fault { $0.claims["jti"] = value } == "jti is not a text of 1 to 256 bytes")
        }
        #expect(fault { $0.claims["nonce"] = 7 } == "nonce is no text")
    }

    @Test func anAnswerIsSealedToAnX25519KeyAlone() throws {
        let key = Array(Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation)
        let jwk: JSONValue = ["kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(key))]
        var maker = ProofMaker()
        maker.claims["seal_to"] = jwk
        #expect(try DPoPProof([maker.text], expecting: ProofMaker.expectation()).sealTo == key)
        for value in [
            "x", ["kty": "OKP", "crv": "Ed25519", "x": .string(Base64URL.encode(key))],
            ["kty": "OKP", "crv": "X25519", "x": "AAAA"],
            ["kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(key)), "d": "AAAA"],
        ] as [JSONValue] {
            #expect(fault { $0.claims["seal_to"] = value }?.hasPrefix("seal_to") == true)
        }
    }

    @Test func twoProofsOfAKeyHaveTwoDigests() throws {
        let key = ProofMaker.Key.ed25519(Curve25519.Signing.PrivateKey())
        let (a, b) = (ProofMaker(key), ProofMaker(key))
        let first = try DPoPProof([a.text], expecting: ProofMaker.expectation())
        #expect(try DPoPProof([b.text], expecting: ProofMaker.expectation()).digest != first.digest)
        #expect(try DPoPProof([a.text], expecting: ProofMaker.expectation()).digest == first.digest)
    }
}

/// The spellings of one address.
@Suite struct ProofTargetTests {
    @Test(arguments: [
        "https://issuer.example/v1/a", "HTTPS://Issuer.Example/v1/a", "https://issuer.example:443/v1/a",
        "https://issuer.example/v1/a?x=1", "https://issuer.example/v1/a#part", "https://issuer.example/v1/b/../a",
        "https://issuer.example/./v1/a", "https://issuer.example/v1/%61",
    ])
    func spellingsOfOneAddressAreEqual(_ text: String) {
        #expect(ProofTarget(text) == ProofTarget("https://issuer.example/v1/a"))
        #expect(ProofTarget(text) != nil)
    }

    @Test(arguments: [
        "https://issuer.example/v1/A", "https://issuer.example/v1/a/", "https://issuer.example/v1",
        "http://issuer.example/v1/a",
        "https://issuer.example:444/v1/a", "https://other.example/v1/a", "https://issuer.example/v1/a%2F",
    ])
    func otherAddressesAreNot(_ text: String) {
        #expect(ProofTarget(text) != nil)
        #expect(ProofTarget(text) != ProofTarget("https://issuer.example/v1/a"))
    }

    @Test(arguments: [
        "https://issuer.example:443:443/v1/a", "https://issuer.example/%+f",
        "", "issuer.example/v1/a", "//issuer.example/v1/a", "ftp://issuer.example/v1/a", "https:///v1/a",
        "https://user@issuer.example/v1/a", "https://issuer.example:99999x/v1/a", "https://issuer.example/v1/%6",
        "https://issuer.example/v1/%zz", "https://issuer.example/v1/a b",
    ])
    func whatIsNoAddressIsNone(_ text: String) {
        #expect(ProofTarget(text) == nil)
    }

    @Test func escapesCompareWithoutCase() {
        #expect(ProofTarget("https://a.example/x%2fy") == ProofTarget("https://a.example/x%2Fy"))
        #expect(ProofTarget("https://[2001:DB8::1]:443/") == ProofTarget("https://[2001:db8::1]"))
    }
}

/// Nonces without memory.
@Suite struct ProofNonceTests {
    private let nonces = ProofNonces(key: [UInt8](repeating: 7, count: 32), lifetime: .seconds(300))
    private let now = ProofMaker.now

    @Test func anotherWorkerTakesThem() {
        let other = ProofNonces(key: [UInt8](repeating: 7, count: 32), lifetime: .seconds(300))
        #expect(other.accepts(nonces.nonce(at: now), at: now))
        let stranger = ProofNonces(key: [UInt8](repeating: 8, count: 32), lifetime: .seconds(300))
        #expect(!stranger.accepts(nonces.nonce(at: now), at: now))
    }

    @Test func theyAreTakenForTheirLifetime() {
        let nonce = nonces.nonce(at: now)
        #expect(nonces.accepts(nonce, at: now.adding(seconds: 300)))
        #expect(!nonces.accepts(nonce, at: now.adding(seconds: 301)))
        #expect(nonces.accepts(nonce, at: now.adding(seconds: -5)))
        #expect(!nonces.accepts(nonce, at: now.adding(seconds: -6)))
    }

    @Test func nothingElseIsOne() {
        let nonce = Array(nonces.nonce(at: now))
        for index in nonce.indices {
            var other = nonce
            other[index] = nonce[index] == "A" ? "B" : "A"
            #expect(!nonces.accepts(String(other), at: now), "character \(index)")
        }
        for text in ["", "nonce", String(repeating: "A", count: 32), String(nonce) + "A"] {
            #expect(!nonces.accepts(text, at: now))
        }
    }
}
