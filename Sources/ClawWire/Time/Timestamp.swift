/// A point in time as microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Microseconds are what PostgreSQL keeps. Finer fractions in vendors' records are cut, never rounded, so an instant
/// never moves into the future.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Microseconds since the epoch.
    public let microseconds: Int64

    /// Makes a timestamp of microseconds since the epoch.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Makes a timestamp of milliseconds since the epoch; the first or last instant there is when out of range.
    public init(milliseconds: Int64) { self.microseconds = milliseconds.saturatingProduct(1_000) }

    /// Makes a timestamp of seconds since the epoch; the first or last instant there is when out of range.
    public init(seconds: Int64) { self.microseconds = seconds.saturatingProduct(1_000_000) }

    /// Whole milliseconds since the epoch, rounded down.
    public var milliseconds: Int64 { microseconds.flooredDivision(by: 1_000) }

    /// Whole seconds since the epoch, rounded down: the form of `iat` and `exp`.
    public var seconds: Int64 { microseconds.flooredDivision(by: 1_000_000) }

    /// Days since the epoch, rounded down: the key of the ledger's day partitions.
    public var day: Int32 { Int32(clamping: microseconds.flooredDivision(by: 86_400_000_000)) }

    /// Reads an RFC 3339 timestamp (`2026-11-20T09:06:41.0448812Z`): any fraction, any offset, capital or small
    /// letters.
    ///
    /// Years 1970 to 9999. A time without an offset is refused: it would have to be guessed.
    public init?(rfc3339 text: some StringProtocol) { self.init(rfc3339: Array(text.utf8).span) }

    /// Reads an RFC 3339 timestamp, as ``init(rfc3339:)`` of any other text does.
    public init?(rfc3339 text: String) { self.init(rfc3339: text.utf8.span) }

    private init?(rfc3339 bytes: Span<UInt8>) {
        guard bytes.count >= 20, bytes.count <= 40 else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for i in range {
                guard i < bytes.count, bytes[i] >= 0x30, bytes[i] <= 0x39 else { return nil }
                value = value * 10 + Int64(bytes[i] - 0x30)
            }
            return value
        }
        guard let year = number(0..<4), bytes[4] == UInt8(ascii: "-"), let month = number(5..<7),
            bytes[7] == UInt8(ascii: "-"), let day = number(8..<10),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
            let hour = number(11..<13), bytes[13] == UInt8(ascii: ":"), let minute = number(14..<16),
            bytes[16] == UInt8(ascii: ":"), let second = number(17..<19)
        else { return nil }
        var i = 19
        var micros: Int64 = 0
        if bytes[i] == UInt8(ascii: ".") {
            i += 1
            var scale: Int64 = 100_000
            let start = i
            while i < bytes.count, bytes[i] >= 0x30, bytes[i] <= 0x39 {
                micros += Int64(bytes[i] - 0x30) * scale
                scale /= 10
                i += 1
            }
            guard i > start else { return nil }
        }
        guard i < bytes.count else { return nil }
        var offsetSeconds: Int64 = 0
        switch bytes[i] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            guard i + 1 == bytes.count else { return nil }
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            let sign: Int64 = bytes[i] == UInt8(ascii: "+") ? 1 : -1
            let hasColon = bytes.count == i + 6 && bytes[i + 3] == UInt8(ascii: ":")
            guard hasColon || bytes.count == i + 5, let offsetHour = number((i + 1)..<(i + 3)),
                let offsetMinute = hasColon ? number((i + 4)..<(i + 6)) : number((i + 3)..<(i + 5)),
                offsetHour <= 23, offsetMinute <= 59
            else { return nil }
            offsetSeconds = sign * (offsetHour * 3_600 + offsetMinute * 60)
        default: return nil
        }
        self.init(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second, microseconds: micros,
            offsetSeconds: offsetSeconds)
    }

    /// Makes a timestamp of proleptic Gregorian calendar fields, or `nil` when a field is out of range.
    public init?(
        year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64, microseconds: Int64 = 0,
        offsetSeconds: Int64 = 0
    ) {
        guard year >= 1970, year <= 9999, month >= 1, month <= 12, day >= 1, day <= Self.days(in: month, of: year),
            hour >= 0, hour <= 23, minute >= 0, minute <= 59, second >= 0, second <= 60
        else { return nil }
        let days = Self.daysSinceEpoch(year: year, month: month, day: day)
        // A leap second reads as the last second of its minute: POSIX time has no name for it.
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + min(second, 59) - offsetSeconds
        // An offset can lead out of the years that are read, where the instant could not be written again.
        guard seconds >= 0, seconds <= Self.lastSecond else { return nil }
        self.init(microseconds: seconds * 1_000_000 + microseconds)
    }

    /// 9999-12-31T23:59:59Z.
    private static let lastSecond: Int64 = 253_402_300_799

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        // Years are counted from March so that the leap day is the last of its year.
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// RFC 3339 in UTC with milliseconds, the form of the reference services: `2026-03-01T12:00:00.000Z`.
    public var iso8601: String {
        var output: [UInt8] = []
        appendISO8601(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends ``iso8601`` to a buffer.
    public func appendISO8601(to output: inout [UInt8]) {
        let days = microseconds.flooredDivision(by: 86_400_000_000)
        let time = microseconds - days * 86_400_000_000
        let z = days + 719_468
        let era = z.flooredDivision(by: 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        /// Fills up with zeros to the number of digits of `widest`.
        func append(_ value: Int64, widest: Int64, then separator: UInt8) {
            // A minus sign takes the place of a digit.
            let shown = value < 0 ? -value * 10 : value
            var power = widest
            while power > 1, shown < power {
                output.append(UInt8(ascii: "0"))
                power /= 10
            }
            ECMAScriptNumber.append(integer: value, to: &output)
            output.append(separator)
        }
        let seconds = time / 1_000_000
        append(year, widest: 1_000, then: UInt8(ascii: "-"))
        append(month, widest: 10, then: UInt8(ascii: "-"))
        append(day, widest: 10, then: UInt8(ascii: "T"))
        append(seconds / 3_600, widest: 10, then: UInt8(ascii: ":"))
        append(seconds / 60 % 60, widest: 10, then: UInt8(ascii: ":"))
        append(seconds % 60, widest: 10, then: UInt8(ascii: "."))
        append(time / 1_000 % 1_000, widest: 100, then: UInt8(ascii: "Z"))
    }

    /// Same as ``iso8601``.
    public var description: String { iso8601 }

    /// Orders by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// The instant a whole number of seconds later; the first or last instant there is when out of range.
    public func adding(seconds: Int64) -> Timestamp {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return Timestamp(microseconds: overflow ? (seconds < 0 ? .min : .max) : microseconds.saturatingSum(product))
    }

    /// Whole seconds from another instant to this one, rounded down.
    public func seconds(since other: Timestamp) -> Int64 {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(other.microseconds)
        return (overflow ? (microseconds < 0 ? .min : .max) : difference).flooredDivision(by: 1_000_000)
    }
}

extension Int64 {
    func saturatingProduct(_ factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? ((self < 0) == (factor < 0) ? .max : .min) : product
    }

    func saturatingSum(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
