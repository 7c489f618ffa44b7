/// Reads `application/x-www-form-urlencoded` text (WHATWG URL section 5.1): bodies and queries.
enum FormText {
    /// The pairs in order, decoded; `nil` when a percent sign is followed by no two digits or the text is not UTF-8.
    ///
    /// - Parameter maximumPairs: a text with more is refused.
    static func pairs(_ bytes: some Collection<UInt8>, maximumPairs: Int = 64) -> [(name: String, value: String)]? {
        var pairs: [(name: String, value: String)] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            guard pairs.count < maximumPairs else { return nil }
            let halves = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = text(halves[0], plusIsSpace: true) else { return nil }
            var value = ""
            if halves.count == 2 {
                guard let decoded = text(halves[1], plusIsSpace: true) else { return nil }
                value = decoded
            }
            pairs.append((name, value))
        }
        return pairs
    }

    /// Text with its percent escapes undone; `nil` when they are broken or the result is not UTF-8.
    static func text(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                    return nil
                }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: decoded.append(UInt8(ascii: " "))
            default: decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
