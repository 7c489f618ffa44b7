import ArgumentParser
import Foundation
import Testing

@testable import clawgrant

/// Command lines in documents are ones that the program takes.
///
/// What they may hold beside what the parser takes: a name in capitals (FILE, KID) stands for a value, TIME and HASH for a
/// value of their form, `…` for the rest of a value or of a line, `[…]` for what may be left out, and `(A | B)` for a choice.
struct CommandLineTests {
    /// Languages of blocks that are no shell.
    private static let others: Set<String> = ["yaml", "json", "python", "swift", "sql", "text", "env", "xml", "js"]

    /// Forms that the parser looks at, where a document has only a name for the value.
    private static let values = [
        "TIME": "2026-11-20T09:00:00Z", "HASH": "PH1CZhKLYUJ-Pq2wPeIdqanvC3bjbVrqjnTglexJ4_k", "DATE": "2026-11-20",
        "JKT": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "ROLE=PRINCIPAL": "worker=User:w",
    ]

    /// The program's command lines in a block: the words behind `clawgrant`.
    static func lines(of block: Document.Block) -> [[String]] {
        guard !others.contains(block.language) else { return [] }
        var text = block.text
        if block.text.split(separator: "\n").contains(where: { $0.hasPrefix("$ ") }) {
            // A session: what is typed stands behind a prompt and goes on behind a backslash, the rest is output.
            var typed: [Substring] = []
            for line in block.text.split(separator: "\n") {
                if line.hasPrefix("$ ") {
                    typed.append(line.dropFirst(2))
                } else if typed.last?.hasSuffix("\\") == true {
                    typed.append(line)
                }
            }
            text = typed.joined(separator: "\n")
        }
        return ShellText(text).commands.compactMap { words in
            guard let program = words.first, program == "clawgrant" || program.hasSuffix("/clawgrant") else {
                return nil
            }
            return words.dropFirst().map { values[$0] ?? $0 }
        }
    }

    @Test(arguments: Tree.documents) func everyCommandLineIsTaken(document: Document) throws {
        for block in document.blocks {
            for words in Self.lines(of: block) where words.first.map({ $0 != "…" }) ?? false {
                do {
                    _ = try Clawgrant.parseAsRoot(words)
                } catch let error where Clawgrant.exitCode(for: error) == .success {
                    continue
                } catch {
                    Issue.record(
                        "\(block.place): clawgrant \(words.joined(separator: " ")): \(Clawgrant.message(for: error))")
                }
            }
        }
    }

    /// In running text a command may be told in part: its words and options exist.
    @Test(arguments: Tree.documents) func everyCommandThatIsNamedExists(document: Document) throws {
        let tree = try CommandTree.load()
        for span in document.spans where span.text.hasPrefix("clawgrant ") {
            var command = tree
            var rest = ShellText(span.text).commands.first.map { $0.dropFirst() } ?? []
            while let name = rest.first, let next = command.command(name) {
                command = next
                rest = rest.dropFirst()
            }
            let word = rest.first ?? ""
            let isAny =
                word.isEmpty || word.first.map { "-(<[{…".contains($0) } ?? false
                || word.allSatisfy { $0.isUppercase || $0 == "_" }
            #expect(
                isAny || command.subcommands == nil || command.defaultSubcommand != nil,
                "\(document.path):\(span.line): there is no command \(span.text)")
            let target = command.defaultSubcommand.flatMap { command.command($0) } ?? command
            let known = CommandTree.Command.everywhere.union(
                (target.arguments ?? []).flatMap { ($0.names ?? []).map(\.text) })
            for match in span.text.matches(of: /(?:^|[\s(\[|])(--[a-z][a-z-]*)/) {
                #expect(
                    known.contains(String(match.1)), "\(document.path):\(span.line): \(span.text) has no \(match.1)")
            }
        }
    }

    /// What is checked is not nothing.
    @Test func thereAreManyCommandLines() throws {
        let count = Tree.documents.flatMap(\.blocks).flatMap { Self.lines(of: $0) }.count
        #expect(count > 100)
    }
}
