import ClawWire

/// The order in which the reference sorts texts before some hashes: the root collation, not code units (WIRE section 1).
///
/// Exact for ASCII, which is all that the hashed members hold in practice. Of other letters, those of Latin-1 sort with
/// their base letter, and the rest after all ASCII by code point.
enum CollationOrder {
    /// True when `left` sorts before `right`.
    static func precedes(_ left: String, _ right: String) -> Bool { compare(left, right) < 0 }

    /// Negative, zero or positive as `left` sorts before, with or after `right`. Zero does not mean equal texts: control
    /// characters weigh nothing.
    static func compare(_ left: String, _ right: String) -> Int {
        let a = weights(of: left)
        let b = weights(of: right)
        for level in [\Weight.primary, \Weight.secondary, \Weight.tertiary] {
            for (x, y) in zip(a, b) where x[keyPath: level] != y[keyPath: level] {
                return x[keyPath: level] < y[keyPath: level] ? -1 : 1
            }
            if a.count != b.count { return a.count < b.count ? -1 : 1 }
        }
        return 0
    }

    /// A value with all objects' members in this order.
    static func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null, .bool, .number, .string: value
        case .array(let elements): .array(elements.map(sorted))
        case .object(let object):
            .object(
                JSONObject(
                    object.members.sorted { precedes($0.key, $1.key) }.map { ($0.key, sorted($0.value)) }))
        }
    }

    /// The document-order hash of a value sorted in this order.
    static func digest(_ value: JSONValue) -> Digest { sorted(value).documentDigest }

    private struct Weight {
        var primary: UInt32
        var secondary: UInt32 = 0
        var tertiary: UInt32 = 0
    }

    private static let punctuation = Array(
        "\t\n\u{B}\u{C}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$".unicodeScalars)
    private static let latin: [(ClosedRange<UInt32>, Unicode.Scalar)] = [
        (0xC0...0xC5, "a"), (0xC7...0xC7, "c"), (0xC8...0xCB, "e"), (0xCC...0xCF, "i"), (0xD1...0xD1, "n"),
        (0xD2...0xD6, "o"), (0xD9...0xDC, "u"), (0xDD...0xDD, "y"),
    ]

    private static func weights(of text: String) -> [Weight] {
        var weights: [Weight] = []
        for scalar in text.unicodeScalars {
            if let weight = weight(of: scalar) { weights.append(weight) }
        }
        return weights
    }

    private static func weight(of scalar: Unicode.Scalar) -> Weight? {
        let letters: UInt32 = 200
        switch scalar {
        case "0"..."9": return Weight(primary: 100 + scalar.value - 0x30)
        case "a"..."z": return Weight(primary: letters + scalar.value - 0x61)
        case "A"..."Z": return Weight(primary: letters + scalar.value - 0x41, tertiary: 1)
        default: break
        }
        if scalar.isASCII {
            return punctuation.firstIndex(of: scalar).map { Weight(primary: UInt32($0) + 1) }
        }
        let small: UInt32 = (0xE0...0xFE).contains(scalar.value) && scalar.value != 0xF7 ? scalar.value - 0x20 : 0
        let capital = small == 0 ? scalar.value : small
        if let base = latin.first(where: { $0.0.contains(capital) })?.1 {
            return Weight(
                primary: letters + base.value - 0x61, secondary: capital, tertiary: small == 0 ? 1 : 0)
        }
        return Weight(primary: 1_000 + scalar.value)
    }
}
