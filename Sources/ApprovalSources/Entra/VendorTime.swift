import ClawWire

/// Reads the time formats that occur in Microsoft's audit records.
///
/// RFC 3339 with any fraction and offset; the same without an offset, which these records mean as UTC; and month-first
/// `M/D/YYYY h:mm:ss` in UTC, with or without a fraction, `AM`/`PM` and an offset.
enum VendorTime {
    static func parse(_ text: String) -> Timestamp? {
        guard text.utf8.count <= 64 else { return nil }
        // Formats of newer locales put these before AM and PM.
        let trimmed = text.replacing("\u{202F}", with: " ").replacing("\u{A0}", with: " ").trimmingSpaces()
        if let time = Timestamp(rfc3339: trimmed) { return time }
        let bytes = Array(trimmed.utf8)
        guard bytes.count >= 8 else { return nil }
        if bytes[4] == UInt8(ascii: "-") { return Timestamp(rfc3339: "\(trimmed)Z") }
        var scanner = Scanner(bytes)
        return scanner.monthFirst()
    }

    /// A cursor over ASCII text.
    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func number(digits: ClosedRange<Int>) -> Int64? {
            var value: Int64 = 0
            var count = 0
            while position < bytes.count, count < digits.upperBound, bytes[position] >= 0x30, bytes[position] <= 0x39 {
                value = value * 10 + Int64(bytes[position] - 0x30)
                position += 1
                count += 1
            }
            return digits.contains(count) ? value : nil
        }

        mutating func take(_ character: Character) -> Bool {
            guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func skipSpaces() { while take(" ") {} }

        mutating func microseconds() -> Int64? {
            guard take(".") else { return 0 }
            var value: Int64 = 0
            var scale: Int64 = 100_000
            let start = position
            while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
                value += Int64(bytes[position] - 0x30) * scale
                scale /= 10
                position += 1
            }
            return position > start ? value : nil
        }

        /// 0 for none, -1 for AM, 1 for PM.
        mutating func half() -> Int {
            guard position + 2 <= bytes.count, bytes[position + 1] | 0x20 == UInt8(ascii: "m") else { return 0 }
            switch bytes[position] | 0x20 {
            case UInt8(ascii: "a"):
                position += 2
                return -1
            case UInt8(ascii: "p"):
                position += 2
                return 1
            default: return 0
            }
        }

        mutating func offsetSeconds() -> Int64? {
            if isAtEnd || take("Z") || take("z") { return 0 }
            let sign: Int64
            if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
            guard let hours = number(digits: 2...2), hours <= 23 else { return nil }
            _ = take(":")
            guard let minutes = number(digits: 2...2), minutes <= 59 else { return nil }
            return sign * (hours * 3_600 + minutes * 60)
        }

        mutating func monthFirst() -> Timestamp? {
            guard let month = number(digits: 1...2), take("/"), let day = number(digits: 1...2), take("/"),
                let year = number(digits: 4...4), take(" ")
            else { return nil }
            skipSpaces()
            guard var hour = number(digits: 1...2), take(":"), let minute = number(digits: 2...2), take(":"),
                let second = number(digits: 2...2), let fraction = microseconds()
            else { return nil }
            skipSpaces()
            let half = half()
            if half != 0 {
                guard hour >= 1, hour <= 12 else { return nil }
                hour = hour % 12 + (half == 1 ? 12 : 0)
            }
            skipSpaces()
            guard let offset = offsetSeconds(), isAtEnd else { return nil }
            return Timestamp(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second,
                microseconds: fraction, offsetSeconds: offset)
        }
    }
}

extension String {
    func trimmingSpaces() -> String {
        let bytes = utf8.span
        guard !bytes.isEmpty else { return self }
        let (begin, end) = (bytes[0], bytes[bytes.count - 1])
        if begin > 0x20, begin < 0x7F, end > 0x20, end < 0x7F { return self }
        guard first?.isWhitespace == true || last?.isWhitespace == true else { return self }
        var slice = self[...]
        while slice.first?.isWhitespace == true { slice.removeFirst() }
        while slice.last?.isWhitespace == true { slice.removeLast() }
        return String(slice)
    }
}
