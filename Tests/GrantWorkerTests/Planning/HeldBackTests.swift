import ApprovalSources
import ClawWire
import GrantLedger
import ReceiptLog
import Testing

@testable import GrantWorker
@testable import IssuanceRules

/// What keeps a batch from being decided, and a stop from being obeyed.
@Suite struct HeldBackTests {
    private static let now = PlanFixture.now

    private static func held(polled seconds: Int64, barrier: Timestamp? = nil) throws -> String? {
        let fixture = try PlanFixture()
        let planner = DecisionPlanner(
            rules: fixture.rules, policies: [:], minter: CSTMinter(signer: PlanFixture.tokenKey),
            tokenIDSecret: try #require(PlanFixture.tokenIDSecret), keyValidUntil: nil, worker: WorkerID("planner"),
            isDryRun: false, stopViewMaximumAgeSeconds: 15, claimBase: nil, tracing: fixture.tracing)
        let snapshot = DecideSnapshot(
            now: now, controlPosition: 0, newControlOrders: [], controlPolledAt: now.adding(seconds: seconds),
            newEvents: [], conflictingEvents: [], approvals: [:], requests: [:])
        let orders = barrier.map { at in
            ControlOrder(
                position: 1,
                content: .barrier(
                    Barrier(scope: .everything, at: at, event: ControlEventID("e1"), handle: "s1")))
        }
        do {
            try planner.checkView(snapshot, ControlState(position: 1, orders: [orders].compactMap(\.self)))
            return nil
        } catch {
            switch error {
            case .staleView: return "stale_view"
            case .cutoffSecond: return "cutoff_second"
            case .clocksDiffer, .pollInFuture, .localStop, .ledgerNotCompared: return "another"
            }
        }
    }

    @Test func aViewThatIsTooOldDecidesNothing() throws {
        #expect(try Self.held(polled: -15) == nil)
        #expect(try Self.held(polled: -16) == "stale_view")
    }

    /// A token of that second would be born void.
    @Test func nothingIsDecidedInTheSecondOfACutOff() throws {
        for (seconds, expected) in [(Int64(-1), nil), (0, "cutoff_second"), (1, "cutoff_second"), (2, nil)] {
            #expect(try Self.held(polled: 0, barrier: Self.now.adding(seconds: seconds)) == expected, "\(seconds)")
        }
    }
}
