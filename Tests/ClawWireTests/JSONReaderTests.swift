import ClawWire
import Testing

@Suite("JSON reader")
struct JSONReaderTests {
    private func fault(
        _ bytes: [UInt8], limits: JSONLimits = .standard, duplicates: JSONReader.Duplicates = .refuse
    ) -> JSONError? {
        do {
            _ = try JSONReader.parse(bytes, limits: limits, duplicates: duplicates)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("", JSONError.Code.unexpectedEnd, 0), ("{", .unexpectedEnd, 1), ("[1,", .unexpectedEnd, 3),
        ("\"abc", .unexpectedEnd, 0), ("tru", .unexpectedEnd, 3), ("\"\\u12", .unexpectedEnd, 3),
        ("trux", .syntax, 3), ("01", .syntax, 1), ("-", .syntax, 1), ("1.", .syntax, 2), ("1e", .syntax, 2),
        ("+1", .syntax, 0), (".5", .syntax, 0), ("[1 2]", .syntax, 3), ("[1,]", .syntax, 3), ("{\"a\" 1}", .syntax, 5),
        ("{\"a\":1,}", .syntax, 7), ("{a:1}", .syntax, 1), ("'a'", .syntax, 0), ("\"\\x\"", .syntax, 2),
        ("\"\\u12g4\"", .syntax, 5), ("NaN", .syntax, 0), ("1e400", .numberNotFinite, 0), ("1 2", .trailingText, 2),
        ("{\"a\":1,\"a\":2}", .duplicateKey, 7), ("\"\\ud800\"", .loneSurrogate, 1),
        ("\"\\udc00\\ud800\"", .loneSurrogate, 1), ("\"a\u{01}\"", .syntax, 2),
        ("[\"\u{10F000}\"]", .reservedCharacter, 2),
        ("\"x\\n\u{10F7FF}\"", .reservedCharacter, 4), ("\"\\udbfc\\udc00\"", .reservedCharacter, 1),
    ])
    func refuses(_ text: String, code: JSONError.Code, offset: Int) throws {
        let error = try #require(fault(Array(text.utf8)))
        #expect(error.code == code)
        #expect(error.offset == offset)
    }

    @Test(arguments: [
        ("\"cut \\ud83d\"", "cut \u{FFFD}"), ("\"\\udc00\\ud800\"", "\u{FFFD}\u{FFFD}"),
        ("\"\\ud83d\\ude00\"", "😀"), ("\"a\u{10F000}b\"", "a\u{FFFD}b"), ("\"\u{10F7FF}\\n\"", "\u{FFFD}\n"),
        ("\"\\n\u{10F7FF}\u{10F800}\"", "\n\u{FFFD}\u{10F800}"), ("\"\\udbfc\\udc00\"", "\u{FFFD}"),
    ])
    func replacesWhatNoTextHolds(_ text: String, expected: String) throws {
        #expect(try JSONReader.parse(Array(text.utf8), loneSurrogates: .replace) == .string(expected))
    }

    @Test func replacingRefusesRepeatedKeysAndBrokenText() {
        for bytes in [Array("{\"a\":\"\\ud800\",\"a\":2}".utf8), [0x22, 0xF4, 0x8F, 0x80, 0x22, 0x22]] {
            #expect(throws: JSONError.self) { try JSONReader.parse(bytes, loneSurrogates: .replace) }
        }
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
            [0x22, 0xE2, 0x82, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22],
        ] as [[UInt8]])
    func refusesInvalidUTF8(_ bytes: [UInt8]) {
        #expect(fault(bytes)?.code == .invalidUTF8)
    }

    @Test func saysLineAndColumn() throws {
        let error = try #require(fault(Array("{\n  \"a\": 1,\n  \"b\": tru\n}".utf8)))
        #expect(error.line == 3)
        #expect(error.column == 11)
        #expect(error.description.hasPrefix("line 3, column 11: "))
    }

    @Test func depthIsBoundedBeforeItHurts() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 10_000)
        #expect(fault(deep)?.code == .tooDeep)
        #expect(fault(deep)?.offset == 64)
        let mixed = Array(String(repeating: "{\"a\":[", count: 10_000).utf8)
        #expect(fault(mixed)?.code == .tooDeep)
        let allowed = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(fault(Array(allowed.utf8)) == nil)
    }

    @Test func sizeIsBounded() {
        let large = [UInt8](repeating: UInt8(ascii: " "), count: 10_485_760)
        #expect(fault(large)?.code == .tooLarge)
        #expect(fault(Array("[1,2,3]".utf8), limits: JSONLimits(maximumMembers: 2))?.code == .tooManyMembers)
        #expect(fault(Array("{\"a\":[1]}".utf8), limits: JSONLimits(maximumMembers: 1))?.code == .tooManyMembers)
        #expect(fault(Array("\"abcd\"".utf8), limits: JSONLimits(maximumStringBytes: 3))?.code == .stringTooLong)
        #expect(
            fault(Array("\"\\u00e9\\u00e9\"".utf8), limits: JSONLimits(maximumStringBytes: 3))?.code == .stringTooLong)
        let number = Array(String(repeating: "1", count: 65).utf8)
        #expect(fault(number)?.code == .numberTooLong)
    }

    @Test func aLargeDocumentWithinLimitsIsRead() throws {
        let element = "{\"key\":\"" + String(repeating: "v", count: 100) + "\"}"
        let text = "[" + Array(repeating: element, count: 90_000).joined(separator: ",") + "]"
        let limits = JSONLimits(maximumBytes: 16_777_216, maximumMembers: 200_000)
        #expect(try JSONReader.parse(text, limits: limits).array?.count == 90_000)
    }

    @Test func repeatedKeysKeepFirstPositionAndLastValue() throws {
        let value = try JSONReader.parse("{\"a\":1,\"b\":2,\"a\":3}", duplicates: .keepLastValue)
        #expect(JSONWriter.text(value) == "{\"a\":3,\"b\":2}")
    }

    @Test func keysThatLookAlikeAreDifferent() throws {
        let value = try JSONReader.parse("{\"e\u{301}\":1,\"\u{e9}\":2}")
        #expect(value.object?.count == 2)
        #expect(value["\u{e9}"]?.integer == 2)
        #expect(JSONValue.string("e\u{301}") != JSONValue.string("\u{e9}"))
        #expect(JobID("e\u{301}") != JobID("\u{e9}"))
    }

    @Test func manyMembersAreFoundByTheirExactKey() throws {
        var object = JSONObject()
        for i in 0..<200 { object["key-\(i)"] = .integer(i) }
        object["e\u{301}"] = 1
        object["\u{e9}"] = 2
        #expect(object.count == 202)
        object["key-100"] = nil
        #expect(object["key-100"] == nil)
        #expect(object["key-101"]?.integer == 101)
        #expect(object["e\u{301}"]?.integer == 1)
    }
}
