import Testing

@testable import ClawWire

@Suite("Bounded texts")
struct BoundedTextTests {
    @Test func textsAreCutBetweenScalars() {
        #expect("plain".cut(toBytes: 5) == "plain")
        #expect("plain".cut(toBytes: 2) == "pl")
        #expect("plain".cut(toBytes: 0) == "")
        for most in 0...12 {
            let kept = "a\u{F6}\u{505C}\u{1F7E5}b".cut(toBytes: most)
            #expect(
                kept.utf8.count <= most && "a\u{F6}\u{505C}\u{1F7E5}b".unicodeScalars.starts(with: kept.unicodeScalars))
        }
        #expect(("e" + String(repeating: "\u{301}", count: 1_000)).cut(toBytes: 64).utf8.count == 63)
    }

    @Test(arguments: ["", "plain", "\u{10EFFF}", "\u{10F800}", "\u{1F7E5}"])
    func readableTextsStayAsTheyAre(_ text: String) {
        #expect(ExactText.equal(text.withoutReservedScalars, text))
    }

    @Test func whatIsWrittenReadsBack() throws {
        let text = "a\u{10F000}b\u{10F7FF}"
        #expect(text.withoutReservedScalars == "a\u{FFFD}b\u{FFFD}")
        #expect(throws: JSONError.self) { try JSONReader.parse(JSONWriter.bytes(.string(text))) }
        let readable = JSONValue.string(text.withoutReservedScalars)
        #expect(try JSONReader.parse(JSONWriter.bytes(readable)) == readable)
    }
}
