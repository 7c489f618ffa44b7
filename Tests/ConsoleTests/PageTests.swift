import ClawWire
import Foundation
import HTTPService
import Testing

@testable import Console

@Suite("The console's page")
struct PageTests {
    private let html = String(decoding: ConsolePage.response.body, as: UTF8.self)

    private func attributes(_ name: String, in text: String) -> [String] {
        text.components(separatedBy: "\(name)=\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
    }

    private func field(_ name: String, _ fields: [(String, String)]) -> String? {
        fields.first { $0.0 == name }?.1
    }

    @Test func nothingIsInlineAndNothingComesFromElsewhere() throws {
        #expect(!html.contains("<style") && !html.contains("style=\"") && !html.contains(/\son[a-z]+=/))
        #expect(html.components(separatedBy: "<script").count == 2)
        for address in attributes("src", in: html) + attributes("href", in: html) {
            #expect(address.hasPrefix("/console/assets/") || address.hasPrefix("#"), "\(address)")
        }
        let program = program()
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"]
        where word != "http://" || program.replacing("http://www.w3.org/2000/svg", with: "").contains(word) {
            #expect(!program.contains(word), "\(word)")
        }
    }

    private func asset(_ suffix: String) throws -> (name: String, body: String, fields: [(String, String)]) {
        let address = try #require(
            (attributes("src", in: html) + attributes("href", in: html)).first { $0.hasSuffix(suffix) })
        let name = address.replacing("/console/assets/", with: "")
        let response = ConsolePage.asset(name)
        try #require(response.status == 200)
        return (name, String(decoding: response.body, as: UTF8.self), response.fields.map { ($0.name, $0.value) })
    }

    private func program() -> String { (try? asset(".js"))?.body ?? "" }

    @Test func filesAreKeptForEverUnderTheirDigest() throws {
        for suffix in [".js", ".css", ".svg"] {
            let (name, body, fields) = try asset(suffix)
            #expect(name.contains(Digest(hashing: Array(body.utf8)).hex.prefix(16)))
            #expect(field("cache-control", fields) == "public, max-age=31536000, immutable")
        }
        #expect(ConsolePage.asset("console.0000000000000000.js").status == 404)
        #expect(ConsolePage.asset("../console.html").status == 404)
    }

    @Test func theBrowserIsToldWhatMayNotHappen() throws {
        let fields = ConsolePage.response.fields.map { ($0.name, $0.value) }
        let policy = try #require(field("content-security-policy", fields))
        for rule in [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'",
            "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ] {
            #expect(policy.components(separatedBy: "; ").contains(rule), "\(rule)")
        }
        #expect(!policy.contains("unsafe") && !policy.contains("*") && !policy.contains("data:"))
        #expect(field("referrer-policy", fields) == "no-referrer")
        #expect(field("cross-origin-opener-policy", fields) == "same-origin")
    }

    @Test func everyFieldHasItsLabel() {
        let labelled = Set(attributes("for", in: html))
        for tag in ["<input ", "<select ", "<textarea "] {
            for part in html.components(separatedBy: tag).dropFirst() {
                let id = attributes("id", in: String(part.prefix { $0 != ">" })).first ?? ""
                #expect(labelled.contains(id), "\(tag)\(id)")
            }
        }
        #expect(html.contains("<html lang=\"en\">"))
        for landmark in ["<main", "<nav ", "<header ", "role=\"search\"", "class=\"skip\"", "<aside "] {
            #expect(html.contains(landmark), "\(landmark)")
        }
    }

    // MARK: Colours

    /// Relative luminance (WCAG 2.2).
    private func luminance(_ hex: Substring) -> Double {
        let channels = stride(from: 1, to: 7, by: 2).map { place -> Double in
            let start = hex.index(hex.startIndex, offsetBy: place)
            let value = Double(UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16) ?? 0) / 255
            return value <= 0.040_45 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    }

    private func contrast(_ one: Substring, _ other: Substring) -> Double {
        let (a, b) = (luminance(one), luminance(other))
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }

    /// Each colour of the style sheet, light and dark.
    private func colours() throws -> [String: [Substring]] {
        var colours: [String: [Substring]] = [:]
        for match in try asset(".css").body.matches(of: /--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/) {
            colours[String(match.1)] = [match.2, match.3]
        }
        return colours
    }

    @Test func textStandsOutFromWhatIsBehindIt() throws {
        let colours = try colours()
        try #require(colours.count >= 16)
        let pairs: [(text: String, behind: [String])] = [
            ("ink", ["paper", "card", "sunk", "accent-wash", "bad-wash", "warn-wash"]),
            ("soft", ["paper", "card", "sunk", "accent-wash", "bad-wash"]),
            ("accent", ["paper", "card", "sunk", "accent-wash"]), ("accent-ink", ["accent"]),
            ("good", ["card", "sunk", "accent-wash"]), ("bad", ["paper", "card", "sunk", "accent-wash", "bad-wash"]),
            ("bad-ink", ["bad"]), ("warn", ["card", "sunk", "accent-wash", "warn-wash"]),
        ]
        for (text, behind) in pairs {
            for ground in behind {
                for (theme, index) in [("light", 0), ("dark", 1)] {
                    let ratio = contrast(try #require(colours[text])[index], try #require(colours[ground])[index])
                    #expect(ratio >= 4.5, "\(text) on \(ground), \(theme): \(ratio)")
                }
            }
        }
        for ground in ["paper", "card"] {
            for index in 0...1 {
                let ratio = contrast(try #require(colours["rail"])[index], try #require(colours[ground])[index])
                #expect(ratio >= 3, "edges of fields on \(ground): \(ratio)")
            }
        }
    }

    @Test func noColourStandsOutsideOfTheTokens() throws {
        let rules = try asset(".css").body.components(separatedBy: "}").dropFirst().joined()
        #expect(!rules.contains(/#[0-9a-fA-F]{3,8}[;\s,)]/))
    }
}
