import ClawWire

/// How often something happened within a time that moves along, in nine buckets of an eighth of it.
///
/// The nine buckets reach back over the whole time and at most an eighth further, so that what is counted is never less
/// than what happened within it: a limit that is kept here is kept for every such time, wherever it begins.
struct SlidingCount: Sendable, Hashable {
    private static let parts: Int64 = 8

    /// Length of a bucket in seconds; 0 before anything was counted.
    private(set) var length: Int64
    /// Number of the newest bucket since 1970.
    private(set) var newest: Int64
    /// Counts, the newest bucket first.
    private(set) var counts: [Int64]

    init() {
        length = 0
        newest = 0
        counts = []
    }

    /// Restores a count; `nil` when it cannot be one.
    init?(length: Int64, newest: Int64, counts: [Int64]) {
        guard length >= 0, counts.count <= Self.parts + 1, counts.allSatisfy({ $0 >= 0 }),
            length > 0 || counts.isEmpty
        else { return nil }
        self.length = length
        self.newest = newest
        self.counts = counts
    }

    private static func length(of seconds: Int64) -> Int64 { max(1, (seconds + parts - 1) / parts) }

    /// Counts one more. When the rules change the time, counting begins anew; a clock that goes back counts into the
    /// newest bucket.
    mutating func add(at now: Timestamp, within seconds: Int64) {
        let length = Self.length(of: seconds)
        if length != self.length { self = SlidingCount() }
        self.length = length
        let bucket = Self.bucket(now, length)
        if counts.isEmpty || bucket - newest > Self.parts {
            counts = [0]
            newest = bucket
        }
        while newest < bucket {
            counts.insert(0, at: 0)
            newest += 1
        }
        if counts.count > Self.parts + 1 { counts.removeLast(counts.count - Int(Self.parts) - 1) }
        counts[0] += 1
    }

    /// How often it happened within the time before now, and a little before that.
    func total(at now: Timestamp, within seconds: Int64) -> Int {
        guard length == Self.length(of: seconds) else { return 0 }
        let age = max(0, Self.bucket(now, length) - newest)
        guard age <= Self.parts else { return 0 }
        return Int(counts.prefix(Int(Self.parts - age) + 1).reduce(0, +))
    }

    /// Floor, so that times before 1970 have buckets of their own too.
    private static func bucket(_ now: Timestamp, _ length: Int64) -> Int64 {
        let (quotient, remainder) = now.seconds.quotientAndRemainder(dividingBy: length)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
