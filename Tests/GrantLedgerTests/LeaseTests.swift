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
