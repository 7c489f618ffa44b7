import ClawWire
import DevStack
import Foundation
import GrantLedger
import Postgres
import Primitives
import Testing

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct HolderEndTests {
    private static let holder = PersonID("avery")

    private static func read(_ ledger: TestLedger, _ lease: PartitionLease, from: Int64, event: String) -> DecideRead {
        var read = DecideRead(
            worker: ledger.worker,
            fence: .offsets([
                OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: from, to: from + 1)
            ]))
        read.events = [key(event)]
        return read
    }

    private static func key(_ id: String) -> EventKey {
        EventKey(
            source: SourceName("directory"), eventID: SourceEventID(id), occurredAt: Timestamp(seconds: nowSeconds),
            recordDigest: Digest(hashing: id))
    }

    private static func end(_ id: String, of holder: PersonID = holder, at seconds: Int64 = nowSeconds) -> HolderEnd {
        HolderEnd(
            subject: holder, occurredAt: Timestamp(seconds: seconds), event: key(id), factIndex: 0,
            body: Array(id.utf8))
    }

    private static func approval(_ id: String) -> StoredApproval {
        StoredApproval(
            approvalID: ApprovalID(id), state: [7], subject: holder, ticket: nil, usedBy: [], outcome: nil, closeAt: nil
        )
    }

    @Test func endsAreReadByTheirHolderAndForgottenWithTheirDays() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: 0, event: "first")) { _ in
            var write = DecideWrite()
            write.holderEnds = [
                Self.end("first"), Self.end("first"), Self.end("old", at: nowSeconds - 40 * 86_400),
                Self.end("other", of: PersonID("mina")),
            ]
            return (write, 0)
        }
        func known(_ offset: Int64) async throws -> [PersonID: [[UInt8]]] {
            var read = Self.read(ledger, lease, from: offset, event: "look-\(offset)")
            read.holders = [Self.holder, PersonID("nobody")]
            return try await ledger.ledger.decide(read) { (DecideWrite(), $0) }.holderEnds
        }
        #expect(try await known(1) == [Self.holder: [Array("first".utf8), Array("old".utf8)]])
        try await ledger.ledger.ensureDays(past: 9, future: 1)
        #expect(try await known(2) == [Self.holder: [Array("first".utf8)]])
    }

    /// The end of an assignment finds what is over, too: its removal is then known.
    @Test func approvalsAreFoundByPrincipalNameAndByAssignment() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        let (name, assignment) = (PersonID("avery@harborline.example"), PersonID("assignment:/subscriptions/s"))
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: 0, event: "first")) { _ in
            var write = DecideWrite()
            for id in ["both", "over", "other"] {
                var approval = Self.approval(id)
                if id != "other" { (approval.principalName, approval.assignment) = (name, assignment) }
                if id == "over" { approval.outcome = "ended" }
                write.newApprovals.append(approval)
            }
            return (write, 0)
        }
        var offset: Int64 = 0
        func found(_ holders: PersonID...) async throws -> [ApprovalID: StoredApproval] {
            offset += 1
            var read = Self.read(ledger, lease, from: offset, event: "look-\(offset)")
            read.endingSubjects = Set(holders)
            return try await ledger.ledger.decide(read) { (DecideWrite(), $0) }.approvals
        }
        #expect(try await found(name).keys.map(\.rawValue) == ["both"])
        #expect(try await found(assignment).keys.map(\.rawValue).sorted() == ["both", "over"])
        #expect(try await found(PersonID("nobody")).isEmpty)
        let both = try #require(try await found(name)[ApprovalID("both")])
        #expect(both.principalName == name && both.assignment == assignment)
        // What changes an approval keeps or changes both.
        offset += 1
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: offset, event: "change")) { _ in
            var write = DecideWrite()
            var changed = both
            changed.assignment = nil
            write.changedApprovals = [changed]
            return (write, 0)
        }
        #expect(try await found(assignment).keys.map(\.rawValue) == ["over"])
        #expect(try await found(name).keys.map(\.rawValue) == ["both"])
    }

    private static func request(_ id: String, _ state: RequestState, token: IssuedToken?, waitsFor: String?)
        -> StoredRequest
    {
        StoredRequest(
            requestID: RequestID(id), state: state, jobID: JobID("j"), jobClass: JobClass("c"),
            agentDID: AgentDID("did:web:agents.example"), body: nil, receivedAt: Timestamp(seconds: nowSeconds),
            waitUntil: nil, decidedAt: nil, approvals: [], token: token, revocation: nil,
            approvalReference: waitsFor.map { ApprovalID($0) }, ticketReference: nil, subjectReference: nil)
    }

    private static func token(_ id: String, until seconds: Int64) -> IssuedToken {
        IssuedToken(
            tokenHash: Digest(hashing: id), tokenID: TokenID(id), scopeHash: Digest(hashing: "scope"),
            kid: KeyID("k"), issuedAt: Timestamp(seconds: nowSeconds - 60),
            expiresAt: Timestamp(seconds: nowSeconds + seconds), scope: ["proxy:call"])
    }

    /// Names beside the columns: of open approvals, and of assignments always.
    @Test func approvalsAreFoundByTheirOtherNames() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        let (mina, assignment) = (PersonID("mina"), PersonID("assignment:/subscriptions/second"))
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: 0, event: "first")) { _ in
            var write = DecideWrite()
            for (id, used) in [("open", "r-open"), ("over", "r-over")] {
                var approval = Self.approval(id)
                approval.otherNames = [mina, assignment]
                approval.usedBy = [RequestID(used)]
                if id != "open" { approval.outcome = "expired" }
                write.newApprovals.append(approval)
            }
            write.newRequests = [
                Self.request("r-open", .issued, token: Self.token("t1", until: 600), waitsFor: nil),
                Self.request("r-over", .issued, token: Self.token("t2", until: -1), waitsFor: nil),
                Self.request("r-waits", .waiting, token: nil, waitsFor: "open"),
                Self.request("r-other", .waiting, token: nil, waitsFor: "another"),
            ]
            return (write, 0)
        }
        var offset: Int64 = 0
        func found(_ holders: PersonID...) async throws -> (approvals: [String], requests: [String]) {
            offset += 1
            var read = Self.read(ledger, lease, from: offset, event: "look-\(offset)")
            read.endingSubjects = Set(holders)
            let snapshot = try await ledger.ledger.decide(read) { (DecideWrite(), $0) }
            return (
                snapshot.approvals.keys.map(\.rawValue).sorted(), snapshot.requests.keys.map(\.rawValue).sorted()
            )
        }
        #expect(try await found(mina) == (["open"], ["r-open", "r-waits"]))
        #expect(try await found(assignment) == (["open", "over"], ["r-open", "r-over", "r-waits"]))
        #expect(try await found(PersonID("nobody")) == ([], []))
        // A name stays when the approval changes without it, and a new one is added.
        offset += 1
        _ = try await ledger.ledger.decide(Self.read(ledger, lease, from: offset, event: "change")) { _ in
            var write = DecideWrite()
            var changed = Self.approval("open")
            changed.otherNames = [PersonID("jonas")]
            write.changedApprovals = [changed]
            return (write, 0)
        }
        #expect(try await found(mina).approvals == ["open"])
        #expect(try await found(PersonID("jonas")).approvals == ["open"])
        // Names leave with their approvals.
        _ = try await ledger.sql(
            """
            UPDATE clawgrant.approval SET updated_at = now() - interval '9 days', used_by = '{}' WHERE approval_id = 'over'
            """)
        _ = try await ledger.sql(
            "SELECT clawgrant.archive_before((extract(epoch FROM now()) / 86400)::int - 2)")
        let names = try await ledger.sql("SELECT DISTINCT approval_id FROM clawgrant.approval_name ORDER BY 1")
        #expect(try (0..<names[0].rowCount).map { try names[0].string($0, 0) } == ["open"])
    }

    /// Neither of the two sees what the other has not committed: the one that comes second waits.
    @Test func anEndAndAnApprovalOfItsHolderDoNotPassEachOther() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let leases = try await ledger.beat().held
        try #require(leases.count > 1)
        let isDeciding = Lock(false)
        let mayCommit = Lock(false)
        var arriving = Self.read(ledger, leases[0], from: 0, event: "approval")
        arriving.holders = [Self.holder]
        arriving.approvalIDs = [ApprovalID("a1")]
        var ending = Self.read(ledger, leases[1], from: 0, event: "end")
        ending.endingSubjects = [Self.holder]
        let (arrival, departure) = (arriving, ending)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await ledger.ledger.decide(arrival) { _ in
                    isDeciding.withLock { $0 = true }
                    while !mayCommit.withLock({ $0 }) { usleep(1_000) }
                    var write = DecideWrite()
                    write.newApprovals = [Self.approval("a1")]
                    return (write, 0)
                }
            }
            try await waitUntil(deadline: .seconds(30), description: "the approval is being decided") {
                isDeciding.withLock { $0 }
            }
            group.addTask {
                // As a worker does: what waited for longer than a lock is waited for is decided again.
                while true {
                    do {
                        let found = try await ledger.ledger.decide(departure) { snapshot in
                            #expect(mayCommit.withLock { $0 })
                            return (DecideWrite(), snapshot.approvals)
                        }
                        return #expect(found.keys.contains(ApprovalID("a1")))
                    } catch {
                        guard (error as? LedgerError)?.isRetriable == true else { throw error }
                    }
                }
            }
            try await waitUntil(deadline: .seconds(30), description: "the end waits") {
                let waiting = try await ledger.sql(
                    """
                    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """)
                return waiting.first.map { $0.rowCount > 0 } ?? false
            }
            mayCommit.withLock { $0 = true }
            try await group.waitForAll()
        }
    }
}
