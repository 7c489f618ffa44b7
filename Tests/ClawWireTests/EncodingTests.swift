import ClawWire
import TestSupport
import Testing

@Suite("Encodings, identifiers and time")
struct EncodingTests {
    @Test func base64urlRoundTrips() {
        var random = SeededGenerator(seed: 10)
        for _ in 0..<2_000 {
            let bytes = random.bytes(upTo: 70)
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
            #expect(Base58.decode(Base58.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: ["=", "AA==", "A", "AAAAA", "AB", "AAB", "A+A", "A/A", "A A", "AA\n", "é"])
    func base64urlIsStrict(_ text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test func everyByteStringHasOneText() {
        var random = SeededGenerator(seed: 11)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<64, using: &random)]
            }
            guard let bytes = Base64URL.decode(text[...]) else { continue }
            #expect(Base64URL.encode(bytes) == String(decoding: text, as: UTF8.self))
        }
    }

    @Test(arguments: [("61", "2g"), ("626262", "a3gV"), ("0000ff", "115Q"), ("00", "1"), ("", ""), ("ed01", "K36")])
    func base58(_ hex: String, text: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(Base58.encode(bytes) == text)
        #expect(Base58.decode(text) == bytes)
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("did-key", "base58"))
    func base58Vectors(_ vector: VectorCase) throws {
        let bytes = try #require(Hex.decode(try vector.text("hex")))
        // The reference writes one "1" too many for a string of zeros alone, and nothing for the empty one.
        guard bytes.contains(where: { $0 != 0 }) else { return }
        #expect(Base58.encode(bytes) == (try vector.text("base58")))
        #expect(Base58.decode(try vector.text("base58")) == bytes)
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("did-key", "cases"))
    func didKeyVectors(_ vector: VectorCase) throws {
        let did = try vector.text("did")
        let key = Ed25519PublicKey(did: did)
        // The reference returns a key of 31 bytes and fails later; here it is refused at once.
        guard vector["length"]?.integer == 32 else {
            #expect(key == nil)
            return
        }
        #expect(key.map { Hex.encode($0.bytes) } == vector["public_key_hex"]?.string)
        #expect(key?.did == did)
    }

    @Test(.enabled(if: SharedVectors.arePresent))
    func keyVectors() throws {
        let keys = try #require(try SharedVectors.load("keys")["keys"]?.object)
        #expect(keys.count >= 11)
        for member in keys.members {
            let seed = try #require(member.value["seed_hex"]?.string.flatMap { Hex.decode($0) })
            let signer = try #require(SeedSigner(seed: seed))
            #expect(Hex.encode(signer.publicKey.bytes) == member.value["public_key_hex"]?.string)
            #expect(signer.publicKey.did == member.value["did_key"]?.string)
            #expect(signer.publicKey.kid.rawValue == member.value["kid"]?.string)
        }
    }

    @Test(arguments: [
        ("did:key:z6Mkpm62EDcj2Q7sj8gqDVv4mUc4u9iFAmtd6mG18F5CvkBE", true), ("did:web:agent.example", true),
        ("did:web:agent.example:path", false), ("did::x", false), ("did:web:", false), ("did:WEB:x", false),
        ("DID:web:x", false), ("did:web:x y", false), ("", false),
    ])
    func claimDIDs(_ text: String, isValid: Bool) {
        #expect(DIDSyntax.isClaimDID(text) == isValid)
    }

    @Test func timestampsRoundTrip() throws {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<5_000 {
            let milliseconds = Int64.random(in: 0...253_402_300_799_999, using: &random)
            let timestamp = Timestamp(milliseconds: milliseconds)
            #expect(Timestamp(rfc3339: timestamp.iso8601) == timestamp)
        }
    }

    @Test(arguments: [
        ("2026-11-20T09:06:41.0448812Z", 1_795_165_601_044_881), ("2026-03-01T12:00:00Z", 1_772_366_400_000_000),
        ("2026-03-01T14:00:00+02:00", 1_772_366_400_000_000), ("2026-03-01t07:30:00-0430", 1_772_366_400_000_000),
        ("1970-01-01T00:00:00.999999Z", 999_999), ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ])
    func readsTimestamps(_ text: String, microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "2026-03-01T12:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+25:00", "2026-03-01", "1969-12-31T23:59:59Z",
        "2026-03-01T12:00:00Zx", "",
    ])
    func refusesTimestamps(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test func timeSaturatesInsteadOfTrapping() {
        let now = Timestamp(seconds: 1_780_000_000)
        #expect(now.adding(seconds: .max).microseconds == .max)
        #expect(now.adding(seconds: .min).microseconds == .min)
        #expect(Timestamp(seconds: .max).microseconds == .max)
        #expect(Timestamp(milliseconds: .min).microseconds == .min)
        #expect(Timestamp(microseconds: .max).seconds(since: Timestamp(microseconds: .min)) > 0)
        #expect(Timestamp(microseconds: -1).seconds == -1)
    }

    @Test func trimsAsECMAScriptDoes() {
        #expect(ExactText.trimmed("\u{FEFF}\u{A0}\t a b \u{2028}\n") == "a b")
        #expect(ExactText.trimmed(" \u{3000} ") == "")
        #expect(ExactText.trimmed("\u{85}a") == "\u{85}a")
    }
}
