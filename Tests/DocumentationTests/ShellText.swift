import Foundation

/// The commands of a block of shell, as far as documents use it: quotes, comments, continued lines, pipes, lists, loops over
/// words, and variables that the block sets itself.
struct ShellText {
    /// The words of each simple command in the order of the text.
    private(set) var commands: [[String]] = []
    private var values: [String: String] = [:]

    init(_ text: String) {
        for line in text.replacing("\\\n", with: " ").split(separator: "\n") { read(String(line)) }
    }

    private mutating func read(_ line: String) {
        var words: [String] = []
        var word: String?
        var characters = Array(line)[...]
        while let character = characters.popFirst() {
            switch character {
            case " ", "\t": finish(&word, &words)
            case "#" where word == nil: characters = []
            case "'":
                var text = ""
                while let next = characters.popFirst(), next != "'" { text.append(next) }
                word = (word ?? "") + text
            case "\"":
                var text = ""
                while let next = characters.popFirst(), next != "\"" {
                    if next == "\\", let escaped = characters.popFirst() {
                        text.append(escaped)
                    } else {
                        text.append(next)
                    }
                }
                word = (word ?? "") + substituted(text)
            case "$" where characters.first == "(":
                var depth = 0
                while let next = characters.popFirst() {
                    if next == "(" { depth += 1 }
                    if next == ")" { depth -= 1 }
                    if depth == 0 { break }
                }
                word = (word ?? "") + "1"
            case "$":
                let name = String(
                    characters.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "{" || $0 == "}" })
                characters = characters.dropFirst(name.count)
                word = (word ?? "") + substituted("$" + name)
            case "|", ";", "&", ")":
                finish(&word, &words)
                if characters.first == character { characters.removeFirst() }
                close(&words)
            case ">", "<":
                if word?.allSatisfy(\.isNumber) == true { word = nil }
                finish(&word, &words)
                while let next = characters.first, [">", "&", " "].contains(next) { characters.removeFirst() }
                while let next = characters.first, ![" ", "\t", "|", ";"].contains(next) { characters.removeFirst() }
            default: word = (word ?? "") + String(character)
            }
        }
        finish(&word, &words)
        close(&words)
    }

    private func finish(_ word: inout String?, _ words: inout [String]) {
        if let text = word { words.append(text) }
        word = nil
    }

    /// What a command may stand behind.
    private static let keywords: Set<String> = [
        "do", "done", "then", "else", "fi", "if", "until", "while", "!", "{", "}", "(", "exec", "sudo",
    ]

    private mutating func close(_ words: inout [String]) {
        defer { words = [] }
        while let first = words.first, Self.keywords.contains(first) || first.hasSuffix("()") { words.removeFirst() }
        if words.first == "export" { words.removeFirst() }
        while let first = words.first, let sign = first.firstIndex(of: "="), first[..<sign].allSatisfy(Self.isName) {
            values[String(first[..<sign])] = String(first[first.index(after: sign)...])
            words.removeFirst()
        }
        guard let first = words.first else { return }
        if first == "for", words.count > 3, words[2] == "in" {
            values[words[1]] = words[3]
        } else {
            commands.append(words)
        }
    }

    private static func isName(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_")
    }

    /// A variable is the first value that the block gives it, or else its own name in capitals, a placeholder.
    private func substituted(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let sign = rest.firstIndex(of: "$") {
            result += rest[..<sign]
            rest = rest[rest.index(after: sign)...].drop { $0 == "{" }
            let name = rest.prefix(while: Self.isName)
            result += values[String(name)] ?? name.uppercased()
            rest = rest[name.endIndex...].drop { $0 == "}" }
        }
        return result + rest
    }
}
