import ClawWire

/// How the reference tells texts apart.
enum ReferenceText {
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A)
    }

    /// One or more characters of the base64url alphabet; neither length nor unused bits are looked at.
    static func isBase64URL(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(Base64URL.isInAlphabet) }

    /// The verifiers' syntax: `did:key:` or `did:web:` without a further colon.
    static func isDID(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.starts(with: "did:key:".utf8) || bytes.starts(with: "did:web:".utf8), bytes.count > 8 else {
            return false
        }
        return bytes.dropFirst(8).allSatisfy { byte in
            isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "-")
        }
    }

    /// An ECMAScript identifier of ASCII characters.
    static func isIdentifier(_ text: String) -> Bool {
        guard let first = text.utf8.first, !isDigit(first) else { return false }
        return text.utf8.allSatisfy { byte in
            isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
        }
    }

    /// The number of an array-index key, `"0"` to `"4294967294"`.
    static func arrayIndex(_ key: String) -> UInt32? {
        guard let first = key.utf8.first, isDigit(first), key.utf8.count <= 10,
            key.utf8.count == 1 || first != UInt8(ascii: "0"), let value = UInt64(key), value < 4_294_967_295
        else { return nil }
        return UInt32(value)
    }

    /// `eip155:<digits>:0x<40 hex digits>`.
    static func isChainAddress(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("eip155".utf8), !parts[1].isEmpty,
            parts[1].allSatisfy(isDigit), parts[2].count == 42, parts[2].starts(with: "0x".utf8)
        else { return false }
        return parts[2].dropFirst(2).allSatisfy { byte in
            isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
        }
    }

    /// True when a text has more than white space.
    static func isFilled(_ text: String?) -> Bool { text.map { !ExactText.trimmed($0).isEmpty } ?? false }
}

/// A text compared byte by byte, for sets and dictionaries.
struct ExactString: Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactString, right: ExactString) -> Bool { ExactText.equal(left.text, right.text) }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// How the reference reads dates.
enum ReferenceDate {
    /// The `date-time` format of the reference's schemas: RFC 3339 with an offset, leap seconds at midnight UTC.
    static func isDateTime(_ text: String) -> Bool {
        guard let parts = DateParts(text), parts.hasTime, parts.hasSeconds, let offset = parts.offset else {
            return false
        }
        if parts.second < 60 { return true }
        let minuteOfDay = parts.hour * 60 + parts.minute - offset
        return parts.second == 60 && (minuteOfDay == 1_439 || minuteOfDay == -1)
    }

    /// Milliseconds since the epoch as ECMAScript's `Date.parse` counts them; `nil` when it would be NaN.
    ///
    /// Reads the ISO 8601 forms; the many other forms that engines guess at are taken as no date. A time without an
    /// offset is UTC.
    static func milliseconds(_ text: String) -> Int64? {
        guard let parts = DateParts(text), parts.second < 60 else { return nil }
        let minutes = Int64(parts.day) * 1_440 + Int64(parts.hour * 60 + parts.minute - (parts.offset ?? 0))
        return (minutes * 60 + Int64(parts.second)) * 1_000 + Int64(parts.millisecond)
    }

    /// Milliseconds of a member; `nil` when it is absent, no text, or no date.
    static func milliseconds(_ value: JSONValue?) -> Int64? { value?.string.flatMap { milliseconds($0) } }
}

/// A date's parts, each within its range.
private struct DateParts {
    var day = 0
    var hour = 0
    var minute = 0
    var second = 0
    var millisecond = 0
    /// Minutes east of UTC; `nil` when the text has no offset.
    var offset: Int?
    var hasTime = false
    var hasSeconds = false

    private struct Cursor {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func number(digits: Int) -> Int? {
            guard position + digits <= bytes.count else { return nil }
            var value = 0
            for _ in 0..<digits {
                guard ReferenceText.isDigit(bytes[position]) else { return nil }
                value = value * 10 + Int(bytes[position] - 0x30)
                position += 1
            }
            return value
        }
    }

    init?(_ text: String) {
        guard text.utf8.count >= 4, text.utf8.count <= 64 else { return nil }
        var cursor = Cursor(bytes: Array(text.utf8))
        guard let year = cursor.number(digits: 4) else { return nil }
        var month = 1
        var dayOfMonth = 1
        if cursor.take(UInt8(ascii: "-")) {
            guard let number = cursor.number(digits: 2) else { return nil }
            month = number
            if cursor.take(UInt8(ascii: "-")) {
                guard let number = cursor.number(digits: 2) else { return nil }
                dayOfMonth = number
            }
        }
        guard let day = Self.day(year: year, month: month, dayOfMonth: dayOfMonth) else { return nil }
        self.day = day
        guard !cursor.isAtEnd else {
            offset = 0
            return
        }
        guard cursor.take(UInt8(ascii: "T")) || cursor.take(UInt8(ascii: "t")) || cursor.take(UInt8(ascii: " ")) else {
            return nil
        }
        guard readTime(&cursor), readOffset(&cursor), cursor.isAtEnd else { return nil }
    }

    private mutating func readTime(_ cursor: inout Cursor) -> Bool {
        guard let hour = cursor.number(digits: 2), hour <= 23, cursor.take(UInt8(ascii: ":")),
            let minute = cursor.number(digits: 2), minute <= 59
        else { return false }
        (self.hour, self.minute, hasTime) = (hour, minute, true)
        guard cursor.take(UInt8(ascii: ":")) else { return true }
        guard let second = cursor.number(digits: 2), second <= 60 else { return false }
        (self.second, hasSeconds) = (second, true)
        guard cursor.take(UInt8(ascii: ".")) else { return true }
        var scale = 100
        var count = 0
        while let digit = cursor.number(digits: 1) {
            millisecond += digit * scale
            scale /= 10
            count += 1
        }
        return count > 0
    }

    private mutating func readOffset(_ cursor: inout Cursor) -> Bool {
        if cursor.isAtEnd { return true }
        if cursor.take(UInt8(ascii: "Z")) || cursor.take(UInt8(ascii: "z")) {
            offset = 0
            return true
        }
        let sign: Int
        if cursor.take(UInt8(ascii: "+")) {
            sign = 1
        } else if cursor.take(UInt8(ascii: "-")) {
            sign = -1
        } else {
            return false
        }
        guard let hours = cursor.number(digits: 2), hours <= 23 else { return false }
        var minutes = 0
        if !cursor.isAtEnd {
            _ = cursor.take(UInt8(ascii: ":"))
            guard let number = cursor.number(digits: 2), number <= 59 else { return false }
            minutes = number
        }
        offset = sign * (hours * 60 + minutes)
        return true
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar.
    private static func day(year: Int, month: Int, dayOfMonth: Int) -> Int? {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard month >= 1, month <= 12, dayOfMonth >= 1, dayOfMonth <= lengths[month - 1] else { return nil }
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + dayOfMonth - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
