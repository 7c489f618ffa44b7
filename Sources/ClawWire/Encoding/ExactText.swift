/// Text compared unit by unit.
///
/// Swift's `String` compares by canonical equivalence: a composed and a decomposed "é" are equal to it. Every other
/// party of the wire formats compares code units, so two identifiers, keys or scopes that differ in bytes are different
/// here.
public enum ExactText {
    /// True when both texts have the same UTF-8 bytes.
    @inlinable
    public static func equal(_ left: String, _ right: String) -> Bool {
        // Most texts that are compared differ in length, which is known without a look at their bytes.
        left.utf8.count == right.utf8.count && haveEqualBytes(left, right)
    }

    @usableFromInline
    static func haveEqualBytes(_ left: String, _ right: String) -> Bool {
        let (a, b) = (left.utf8.span, right.utf8.span)
        return firstDifference(a, b) == a.count
    }

    /// True when `left` comes before `right` by UTF-8 bytes.
    public static func precedes(_ left: String, _ right: String) -> Bool {
        let (a, b) = (left.utf8.span, right.utf8.span)
        let i = firstDifference(a, b)
        return i < b.count && (i == a.count || a[i] < b[i])
    }

    /// Index of the first byte that differs, the shorter length when there is none; looks at eight bytes at a time.
    static func firstDifference(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Int {
        let count = min(a.count, b.count)
        let left = unsafe a.bytes
        let right = unsafe b.bytes
        var i = 0
        while i + 8 <= count {
            // In bounds: both spans have at least i + 8 bytes.
            let x = unsafe left.unsafeLoadUnaligned(fromUncheckedByteOffset: i, as: UInt64.self)
            let y = unsafe right.unsafeLoadUnaligned(fromUncheckedByteOffset: i, as: UInt64.self)
            if x != y { return i + (x ^ y).littleEndian.trailingZeroBitCount / 8 }
            i += 8
        }
        while i < count, a[i] == b[i] { i += 1 }
        return i
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
