import TestSupport
import Testing

@testable import ClawWire

@Suite("Sealed tokens")
struct SealedTokenTests {
    private let context = Array("req-0001".utf8)

    private func token() throws -> BearerToken { try CST.mint(try Own.claims(), signer: try Own.signer()).token }
    private func secret() throws -> SealingSecret { try #require(SealingSecret(bytes: Own.bytes("sealing"))) }
    private func recipient(_ name: String = "recipient") throws -> SealingPrivateKey {
        try #require(SealingPrivateKey(bytes: Own.bytes(name)))
    }

    @Test func theDerivationOfRFC7518AppendixC() throws {
        let secret: [UInt8] = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106,
            72, 246, 218, 167, 121, 140, 254, 144, 196,
        ]
        let key = SealedToken.concatKDF(
            secret, algorithm: "A128GCM", partyU: Array("Alice".utf8), partyV: Array("Bob".utf8), keyBytes: 16)
        #expect(Base64URL.encode(key) == "VqqN6vgjbSBcIijNcacQGg")
    }

    @Test func sealingIsByteExactAndRepeatable() throws {
        let jwe = try SealedToken.seal(
            try token(), to: try recipient().publicKey, ephemeralSecret: try secret(), context: context)
        #expect(Digest(hashing: jwe).hex == "b7d254cca5b489e8ce87971c5ebf85c5029367cc7d843891e3807ffa73640602")
        let again = try SealedToken.seal(
            try token(), to: try recipient().publicKey, ephemeralSecret: try secret(), context: context)
        #expect(jwe == again)
        let opened = try SealedToken.open(jwe, privateKey: try recipient())
        #expect(opened.token == (try token()))
        #expect(opened.context == context)
        let thumbprint = "cpimnUcVzL8t88ZDV2yYWbOakpGM0cYcv-LMZ729Kuc"
        #expect(SealedToken.thumbprint(try recipient().publicKey) == thumbprint)
    }

    @Test func eachTokenRecipientAndContextHasAKeyOfItsOwn() throws {
        func ephemeral(_ jwe: String) throws -> String {
            let header = try #require(jwe.split(separator: ".").first.flatMap { Base64URL.decode($0) })
            return try #require(JSONReader.parse(header)["epk"]?["x"]?.string)
        }
        let secret = try secret()
        let key = try recipient().publicKey
        var seen: Set<String> = []
        seen.insert(try ephemeral(try SealedToken.seal(try token(), to: key, ephemeralSecret: secret)))
        seen.insert(try ephemeral(try SealedToken.seal(try token(), to: key, ephemeralSecret: secret, context: [1])))
        seen.insert(try ephemeral(try SealedToken.seal(BearerToken("t"), to: key, ephemeralSecret: secret)))
        seen.insert(
            try ephemeral(
                try SealedToken.seal(try token(), to: try recipient("other").publicKey, ephemeralSecret: secret)))
        #expect(seen.count == 4)
    }

    @Test func nobodyElseOpensIt() throws {
        let jwe = try SealedToken.seal(try token(), to: try recipient().publicKey, ephemeralSecret: try secret())
        let other = try recipient("other")
        let error = #expect(throws: SealError.self) { try SealedToken.open(jwe, privateKey: other) }
        #expect(error?.code == .wrongRecipient)
    }

    @Test func everyChangeIsNoticed() throws {
        let jwe = Array(
            try SealedToken.seal(
                try token(), to: try recipient().publicKey, ephemeralSecret: try secret(), context: context
            ).utf8)
        var random = SeededGenerator(seed: 30)
        let key = try recipient()
        for _ in 0..<300 {
            var altered = jwe
            let position = Int.random(in: 0..<jwe.count, using: &random)
            altered[position] = UInt8.random(in: 0x20...0x7E, using: &random)
            guard altered != jwe else { continue }
            let text = String(decoding: altered, as: UTF8.self)
            #expect(throws: SealError.self) { try SealedToken.open(text, privateKey: key) }
        }
    }

    @Test(arguments: [0, 1, 31, 33])
    func keysOfAnotherLengthAreRefused(_ count: Int) throws {
        let secret = try secret()
        let error = #expect(throws: SealError.self) {
            try SealedToken.seal(
                BearerToken("t"), to: [UInt8](repeating: 9, count: count), ephemeralSecret: secret)
        }
        #expect(error?.code == .weakKey)
    }

    /// The seven of RFC 7748, and each once more with the bit set that X25519 ignores.
    @Test(arguments: [0, 0x80] as [UInt8])
    func pointsOfSmallOrderAreRefused(ignored: UInt8) throws {
        let secret = try secret()
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        for hex in points {
            var point = try #require(Hex.decode(hex))
            point[31] |= ignored
            #expect(!SealedToken.canSeal(to: point), "\(hex)")
            let error = #expect(throws: SealError.self) {
                try SealedToken.seal(BearerToken("t"), to: point, ephemeralSecret: secret)
            }
            #expect(error?.code == .weakKey)
        }
    }

    /// Whoever is granted a token must be able to get it: what is taken for a key is one that can be sealed to.
    @Test func keysThatAreTakenCanBeSealedTo() throws {
        let secret = try secret()
        var random = SeededGenerator(seed: 17)
        for _ in 0..<400 {
            // Near the points that are refused as well as anywhere.
            var key = [UInt8](repeating: [0, 0xFF].randomElement(using: &random) ?? 0, count: 32)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                key[Int.random(in: 0..<32, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let jwe = try? SealedToken.seal(BearerToken("t"), to: key, ephemeralSecret: secret)
            #expect((jwe != nil) == SealedToken.canSeal(to: key), "\(Hex.encode(key))")
        }
    }

    @Test(arguments: [
        "", "a.b.c", "e30..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA", "....", "e30.AA.AA.AA.AA", "a.b.c.d.e.f",
    ])
    func otherTextsAreRefused(_ text: String) throws {
        let key = try recipient()
        let error = #expect(throws: SealError.self) { try SealedToken.open(text, privateKey: key) }
        #expect(error?.code == .malformed)
    }
}
