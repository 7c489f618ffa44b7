import ClawWire
import Foundation
import GraphConfirmation
import IssuanceRules
import Testing

/// What is published about confirmations agrees with the code.
@Suite("Published documents")
struct DocumentationTests {
    @Test("Every contradiction and every error is explained")
    func codes() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/sources/confirmation.md"), encoding: .utf8)
        for code in Contradiction.allCases { #expect(text.contains("| `\(code.rawValue)` |"), "\(code)") }
        for code in GraphError.Code.allCases { #expect(text.contains("`\(code.rawValue)`"), "\(code)") }
    }

    @Test("A denial by contradiction is told from one by a person")
    func denials() {
        for code in Contradiction.allCases {
            #expect(Contradiction(denial: code.actor.id.rawValue) == code && code.actor.kind == .system)
        }
        #expect(Contradiction(denial: "2dd18507-3fb7-5dd2-b44b-8880d5503efa") == nil)
        #expect(Contradiction(denial: "confirmation:whatever") == nil)
    }
}
