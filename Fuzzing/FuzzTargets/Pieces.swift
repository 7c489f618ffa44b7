/// An input that stands for several values: pieces between bytes 0x1F, taken one after the other.
///
/// Every byte but 0x1F can stand in a piece, so that line ends and control characters get everywhere.
package struct Pieces {
    private let pieces: [ArraySlice<UInt8>]
    private var next = 0

    /// Splits the input into at most 64 pieces.
    package init(_ bytes: [UInt8]) {
        pieces = bytes.split(separator: 0x1F, maxSplits: 63, omittingEmptySubsequences: false)
    }

    /// The next piece; empty when there is none.
    package mutating func bytes() -> [UInt8] {
        guard next < pieces.count else { return [] }
        defer { next += 1 }
        return Array(pieces[next])
    }

    /// The next piece as text of at most 1024 scalars. What is not UTF-8 is replaced, and so are the scalars that no reader
    /// of JSON here takes (U+10F000 to U+10F7FF): the texts stand for what was read within limits.
    package mutating func text() -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes(), as: UTF8.self).unicodeScalars.prefix(1_024) {
            text.append((0x10F000...0x10F7FF).contains(scalar.value) ? "\u{FFFD}" : scalar)
        }
        return String(text)
    }

    /// The next piece as text; `nil` when it is empty or missing.
    package mutating func optionalText() -> String? {
        let text = text()
        return text.isEmpty ? nil : text
    }

    /// A number below `bound` made of the next piece's first byte.
    package mutating func choice(_ bound: Int) -> Int { Int(bytes().first ?? 0) % bound }

    /// The next piece, cut or filled with zeros to a length.
    package mutating func bytes(exactly count: Int) -> [UInt8] {
        let found = bytes().prefix(count)
        return found + [UInt8](repeating: 0, count: count - found.count)
    }
}
