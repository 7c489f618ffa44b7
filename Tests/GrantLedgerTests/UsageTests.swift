import ClawWire
import DevStack
import GrantLedger
import IssuanceRules
import Postgres
import Primitives
import ReceiptLog
import Testing

/// Usage transactions: the fence, what they read and write, and what the worker's role may do.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct UsageTests {
    private static let topic = "gateway"

    private static func call(_ id: String, at now: Timestamp = Timestamp(seconds: 1_780_000_000)) -> ObservedCall {
        ObservedCall(
            name: ObservedCall.Name(signerDID: "did:key:gateway", receiptID: id), payloadHash: Digest(hashing: id),
            calledAt: now, provider: "openai", model: "gpt-5.1", inputTokens: 10, outputTokens: 1,
            scopeHash: Digest(hashing: "scope").b64u, policyHash: nil, runID: "run")
    }

    private static func read(
        _ lease: RoleLease, _ calls: [ObservedCall], from: Int64, to: Int64, keys: [Digest] = []
    ) -> UsageRead {
        UsageRead(
            lease: lease, topic: topic, advances: [UsageAdvance(partition: 0, from: from, to: to)], calls: calls,
            findingKeys: keys)
    }

    /// Counts every call for the grant of its scope, and revokes when it is told to.
    private static func plan(
        _ calls: [ObservedCall], _ snapshot: UsageSnapshot, revoking: Bool = false, finding: UsageFinding? = nil
    ) -> UsageWrite {
        var write = UsageWrite()
        for (job, known) in snapshot.jobs {
            var usage = known
            usage.usage.modelCalls += Int64(calls.count)
            if let grant = usage.grants.last {
                write.jobs[job] = (grant.jobClass, usage)
                write.runs.append(("run", job))
                for call in calls {
                    write.counted.append(
                        UsageWrite.Counted(
                            call: call, origin: RecordOrigin(topic: topic, partition: 0, offset: 0), grant: grant))
                }
            }
            if revoking { write.revoked += usage.grants.filter { $0.isLive(at: snapshot.now) }.map(\.requestID) }
        }
        if let finding { write.findings.append(finding) }
        write.effects = [Effect(receipt: Array("{}".utf8), receiptKind: "gateway.receipt", outputs: [])]
        return write
    }

    @Test func whatIsWrittenIsReadBack() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let policy = Digest(hashing: "wpc")
        try await fixture.issue([.init(name: "a", policy: policy)])
        let lease = try #require(try await ledger.claim(role: .usage, for: fixture.ledger.worker))
        #expect(try await ledger.openUsage(topic: Self.topic, partitions: [0: 3, 1: 0]) == [0: 3, 1: 0])
        #expect(try await ledger.openUsage(topic: Self.topic, partitions: [0: 9]) == [0: 3, 1: 0])
        let calls = [Self.call("1"), Self.call("2")]
        let finding = UsageFinding(.unknownScope, "shadow use", about: "x/y", evidence: [Digest(hashing: "e")])
        let seen = Lock<[UsageSnapshot]>([])
        try await ledger.recordUsage(
            Self.read(lease, calls, from: 3, to: 5, keys: [finding.key]), revoking: { _ in [] },
            plan: { snapshot, moment in
                seen.withLock { $0.append(snapshot) }
                #expect(moment.controlPosition == 0 && moment.redrive == nil)
                return Self.plan(calls, snapshot, finding: finding)
            })
        try await ledger.recordUsage(
            Self.read(lease, calls + [Self.call("3")], from: 5, to: 6, keys: [finding.key]),
            revoking: { Set($0.jobs.keys) },
            plan: { snapshot, _ in
                seen.withLock { $0.append(snapshot) }
                return Self.plan([Self.call("3")], snapshot, revoking: true)
            })
        let (first, second) = seen.withLock { ($0[0], $0[1]) }
        #expect(first.known.isEmpty && first.raised.isEmpty && first.runs.isEmpty)
        let grant = try #require(first.jobs[JobID("job-a")]?.grants.first)
        #expect(grant.policyHash == policy && grant.revokedAt == nil)
        #expect(second.known == [calls[0].name: calls[0].payloadHash, calls[1].name: calls[1].payloadHash])
        #expect(second.raised == [finding.key])
        #expect(second.runs == ["run": [JobID("job-a")]])
        #expect(second.jobs[JobID("job-a")]?.usage.modelCalls == 2)
        let row = try await fixture.ledger.sql(
            """
            SELECT revoked_reason, (SELECT sum(live)::text FROM clawgrant.grant_tally),
                (SELECT count(*)::text FROM clawgrant.unsealed)
            FROM clawgrant.request WHERE revoked_at IS NOT NULL
            """)[0]
        #expect(row.rowCount == 1)
        #expect(try row.string(0, 0) == "budget_spent" && row.string(0, 1) == "0" && row.string(0, 2) == "3")
        let receipts = try await ledger.gatewayReceipts(of: JobID("job-a"), limit: 10)
        #expect(Set(receipts.map(\.name.receiptID)) == ["1", "2", "3"])
        let coverage = try #require(try await ledger.coverage(of: .jobClass(JobClass("deploy")), limit: 5).first)
        #expect(coverage.usage.usage.modelCalls == 3)
        let model = try #require(coverage.models.first)
        #expect(model.model == "gpt-5.1" && model.calls == 3 && model.inputTokens == 30 && model.outputTokens == 3)
    }

    /// Writes something into every table of usage, for a test of privileges.
    static func recordOne(_ ledger: PostgresLedger, _ lease: RoleLease) async throws {
        let call = call("1")
        try await ledger.recordUsage(
            UsageRead(
                lease: lease, topic: topic, advances: [UsageAdvance(partition: 0, from: 0, to: 1)], calls: [call],
                findingKeys: []),
            revoking: { _ in [] },
            plan: { _, _ in
                var write = UsageWrite()
                write.counted = [
                    UsageWrite.Counted(
                        call: call, origin: RecordOrigin(topic: topic, partition: 0, offset: 0), grant: nil)
                ]
                write.runs = [("run", JobID("job"))]
                write.jobs[JobID("job")] = (JobClass("deploy"), JobUsage())
                write.findings = [UsageFinding(.unknownScope, "shadow use", about: "x/y")]
                return write
            })
    }

    @Test func aStreamThatCameLaterBeginsAtZero() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .sealer, for: fixture.ledger.worker))
        let seen = Lock<[[Int64]]>([])
        for number in 0..<2 as Range<Int64> {
            try await fixture.issue([.init(name: "r\(number)")])
            _ = try await ledger.seal(under: lease, maximumGroups: 10, maximumBytes: 1 << 20) { input in
                seen.withLock { $0.append(input.nextSequence) }
                let signature = try #require(Ed25519Signature(bytes: [UInt8](repeating: 0, count: 64)))
                return [
                    SealedBatch(
                        number: number, firstPosition: number, lastPosition: number,
                        headerHash: Digest(hashing: "header"), header: [1], signature: signature, checkpoint: "",
                        tail: [1], rootSignatures: nil, groups: input.groups, nextSequence: [5, 5, 5, 5, 5, 5],
                        sealedAt: input.now)
                ]
            }
        }
        #expect(seen.withLock { $0 } == [[0, 0, 0, 0, 0, 0, 0], [5, 5, 5, 5, 5, 5, 0]])
        #expect(try await ledger.batches(from: 0, limit: 5).map(\.nextSequence.count) == [7, 7])
    }

    @Test func aReaderThatLostItsRoleOrItsPlaceCommitsNothing() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue([.init(name: "a")])
        let lease = try #require(try await ledger.claim(role: .usage, for: fixture.ledger.worker))
        _ = try await ledger.openUsage(topic: Self.topic, partitions: [0: 0])
        func record(_ lease: RoleLease, from: Int64) async throws {
            let calls = [Self.call("1")]
            try await ledger.recordUsage(
                Self.read(lease, calls, from: from, to: from + 1), revoking: { _ in [] },
                plan: { snapshot, _ in Self.plan(calls, snapshot) })
        }
        var error = await #expect(throws: LedgerError.self) { try await record(lease, from: 7) }
        #expect(error?.code == .fenced)
        let heir = try fixture.ledger.other("worker-2")
        _ = try await heir.beat(["approvals": 1])
        try await ledger.leave(worker: fixture.ledger.worker)
        _ = try #require(try await heir.ledger.claim(role: .usage, for: heir.worker))
        error = await #expect(throws: LedgerError.self) { try await record(lease, from: 0) }
        #expect(error?.code == .fenced)
        let rows = try await fixture.ledger.sql("SELECT count(*)::text FROM clawgrant.gateway_receipt")[0]
        #expect(try rows.string(0, 0) == "0")
    }
}
