import ClawWire
import ReceiptLog
import TestSupport
import Testing

struct RedactionTests {
    /// A compact token of a JSON header, made here so that no real one stands in the tests.
    private static let jwt =
        Base64URL.encode(Array("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}".utf8)) + "."
        + Base64URL.encode(Array("{\"sub\":\"agent\",\"exp\":1}".utf8)) + "."
        + Base64URL.encode([UInt8](repeating: 0xA7, count: 64))
    private static let jwe =
        Base64URL.encode(Array("{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\"}".utf8)) + ".."
        + Base64URL.encode([UInt8](repeating: 3, count: 12)) + "."
        + Base64URL.encode([UInt8](repeating: 0xB5, count: 80)) + "."
        + Base64URL.encode([UInt8](repeating: 9, count: 16))
    private static let opaque = Base64URL.encode(Digest(hashing: "a").bytes + Digest(hashing: "b").bytes)
    private static let secret = "hunter2-Zq9"

    private func text(_ input: String) -> String { Redaction.excerpt(Array(input.utf8)).text }

    /// Each plants a secret; none of the needles may be left.
    static let planted: [(input: String, needles: [String])] = [
        ("{\"event\":\"x\",\"token\":\"\(jwt)\"}", [jwt, "eyJ"]),
        ("{\"event\":\"x\",\"harmless\":\"\(jwt)\"}", [jwt, "eyJ"]),
        ("{\"a\":[{\"b\":\"see \(jwe) here\"}]}", [jwe, "eyJ"]),
        ("not json \(jwt) and more", [jwt, "eyJ"]),
        ("{\"headers\":{\"Authorization\":\"Bearer \(secret)\"}}", [secret]),
        ("{\"log\":\"sent Bearer \(secret)\"}", [secret]),
        ("Authorization: Basic dXNlcjpodW50ZXIy\nHost: x", ["dXNlcjpodW50ZXIy"]),
        ("authorization: DPoP \(secret)", [secret]),
        ("{\"password\":\"\(secret)\"", [secret]),
        ("{\"client_secret\": \"\(secret)\", \"x\": [", [secret]),
        ("{\"pass\\u0077ord\":\"\(secret)\"}", [secret]),
        ("{\"pass\\u0077ord\":\"\(secret)\"", [secret]),
        ("{\"body\":\"{\\\"password\\\":\\\"\(secret)\\\"}\"}", [secret]),
        ("{\"body\":\"{\\\"password\\\":\\\"\(secret)\\\"}\"", [secret]),
        ("{\"body\":\"{\\\"pass\\\\u0077ord\\\":\\\"\(secret)\\\"}\"}", [secret]),
        ("{\"password\":\"with \\\" quote \(secret)\",\"b\":1", [secret]),
        ("{\"password\":{\"value\":\"\(secret)\"},\"b\":1", [secret]),
        ("{\"secrets\":[\"\(secret)\",\"b\"]}", [secret]),
        ("{\"apiKey\":12345678}", ["12345678"]),
        ("https://x.example/cb?state=1&access_token=\(secret)&next=2", [secret]),
        ("password=\(secret)", [secret]),
        ("PASSWORD = '\(secret)'", [secret]),
        ("user[password]=\(secret)", [secret]),
        ("password%3D\(secret)", [secret]),
        ("<user><password>\(secret)</password></user>", [secret]),
        ("<user password=\"\(secret)\"/>", [secret]),
        ("{'client_secret': '\(secret)'}", [secret]),
        ("Endpoint=sb://x.example/;SharedAccessKeyName=send;SharedAccessKey=\(secret)=;EntityPath=e", [secret]),
        ("Set-Cookie: session=\(secret); Path=/", [secret]),
        ("x-cst: \(secret)", [secret]),
        ("{\"headers\":[{\"name\":\"Authorization\",\"value\":\"\(secret)\"}]}", [secret]),
        ("{\"headers\":[{\"name\":\"Authorization\",\"value\":\"\(secret)\"}", [secret]),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"pub\",\"d\":\"\(secret)\"}", [secret]),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"pub\",\"d\":\"\(secret)\"", [secret]),
        ("{\"signing_key\":{\"seed_b64u\":\"\(secret)\"}}", [secret]),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\nafter", ["MC4CAQAwBQYDK2Vw"]),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw", ["MC4CAQAwBQYDK2Vw"]),
        ("{\"pem\":\"-----BEGIN EC PRIVATE KEY-----\\nMC4CAQAwBQYDK2Vw\\n-----END", ["MC4CAQAwBQYDK2Vw"]),
        ("found ghp_0123456789abcdefghij in it", ["ghp_0123456789"]),
        ("data \(opaque)", [opaque]),
        ("p\u{0}a\u{0}s\u{0}s\u{0}w\u{0}o\u{0}r\u{0}d\u{0}=\u{0}\(secret)", [secret]),
        ("{\"token\":\"\(secret)\",\"token\":\"\(secret)\"}", [secret]),
    ]

    @Test(arguments: planted.indices) func plantedSecretsAreRemoved(_ index: Int) {
        let (input, needles) = Self.planted[index]
        let excerpt = Redaction.excerpt(Array(input.utf8))
        for needle in needles { #expect(!excerpt.text.contains(needle), "\(input) → \(excerpt.text)") }
        #expect(excerpt.redactions > 0)
        // Whatever stands before and behind does not change that.
        for filler in ["{\"a\":1}\n", "\\", "\"", "{\"x\":\""] {
            let text = text(filler + input + filler)
            for needle in needles { #expect(!text.contains(needle), "\(filler)\(input) → \(text)") }
        }
    }

    @Test(arguments: planted.indices) func secretsAtTheCutAreRemoved(_ index: Int) {
        let (input, needles) = Self.planted[index]
        for padding in [900, 1_000, 1_020, 65_400, 65_530] {
            let text = text(String(repeating: "x ", count: padding / 2) + input)
            for needle in needles {
                #expect(!text.contains(needle.prefix(8)), "at \(padding): \(text.suffix(120))")
            }
        }
    }

    @Test func harmlessTextStays() {
        let harmless = [
            "{\"token_hash\":\"" + Digest(hashing: "x").hex + "\"}",
            "{\"token_scope_hash_b64u\":\"" + Digest(hashing: "x").b64u + "\"}",
            "{\"tokens_input\":120,\"token_version\":\"1\",\"token_lane\":\"legacy\"}",
            "{\"agent_did\":\"did:key:z6MkvWf51LxwCP8GaeUjyK8QBgtnTwk8cyiS9yVJ7hL7iSEF\"}",
            "{\"operationName\":\"Microsoft.Authorization/roleAssignments/write\",\"level\":4}",
            "the token expired at 12:00; basic information follows",
            "{\"id\":\"3f2a9e1c-7d55-4b3e-9a2f-0c1d2e3f4a5b\",\"n\":[1,2.5,null,true]}",
            "本番DBの再索引 – “ledger” ✅",
        ]
        for input in harmless {
            let excerpt = Redaction.excerpt(Array(input.utf8))
            #expect(excerpt.text == input)
            #expect(excerpt.redactions == 0)
            #expect(!excerpt.isTruncated)
        }
    }

    @Test func whatStandsAroundASecretStays() {
        #expect(
            text("{\"event\":\"x\",\"password\":\"\(Self.secret)\",\"after\":1}")
                == "{\"event\":\"x\",\"password\":\"[removed]\",\"after\":1}")
        #expect(text("GET /?access_token=abc&next=2") == "GET /?access_token=[removed]&next=2")
        #expect(text("a -----BEGIN X-----\nq\n-----END X----- b") == "a [removed] b")
    }

    @Test func excerptsAreBoundedAndWholeScalars() {
        let long = Redaction.excerpt(Array(String(repeating: "é ", count: 5_000).utf8))
        #expect(long.text.utf8.count <= Redaction.maximumBytes)
        #expect(long.text.utf8.count > Redaction.maximumBytes - 4)
        #expect(long.isTruncated)
        let binary = Redaction.excerpt((0..<4_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        #expect(binary.text.utf8.count <= Redaction.maximumBytes)
        #expect(Redaction.excerpt([]).text.isEmpty)
        let huge = Redaction.excerpt([UInt8](repeating: UInt8(ascii: "a"), count: 10_000_000))
        #expect(huge.text == "[removed]")
        #expect(huge.isTruncated)
    }

    @Test func anyBytesAreSurvived() {
        var random = SeededGenerator(seed: 6)
        let alphabet = Array("{}[]\":,'\\ \n=&<>-eyJtokenpasswordBearer.u0070%".utf8)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                Int.random(in: 0..<9, using: &random) == 0
                    ? UInt8.random(in: 0...255, using: &random) : alphabet.randomElement(using: &random) ?? 0
            }
            let excerpt = Redaction.excerpt(bytes)
            #expect(excerpt.text.utf8.count <= Redaction.maximumBytes)
        }
    }
}
