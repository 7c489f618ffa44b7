import ClawWire
import TestSupport
import Testing

@Suite("Plain parts of JSON texts")
struct JSONTextTests {
    /// What ``JSONText/plainPart(of:from:)`` says, found byte by byte.
    private static func plainPart(_ bytes: [UInt8], from start: Int) -> (end: Int, isASCII: Bool) {
        let part = bytes[start...].prefix { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return (part.endIndex, part.allSatisfy { $0 < 0x80 })
    }

    @Test func everySpecialByteIsFoundAtEveryPlace() {
        for special in UInt8.min ... .max {
            for place in 0..<20 {
                for start in 0...place {
                    var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 20)
                    bytes[place] = special
                    let expected = Self.plainPart(bytes, from: start)
                    let found = JSONText.plainPart(of: bytes.span, from: start)
                    #expect(found.end == expected.end && found.isASCII == expected.isASCII)
                }
            }
        }
    }

    @Test func anyBytesAreMeasured() {
        var random = SeededGenerator(seed: 32)
        for _ in 0..<5_000 {
            let bytes = random.bytes(upTo: 40)
            let start = Int.random(in: 0...bytes.count, using: &random)
            let expected = Self.plainPart(bytes, from: start)
            let found = JSONText.plainPart(of: bytes.span, from: start)
            #expect(found.end == expected.end && found.isASCII == expected.isASCII)
        }
    }

    @Test func keysAreOrderedAsTheirUTF16Is() {
        var random = SeededGenerator(seed: 33)
        for _ in 0..<500 {
            let keys = Set((0..<Int.random(in: 0...12, using: &random)).map { _ in "key" + random.text(upTo: 9) })
            let value = JSONValue.object(JSONObject(keys.map { ($0, .null) }))
            let sorted = keys.sorted { $0.utf16.lexicographicallyPrecedes($1.utf16) }
            let expected = JSONValue.object(JSONObject(sorted.map { ($0, .null) }))
            #expect(JSONWriter.bytes(value, order: .canonical) == JSONWriter.bytes(expected))
        }
    }
}
