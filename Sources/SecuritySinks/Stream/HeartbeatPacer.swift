import Primitives

/// Sees to it that several sinks without news ask for one heartbeat, not for one each.
final class HeartbeatPacer: Sendable {
    private let last = Lock<ContinuousClock.Instant?>(nil)

    /// True when nobody asked within the interval; then it counts as asked now.
    func isDue(_ interval: Duration) -> Bool {
        last.withLock { last in
            if let asked = last, .now - asked < interval { return false }
            last = .now
            return true
        }
    }
}
