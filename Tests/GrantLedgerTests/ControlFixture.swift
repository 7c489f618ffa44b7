import ClawWire
import DevStack
import GrantLedger
import Postgres
import Primitives
import ReceiptLog
import Testing

/// A ledger with grants in it, written as decide transactions write them.
final class ControlFixture: Sendable {
    /// What a test says of a grant; the rest is the same for all.
    struct Grant {
        var name: String
        var jobClass = "deploy"
        var agent = "did:key:zAgent"
        var approvals = ["a1"]
        var kid = "kid-1"
        var policy: Digest?
        var scopes: [String] = []
        var isElevated = false
        /// Seconds from now.
        var issuedIn: Int64 = -10
        var expiresIn: Int64 = 600
    }

    let ledger: TestLedger
    let lease: PartitionLease
    private let offset = Lock<Int64>(0)

    private init(_ ledger: TestLedger, _ lease: PartitionLease) {
        self.ledger = ledger
        self.lease = lease
    }

    static func make() async throws -> ControlFixture {
        let ledger = try await LedgerServer.shared.value.ledger()
        return ControlFixture(ledger, try #require(try await ledger.beat().held.first))
    }

    static let effect = Effect(
        receipt: Array("{}".utf8), receiptKind: "grant.issued",
        outputs: [OutputRecord(stream: .decisions, key: [1], value: [2])])

    static func request(_ grant: Grant, decidedAt now: Timestamp) -> StoredRequest {
        let pin = grant.policy.map { ["policy_hash:\($0.b64u)"] } ?? []
        return StoredRequest(
            requestID: RequestID(grant.name), state: .issued, jobID: JobID("job-\(grant.name)"),
            jobClass: JobClass(grant.jobClass), agentDID: AgentDID(grant.agent), body: nil, receivedAt: now,
            waitUntil: nil, decidedAt: now, approvals: grant.approvals.map { ApprovalID($0) },
            token: IssuedToken(
                tokenHash: Digest(hashing: grant.name), tokenID: TokenID("jti-\(grant.name)"),
                scopeHash: Digest(hashing: "scope"), kid: KeyID(grant.kid),
                issuedAt: Timestamp(seconds: now.seconds + grant.issuedIn),
                expiresAt: Timestamp(seconds: now.seconds + grant.expiresIn), scope: ["proxy:call"],
                control: IssuedToken.ControlReach(
                    scopes: (grant.scopes + pin).sorted(), isElevated: grant.isElevated, policyHash: grant.policy)),
            revocation: nil, approvalReference: nil, ticketReference: nil, subjectReference: nil)
    }

    /// One decide transaction that issues; returns what it saw.
    @discardableResult
    func issue(
        _ grants: [Grant], stopLock: StopLock = .first, rowPatience: Duration = .seconds(60)
    ) async throws -> DecideSnapshot {
        try await decide(stopLock: stopLock, rowPatience: rowPatience) { snapshot in
            var write = DecideWrite()
            for (index, grant) in grants.enumerated() {
                let request = Self.request(grant, decidedAt: snapshot.now)
                write.newRequests.append(request)
                write.effects.append(Self.effect)
                write.effectOfRequest[request.requestID] = index
            }
            return write
        }
    }

    @discardableResult
    func decide(
        reading requests: Set<RequestID> = [], stopLock: StopLock = .first, rowPatience: Duration = .seconds(60),
        _ plan: @Sendable (DecideSnapshot) throws -> DecideWrite
    ) async throws -> DecideSnapshot {
        let from = offset.withLock { offset in
            defer { offset += 1 }
            return offset
        }
        var read = DecideRead(
            worker: ledger.worker,
            fence: .offsets([
                OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: from, to: from + 1)
            ]))
        read.requestIDs = requests
        read.stopLock = stopLock
        read.rowPatience = rowPatience
        return try await ledger.ledger.decide(read) { snapshot in (try plan(snapshot), snapshot) }
    }

    /// One control transaction that takes the next position and leaves an order and runs; returns what it saw.
    @discardableResult
    func control(
        _ id: String, fence: ControlFence? = nil, patience: Duration = .seconds(20),
        runs: @escaping @Sendable (ControlSnapshot) -> [RevocationRun] = { _ in [] },
        cutoffs: @escaping @Sendable (ControlSnapshot) -> [StoredCutoff] = { _ in [] }
    ) async throws -> ControlSnapshot {
        let read = ControlRead(worker: ledger.worker, fence: fence, eventID: id, patience: patience)
        return try await ledger.ledger.control(read) { _ in
            []
        } plan: { snapshot in
            guard snapshot.known == nil else { return (ControlWrite(), snapshot) }
            var write = ControlWrite()
            let position = snapshot.position + 1
            write.event = StoredControlEvent(
                eventID: id, position: position, operation: "stop", handle: id, result: "applied",
                digest: Digest(hashing: id), body: Array("{}".utf8))
            write.orders = [StoredControlOrder(key: "stop/\(id)", position: position, body: Array(id.utf8))]
            write.runs = runs(snapshot)
            write.cutoffs = cutoffs(snapshot)
            return (write, snapshot)
        }
    }

    /// A run over a scope, of the next position.
    static func run(
        _ kind: String = "all", _ value: String? = nil, _ part: RevocationRun.Part = .all, at snapshot: ControlSnapshot,
        issuedBefore: Timestamp? = nil
    ) -> RevocationRun {
        RevocationRun(
            position: snapshot.position + 1, ordinal: 0, handle: "stop", scopeKind: kind, scopeValue: value, part: part,
            cause: "admin_action", detail: "stop",
            issuedBefore: issuedBefore ?? Timestamp(seconds: snapshot.now.seconds + 1), startedAt: snapshot.now)
    }

    /// A session that holds up whatever writes to a table, until it is let go.
    func block(_ table: String) async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(ledger.configuration)
        _ = try await connection.simple("BEGIN; LOCK TABLE clawgrant.\(table) IN SHARE MODE")
        return connection
    }

    func untilOneWaits(for what: String, _ condition: String) async throws {
        let connection = try await PostgresConnection.connect(ledger.configuration)
        try await waitUntil(deadline: .seconds(30), description: what) {
            let rows = try await connection.simple(
                """
                SELECT count(*)::text FROM pg_locks l
                WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND \(condition)
                """)
            return try rows.last?.string(0, 0) != "0"
        }
        await connection.close()
    }
}
