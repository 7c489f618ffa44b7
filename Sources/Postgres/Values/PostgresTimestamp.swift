/// A `timestamptz`: microseconds since 2000-01-01 00:00 UTC, without leap seconds.
public struct PostgresTimestamp: Hashable, Sendable, Comparable {
    /// Microseconds since 2000-01-01 00:00 UTC, as on the wire.
    public let microseconds: Int64

    /// Microseconds from 1970-01-01 to 2000-01-01.
    private static let epochOffset: Int64 = 946_684_800_000_000
    /// 4714-11-24 BC, the first instant that the type holds.
    private static let lowest: Int64 = -211_813_488_000_000_000
    /// The last microsecond of AD 294276.
    private static let highest: Int64 = 9_223_371_331_199_999_999

    /// Takes microseconds since 2000-01-01 00:00 UTC. The extremes of `Int64` mean `infinity` and `-infinity`.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Takes milliseconds since 1970-01-01 00:00 UTC.
    ///
    /// An instant outside the type's range, which runs from 4714 BC to AD 294276, becomes the nearest one inside.
    public init(unixMilliseconds: Int64) {
        let (product, overflow) = unixMilliseconds.multipliedReportingOverflow(by: 1_000)
        self.init(saturating: product, overflow: overflow, isNegative: unixMilliseconds < 0)
    }

    /// Takes microseconds since 1970-01-01 00:00 UTC, limited like ``init(unixMilliseconds:)``.
    public init(unixMicroseconds: Int64) {
        self.init(saturating: unixMicroseconds, overflow: false, isNegative: unixMicroseconds < 0)
    }

    private init(saturating unixMicroseconds: Int64, overflow: Bool, isNegative: Bool) {
        let (difference, underflow) = unixMicroseconds.subtractingReportingOverflow(Self.epochOffset)
        if overflow || underflow {
            microseconds = isNegative ? Self.lowest : Self.highest
        } else {
            microseconds = min(max(difference, Self.lowest), Self.highest)
        }
    }

    /// Microseconds since 1970-01-01 00:00 UTC, limited to what `Int64` holds.
    public var unixMicroseconds: Int64 {
        let (sum, overflow) = microseconds.addingReportingOverflow(Self.epochOffset)
        return overflow ? Int64.max : sum
    }

    /// Milliseconds since 1970-01-01 00:00 UTC, rounded down.
    public var unixMilliseconds: Int64 {
        let value = unixMicroseconds
        let quotient = value / 1_000
        return value % 1_000 < 0 ? quotient - 1 : quotient
    }

    /// Orders by time.
    public static func < (left: PostgresTimestamp, right: PostgresTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}
