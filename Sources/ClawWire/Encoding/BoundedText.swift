/// Texts from outside, bounded by bytes: what a reader counts as one character may be as long as its writer likes.
extension String {
    /// The text, or as many of its first Unicode scalars as take no more bytes of UTF-8 than this.
    package func cut(toBytes most: Int) -> String {
        guard utf8.count > most else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: most)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(unicodeScalars[..<end])
    }

    /// The text with U+FFFD for each scalar that ``JSONReader`` refuses, because it keeps them for lone surrogates: what
    /// is written so can be read back.
    package var withoutReservedScalars: String {
        // Their UTF-8 begins with this byte, and next to no text has it.
        guard utf8.contains(0xF4), unicodeScalars.contains(where: { JSONString.isReserved($0.value) }) else {
            return self
        }
        return String(
            String.UnicodeScalarView(unicodeScalars.map { JSONString.isReserved($0.value) ? "\u{FFFD}" : $0 }))
    }
}
