import ClawWire
import DevStack
import GrantLedger
import Postgres
import Testing

/// The line that a control transaction draws between decide transactions.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct ControlTests {
    private static func grants(_ snapshot: ControlSnapshot) -> Int64 { snapshot.counts.reduce(0) { $0 + $1.grants } }

    @Test func whoLocksFirstWaitsForNoRowForLong() async throws {
        let fixture = try await ControlFixture.make()
        let holder = try await fixture.block("effect_group")
        let error = await #expect(throws: LedgerError.self) {
            try await fixture.issue([.init(name: "r1")], rowPatience: .milliseconds(50))
        }
        #expect(error?.isRetriable == true)
        _ = try await holder.simple("COMMIT")
        await holder.close()
        #expect(Self.grants(try await fixture.control("s1")) == 0)
    }

    @Test func aStopWaitsForADecisionInFlightAndCountsIt() async throws {
        let fixture = try await ControlFixture.make()
        let holder = try await fixture.block("effect_group")
        async let decided = fixture.issue([.init(name: "r1"), .init(name: "r2")])
        try await fixture.untilOneWaits(for: "a decision in flight", "locktype = 'relation'")
        async let stopped = fixture.control("s1")
        try await fixture.untilOneWaits(for: "a stop behind it", "locktype = 'advisory' AND mode = 'ExclusiveLock'")
        _ = try await holder.simple("COMMIT")
        await holder.close()
        let decision = try await decided
        let snapshot = try await stopped
        #expect(decision.controlPosition == 0)
        #expect(Self.grants(snapshot) == 2)
        #expect(snapshot.newestIssuedAt == Timestamp(seconds: decision.now.seconds - 10))
        #expect(snapshot.now > decision.now)
    }

    @Test func aDecisionBehindAStopSeesIt() async throws {
        let fixture = try await ControlFixture.make()
        let holder = try await fixture.block("control_order")
        async let stopped = fixture.control("s1")
        try await fixture.untilOneWaits(for: "a stop in flight", "locktype = 'relation'")
        async let decided = fixture.issue([.init(name: "r1")])
        try await fixture.untilOneWaits(for: "a decision behind it", "locktype = 'advisory' AND mode = 'ShareLock'")
        _ = try await holder.simple("COMMIT")
        await holder.close()
        #expect(Self.grants(try await stopped) == 0)
        let decision = try await decided
        #expect(decision.controlPosition == 1)
        #expect(decision.newControlOrders.map(\.key) == ["stop/s1"])
    }

    @Test func aStopPassesADecisionThatLocksLastAndFailsIt() async throws {
        let fixture = try await ControlFixture.make()
        let holder = try await fixture.block("effect_group")
        let decided = Task { try await fixture.issue([.init(name: "r1")], stopLock: .last) }
        try await fixture.untilOneWaits(for: "a decision in flight", "locktype = 'relation'")
        #expect(Self.grants(try await fixture.control("s1")) == 0)
        _ = try await holder.simple("COMMIT")
        await holder.close()
        let error = await #expect(throws: LedgerError.self) { try await decided.value }
        #expect(error?.code == .conflict)
        #expect(Self.grants(try await fixture.control("s2")) == 0)
        #expect(try await fixture.ledger.ledger.committedOffsets()[fixture.lease.partition] == 0)
    }

    @Test func aDecisionThatLocksLastCommitsUnderThePositionItRead() async throws {
        let fixture = try await ControlFixture.make()
        try await fixture.control("s1")
        let decision = try await fixture.issue([.init(name: "r1")], stopLock: .last)
        #expect(decision.controlPosition == 1)
        #expect(Self.grants(try await fixture.control("s2")) == 1)
    }

    @Test func aDecisionThatLocksLastWaitsForAStopInFlightAndFails() async throws {
        let fixture = try await ControlFixture.make()
        let holder = try await fixture.block("control_order")
        async let stopped = fixture.control("s1")
        try await fixture.untilOneWaits(for: "a stop in flight", "locktype = 'relation'")
        let decided = Task { try await fixture.issue([.init(name: "r1")], stopLock: .last) }
        try await fixture.untilOneWaits(for: "a decision behind it", "locktype = 'advisory' AND mode = 'ShareLock'")
        _ = try await holder.simple("COMMIT")
        await holder.close()
        #expect(Self.grants(try await stopped) == 0)
        let error = await #expect(throws: LedgerError.self) { try await decided.value }
        #expect(error?.code == .conflict)
        #expect(Self.grants(try await fixture.control("s2")) == 0)
    }

    @Test func aSleepingHolderIsEndedAfterThePatience() async throws {
        let fixture = try await ControlFixture.make()
        let sleeper = try await PostgresConnection.connect(fixture.ledger.configuration)
        _ = try await sleeper.simple(
            """
            BEGIN; SELECT pg_advisory_xact_lock_shared(8603000);
            INSERT INTO clawgrant.grant_tally VALUES ('deploy', 'kid-1', NULL, 99999999999, 1, 1, now())
            """)
        let patience = Duration.milliseconds(200)
        let snapshot = try await fixture.control("s1", patience: patience)
        #expect(snapshot.waited >= patience - .milliseconds(50))
        #expect(Self.grants(snapshot) == 0)
        await #expect(throws: PostgresError.self) { try await sleeper.simple("COMMIT") }
        await sleeper.close()
        #expect(Self.grants(try await fixture.control("s2")) == 0)
    }

    @Test func whoWaitedBehindASleepingHolderIsNotEndedForIt() async throws {
        let fixture = try await ControlFixture.make()
        let sleeper = try await PostgresConnection.connect(fixture.ledger.configuration)
        _ = try await sleeper.simple("BEGIN; SELECT pg_advisory_xact_lock_shared(8603000)")
        let names = (0..<5).map { "s\($0)" }
        let positions = try await withThrowingTaskGroup(of: Int64.self) { group in
            for name in names {
                // Long beside what a busy machine may take for one of these transactions, which would rightly be ended.
                group.addTask { try await fixture.control(name, patience: .seconds(3)).position }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(positions.sorted() == [0, 1, 2, 3, 4])
        await sleeper.close()
    }

    @Test func ofTwoReadersOneWins() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .control, for: fixture.ledger.worker))
        #expect(try await ledger.controlOffset(of: "control") == 0)
        let fence = ControlFence(lease: lease, topic: "control", from: 0, to: 1)
        let results = await withTaskGroup(of: LedgerError.Code?.self) { group in
            for name in ["e1", "e2"] {
                group.addTask {
                    do {
                        try await fixture.control(name, fence: fence)
                        return nil
                    } catch {
                        return (error as? LedgerError)?.code
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.contains(nil))
        #expect(results.contains(.fenced))
        #expect(try await ledger.controlOffset(of: "control") == 1)
        #expect(try await ledger.controlState(after: 0).position == 1)

        let heir = try fixture.ledger.other("worker-2")
        _ = try await heir.beat(["approvals": 1])
        try await ledger.leave(worker: fixture.ledger.worker)
        let next = try #require(try await heir.ledger.claim(role: .control, for: heir.worker))
        let error = await #expect(throws: LedgerError.self) {
            try await fixture.control("e3", fence: ControlFence(lease: lease, topic: "control", from: 1, to: 2))
        }
        #expect(error?.code == .fenced)
        try await fixture.control("e3", fence: ControlFence(lease: next, topic: "control", from: 1, to: 2))
        #expect(try await heir.ledger.controlOffset(of: "control") == 2)
    }

    @Test func aLostReplyAppliedAgainIsARepeat() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .control, for: fixture.ledger.worker))
        let fence = ControlFence(lease: lease, topic: "control", from: 0, to: 1)
        try await fixture.control("e1", fence: fence)
        let error = await #expect(throws: LedgerError.self) { try await fixture.control("e1", fence: fence) }
        #expect(error?.code == .fenced)
        let again = try await fixture.control("e1")
        #expect(again.known?.position == 1)
        #expect(again.known?.digest == Digest(hashing: "e1"))
        #expect(again.known?.result == "applied")
        #expect(try await ledger.controlState(after: 0).position == 1)
    }

    @Test func anOffsetIsNeverSkippedAtTheFirstRead() async throws {
        let fixture = try await ControlFixture.make()
        let lease = try #require(
            try await fixture.ledger.ledger.claim(role: .control, for: fixture.ledger.worker))
        let error = await #expect(throws: LedgerError.self) {
            try await fixture.control("e1", fence: ControlFence(lease: lease, topic: "control", from: 7, to: 8))
        }
        #expect(error?.code == .fenced)
    }

    @Test func theStateIsReadFromAnyPosition() async throws {
        let fixture = try await ControlFixture.make()
        for name in ["s1", "s2", "s3"] { try await fixture.control(name) }
        let rows = try await fixture.ledger.ledger.controlState(after: 1)
        #expect(rows.position == 3)
        #expect(rows.orders.map(\.key) == ["stop/s2", "stop/s3"])
        #expect(rows.orders.map(\.position) == [2, 3])
        #expect(rows.incarnation == (try await fixture.ledger.ledger.standing().incarnation))
    }

    @Test func thePollIsNotedUnderTheRoleOnly() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .control, for: fixture.ledger.worker))
        let before = try await ledger.controlState(after: 0).polledAt
        try await ledger.noteControlPoll(of: "control", coveredTo: 0, under: lease)
        let after = try await ledger.controlState(after: 0).polledAt
        #expect(after > before)
        try await ledger.leave(worker: fixture.ledger.worker)
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.noteControlPoll(of: "control", coveredTo: 0, under: lease)
        }
        #expect(error?.code == .fenced)
        #expect(try await ledger.controlState(after: 0).polledAt == after)
    }

    /// The reader has applied an event, and a replica took over that lacks it: the poll would say that it is obeyed.
    @Test func thePollIsNotedForWhatTheLedgerCoversOnly() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .control, for: fixture.ledger.worker))
        try await fixture.control("e1", fence: ControlFence(lease: lease, topic: "control", from: 0, to: 1))
        try await fixture.control("e2", fence: ControlFence(lease: lease, topic: "control", from: 1, to: 2))
        try await ledger.noteControlPoll(of: "control", coveredTo: 2, under: lease)
        _ = try await fixture.ledger.sql("UPDATE clawgrant.control_input SET next_offset = 1")
        let before = try await ledger.controlState(after: 0).polledAt
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.noteControlPoll(of: "control", coveredTo: 2, under: lease)
        }
        #expect(error?.code == .fenced)
        #expect(try await ledger.controlState(after: 0).polledAt == before)
        #expect(try await ledger.controlOffset(of: "control") == 1)
    }

    // MARK: Counts

    private struct Count: Hashable {
        let jobClass: String
        let policy: Digest?
        let grants: Int64
        let live: Int64
    }

    private static func counts(_ snapshot: ControlSnapshot) -> Set<Count> {
        Set(
            snapshot.counts.map {
                Count(jobClass: $0.jobClass.rawValue, policy: $0.policyHash, grants: $0.grants, live: $0.live)
            })
    }

    @Test func grantsAreCountedThroughFoldingExpiryAndRevocation() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let policy = Digest(hashing: "wpc")
        try await fixture.issue([.init(name: "a", policy: policy), .init(name: "b", policy: policy)])
        try await fixture.issue([.init(name: "c"), .init(name: "d", expiresIn: -5)])
        try await fixture.issue([.init(name: "e", jobClass: "run", policy: policy)])
        let all: Set<Count> = [
            Count(jobClass: "deploy", policy: policy, grants: 2, live: 2),
            Count(jobClass: "deploy", policy: nil, grants: 2, live: 1),
            Count(jobClass: "run", policy: policy, grants: 1, live: 1),
        ]
        #expect(Self.counts(try await fixture.control("s1")) == all)
        try await ledger.foldTallies()
        try await ledger.foldTallies()
        let folded = try await fixture.control("s2")
        #expect(Self.counts(folded) == all)
        #expect(folded.newestIssuedAt != nil)

        // By a decision: the end of an approval.
        try await fixture.decide(reading: [RequestID("a")]) { snapshot in
            var request = try #require(snapshot.requests[RequestID("a")])
            request.revocation = TokenRevocation(at: snapshot.now, reason: "approval_ended")
            var write = DecideWrite()
            write.changedRequests = [request]
            return write
        }
        // By a control event.
        try await fixture.control("s3") { [ControlFixture.run("job_class", "run", at: $0)] }
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        let run = try await ledger.revokeNext(under: lease, limit: 10) { _ in [] }
        #expect(run?.revoked == 1)
        let rest: Set<Count> = [
            Count(jobClass: "deploy", policy: policy, grants: 2, live: 1),
            Count(jobClass: "deploy", policy: nil, grants: 2, live: 1),
            Count(jobClass: "run", policy: policy, grants: 1, live: 0),
        ]
        #expect(Self.counts(try await fixture.control("s4")) == rest)
        try await ledger.foldTallies()
        #expect(Self.counts(try await fixture.control("s5")) == rest)
    }

    @Test func aTokenThatExpiresIsNoLongerLive() async throws {
        let fixture = try await ControlFixture.make()
        try await fixture.issue([.init(name: "a", expiresIn: 1)])
        try await waitUntil(deadline: .seconds(20), description: "the token's end") {
            let rows = try await fixture.ledger.sql(
                "SELECT count(*)::text FROM clawgrant.request WHERE expires_at > clock_timestamp()")
            return try rows[0].string(0, 0) == "0"
        }
        let snapshot = try await fixture.control("s1")
        #expect(snapshot.counts.map(\.live) == [0])
        try await fixture.ledger.ledger.foldTallies()
        #expect(Self.counts(try await fixture.control("s2")) == Self.counts(snapshot))
    }

    @Test func aDecisionThatRollsBackIsNotCounted() async throws {
        let fixture = try await ControlFixture.make()
        struct Refused: Error {}
        await #expect(throws: Refused.self) { try await fixture.decide { _ in throw Refused() } }
        #expect(Self.grants(try await fixture.control("s1")) == 0)
    }

    @Test func ordersAreTakenAwayByTheSweeperUnlessTheyChanged() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        for id in ["s1", "s2", "s3"] { try await fixture.control(id) }
        let lease = try #require(try await ledger.claim(role: .sweeper, for: fixture.ledger.worker))
        // The second is asked for as it was at another position, as if it had changed since.
        let orders: [String: Int64] = ["stop/s1": 1, "stop/s2": 1, "stop/none": 1]
        #expect(try await ledger.pruneControlOrders(orders, under: lease) == 1)
        #expect(try await ledger.pruneControlOrders(orders, under: lease) == 0)
        #expect(try await ledger.controlState(after: 0).orders.map(\.key) == ["stop/s2", "stop/s3"])
        #expect(try await ledger.controlState(after: 0).position == 3)
        // The event itself stays, so that a repeat is known.
        #expect(try await fixture.control("s1").known?.position == 1)
        try await ledger.leave(worker: fixture.ledger.worker)
        #expect(try await ledger.pruneControlOrders(["stop/s3": 3], under: lease) == 0)
    }
}
