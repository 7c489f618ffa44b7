/// Waiting times between attempts: they double up to a limit, and each is shortened by up to half at random so that
/// workers that lost the server together do not come back together.
public struct Backoff: Sendable, Hashable {
    /// The first waiting time, before jitter.
    public var initial: Duration
    /// The longest waiting time, before jitter.
    public var maximum: Duration

    /// Makes a rule.
    public init(initial: Duration = .milliseconds(100), maximum: Duration = .seconds(5)) {
        self.initial = initial
        self.maximum = maximum
    }

    /// The waiting time after a number of failures in a row.
    ///
    /// - Parameters:
    ///   - failures: 1 after the first failure.
    ///   - jitter: a random number, 0 up to 1; 0 gives the full time and 1 half of it.
    public func delay(afterFailures failures: Int, jitter: Double) -> Duration {
        var full = initial
        var doublings = max(failures, 1) - 1
        while doublings > 0, full > .zero, full < maximum {
            full = full * 2
            doublings -= 1
        }
        full = min(full, maximum)
        return full * (1 - 0.5 * min(max(jitter, 0), 1))
    }
}
