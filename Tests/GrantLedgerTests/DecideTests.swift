import ClawWire
import DevStack
import GrantLedger
import Postgres
import Testing

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct DecideTests {
    private static func read(_ ledger: TestLedger, _ lease: PartitionLease, from: Int64, to: Int64) -> DecideRead {
        DecideRead(
            worker: ledger.worker,
            fence: .offsets([
                OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: from, to: to)
            ]))
    }

    private static func event(_ id: String, _ content: String = "x") -> EventKey {
        EventKey(
            source: SourceName("native"), eventID: SourceEventID(id),
            occurredAt: Timestamp(seconds: nowSeconds), recordDigest: Digest(hashing: content))
    }

    private static func request(_ id: String, state: RequestState = .waiting, approval: String? = nil) -> StoredRequest
    {
        StoredRequest(
            requestID: RequestID(id), state: state, jobID: JobID("job-\(id)"), jobClass: JobClass("deploy"),
            agentDID: AgentDID("did:key:zAgent"), body: [1, 2, 3], receivedAt: Timestamp(seconds: nowSeconds),
            waitUntil: Timestamp(seconds: nowSeconds + 60), decidedAt: nil,
            approvals: [ApprovalID("a1"), ApprovalID("a2")],
            token: nil, revocation: nil, approvalReference: approval.map { ApprovalID($0) }, ticketReference: nil,
            subjectReference: nil)
    }

    private static func approval(_ id: String) -> StoredApproval {
        StoredApproval(
            approvalID: ApprovalID(id), state: [7], subject: PersonID("p1"), ticket: "CHG1",
            usedBy: [RequestID("r1"), RequestID("r2")], outcome: nil, closeAt: Timestamp(seconds: nowSeconds + 90))
    }

    private static let effect = Effect(
        receipt: Array("{\"a\":1}".utf8), receiptKind: "grant.issued",
        outputs: [OutputRecord(stream: .decisions, key: [1], value: [2])])

    /// A replica that takes over without the last commits draws numbers of groups again that a worker has in hand.
    @Test func numbersDrawnBeforeAFailoverAreNotUsedAfterIt() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let other = try ledger.other("worker-2")
        let lease = try #require(try await ledger.beat(["approvals": 1]).held.first)
        let role = try #require(try await other.ledger.claim(role: .sweeper, for: other.worker))
        func decide(_ ledger: TestLedger, _ read: DecideRead) async throws {
            try await ledger.ledger.decide(read) { _ in
                var write = DecideWrite()
                write.effects = [Self.effect]
                return (write, ())
            }
        }
        try await decide(ledger, Self.read(ledger, lease, from: 0, to: 1))
        _ = try await ledger.sql("SELECT setval('clawgrant.effect_group_id', 1)")
        _ = try await ledger.sql(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'worker-1' AND datname = current_database()
            """)
        var isDecided = false
        for _ in 0..<20 where !isDecided {
            isDecided = (try? await decide(ledger, Self.read(ledger, lease, from: 1, to: 2))) != nil
        }
        #expect(isDecided)
        try await decide(other, DecideRead(worker: other.worker, fence: .role(role)))
        let groups = try await ledger.sql("SELECT count(*), count(DISTINCT group_id) FROM clawgrant.effect_group")[0]
        #expect(try groups.string(0, 0) == "3" && groups.string(0, 1) == "3")
    }

    @Test func whatIsWrittenIsReadBack() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        var read = Self.read(ledger, lease, from: 0, to: 3)
        read.events = [Self.event("e1"), Self.event("e2"), Self.event("e1")]
        let snapshot = try await ledger.ledger.decide(read) { snapshot in
            var write = DecideWrite()
            write.newApprovals = [Self.approval("a1")]
            write.newRequests = [Self.request("r1", approval: "a1")]
            write.effects = [Self.effect]
            write.effectOfRequest = [RequestID("r1"): 0]
            return (write, snapshot)
        }
        #expect(snapshot.newEvents == [0, 1])
        #expect(snapshot.conflictingEvents.isEmpty)
        #expect(try await ledger.ledger.committedOffsets()[lease.partition] == 3)
        var again = Self.read(ledger, lease, from: 3, to: 4)
        again.events = [Self.event("e2"), Self.event("e1", "altered")]
        again.approvalIDs = [ApprovalID("a1")]
        let second = try await ledger.ledger.decide(again) { (DecideWrite(), $0) }
        #expect(second.newEvents.isEmpty)
        #expect(second.conflictingEvents == [1])
        var approval = try #require(second.approvals[ApprovalID("a1")])
        #expect(approval.updatedAt != nil)
        approval.updatedAt = nil
        #expect(approval == Self.approval("a1"))
        let request = try #require(second.requests[RequestID("r1")])
        #expect(request.approvals == [ApprovalID("a1"), ApprovalID("a2")])
        #expect(request.body == [1, 2, 3])
        #expect(request.token == nil)
        let history = try #require(try await ledger.ledger.history(of: RequestID("r1")))
        #expect(history.effect == Self.effect)
    }

    @Test func aStaleOffsetOrEpochCommitsNothing() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        for (epoch, from) in [(lease.epoch, Int64(5)), (LeaseEpoch(lease.epoch.value - 1), 0)] {
            var read = DecideRead(
                worker: ledger.worker,
                fence: .offsets([OffsetAdvance(partition: lease.partition, epoch: epoch, from: from, to: 9)]))
            read.events = [Self.event("zombie")]
            let error = await #expect(throws: LedgerError.self) {
                try await ledger.ledger.decide(read) { _ in (DecideWrite(), 0) }
            }
            #expect(error?.code == .fenced)
        }
        var read = Self.read(ledger, lease, from: 0, to: 1)
        read.events = [Self.event("zombie")]
        let snapshot = try await ledger.ledger.decide(read) { (DecideWrite(), $0) }
        #expect(snapshot.newEvents == [0])
    }

    @Test func aZombieIsFencedAfterATakeover() async throws {
        let zombie = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await zombie.beat(["approvals": 1]).held.first)
        _ = try await zombie.beat(["approvals": 1], lifetime: .milliseconds(500))
        let heir = try zombie.other("worker-2")
        try await waitUntil(deadline: .seconds(10), description: "takeover") {
            try await heir.beat(["approvals": 1]).held.count == 1
        }
        let error = await #expect(throws: LedgerError.self) {
            try await zombie.ledger.decide(Self.read(zombie, lease, from: 0, to: 1)) { _ in (DecideWrite(), 0) }
        }
        #expect(error?.code == .fenced || error?.code == .unavailable)
    }

    @Test func aRequestRecordedByAnotherIsAConflict() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let leases = try await ledger.beat().held
        _ = try await ledger.ledger.decide(Self.read(ledger, leases[0], from: 0, to: 1)) { _ in
            var write = DecideWrite()
            write.newRequests = [Self.request("r1")]
            return (write, 0)
        }
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.ledger.decide(Self.read(ledger, leases[1], from: 0, to: 1)) { _ in
                var write = DecideWrite()
                write.newRequests = [Self.request("r1")]
                return (write, 0)
            }
        }
        #expect(error?.code == .conflict)
        #expect(try await ledger.ledger.committedOffsets()[leases[1].partition] == 0)
    }

    @Test func anOutcomeIsNeverChanged() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: 0, to: 1)) { _ in
            var write = DecideWrite()
            write.newRequests = [Self.request("r1", state: .denied)]
            return (write, 0)
        }
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.ledger.decide(Self.read(ledger, lease, from: 1, to: 2)) { _ in
                var write = DecideWrite()
                write.changedRequests = [Self.request("r1", state: .issued)]
                return (write, 0)
            }
        }
        #expect(error?.code == .refused)
    }

    @Test func recordedRowsCannotBeChangedOrDeleted() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        var read = Self.read(ledger, lease, from: 0, to: 1)
        read.events = [Self.event("e1")]
        _ = try await ledger.ledger.decide(read) { _ in
            var write = DecideWrite()
            write.effects = [Self.effect]
            return (write, 0)
        }
        for statement in [
            "DELETE FROM clawgrant.event", "UPDATE clawgrant.event SET record_digest = ''",
            "DELETE FROM clawgrant.effect_group", "UPDATE clawgrant.effect_group SET entries = 9",
            "TRUNCATE clawgrant.receipt_batch",
        ] {
            await #expect(throws: (any Error).self, "\(statement)") { try await ledger.sql(statement) }
        }
    }

    @Test func dueWorkIsFoundByTime() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: 0, to: 1)) { _ in
            var write = DecideWrite()
            var past = Self.request("late", approval: "a9")
            past.waitUntil = Timestamp(seconds: nowSeconds - 5)
            write.newRequests = [past, Self.request("early")]
            return (write, 0)
        }
        let due = try await ledger.ledger.due(limit: 10)
        #expect(due.requests.map(\.requestID) == [RequestID("late")])
        #expect(due.requests.first?.approvalReference == ApprovalID("a9"))
    }
}
