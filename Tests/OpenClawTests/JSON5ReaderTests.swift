import ClawWire
import OpenClaw
import TestSupport
import Testing

struct JSON5ReaderTests {
    private func read(_ text: String) throws -> JSONValue { try JSON5Document(text).value }

    @Test func whatJSONHasIsReadAsJSON() throws {
        for text in [
            "{}", "[]", "null", "true", "false", "\"\"", "0", "-1.5e3", "[1,2,[3]]", "{\"a\":{\"b\":[true,null]}}",
            "\"\\u00e9\\n\\\\\\\"\"", "\"\\ud83d\\ude00\"", " \n\t{ \"a\" : 1 } ",
        ] {
            #expect(try read(text) == (try JSONReader.parse(text)), "\(text)")
        }
    }

    @Test func whatJSON5AddsIsRead() throws {
        let text = """
            // a line
            {
              unquoted: 'single "quotes"', $name_1: "a\\
            b", /* a block
              of two lines */ trailing: [1, 2, 3,], hex: 0xFF, half: .5, whole: 5., plus: +1, minus: -0x10,
              escaped: '\\x41\\v\\0\\'', ünïcode: true,
            }
            """
        let value = try read(text)
        #expect(value["unquoted"] == "single \"quotes\"")
        #expect(value["$name_1"] == "ab")
        #expect(value["trailing"] == [1, 2, 3])
        #expect(value["hex"] == 255)
        #expect(value["half"] == 0.5)
        #expect(value["whole"] == 5)
        #expect(value["plus"] == 1)
        #expect(value["minus"] == -16)
        #expect(value["escaped"]?.string == "A\u{0B}\0'")
        #expect(value["ünïcode"] == true)
    }

    @Test func commentsAreKept() throws {
        let document = try JSON5Document("// one\n{a: 1 /* two */} // three")
        #expect(document.comments == [" one", " two ", " three"])
        #expect(document.value == ["a": 1])
    }

    @Test(
        "What is broken, ambiguous or without a value in JSON is refused with its place",
        arguments: [
            ("", 1, 1), ("{", 1, 2), ("{a}", 1, 3), ("{a:1 b:2}", 1, 6), ("[1,,2]", 1, 4), ("{,}", 1, 2),
            ("{a:1}x", 1, 6), ("{a:1,\n a:2}", 2, 3), ("NaN", 1, 1), ("Infinity", 1, 1), ("-Infinity", 1, 1),
            ("01", 1, 1), ("1e999", 1, 1), ("'a\nb'", 1, 3), ("'abc", 1, 5), ("/* x", 1, 5), ("/x", 1, 1),
            ("'\\u12'", 1, 6), ("'\\ud800'", 1, 8), ("'\\1'", 1, 4), ("undefined", 1, 1), ("0x", 1, 1),
            ("0x-1", 1, 1), (".", 1, 1), ("1.2.3", 1, 1), ("{'a' 1}", 1, 6), ("+", 1, 1), ("\\u0061:1", 1, 1),
            ("'\u{10F000}'", 1, 2), ("'\\udbfc\\udc00'", 1, 14),
        ])
    func refused(_ text: String, _ line: Int, _ column: Int) throws {
        do {
            let value = try read(text)
            Issue.record("\(text) was read as \(value)")
        } catch let error as JSON5Error {
            #expect((error.line, error.column) == (line, column), "\(text): \(error)")
        }
    }

    @Test func depthAndSizeAreBounded() {
        let deep = String(repeating: "[", count: 10_000)
        #expect(throws: JSON5Error.self) { try read(deep) }
        #expect(throws: JSON5Error.self) { try read("\"" + String(repeating: "a", count: 2 << 20) + "\"") }
    }

    /// Whatever comes, the reader answers: a value, or an error with a place inside the text.
    @Test func brokenTextsNeverEndTheReader() throws {
        let good = """
            // c
            {agents: {defaults: {sandbox: {mode: 'all', docker: {binds: ["/a:/b:ro",], n: -0x1F, f: .5e-3}}}}, /*x*/ t: [true]}
            """
        var random = SeededGenerator(seed: 7)
        let alphabet = Array("{}[]:,'\"/*\\ux0123eE+-.aN \n".unicodeScalars)
        for _ in 0..<20_000 {
            var scalars = Array(good.unicodeScalars)
            for _ in 0...Int(random.next() % 3) {
                let place = Int(random.next() % UInt64(scalars.count))
                switch random.next() % 3 {
                case 0: scalars.remove(at: place)
                case 1: scalars.insert(alphabet[Int(random.next() % UInt64(alphabet.count))], at: place)
                default: scalars[place] = alphabet[Int(random.next() % UInt64(alphabet.count))]
                }
            }
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            do {
                _ = try read(text)
            } catch let error as JSON5Error {
                #expect(error.line >= 1 && error.column >= 1 && !error.detail.isEmpty)
            }
        }
    }
}
