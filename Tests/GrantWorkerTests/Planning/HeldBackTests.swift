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

    @Test func aStopThatNobodySignedIsADeadLetter() throws {
        let signed = """
            authenticity: signed
                signers: [{did: "\(PlanFixture.eventKey.publicKey.did)"}]
                may_approve
            """
        let trusted = """
            authenticity: topic
                allow_topic_authenticity: true
                may_approve
            """
        let rules = PlanFixture.rulesText.replacing(signed, with: trusted)
        #expect(rules != PlanFixture.rulesText)
        let stop = CloudEvent(
            id: "stop-1", source: PlanFixture.eventSource, type: EventType.stopDeclared, time: Self.now,
            data: .json(["stop_id": "s1", "scope": ["kind": "all"], "action": "deny_new"]))
        let message = stop.message(.structured)
        var ledger = PaperLedger(try PlanFixture(rules: rules))
        let record = SourceRecord(
            topic: PlanFixture.approvalsTopic, partition: 0, offset: 0, key: nil, headers: message.headers,
            value: message.value, timestamp: nil)
        #expect(try ledger.deliver([record]).quarantined == 1)
        #expect(try ledger.deadLetters().map(\.reason) == ["control_unauthenticated"])
    }
}
