import ClawWire

/// Why a file cannot be shown as a page.
public struct ProofPageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// It is no JSON, or too large, or nested too deeply.
        case unreadable = "PAGE_UNREADABLE"
        /// It is neither an export bundle nor a proof bundle in its envelope.
        case noBundle = "PAGE_NO_BUNDLE"
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people, with what to do.
    public let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

/// Makes the page of a bundle: one HTML file that shows the run and checks itself in the reader's browser
/// (docs/trust-pulse.md).
///
/// Nothing of the bundle is believed or even looked at here, but whether it is JSON and a bundle at all. It is embedded
/// as it is, in a data block that no browser runs; the page's program reads it there.
public enum ProofPage {
    /// The largest bundle that is made a page of, in bytes.
    public static let maximumBytes = 32 << 20

    static let limits = JSONLimits(
        maximumBytes: maximumBytes, maximumDepth: 64, maximumMembers: 2_000_000, maximumStringBytes: 1 << 20)

    /// Makes the page. The same bundle gives the same bytes.
    ///
    /// - Parameter bundle: the file of an export bundle, or of a proof bundle in its envelope.
    /// - Throws: ``ProofPageError``.
    public static func render(_ bundle: [UInt8]) throws(ProofPageError) -> [UInt8] {
        try render(bundle, script: PageScript.text())
    }

    static func render(_ bundle: [UInt8], script: String) throws(ProofPageError) -> [UInt8] {
        try check(bundle)
        let style = PageStyle.text
        let policy =
            "default-src 'none'; script-src \(source(script)); style-src \(source(style)); base-uri 'none'; "
            + "form-action 'none'"
        var page: [UInt8] = []
        page.reserveCapacity(bundle.count + bundle.count / 16 + script.utf8.count + style.utf8.count + 2_048)
        func append(_ text: String) { page.append(contentsOf: text.utf8) }
        append(head(policy: policy, style: style))
        appendEmbedded(bundle, to: &page)
        append("</script>\n<script>\(script)</script>\n</body>\n</html>\n")
        return page
    }

    private static func check(_ bundle: [UInt8]) throws(ProofPageError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bundle, limits: limits)
        } catch {
            throw ProofPageError(.unreadable, "the file is no JSON that can be shown: \(error)")
        }
        let isExport = value["export_version"] != nil && value["artifacts"]?.object != nil
        guard isExport || value["envelope_type"]?.string == "proof_bundle" else {
            throw ProofPageError(
                .noBundle, "the file is neither an export bundle nor a proof bundle; give what `proof assemble` wrote")
        }
    }

    /// A source expression of Content Security Policy 3: this text and no other.
    private static func source(_ text: String) -> String {
        "'sha256-\(base64(Digest(hashing: Array(text.utf8)).bytes))'"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).replacing("-", with: "+").replacing("_", with: "/")
        return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }

    /// JSON stays the same JSON when `<` is written as an escape, since it stands in strings only; and without it nothing
    /// in a bundle can end the element, or begin another.
    private static func appendEmbedded(_ bundle: [UInt8], to page: inout [UInt8]) {
        for byte in bundle {
            if byte == UInt8(ascii: "<") {
                page.append(contentsOf: "\\u003c".utf8)
            } else {
                page.append(byte)
            }
        }
    }

    private static func head(policy: String, style: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="\(policy)">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="referrer" content="no-referrer">
        <meta name="robots" content="noindex">
        <title>Trust Pulse</title>
        <style>\(style)</style>
        </head>
        <body>
        <a class="skip" href="#verdict">Skip to verification</a>
        <div id="page">
        <noscript><p>This page shows and checks its bundle with a script of its own, and scripts are switched off. \
        Nothing was checked.</p></noscript>
        </div>
        <script type="application/json" id="bundle">
        """
    }
}
