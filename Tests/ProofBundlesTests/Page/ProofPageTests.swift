import ClawWire
import Foundation
import Testing

@testable import ProofBundles

/// Samples of the page's tests. `make_sample.py` beside them writes them.
enum PageSample {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Samples")

    /// A run with everything that there is, some of which can only be set aside.
    static func full() throws -> [UInt8] { try bytes("page.export.json") }
    /// The same run, all of which can be checked.
    static func plain() throws -> [UInt8] { try bytes("plain.export.json") }
    /// The trust configuration that belongs to them.
    static func trust() throws -> [UInt8] { try bytes("page.trust.json") }

    private static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }
}

/// The page as bytes: no browser is needed for these.
struct ProofPageTests {
    private func page(_ bundle: [UInt8]) throws -> String {
        String(decoding: try ProofPage.render(bundle), as: UTF8.self)
    }

    /// What stands between two texts, of which there must be one each.
    private func between(_ start: String, _ end: String, in text: String) throws -> String {
        let parts = text.components(separatedBy: start)
        try #require(parts.count == 2, "\(start) stands \(parts.count - 1) times")
        return try #require(parts[1].components(separatedBy: end).first)
    }

    @Test func sameBundleGivesTheSamePage() throws {
        #expect(try ProofPage.render(try PageSample.full()) == ProofPage.render(try PageSample.full()))
    }

    @Test func bundleIsEmbeddedAsItIs() throws {
        let bundle = try PageSample.full()
        let block = try between(#"<script type="application/json" id="bundle">"#, "</script>", in: try page(bundle))
        #expect(try JSONReader.parse(Array(block.utf8), limits: ProofPage.limits) == JSONReader.parse(bundle))
    }

    @Test func nothingInABundleCanEndItsBlock() throws {
        let bundle = #"{"envelope_type":"proof_bundle","x":"</script><!--<script>alert(1)</script>]]>&lt;"}"#
        let text = try page(Array(bundle.utf8))
        let block = try between(#"<script type="application/json" id="bundle">"#, "</script>", in: text)
        #expect(!block.contains("<"))
        #expect(try JSONReader.parse(Array(block.utf8)) == JSONReader.parse(Array(bundle.utf8)))
        #expect(text.components(separatedBy: "<script").count == 3)
    }

    @Test func policyAllowsThisScriptAndThisStyleAlone() throws {
        let text = try page(try PageSample.full())
        let policy = try between(#"http-equiv="Content-Security-Policy" content=""#, "\"", in: text)
        func source(_ text: String) -> String {
            "'sha256-\(Data(Digest(hashing: Array(text.utf8)).bytes).base64EncodedString())'"
        }
        let script = try between("</script>\n<script>", "</script>", in: text)
        let style = try between("<style>", "</style>", in: text)
        #expect(
            policy
                == "default-src 'none'; script-src \(source(script)); style-src \(source(style)); base-uri 'none'; form-action 'none'"
        )
        #expect(
            text.contains("<meta charset=\"utf-8\">\n<meta http-equiv="), "the policy precedes everything it governs")
    }

    @Test func programMakesNoMarkupOfTextAndLoadsNothing() {
        let program = PageScript.text()
        for word in [
            "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "fetch(",
            "XMLHttpRequest",
            "WebSocket", "import(", "</script", "<!--", "localStorage", "style=", "\"style\"",
        ] {
            #expect(!program.contains(word), "\(word)")
        }
        let addresses = program.replacing("http://www.w3.org/2000/svg", with: "")
        #expect(!addresses.contains("http"), "only the name space of SVG is an address")
        #expect(!PageStyle.text.contains("url(") && !PageStyle.text.contains("@import"))
        #expect(program.utf8.allSatisfy { $0 != 0x0D } && PageStyle.text.utf8.allSatisfy { $0 != 0x0D })
    }

    @Test func whatIsNoBundleIsRefused() throws {
        func code(_ text: String) -> ProofPageError.Code? {
            do {
                _ = try ProofPage.render(Array(text.utf8))
                return nil
            } catch { return error.code }
        }
        #expect(code("no JSON") == .unreadable)
        #expect(code(#"{"envelope_type":"proof_bundle","a":1,"a":2}"#) == .unreadable)
        #expect(code(String(repeating: "[", count: 100_000)) == .unreadable)
        #expect(code("[]") == .noBundle)
        #expect(code(#"{"export_version":"1"}"#) == .noBundle)
        #expect(code(#"{"envelope_type":"gateway_receipt"}"#) == .noBundle)
        #expect(code(#"{"envelope_type":"proof_bundle"}"#) == nil)
    }
}
