/// What a figure counts.
public enum FigureUnit: String, Sendable, Hashable {
    /// Things a second.
    case perSecond = "1/s"
    /// Microseconds.
    case microseconds = "us"
    /// Milliseconds.
    case milliseconds = "ms"
    /// Mebibytes.
    case mebibytes = "MiB"
    /// Bytes.
    case bytes = "B"
    /// Megabytes (10⁶ bytes) a second.
    case megabytesPerSecond = "MB/s"
    /// A number of things.
    case count = "count"
    /// A ratio, 1 for all of it.
    case share = "share"
    /// One figure divided by another.
    case ratio = "ratio"
}

/// One measured number.
public struct Figure: Sendable, Hashable {
    /// Dotted name, stable over versions, for example `batch.decisions_per_second`.
    public let name: String
    /// The number.
    public let value: Double
    /// What it counts.
    public let unit: FigureUnit
    /// Load average over the last minute when it was measured; above the number of processors others were at work too.
    public let load: Double

    /// The number for people, as precise as such a measurement is.
    public var text: String {
        switch value.magnitude {
        case 1_000...: Self.grouped(Int(value.rounded()))
        case 100...: String(Int(value.rounded()))
        default: Self.rounded(value, digits: value.magnitude < 1 ? 3 : 1)
        }
    }

    static func rounded(_ value: Double, digits: Int) -> String {
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        let scaled = (value * factor).rounded() / factor
        return scaled == scaled.rounded() ? String(Int(scaled)) : String(scaled)
    }

    private static func grouped(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        groups.insert(rest, at: 0)
        digits = groups.joined(separator: " ")
        return value < 0 ? "-" + digits : digits
    }
}
