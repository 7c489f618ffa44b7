import ClawWire
import DevStack
import GrantLedger
import Postgres
import Testing

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct LeaseTests {
    @Test func oneWorkerTakesEveryPartition() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let view = try await ledger.beat()
        #expect(view.held.count == 4)
        #expect(view.held.allSatisfy { $0.epoch == LeaseEpoch(1) && $0.nextOffset == 0 })
        #expect(view.surplus == 0)
    }

    @Test func aSecondWorkerGetsItsShareOnceTheFirstLetsGo() async throws {
        let first = try await LedgerServer.shared.value.ledger()
        let second = try first.other("worker-2")
        _ = try await first.beat()
        #expect(try await second.beat().held.isEmpty)
        let view = try await first.beat()
        #expect(view.surplus == 2)
        let given = Set(view.held.map(\.partition).suffix(view.surplus))
        try await first.ledger.release(partitions: given, of: first.worker)
        let taken = try await second.beat()
        #expect(Set(taken.held.map(\.partition)) == given)
        #expect(taken.held.allSatisfy { $0.epoch == LeaseEpoch(3) })
    }

    @Test func partitionsOfADeadWorkerAreTakenOver() async throws {
        let first = try await LedgerServer.shared.value.ledger()
        let second = try first.other("worker-2")
        _ = try await first.beat(lifetime: .milliseconds(500))
        try await waitUntil(deadline: .seconds(10), description: "takeover") {
            try await second.beat().held.count == 4
        }
    }

    /// A worker that was late, not dead, must get through with its next heartbeat however many others have theirs meanwhile.
    @Test func onlySessionsFromBeforeTheEndOfALeaseAreEnded() async throws {
        let first = try await LedgerServer.shared.value.ledger()
        let second = try first.other("worker-2")
        var own = first.configuration
        PostgresLedger.configure(&own, worker: first.worker)
        let old = try await PostgresConnection.connect(own)
        _ = try await first.beat(lifetime: .milliseconds(500))
        try await waitUntil(deadline: .seconds(10), description: "takeover") {
            try await second.beat().held.count == 4
        }
        // A lease that runs out in the middle of a heartbeat is taken over by it; its sessions are ended by the next.
        try await waitUntil(deadline: .seconds(10), description: "the end of the session from before") {
            _ = try await second.beat()
            return (try? await old.simple("SELECT 1")) == nil
        }
        await old.close()
        let late = try await PostgresConnection.connect(own)
        _ = try await late.simple("BEGIN")
        _ = try await second.beat()
        _ = try await late.simple("SELECT 1")
        // Frozen anew with a transaction open: no later than a lease it is out of the way.
        try await waitUntil(deadline: .seconds(10), description: "the end of the transaction") {
            _ = try await second.beat(lifetime: .milliseconds(500))
            return (try? await late.simple("SELECT 1")) == nil
        }
        await late.close()
    }

    /// The clock was an hour ahead when the worker renewed its lease for the last time, and was set back.
    @Test func aLeaseOfTheFutureKeepsNoDeadWorkerAlive() async throws {
        let first = try await LedgerServer.shared.value.ledger()
        let second = try first.other("worker-2")
        _ = try await first.beat()
        _ = try await first.sql(
            "UPDATE clawgrant.worker SET expires_at = expires_at + interval '1 hour' WHERE worker_id = '\(first.worker)'"
        )
        #expect(try await second.beat(lifetime: .milliseconds(500)).held.isEmpty)
        try await waitUntil(deadline: .seconds(10), description: "takeover") {
            try await second.beat(lifetime: .milliseconds(500)).held.count == 4
        }
    }

    /// A process that was killed is started again: another worker, which need not wait for its own leases.
    @Test func anEarlierStartWithoutASessionIsEnded() async throws {
        let dead = try await LedgerServer.shared.value.ledger().other("one-00000001")
        let next = try dead.other("one-00000002")
        let held = try await dead.beat().held
        #expect(held.count == 4)
        let role = try #require(try await dead.ledger.claim(role: .sealer, for: dead.worker))
        // Its sessions stand, so it may live.
        #expect(try await next.ledger.endPredecessors(of: next.worker).isEmpty)
        #expect(try await next.beat().held.isEmpty)
        #expect(try await next.ledger.claim(role: .sealer, for: next.worker) == nil)
        await dead.pool.shutdown()
        try await waitUntil(deadline: .seconds(10), description: "the end of its sessions") {
            try await next.ledger.endPredecessors(of: next.worker) == [dead.worker]
        }
        let taken = try await next.beat().held
        #expect(taken.map(\.partition) == held.map(\.partition))
        #expect(taken.allSatisfy { $0.epoch == LeaseEpoch(2) })
        #expect(try await next.ledger.claim(role: .sealer, for: next.worker)?.epoch.value == role.epoch.value + 1)
        #expect(try await next.ledger.endPredecessors(of: next.worker).isEmpty)
        // It lived after all, and was cut off: it is a worker like any other, and what it held is not its any more.
        let back = try dead.other("one-00000001")
        #expect(try await back.beat().held.isEmpty)
        #expect(try await back.ledger.claim(role: .sealer, for: back.worker) == nil)
        #expect(try await next.beat().surplus == 2)
        let error = await #expect(throws: LedgerError.self) {
            try await back.ledger.noteControlPoll(
                of: "control", coveredTo: 0,
                under: RoleLease(role: .sealer, owner: back.worker, epoch: role.epoch))
        }
        #expect(error?.code == .fenced)
    }

    @Test(arguments: ["two-00000001", "one-x-00000001", "one-0000001", "one"])
    func nobodyOfAnotherNameIsEnded(name: String) async throws {
        let other = try await LedgerServer.shared.value.ledger().other(name)
        let next = try other.other("one-00000002")
        _ = try await other.beat()
        await other.pool.shutdown()
        try await waitUntil(deadline: .seconds(10), description: "the end of its sessions") {
            try await next.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = '\(name)'")[0].rowCount == 0
        }
        #expect(try await next.ledger.endPredecessors(of: next.worker).isEmpty)
        #expect(try await next.beat().held.isEmpty)
    }

    @Test func oneWorkerHoldsARoleUntilItLeaves() async throws {
        let first = try await LedgerServer.shared.value.ledger()
        let second = try first.other("worker-2")
        _ = try await first.beat()
        _ = try await second.beat()
        let lease = try #require(try await first.ledger.claim(role: .sealer, for: first.worker))
        #expect(try await second.ledger.claim(role: .sealer, for: second.worker) == nil)
        #expect(try await first.ledger.claim(role: .sealer, for: first.worker) == lease)
        try await first.ledger.leave(worker: first.worker)
        let next = try #require(try await second.ledger.claim(role: .sealer, for: second.worker))
        #expect(next.epoch > lease.epoch)
    }
}
