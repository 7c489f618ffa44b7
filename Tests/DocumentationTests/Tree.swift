import Foundation
import Testing

/// The project's own texts.
enum Tree {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func url(_ path: String) -> URL { root.appendingPathComponent(path) }

    static func text(_ path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }

    /// Every Markdown document, by its path.
    static let documents: [Document] = {
        let folders = ["docs", "deploy", "topics", "scripts", "Fuzzing", "Benchmarks", "Tests"]
        var paths = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
        for folder in folders {
            let names = FileManager.default.enumerator(atPath: url(folder).path)
            while let name = names?.nextObject() as? String { paths.append("\(folder)/\(name)") }
        }
        return paths.filter { $0.hasSuffix(".md") }.sorted().compactMap { path in
            (try? text(path)).map { Document(path: path, text: $0) }
        }
    }()

    static func document(_ path: String) throws -> Document {
        try #require(documents.first { $0.path == path }, "there is no \(path)")
    }

    /// Compares the generated part of a document with what the code says, or writes it where the environment asks for it.
    static func isGenerated(_ path: String, _ generated: String) throws -> Bool {
        let (begin, end) = ("<!-- generated: begin -->\n", "<!-- generated: end -->")
        let text = try text(path)
        let start = try #require(text.range(of: begin), "\(path) has no generated part")
        let stop = try #require(
            text.range(of: end, range: start.upperBound..<text.endIndex), "the generated part of \(path) has no end")
        if ProcessInfo.processInfo.environment["CLAWGRANT_WRITE_DOCS"] == "1" {
            try Data((text[..<start.upperBound] + generated + text[stop.lowerBound...]).utf8).write(to: url(path))
            return true
        }
        return text[start.upperBound..<stop.lowerBound] == generated
    }
}

/// One Markdown document.
struct Document: Sendable, CustomTestStringConvertible {
    /// A block of code.
    struct Block: Sendable, CustomTestStringConvertible {
        /// Where it stands, `docs/cli.md:17`.
        let place: String
        /// The word behind the fence; empty for none, `indented` for a block without fences.
        let language: String
        let text: String

        var testDescription: String { place }
    }

    let path: String
    let text: String

    var testDescription: String { path }

    /// All blocks, fenced and indented.
    var blocks: [Block] {
        var blocks: [Block] = []
        var open: (fence: String, indent: Int, language: String, line: Int)?
        var lines: [String] = []
        var indented: (line: Int, lines: [String])?
        var isAfterBlank = true
        func close() {
            guard let block = indented else { return }
            blocks.append(
                Block(
                    place: "\(path):\(block.line)", language: "indented",
                    text: block.lines.joined(separator: "\n") + "\n"))
            indented = nil
        }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.drop { $0 == " " }
            if let fence = open {
                if trimmed.hasPrefix(fence.fence), trimmed.allSatisfy({ $0 == "`" }) {
                    blocks.append(
                        Block(
                            place: "\(path):\(fence.line)", language: fence.language,
                            text: lines.joined(separator: "\n") + "\n"))
                    open = nil
                } else {
                    lines.append(String(line.dropFirst(min(fence.indent, line.count - trimmed.count))))
                }
            } else if trimmed.hasPrefix("```") {
                close()
                let fence = String(trimmed.prefix { $0 == "`" })
                let language = trimmed.dropFirst(fence.count).trimmingCharacters(in: .whitespaces)
                open = (fence, line.count - trimmed.count, language, index + 1)
                lines = []
            } else if line.hasPrefix("    "), isAfterBlank || indented != nil {
                indented = (indented?.line ?? index + 1, (indented?.lines ?? []) + [String(line.dropFirst(4))])
            } else {
                if !trimmed.isEmpty { close() }
            }
            isAfterBlank = trimmed.isEmpty
        }
        close()
        return blocks
    }

    /// Texts in single backticks outside of blocks, with their lines.
    var spans: [(line: Int, text: String)] {
        var isInside = false
        var spans: [(line: Int, text: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isInside.toggle()
            } else if !isInside {
                for (position, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                where position % 2 == 1 {
                    spans.append((index + 1, String(part).replacing("\\|", with: "|")))
                }
            }
        }
        return spans
    }
}
