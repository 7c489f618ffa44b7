import ClawWire
import DevStack
import GrantLedger
import IssuanceRules
import Postgres
import Primitives
import ReceiptLog
import Testing

/// What decide transactions see of budgets, wall time that passes unheard, and receipts of archived days.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct BudgetTests {
    private static let topic = "gateway"
    private static let now = Timestamp(seconds: nowSeconds)

    private static func call(_ id: String, at time: Timestamp = now, scope: Digest = Digest(hashing: "scope"))
        -> ObservedCall
    {
        ObservedCall(
            name: ObservedCall.Name(signerDID: "did:key:gateway", receiptID: id), payloadHash: Digest(hashing: id),
            calledAt: time, provider: "openai", model: "gpt-5.1", inputTokens: 10, outputTokens: 1,
            scopeHash: scope.b64u, policyHash: nil, runID: nil)
    }

    private static let rules = Result {
        try RuleSet(
            yaml: """
                rules_version: "1"
                sources:
                  a: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [deploy]}
                job_classes:
                  deploy:
                    binding: contained
                    audience: [clawproxy.com]
                    scopes: {allow: ["proxy:call"]}
                    budget: {model_calls: 3, wall_time_seconds: 60, thresholds: []}
                """)
    }

    /// One usage transaction, judged by the rules as a worker judges it.
    private static func record(
        _ ledger: PostgresLedger, _ lease: RoleLease, _ calls: [ObservedCall], from: Int64, elapsed: [JobID] = []
    ) async throws -> UsageBook {
        let rules = try rules.get()
        let seen = Lock<UsageBook?>(nil)
        try await ledger.recordUsage(
            UsageRead(
                lease: lease, topic: topic,
                advances: calls.isEmpty
                    ? [] : [UsageAdvance(partition: 0, from: from, to: from + Int64(calls.count))],
                calls: calls, findingKeys: [], elapsed: elapsed),
            revoking: { UsageBook.judge(calls, elapsed: elapsed, rules: rules, snapshot: $0).revokedJobs },
            plan: { snapshot, _ in
                let book = UsageBook.judge(calls, elapsed: elapsed, rules: rules, snapshot: snapshot)
                seen.withLock { $0 = book }
                var write = UsageWrite()
                for event in book.events {
                    switch event {
                    case .counted(let index, let grant):
                        write.counted.append(
                            UsageWrite.Counted(
                                call: calls[index],
                                origin: RecordOrigin(topic: topic, partition: 0, offset: from + Int64(index)),
                                grant: grant))
                    case .revoke(_, let grants, _): write.revoked += grants.map(\.requestID)
                    case .found(let finding, _): write.findings.append(finding)
                    case .repeated, .tooOld, .mark: break
                    }
                }
                for job in book.touched {
                    guard let usage = book.state.jobs[job], let grant = usage.grants.last else { continue }
                    write.jobs[job] = (grant.jobClass, usage)
                }
                return write
            })
        return try #require(seen.withLock { $0 })
    }

    private struct Prepared {
        let fixture: ControlFixture
        let lease: RoleLease
        var ledger: PostgresLedger { fixture.ledger.ledger }
    }

    /// A ledger with tokens, read by the usage role.
    private static func prepared(_ grants: [ControlFixture.Grant]) async throws -> Prepared {
        let fixture = try await ControlFixture.make()
        if !grants.isEmpty { try await fixture.issue(grants) }
        let lease = try #require(try await fixture.ledger.ledger.claim(role: .usage, for: fixture.ledger.worker))
        _ = try await fixture.ledger.ledger.openUsage(topic: topic, partitions: [0: 0])
        return Prepared(fixture: fixture, lease: lease)
    }

    private static func look(
        _ prepared: Prepared, from: Int64, _ change: (inout DecideRead) -> Void
    ) async throws -> DecideSnapshot {
        var read = DecideRead(
            worker: prepared.fixture.ledger.worker,
            fence: .offsets([
                OffsetAdvance(
                    partition: prepared.fixture.lease.partition, epoch: prepared.fixture.lease.epoch, from: from,
                    to: from + 1)
            ]))
        change(&read)
        return try await prepared.ledger.decide(read) { (DecideWrite(), $0) }
    }

    @Test func decideTransactionsSeeWhatTheJobsHaveUsed() async throws {
        let prepared = try await Self.prepared([.init(name: "a")])
        _ = try await Self.record(prepared.ledger, prepared.lease, [Self.call("1"), Self.call("2")], from: 0)
        // Another request of the same job waits, as the batch below does not hold it.
        try await prepared.fixture.decide { snapshot in
            var write = DecideWrite()
            write.newRequests = [
                StoredRequest(
                    requestID: RequestID("waiting"), state: .waiting, jobID: JobID("job-a"),
                    jobClass: JobClass("deploy"), agentDID: AgentDID("did:key:zAgent"), body: [1],
                    receivedAt: snapshot.now, waitUntil: nil, decidedAt: nil, approvals: [], token: nil,
                    revocation: nil, approvalReference: ApprovalID("a9"), ticketReference: nil, subjectReference: nil)
            ]
            return write
        }
        let without = try await Self.look(prepared, from: 2) { $0.jobIDs = [JobID("job-a")] }
        #expect(without.usage == nil)
        let own = try await Self.look(prepared, from: 3) {
            $0.readsUsage = true
            $0.jobIDs = [JobID("job-a"), JobID("job-unused")]
        }
        #expect(own.usage?.mapValues(\.usage.modelCalls) == [JobID("job-a"): 2])
        let woken = try await Self.look(prepared, from: 4) {
            $0.readsUsage = true
            $0.approvalIDs = [ApprovalID("a9")]
        }
        #expect(woken.requests.keys.contains(RequestID("waiting")))
        #expect(woken.usage?.keys.sorted() == [JobID("job-a")])
        let none = try await Self.look(prepared, from: 5) { $0.readsUsage = true }
        #expect(none.usage == [:])
    }

    @Test func aBudgetOfAnApprovalIsSeenByEveryDecideTransaction() async throws {
        let prepared = try await Self.prepared([.init(name: "a")])
        _ = try await Self.record(prepared.ledger, prepared.lease, [Self.call("1")], from: 0)
        let before = try await prepared.fixture.ledger.sql(
            "SELECT has_approval_budgets::text FROM clawgrant.control_state")[0]
        #expect(try before.string(0, 0) == "false")
        try await prepared.fixture.decide { _ in
            var state = ApprovalState(approvalID: ApprovalID("a1"))
            var fact = Fact(
                recordIndex: 0, source: "test", sourceEventID: nil, occurredAt: Self.now,
                approvalID: ApprovalID("a1"), content: .decisionApproved(approver: nil))
            fact.budget = Budget(modelCalls: 40)
            state.apply(fact, from: SourceName("a"), authenticity: .topic)
            var write = DecideWrite()
            write.newApprovals = [
                StoredApproval(
                    approvalID: ApprovalID("a1"), state: state.encode(), subject: nil, ticket: nil, usedBy: [],
                    outcome: nil, closeAt: nil)
            ]
            return write
        }
        _ = try await Self.record(prepared.ledger, prepared.lease, [Self.call("2")], from: 1)
        let snapshot = try await Self.look(prepared, from: 2) {
            $0.readsUsage = true
            $0.jobIDs = [JobID("job-a")]
        }
        #expect(snapshot.hasApprovalBudgets)
        #expect(snapshot.usage?[JobID("job-a")]?.approvalBudgets == [Budget(modelCalls: 40)])
    }

    /// The grant is decided before the usage is committed and committed after it: it is issued, and its next call ends it.
    @Test func aGrantInFlightAtTheLimitIsRevokedAtItsNextCall() async throws {
        let prepared = try await Self.prepared([.init(name: "a")])
        _ = try await Self.record(prepared.ledger, prepared.lease, [Self.call("1"), Self.call("2")], from: 0)
        let blocker = try await prepared.fixture.block("effect_group")
        async let inFlight = prepared.fixture.decide(stopLock: .last) { snapshot in
            var request = ControlFixture.request(.init(name: "b"), decidedAt: snapshot.now)
            request = StoredRequest(
                requestID: request.requestID, state: .issued, jobID: JobID("job-a"), jobClass: request.jobClass,
                agentDID: request.agentDID, body: nil, receivedAt: request.receivedAt, waitUntil: nil,
                decidedAt: request.decidedAt, approvals: [],
                token: request.token.map {
                    IssuedToken(
                        tokenHash: $0.tokenHash, tokenID: $0.tokenID, scopeHash: Digest(hashing: "scope b"),
                        kid: $0.kid, issuedAt: $0.issuedAt, expiresAt: $0.expiresAt, scope: $0.scope,
                        control: $0.control)
                }, revocation: nil, approvalReference: nil, ticketReference: nil, subjectReference: nil)
            var write = DecideWrite()
            write.newRequests = [request]
            write.effects = [ControlFixture.effect]
            write.effectOfRequest = [request.requestID: 0]
            return write
        }
        try await prepared.fixture.untilOneWaits(
            for: "the grant to wait", "relation = 'clawgrant.effect_group'::regclass")
        // The third call comes to the limit; the token that is not committed yet is not among the live ones.
        let limit = try await Self.record(prepared.ledger, prepared.lease, [Self.call("3")], from: 2)
        #expect(limit.revokedJobs == [JobID("job-a")])
        _ = try await blocker.simple("COMMIT")
        await blocker.close()
        _ = try await inFlight
        func revoked() async throws -> [String] {
            let rows = try await prepared.fixture.ledger.sql(
                """
                SELECT request_id FROM clawgrant.request
                WHERE job_id = 'job-a' AND revoked_reason = 'budget_spent' ORDER BY request_id
                """)[0]
            return try (0..<rows.rowCount).map { try rows.string($0, 0) }
        }
        #expect(try await revoked() == ["a"])
        _ = try await Self.record(
            prepared.ledger, prepared.lease, [Self.call("4", scope: Digest(hashing: "scope b"))], from: 3)
        #expect(try await revoked() == ["a", "b"])
    }

    @Test func jobsWhoseWallTimeIsOverAreFoundOnceAndTheirTokensRevoked() async throws {
        let prepared = try await Self.prepared([.init(name: "a")])
        let begun = Timestamp(seconds: nowSeconds - 58)
        _ = try await Self.record(prepared.ledger, prepared.lease, [Self.call("1", at: begun)], from: 0)
        try await waitUntil(deadline: .seconds(30), description: "the wall time to pass") {
            try await prepared.ledger.elapsedWallTimes(limit: 10) == [JobID("job-a")]
        }
        let book = try await Self.record(prepared.ledger, prepared.lease, [], from: 1, elapsed: [JobID("job-a")])
        #expect(book.revokedJobs == [JobID("job-a")])
        #expect(try await prepared.ledger.elapsedWallTimes(limit: 10).isEmpty)
        let rows = try await prepared.fixture.ledger.sql(
            "SELECT revoked_reason FROM clawgrant.request WHERE revoked_at IS NOT NULL")[0]
        #expect(try rows.rowCount == 1 && rows.string(0, 0) == "budget_spent")
    }

    @Test func aJobWithoutALiveTokenIsLookedAtOnce() async throws {
        let prepared = try await Self.prepared([.init(name: "a", issuedIn: -100, expiresIn: -50)])
        _ = try await Self.record(
            prepared.ledger, prepared.lease, [Self.call("1", at: Timestamp(seconds: nowSeconds - 90))], from: 0)
        #expect(try await prepared.ledger.elapsedWallTimes(limit: 10) == [JobID("job-a")])
        let book = try await Self.record(prepared.ledger, prepared.lease, [], from: 1, elapsed: [JobID("job-a")])
        #expect(book.events.isEmpty)
        #expect(try await prepared.ledger.elapsedWallTimes(limit: 10).isEmpty)
    }

    // MARK: Archived days

    @Test func repeatsAreKnownAfterTheirDaysAreArchived() async throws {
        let prepared = try await Self.prepared([.init(name: "a")])
        let today = Timestamp(seconds: nowSeconds)
        let old = Self.call("old", at: today.adding(seconds: -5 * 86_400))
        let young = Self.call("young", at: today.adding(seconds: -86_400))
        _ = try await Self.record(prepared.ledger, prepared.lease, [old, young], from: 0)
        // As if both had been counted five days ago: their partition is archived with that day.
        _ = try await prepared.fixture.ledger.sql(
            """
            CREATE TABLE clawgrant.gateway_receipt_d\(today.day - 5) PARTITION OF clawgrant.gateway_receipt
                FOR VALUES FROM (\(today.day - 5)) TO (\(today.day - 4));
            SET session_replication_role = replica;
            UPDATE clawgrant.gateway_receipt SET day = day - 5
            """)
        let cutoff = today.day - 3
        _ = try await prepared.fixture.ledger.sql("SELECT clawgrant.archive_before(\(cutoff))")
        let counts = try await prepared.fixture.ledger.sql(
            """
            SELECT (SELECT count(*) FROM clawgrant.gateway_receipt)::text,
                (SELECT count(*) FROM clawgrant_archive.gateway_receipt_d\(today.day - 5))::text,
                (SELECT count(*) FROM clawgrant.gateway_receipt_name)::text
            """)[0]
        #expect(try counts.string(0, 0) == "0" && counts.string(0, 1) == "2" && counts.string(0, 2) == "1")
        let altered = ObservedCall(
            name: young.name, payloadHash: Digest(hashing: "altered"), calledAt: today, provider: "openai",
            model: "gpt-5.1", inputTokens: 1, outputTokens: 1, scopeHash: young.scopeHash, policyHash: nil, runID: nil)
        let late = Self.call("late", at: today.adding(seconds: -4 * 86_400))
        let new = Self.call("new")
        let book = try await Self.record(
            prepared.ledger, prepared.lease, [old, young, altered, late, new], from: 2)
        let words = book.events.map { event in
            switch event {
            case .counted(let index, _): "counted \(index)"
            case .repeated(let index): "repeated \(index)"
            case .tooOld(let index): "too old \(index)"
            case .found(let finding, _): finding.code.rawValue
            case .mark: "mark"
            case .revoke: "revoke"
            }
        }
        #expect(
            words.filter { $0 != "mark" && $0 != "revoke" && !$0.hasPrefix("BUDGET") && $0 != "GATEWAY_BEFORE_GRANT" }
                == [
                    "too old 0", "repeated 1", "repeated 2", "GATEWAY_RECEIPT_REPLAYED", "too old 3", "counted 4",
                ])
        // Sums stay whole: archiving gives no budget back.
        #expect(book.state.jobs[JobID("job-a")]?.usage.modelCalls == 3)
    }

    @Test func aLedgerOfAnOlderSchemaKeepsItsReceipts() async throws {
        let ledger = try await LedgerServer.shared.value.ledger(migrated: false)
        let connection = try await PostgresConnection.connect(ledger.configuration)
        // The schema as it was before gateway receipts had days, with two receipts and a budget in it.
        for migration in Migration.all where migration.number < 7 {
            _ = try await connection.simple("CREATE SCHEMA IF NOT EXISTS clawgrant")
            _ = try await connection.simple(migration.sql)
        }
        _ = try await connection.simple(
            """
            CREATE TABLE clawgrant.schema_migration (
                number int PRIMARY KEY, name text NOT NULL, digest text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO clawgrant.gateway_receipt
            SELECT decode(md5(n::text), 'hex'), '\\x01'::bytea, 'did:key:g', n::text, 'job', NULL, NULL, 'p', 'm', 1, 2,
                now() - interval '3 days', now() - interval '2 days' * n, 't', 0, n FROM generate_series(0, 1) n;
            INSERT INTO clawgrant.job_usage VALUES ('job', 'deploy', '{"v":1,"budget":{"model_calls":4}}', now())
            """)
        for migration in Migration.all where migration.number < 7 {
            let values = "\(migration.number), '\(migration.name)', '\(migration.digest)'"
            _ = try await connection.simple("INSERT INTO clawgrant.schema_migration VALUES (\(values))")
        }
        let report = try await Migrator.migrate(connection, pastDays: 8)
        #expect(report.from == 6)
        let rows = try await connection.simple(
            """
            SELECT (SELECT count(*) FROM clawgrant.gateway_receipt)::text,
                (SELECT count(DISTINCT day) FROM clawgrant.gateway_receipt)::text,
                (SELECT count(*) FROM clawgrant.gateway_receipt_name n JOIN clawgrant.gateway_receipt r
                    USING (receipt_key) WHERE n.payload_hash = r.payload_hash
                    AND n.called_day = floor(extract(epoch FROM r.called_at) / 86400))::text,
                (SELECT has_approval_budgets FROM clawgrant.control_state)::text
            """)[0]
        #expect(try (0..<4).map { try rows.string(0, $0) } == ["2", "2", "2", "true"])
        await connection.close()
    }
}
