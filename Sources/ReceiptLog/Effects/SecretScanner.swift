/// Copies text up to a limit and leaves out what looks like a secret, in one pass.
///
/// It works on words: runs of the characters that tokens, keys and names are made of.
struct SecretScanner {
    static let placeholder = "[removed]"

    private let input: [UInt8]
    /// True when the input was cut: a word that touches its end may go on.
    private let isPart: Bool
    private let limit: Int
    private var position = 0
    private(set) var output: [UInt8] = []
    private(set) var removed = 0

    init(_ input: [UInt8], isPart: Bool, limit: Int) {
        self.input = input
        self.isPart = isPart
        self.limit = limit
        // Single-letter members of a JWK are secrets only in a document that says it is one.
        mentionsKeyType =
            Self.find(Array("\"kty".utf8), in: input[...]) != nil
            || Self.find(Array("kty\\\"".utf8), in: input[...]) != nil
    }

    private let mentionsKeyType: Bool

    var isAtEnd: Bool { position == input.count }

    mutating func run() {
        while position < input.count, output.count <= limit {
            guard Self.isWord(input[position]) else {
                output.append(input[position])
                position += 1
                continue
            }
            let end = wordEnd(from: position)
            takeWord(position..<end)
        }
    }

    private mutating func takeWord(_ word: Range<Int>) {
        let text = input[word]
        if text.starts(with: "-----BEGIN".utf8) {
            removeBlock(word)
        } else if SecretShape.isSecret(text) || isPart && word.upperBound == input.count {
            remove(to: word.upperBound)
            while position < input.count, input[position] == UInt8(ascii: "=") { position += 1 }
        } else if let value = schemeValue(after: word) {
            copy(to: value)
            remove(to: valueEnd(from: value))
        } else if isName(text), let value = namedValue(after: word) {
            copy(to: value)
            removeValue()
        } else {
            copy(to: word.upperBound)
        }
    }

    private func isName(_ text: ArraySlice<UInt8>) -> Bool {
        if SecretName.isSensitive(text) { return true }
        return mentionsKeyType && text.count <= 2
            && ["d", "k", "p", "q", "dp", "dq", "qi"].contains {
                text.elementsEqual($0.utf8)
            }
    }

    private mutating func copy(to end: Int) {
        output.append(contentsOf: input[position..<end])
        position = end
    }

    private mutating func remove(to end: Int) {
        position = end
        output.append(contentsOf: Self.placeholder.utf8)
        removed += 1
    }

    /// A PEM block, or what there is of one.
    private mutating func removeBlock(_ word: Range<Int>) {
        var end = input.count
        if let foot = Self.find(Array("-----END".utf8), in: input[word.upperBound...]) {
            let close = Self.find(Array("-----".utf8), in: input[(foot + 8)...])
            end = close.map { $0 + 5 } ?? input.count
        }
        remove(to: end)
    }

    // MARK: Values

    /// Where the credentials begin, when the word is an authentication scheme and something follows that can be some.
    private func schemeValue(after word: Range<Int>) -> Int? {
        let name = String(decoding: input[word], as: UTF8.self).lowercased()
        guard ["bearer", "basic", "dpop", "negotiate", "apikey"].contains(name) else { return nil }
        var start = word.upperBound
        while start < input.count, start < word.upperBound + 8, Self.isBlank(input[start]) { start += 1 }
        guard start > word.upperBound, start < input.count, Self.isWord(input[start]) else { return nil }
        let value = input[start..<wordEnd(from: start)]
        // "Basic information" is prose; base64 shows capitals or digits.
        let isProse = value.allSatisfy { $0 >= 0x61 && $0 <= 0x7A || $0 == UInt8(ascii: ".") }
        return name != "bearer" && name != "dpop" && isProse ? nil : start
    }

    /// Where the value begins, when the word is followed by what separates a name from its value.
    private func namedValue(after word: Range<Int>) -> Int? {
        var i = skip(from: word.upperBound, Self.isAroundName)
        if i < input.count, input[i] == UInt8(ascii: ",") {
            // A list of name and value: {"name":"password","value":…
            i = skip(from: i + 1, Self.isAroundName)
            let next = i..<wordEnd(from: i)
            guard String(decoding: input[next], as: UTF8.self).lowercased().hasSuffix("value") else { return nil }
            i = skip(from: next.upperBound, Self.isAroundName)
        }
        guard i < input.count else { return nil }
        switch input[i] {
        case UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: ">"): i += 1
        case UInt8(ascii: "%") where isEncodedSeparator(at: i): i += 3
        default: return nil
        }
        if i < input.count, input[i] == UInt8(ascii: ">") || input[i] == UInt8(ascii: "=") { i += 1 }
        return skip(from: i, Self.isBlank)
    }

    private func isEncodedSeparator(at i: Int) -> Bool {
        guard i + 3 <= input.count else { return false }
        let code = String(decoding: input[i..<(i + 3)], as: UTF8.self).lowercased()
        return code == "%3d" || code == "%3a"
    }

    /// Leaves out the value that begins here: a quoted text, a bracketed structure, or the rest of a line.
    private mutating func removeValue() {
        var i = position
        while i < input.count, input[i] == UInt8(ascii: "\\") { i += 1 }
        let escapes = i - position
        guard i < input.count else { return }
        switch input[i] {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            copy(to: i + 1)
            let close = closingQuote(input[i], escapes: escapes)
            if input[position..<close].elementsEqual(Self.placeholder.utf8) {
                copy(to: close)
            } else if close > position {
                remove(to: close)
            }
        case UInt8(ascii: "{"), UInt8(ascii: "["): remove(to: closingBracket())
        default: remove(to: valueEnd(from: position))
        }
    }

    /// The end of a quoted text whose quotes stand behind `escapes` backslashes.
    private func closingQuote(_ quote: UInt8, escapes: Int) -> Int {
        var i = position
        var backslashes = 0
        while i < input.count {
            if input[i] == UInt8(ascii: "\\") {
                backslashes += 1
            } else {
                if input[i] == quote, escapes == 0 ? backslashes.isMultiple(of: 2) : backslashes <= escapes {
                    return escapes == 0 ? i : i - backslashes
                }
                backslashes = 0
            }
            i += 1
        }
        return input.count
    }

    private func closingBracket() -> Int {
        var depth = 0
        for i in position..<input.count {
            switch input[i] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return i + 1 }
            default: break
            }
        }
        return input.count
    }

    /// The end of a value without quotes: of its line, of its text or element, or of its parameter.
    private func valueEnd(from start: Int) -> Int {
        for i in start..<input.count {
            switch input[i] {
            case 0x0A, UInt8(ascii: "\""), UInt8(ascii: "<"): return i
            case UInt8(ascii: "&"):
                let next = wordEnd(from: i + 1)
                if next > i + 1, next < input.count, input[next] == UInt8(ascii: "=") { return i }
            default: break
            }
        }
        return input.count
    }

    // MARK: Characters

    private func wordEnd(from start: Int) -> Int { skip(from: start, Self.isWord) }

    private func skip(from start: Int, _ belongs: (UInt8) -> Bool) -> Int {
        var end = start
        while end < input.count, belongs(input[end]) { end += 1 }
        return end
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "/"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A }

    private static func isAroundName(_ byte: UInt8) -> Bool {
        isBlank(byte) || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
            || byte == UInt8(ascii: "]")
    }

    private static func find(_ part: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= part.count else { return nil }
        for start in text.startIndex...(text.endIndex - part.count)
        where text[start] == part[0] && text[start..<(start + part.count)].elementsEqual(part) {
            return start
        }
        return nil
    }
}

/// Tells words that are secrets by their looks.
private enum SecretShape {
    private static let prefixes = [
        "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xapp-", "sk-", "sk_live_",
        "AKIA", "ASIA", "AIza", "hvs.", "npm_", "pypi-", "SG.",
    ].map { Array($0.utf8) }

    static func isSecret(_ word: ArraySlice<UInt8>) -> Bool {
        guard word.count >= 16 else { return false }
        return prefixes.contains { word.starts(with: $0) } || holdsEncodedJSON(word) || isCompact(word)
            || isOpaque(word)
    }

    /// `eyJ` is the base64url of `{"`, with which nearly every JOSE header begins.
    private static func holdsEncodedJSON(_ word: ArraySlice<UInt8>) -> Bool {
        for i in word.startIndex...(word.endIndex - 16)
        where word[i] == UInt8(ascii: "e") && word[i..<(i + 3)].elementsEqual("eyJ".utf8) {
            return true
        }
        return false
    }

    /// Three or five base64url parts joined by dots, whatever the header's first characters are.
    private static func isCompact(_ word: ArraySlice<UInt8>) -> Bool {
        let dots = word.count { $0 == UInt8(ascii: ".") }
        guard dots == 2 || dots == 4, word.count >= 60 else { return false }
        return hasAllClasses(word)
    }

    /// A long piece of mixed capitals, small letters and digits: base64 of something. Public keys in a `did:key` pass.
    private static func isOpaque(_ word: ArraySlice<UInt8>) -> Bool {
        word.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ".") }.contains { piece in
            piece.count >= 44 && hasAllClasses(piece) && !(piece.count == 48 && piece.starts(with: "z6Mk".utf8))
        }
    }

    private static func hasAllClasses(_ word: ArraySlice<UInt8>) -> Bool {
        word.contains { $0 >= 0x30 && $0 <= 0x39 } && word.contains { $0 >= 0x41 && $0 <= 0x5A }
            && word.contains { $0 >= 0x61 && $0 <= 0x7A }
    }
}
