/// Text compared unit by unit.
///
/// Swift's `String` compares by canonical equivalence: a composed and a decomposed "é" are equal to it. Every other
/// party of the wire formats compares code units, so two identifiers, keys or scopes that differ in bytes are different
/// here.
public enum ExactText {
    /// True when both texts have the same UTF-8 bytes.
    public static func equal(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
    }

    /// True when `left` comes before `right` by UTF-8 bytes.
    public static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// True when one of the texts has the same UTF-8 bytes as `text`.
    public static func contains(_ texts: some Sequence<String>, _ text: String) -> Bool {
        texts.contains { equal($0, text) }
    }

    /// The text without leading and trailing white space as ECMAScript's `trim` understands it (ECMA-262 §22.1.3.32).
    public static func trimmed(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last,
            isWhiteSpace(first) || isWhiteSpace(last)
        else { return text }
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.first, isWhiteSpace(scalar) { scalars.removeFirst() }
        while let scalar = scalars.last, isWhiteSpace(scalar) { scalars.removeLast() }
        return String(scalars)
    }

    /// Number of UTF-16 code units: how the reference services count the length of a text.
    public static func length(_ text: String) -> Int { text.utf16.count }

    private static func isWhiteSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x20, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF: true
        default: false
        }
    }
}

/// A dictionary key that is equal only to the same bytes. The hash may be the coarser one of `String`.
struct ExactKey: Hashable, Sendable {
    let text: String

    static func == (left: ExactKey, right: ExactKey) -> Bool { ExactText.equal(left.text, right.text) }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
