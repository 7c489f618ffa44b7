import ClawWire
import GrantLedger
import Primitives

/// Holds decisions back while clocks cannot be believed: no clock alone decides how fresh the stop view is, or when a token
/// begins and ends.
///
/// The ledger's clock dates everything. It may be set, and then an old poll of the control topic looks young and a token
/// ends an hour late. So a poll is also as old as this worker has known it, by a clock that nobody sets; and the ledger's
/// clock must agree with this worker's own.
final class ClockGuard: Sendable {
    private struct Poll {
        let at: Timestamp
        let seen: ContinuousClock.Instant
    }

    /// The ledger's clock is read after every poll that a transaction sees: one that is dated later was dated by a clock
    /// that has been set back since. Adjusted clocks differ by less than this.
    private static let toleratedSeconds = 1.0

    private let clock: @Sendable () -> Timestamp
    private let viewMaximumAge: Duration?
    private let maximumDifferenceSeconds: Double
    private let poll = Lock<Poll?>(nil)

    /// - Parameters:
    ///   - clock: This worker's own.
    ///   - viewMaximumAge: Oldest poll of the control topic under which anything is decided; `nil` without a topic.
    ///   - maximumDifference: By how much the ledger's clock may differ from this worker's.
    init(clock: @escaping @Sendable () -> Timestamp, viewMaximumAge: Duration?, maximumDifference: Duration) {
        self.clock = clock
        self.viewMaximumAge = viewMaximumAge
        maximumDifferenceSeconds = maximumDifference / .seconds(1)
    }

    /// Looks at what a decide transaction read.
    ///
    /// - Parameters:
    ///   - snapshot: What it read.
    ///   - readAt: When its records were read and judged by their age, by this worker's clock. One that waited for long
    ///     is read again too, which costs nothing but time.
    ///   - instant: The present, by a clock that nobody sets.
    /// - Throws: ``HeldBack``.
    func check(
        _ snapshot: DecideSnapshot, readAt: Timestamp?, at instant: ContinuousClock.Instant = SteadyTime.now
    ) throws(HeldBack) {
        for own in [clock(), readAt].compactMap(\.self) {
            let ahead = Self.seconds(from: own, to: snapshot.now)
            guard abs(ahead) <= maximumDifferenceSeconds else {
                throw .clocksDiffer(ledgerAheadSeconds: ahead, limitSeconds: maximumDifferenceSeconds)
            }
        }
        guard let viewMaximumAge else { return }
        let future = Self.seconds(from: snapshot.now, to: snapshot.controlPolledAt)
        guard future <= Self.toleratedSeconds else { throw .pollInFuture(aheadSeconds: future) }
        let known = poll.withLock { poll in
            if let poll, poll.at == snapshot.controlPolledAt { return poll.seen }
            poll = Poll(at: snapshot.controlPolledAt, seen: instant)
            return instant
        }
        guard instant - known <= viewMaximumAge else {
            throw .staleView(
                ageSeconds: (instant - known) / .seconds(1), limitSeconds: viewMaximumAge / .seconds(1))
        }
    }

    private static func seconds(from first: Timestamp, to second: Timestamp) -> Double {
        Double(second.microseconds - first.microseconds) / 1e6
    }
}
