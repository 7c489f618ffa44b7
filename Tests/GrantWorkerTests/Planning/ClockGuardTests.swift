import ClawWire
import GrantLedger
import Primitives
import Testing

@testable import GrantWorker

/// Clocks that cannot be believed hold decisions back.
@Suite struct ClockGuardTests {
    private static let noon: Int64 = 1_763_640_000

    private static func snapshot(now: Int64, polled: Int64) -> DecideSnapshot {
        DecideSnapshot(
            now: Timestamp(seconds: noon + now), controlPosition: 0, newControlOrders: [],
            controlPolledAt: Timestamp(seconds: noon + polled), newEvents: [], conflictingEvents: [], approvals: [:],
            requests: [:])
    }

    private static func why(
        _ clocks: ClockGuard, now: Int64, polled: Int64, readAt: Int64? = nil, at instant: ContinuousClock.Instant
    ) -> String? {
        do {
            try clocks.check(
                snapshot(now: now, polled: polled), readAt: readAt.map { Timestamp(seconds: noon + $0) }, at: instant)
            return nil
        } catch {
            switch error {
            case .clocksDiffer: return "clocks_differ"
            case .pollInFuture: return "poll_in_future"
            case .staleView: return "stale_view"
            case .cutoffSecond, .localStop, .ledgerNotCompared: return "another"
            }
        }
    }

    private static func clocks(
        own: Lock<Int64> = Lock(0), viewMaximumAge: Duration? = .seconds(15)
    ) -> ClockGuard {
        ClockGuard(
            clock: { Timestamp(seconds: noon + own.withLock { $0 }) }, viewMaximumAge: viewMaximumAge,
            maximumDifference: .seconds(300))
    }

    private static let differences: [(Int64, String?)] = [
        (0, nil), (300, nil), (-300, nil), (301, "clocks_differ"), (-301, "clocks_differ"), (3_600, "clocks_differ"),
        (-3_600, "clocks_differ"),
    ]

    @Test(arguments: differences)
    func theLedgersClockMustAgreeWithTheWorkers(ahead: Int64, expected: String?) {
        #expect(Self.why(Self.clocks(), now: ahead, polled: ahead, at: .now) == expected)
    }

    /// Its records were judged by a clock that was wrong, and is right again by now.
    @Test func aBatchThatWasReadByAWrongClockIsReadAgain() {
        let clocks = Self.clocks()
        #expect(Self.why(clocks, now: 0, polled: 0, readAt: 3_600, at: .now) == "clocks_differ")
        #expect(Self.why(clocks, now: 0, polled: 0, readAt: -3_600, at: .now) == "clocks_differ")
        #expect(Self.why(clocks, now: 0, polled: 0, readAt: -10, at: .now) == nil)
        #expect(!HeldBack.clocksDiffer(ledgerAheadSeconds: 1, limitSeconds: 1).keepsBatch)
        #expect(HeldBack.pollInFuture(aheadSeconds: 1).keepsBatch)
    }

    /// The ledger's clock is set back by a little less each time, so that the poll always looks young.
    @Test func aPollIsAsOldAsItHasBeenKnown() {
        let clocks = Self.clocks()
        let start = ContinuousClock.now
        #expect(Self.why(clocks, now: 0, polled: 0, at: start) == nil)
        #expect(Self.why(clocks, now: 1, polled: 0, at: start + .seconds(15)) == nil)
        #expect(Self.why(clocks, now: 1, polled: 0, at: start + .seconds(16)) == "stale_view")
        #expect(Self.why(clocks, now: 2, polled: 1, at: start + .seconds(16)) == nil)
        #expect(Self.why(clocks, now: 2, polled: 1, at: start + .seconds(32)) == "stale_view")
    }

    @Test func aPollInTheLedgersFutureCountsForNothing() {
        #expect(Self.why(Self.clocks(), now: 0, polled: 1, at: .now) == nil)
        #expect(Self.why(Self.clocks(), now: 0, polled: 2, at: .now) == "poll_in_future")
        #expect(Self.why(Self.clocks(viewMaximumAge: nil), now: 0, polled: 200, at: .now) == nil)
    }

    @Test func whatHoldsBackSaysWhatToDo() {
        #expect(
            "\(HeldBack.clocksDiffer(ledgerAheadSeconds: -3_600, limitSeconds: 300))"
                == "nothing is issued: the clock of the database is 3600 s behind this worker's, and "
                + "limits.max_clock_difference_s allows 300 s; set the wrong one")
        #expect("\(HeldBack.pollInFuture(aheadSeconds: 3_600))".contains("3600 s in the ledger's future"))
    }
}
