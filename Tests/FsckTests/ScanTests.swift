import ClawWire
import Testing

@testable import Fsck
@testable import FsckCorruptions

struct ScanTests {
    @Test(arguments: [
        "{}", "{\"a\":[]}", "{\"a\":1,\"b\":[true,false,null,-5,0],\"c\":{\"d\":\"é\\n\\u0007\\\\\"}}",
        "{\"\":1,\"A\":2,\"a\":3,\"é\":4,\"\u{20AC}\":5,\"\u{1F600}\":6,\"\u{FB33}\":7}", "{\"a\":1.5,\"b\":1e+30}",
        "{\"a\":9007199254740991}",
    ])
    func takesCanonicalText(_ text: String) throws {
        let bytes = Array(text.utf8)
        #expect(throws: Never.self) { try CanonicalText.wholeObject(bytes.span) }
        #expect(JSONWriter.bytes(try JSONReader.parse(bytes), order: .canonical) == bytes)
    }

    @Test(arguments: [
        "", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}}", "{ }", "{\"a\": 1}", "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":01}", "{\"a\":-0}", "{\"a\":+1}", "{\"a\":1.0}", "{\"a\":1e3}", "{\"a\":\"\\/\"}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\\u000A\"}", "{\"a\":\"\\u000a\"}", "{\"a\":\"\u{1}\"}", "{\"a\":tru}", "{\"a\":nul}", "{\"a\":[1,]}",
        "{\"a\":[1 ,2]}", "{\"\u{1F600}\":1,\"\u{20AC}\":2}", "{\"\u{FB33}\":1,\"\u{1F600}\":2}", "[1]", "1",
        "{\"a\":\"x", "{\"a\":\"\\", "{\"a\":\"\\u00", "{\"a\":--1}", "{\"a\":-}", "{\"a\":.5}",
    ])
    func refusesEveryOtherText(_ text: String) {
        #expect(throws: CanonicalText.Fault.self) { try CanonicalText.wholeObject(Array(text.utf8).span) }
    }

    @Test func refusesBytesThatAreNoText() {
        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
            let text = Array("{\"a\":\"".utf8) + bytes + Array("\"}".utf8)
            #expect(throws: CanonicalText.Fault.self) { try CanonicalText.wholeObject(text.span) }
        }
    }

    @Test func deepNestingEndsEarly() {
        let text = Array((String(repeating: "{\"a\":", count: 100_000) + "1").utf8)
        #expect(throws: CanonicalText.Fault.self) { try CanonicalText.wholeObject(text.span) }
    }

    @Test func survivesEveryCutAndEveryByte() throws {
        let log = try HealthyLog.forge().publish()
        let record = try #require(log.topics["receipts.batches"]?[2].value)
        for end in stride(from: 0, to: record.count, by: 7) {
            #expect(throws: BatchText.Fault.self) { try BatchText(Array(record[..<end])) }
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var spoiled = record
            spoiled[Int.random(in: 0..<record.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            guard let batch = try? BatchText(spoiled) else { continue }
            // What still reads is canonical as it stands.
            let limits = JSONLimits(maximumBytes: 2 << 20)
            #expect(JSONWriter.bytes(try JSONReader.parse(spoiled, limits: limits), order: .canonical) == spoiled)
            #expect(batch.receipts.count == batch.receiptMembers.count)
        }
    }

    @Test func findsSecretsAndNothingElse() {
        func found(_ text: String) -> [SecretScan.Secret] { SecretScan.secrets(in: Array(text.utf8)) }
        #expect(found("Authorization: Bearer \(HealthyLog.loose).") == [.token])
        #expect(found(HealthyLog.loose) == [.token])
        #expect(found("\"jwe\":\"\(HealthyLog.sealed)\"") == [.sealed])
        #expect(found("-----BEGIN ENCRYPTED PRIVATE KEY-----") == [.privateKey])
        #expect(found("-----BEGIN PUBLIC KEY-----").isEmpty)
        let header = Base64URL.encode(Array("{\"alg\":\"EdDSA\"}".utf8))
        #expect(found("\(header)..AAAA").isEmpty, "a detached signature")
        #expect(found("\(header).AAAA").isEmpty)
        #expect(found("eyJ eyJ.eyJ.eyJ").isEmpty)
    }
}
