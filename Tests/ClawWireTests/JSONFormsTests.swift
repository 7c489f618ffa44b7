import ClawWire
import TestSupport
import Testing

@Suite("Canonical and document order")
struct JSONFormsTests {
    @Test(arguments: [
        (
            "{\"b\":1,\"10\":2,\"2\":3,\"a\":4}", "{\"10\":2,\"2\":3,\"a\":4,\"b\":1}",
            "{\"2\":3,\"10\":2,\"b\":1,\"a\":4}"
        ),
        ("{\"01\":1,\"0\":2,\"-1\":3}", "{\"-1\":3,\"0\":2,\"01\":1}", "{\"0\":2,\"01\":1,\"-1\":3}"),
        (
            "[1.0,-0,1e21,1e-7,0.000001,123456789012345680000,5e-324]",
            "[1,0,1e+21,1e-7,0.000001,123456789012345680000,5e-324]",
            "[1,0,1e+21,1e-7,0.000001,123456789012345680000,5e-324]"
        ),
        ("\"\\u000f\\n\\/\\u007f\\u2028\"", "\"\\u000f\\n/\u{7f}\u{2028}\"", "\"\\u000f\\n/\u{7f}\u{2028}\""),
        (
            "{\"\u{1F600}\":1,\"\u{FFEE}\":2,\"z\":3}", "{\"z\":3,\"\u{1F600}\":1,\"\u{FFEE}\":2}",
            "{\"\u{1F600}\":1,\"\u{FFEE}\":2,\"z\":3}"
        ),
        (
            "{\"\\ud800\":1,\"\u{FFEE}\":2,\"\u{1F600}\":3}", "{\"\\ud800\":1,\"\u{1F600}\":3,\"\u{FFEE}\":2}",
            "{\"\\ud800\":1,\"\u{FFEE}\":2,\"\u{1F600}\":3}"
        ),
    ])
    func prints(_ text: String, canonical: String, document: String) throws {
        let value = try JSONReader.parse(text, duplicates: .keepLastValue)
        #expect(JSONWriter.text(value, order: .canonical) == canonical)
        #expect(JSONWriter.text(value, order: .document) == document)
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("jcs", "cases"))
    func canonicalVectors(_ vector: VectorCase) throws {
        let value = try JSONReader.parse(try vector.text("json_text"), duplicates: .keepLastValue)
        let bytes = JSONWriter.bytes(value, order: .canonical)
        #expect(Hex.encode(bytes) == (try vector.text("canonical_utf8_hex")))
        #expect(value.canonicalDigest.b64u == (try vector.text("sha256_b64u")))
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("jcs", "errors"))
    func canonicalErrors(_ vector: VectorCase) throws {
        let text = try vector.text("json_text")
        #expect(throws: JSONError.self) { try JSONReader.parse(text, duplicates: .keepLastValue) }
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("insertion-order-hash", "cases"))
    func documentVectors(_ vector: VectorCase) throws {
        let value = try JSONReader.parse(try vector.text("json_text"), duplicates: .keepLastValue)
        #expect(JSONWriter.text(value, order: .document) == (try vector.text("serialized")))
        #expect(value.documentDigest.b64u == (try vector.text("payload_hash_b64u")))
    }

    @Test func whatIsPrintedReadsBackTheSame() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            let value = random.json(depth: 4)
            let text = JSONWriter.text(value)
            let back = try JSONReader.parse(text)
            #expect(back == value)
            #expect(JSONWriter.text(back) == text)
            let canonical = JSONWriter.text(value, order: .canonical)
            #expect(JSONWriter.text(try JSONReader.parse(canonical), order: .canonical) == canonical)
            #expect(try JSONReader.parse(canonical).canonicalDigest == value.canonicalDigest)
        }
    }

    @Test func numbersReadBackToTheSameDouble() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<20_000 {
            let number = random.double()
            let text = ECMAScriptNumber.text(number)
            #expect(Double(text) == number, "\(text)")
            #expect(try JSONReader.parse(text).number == number, "\(text)")
        }
    }

    @Test func orderIsThatOfTheUnits() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<5_000 {
            let left = random.text(upTo: 4)
            let right = random.text(upTo: 4)
            #expect(
                JSONWriter.precedes(left, right) == Array(left.utf16).lexicographicallyPrecedes(Array(right.utf16)))
        }
    }

    @Test func noBytesCrashTheReader() {
        var random = SeededGenerator(seed: 4)
        let seeds = ["{\"a\":[1,2.5e3,\"\\ud83d\\ude00\"],\"b\":null}", "[[[true]],\"\u{e9}\",-0.1e-2]"]
        for round in 0..<20_000 {
            var bytes = round.isMultiple(of: 3) ? random.bytes(upTo: 64) : Array(seeds[round % 2].utf8)
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: position)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: position)
                }
            }
            for mode in [JSONReader.Duplicates.refuse, .keepLastValue] {
                guard let value = try? JSONReader.parse(bytes, duplicates: mode) else { continue }
                let text = JSONWriter.text(value)
                #expect(throws: Never.self) { try JSONReader.parse(text, duplicates: mode) }
            }
        }
    }
}
