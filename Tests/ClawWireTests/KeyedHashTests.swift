import TestSupport
import Testing

@testable import ClawWire

@Suite("Keyed hashes")
struct KeyedHashTests {
    /// RFC 4231 sections 4.2, 4.3 and 4.7: a short key, a shorter one, and one longer than a block.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func authenticationCodes(_ key: String, _ message: String, _ code: String) throws {
        let hash = KeyedHash(key: try #require(Hex.decode(key)))
        #expect(hash.authenticationCode(of: Array(message.utf8)).hex == code)
        #expect(hash.authenticationCode(of: Array(message.utf8)).hex == code, "a key serves many messages")
    }

    /// RFC 5869 appendix A.3: no salt, no info, more than one round.
    @Test func expansion() throws {
        let hash = KeyedHash.extracting([UInt8](repeating: 0x0B, count: 22))
        let expanded = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        #expect(Hex.encode(hash.expand(info: [], count: 42)) == expanded)
    }

    @Test func digestsOfPartsAreThoseOfTheWhole() {
        var random = SeededGenerator(seed: 31)
        for _ in 0..<200 {
            let data = random.bytes(upTo: 200)
            let left = Digest(hashing: data)
            let right = Digest(hashing: random.bytes(upTo: 200))
            #expect(Digest(hashing: 0x00, data) == Digest(hashing: [0x00] + data))
            #expect(Digest(hashing: 0x01, left, right) == Digest(hashing: [0x01] + left.bytes + right.bytes))
            #expect(Digest(hashing: nil, left, right) == Digest(hashing: left.bytes + right.bytes))
            #expect(Digest(hashing: [data, left.bytes]) == Digest(hashing: data + left.bytes))
        }
    }
}
