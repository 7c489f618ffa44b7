import ClawWire
import DevStack
import GrantLedger
import Postgres
import Primitives
import ReceiptLog
import Testing

/// Single revocations behind a cut-off: which tokens, in which order, and from where after a failure.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct RevokeTests {
    private struct Stopped: Error {}

    private static func effects(_ chunk: RevocationChunk) -> [Effect] {
        chunk.tokens.map { request in
            Effect(
                receipt: Array(request.requestID.rawValue.utf8), receiptKind: "revocation",
                outputs: [OutputRecord(stream: .revocations, key: Array(request.requestID.rawValue.utf8), value: [1])])
        }
    }

    private static func revokedRows(_ ledger: TestLedger) async throws -> Set<String> {
        let rows = try await ledger.sql("SELECT request_id FROM clawgrant.request WHERE revoked_at IS NOT NULL")[0]
        return Set(try (0..<rows.rowCount).map { try rows.string($0, 0) })
    }

    @Test func tokensAreRevokedInChunksInTheOrderOfTheirEnd() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        // The end falls as the name rises.
        try await fixture.issue((0..<25).map { .init(name: "r\($0)", expiresIn: 1_000 - Int64($0)) })
        try await fixture.control("s1") { [ControlFixture.run(at: $0)] }
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        let order = Lock<[String]>([])
        func next() async throws -> RevocationRun? {
            try await ledger.revokeNext(under: lease, limit: 10) { chunk in
                order.withLock { $0 += chunk.tokens.map(\.requestID.rawValue) }
                return Self.effects(chunk)
            }
        }
        #expect(try await next()?.revoked == 10)
        #expect(try await Self.revokedRows(fixture.ledger).count == 10)
        // A revoker that dies within a chunk leaves nothing of it.
        await #expect(throws: Stopped.self) {
            try await ledger.revokeNext(under: lease, limit: 10) { _ in throw Stopped() }
        }
        #expect(try await Self.revokedRows(fixture.ledger).count == 10)
        let second = try await next()
        #expect(second?.revoked == 20)
        #expect(second?.finishedAt == nil)
        let last = try await next()
        #expect(last?.revoked == 25)
        #expect(last?.finishedAt != nil)
        #expect(try await next() == nil)
        #expect(order.withLock { $0 } == (0..<25).reversed().map { "r\($0)" })
        #expect(try await Self.revokedRows(fixture.ledger).count == 25)
    }

    /// What a stop says of its tokens while it holds the lock is what its run then revokes.
    @Test(arguments: [
        ("agent", "did:key:zOther", 2), ("request", "r2", 1), ("job", "job-r2", 1),
        ("token_hash", Digest(hashing: "r3").hex, 1), ("agent", "did:key:zNobody", 0),
    ])
    func liveTokensOfAScopeAreCountedUnderTheLock(_ kind: String, _ value: String, _ expected: Int64) async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue([
            .init(name: "r1"), .init(name: "r2", agent: "did:key:zOther"), .init(name: "r3", agent: "did:key:zOther"),
            .init(name: "r4", agent: "did:key:zOther", issuedIn: -9_000, expiresIn: -8_000),
        ])
        var read = ControlRead(worker: fixture.ledger.worker, eventID: nil)
        read.counted = ControlRead.CountedScope(kind: kind, value: value)
        let live = try await ledger.control(read) { _ in
            []
        } plan: {
            (ControlWrite(), $0.live)
        }
        #expect(live == expected)
        try await fixture.control("s1") { [ControlFixture.run(kind, value, at: $0)] }
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        let run = try await ledger.revokeNext(under: lease, limit: 10) { Self.effects($0) }
        #expect(run?.revoked == expected)
    }

    @Test func whatNoIndexFindsIsNotCountedUnderTheLock() {
        for kind in ["all", "job_class", "subject", "approval", "jti", "entitlement", "source", "policy_id"] {
            #expect(ControlRead.CountedScope(kind: kind, value: "x") == nil, "\(kind)")
        }
        #expect(ControlRead.CountedScope(kind: "token_hash", value: "no digest") == nil)
        #expect(ControlRead.CountedScope(kind: "agent", value: nil) == nil)
    }

    @Test func anotherRevokerGoesOnWhereTheLastStopped() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue((0..<6).map { .init(name: "r\($0)") })
        try await fixture.control("s1") { [ControlFixture.run(at: $0)] }
        let first = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        _ = try await ledger.revokeNext(under: first, limit: 4) { Self.effects($0) }
        let heir = try fixture.ledger.other("worker-2")
        _ = try await heir.beat(["approvals": 1])
        try await ledger.leave(worker: fixture.ledger.worker)
        let second = try #require(try await heir.ledger.claim(role: .revoker, for: heir.worker))
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.revokeNext(under: first, limit: 4) { Self.effects($0) }
        }
        #expect(error?.code == .fenced)
        let run = try await heir.ledger.revokeNext(under: second, limit: 4) { Self.effects($0) }
        #expect(run?.revoked == 6)
        #expect(run?.finishedAt != nil)
    }

    @Test func runsAreDoneInTheOrderOfTheirEventsAndLeaveWhatIsRevoked() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue([.init(name: "a"), .init(name: "b", jobClass: "run")])
        try await fixture.control("s1") { [ControlFixture.run("job_class", "run", at: $0)] }
        try await fixture.control("s2") { [ControlFixture.run(at: $0)] }
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        let seen = Lock<[[String]]>([])
        func next() async throws -> Int64? {
            try await ledger.revokeNext(under: lease, limit: 10) { chunk in
                seen.withLock { $0.append(chunk.tokens.map(\.requestID.rawValue)) }
                return Self.effects(chunk)
            }?.position
        }
        #expect(try await next() == 1)
        #expect(try await next() == 2)
        #expect(seen.withLock { $0 } == [["b"], ["a"]])
    }

    private static let policy = Digest(hashing: "wpc")

    private static let grants: [ControlFixture.Grant] = [
        .init(
            name: "plain", approvals: ["a1", "a2"],
            scopes: ["subject:person-1", "source:itsm", "entitlement:group:g1", "entitlement:group:g1:member"]),
        .init(
            name: "pinned", jobClass: "run", agent: "did:key:zOther", approvals: ["a3"], kid: "kid-2", policy: policy,
            scopes: ["policy_id:p-7", IssuedToken.ControlReach.proxiedRoute], isElevated: true, issuedIn: -3_000),
        .init(name: "pinned-elsewhere", jobClass: "run", policy: Digest(hashing: "other")),
        .init(name: "later", issuedIn: 100), .init(name: "over", expiresIn: -3_600),
        .init(name: "long-over", expiresIn: -4_000),
    ]

    private static let selections: [(kind: String, value: String?, part: RevocationRun.Part, expected: Set<String>)] = [
        ("all", nil, .all, ["plain", "pinned", "pinned-elsewhere"]),
        ("job_class", "run", .all, ["pinned", "pinned-elsewhere"]), ("job_class", "none", .all, []),
        ("agent", "did:key:zOther", .all, ["pinned"]), ("request", "plain", .all, ["plain"]),
        ("job", "job-pinned", .all, ["pinned"]), ("approval", "a2", .all, ["plain"]),
        ("token_hash", Digest(hashing: "pinned").hex, .all, ["pinned"]), ("jti", "jti-plain", .all, ["plain"]),
        ("token_hash", Digest(hashing: "over").hex, .all, ["over"]), ("jti", "jti-long-over", .all, []),
        ("issuer_key", "kid-2", .all, ["pinned"]), ("subject", "person-1", .all, ["plain"]),
        ("source", "itsm", .all, ["plain"]), ("entitlement", "group:g1", .all, ["plain"]),
        ("entitlement", "group:g1:member", .all, ["plain"]), ("entitlement", "group:g1:owner", .all, []),
        ("policy_hash", policy.b64u, .all, ["pinned"]), ("policy_id", "p-7", .all, ["pinned"]),
        ("all", nil, .elevated, ["pinned"]), ("job_class", "deploy", .elevated, []),
        ("all", nil, .unproxied, ["plain", "pinned-elsewhere", "over"]),
        ("job_class", "run", .unproxied, ["pinned-elsewhere"]),
        ("job_class", "run", .pinned(policy), ["pinned"]),
        ("job_class", "run", .notPinned(policy), ["pinned-elsewhere"]),
        ("all", nil, .notPinned(policy), ["plain", "pinned-elsewhere", "over"]),
        ("issuer_key", "kid-1", .issuedSince(Timestamp(seconds: 0)), ["plain", "pinned-elsewhere"]),
        // Far from either: these seconds are those at which the first test asked for them.
        ("all", nil, .issuedSince(Timestamp(seconds: nowSeconds - 1_000)), ["plain", "pinned-elsewhere"]),
    ]

    /// What a control event's scope is called in the ledger is what a run asks for: see `StopScope.Kind`.
    @Test func eachScopeAndPartReachesItsTokensAndNoOthers() async throws {
        struct Found: Error {
            let names: Set<String>
        }
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue(Self.grants)
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        for (index, selection) in Self.selections.enumerated() {
            try await fixture.control("s\(index)") {
                [ControlFixture.run(selection.kind, selection.value, selection.part, at: $0)]
            }
            do {
                _ = try await ledger.revokeNext(under: lease, limit: 10) { chunk in
                    throw Found(names: Set(chunk.tokens.map(\.requestID.rawValue)))
                }
                Issue.record("nothing was planned for \(selection)")
            } catch let found as Found {
                #expect(
                    found.names == selection.expected, "\(selection.kind) \(selection.value ?? "") \(selection.part)")
            }
            _ = try await fixture.ledger.sql("DELETE FROM clawgrant.revocation_run")
        }
        #expect(try await Self.revokedRows(fixture.ledger).isEmpty)
    }

    @Test func revokedTokensAreReadPageByPage() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue((0..<5).map { .init(name: "r\($0)", expiresIn: 600 + Int64($0)) } + [.init(name: "x")])
        _ = try await fixture.ledger.sql("UPDATE clawgrant.request SET revoked_at = now() WHERE request_id <> 'x'")
        let first = try await ledger.revokedTokens(after: Timestamp(seconds: 0), RequestID(""), limit: 3)
        #expect(first.map(\.requestID.rawValue) == ["r0", "r1", "r2"])
        #expect(first.map(\.tokenHash) == (0..<3).map { Digest(hashing: "r\($0)") })
        let last = try #require(first.last)
        let second = try await ledger.revokedTokens(after: last.expiresAt, last.requestID, limit: 3)
        #expect(second.map(\.requestID.rawValue) == ["r3", "r4"])
    }

    @Test func theHorizonStandsWhereEverythingIsSealedAndSwept() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        try await fixture.issue((0..<3).map { .init(name: "r\($0)") })
        let empty = try await ledger.revocationHorizon()
        // Grants that wait to be sealed are nothing to a reader of revocations.
        #expect(empty.isSealed)
        #expect(empty.controlPosition == 0)
        #expect(empty.sweptPosition == 1)
        #expect(empty.revokedTokens == 0)
        try await fixture.control("s1") { [ControlFixture.run(at: $0)] }
        #expect(try await ledger.revocationHorizon().sweptPosition == 1)
        let lease = try #require(try await ledger.claim(role: .revoker, for: fixture.ledger.worker))
        _ = try await ledger.revokeNext(under: lease, limit: 2) { Self.effects($0) }
        var horizon = try await ledger.revocationHorizon()
        #expect(!horizon.isSealed)
        #expect(horizon.sweptPosition == 1)
        #expect(horizon.revokedTokens == 2)
        _ = try await ledger.revokeNext(under: lease, limit: 2) { Self.effects($0) }
        horizon = try await ledger.revocationHorizon()
        #expect(horizon.sweptPosition == 2)
        #expect(horizon.revokedTokens == 3)
        #expect(horizon.controlPosition == 1)
        #expect(horizon.now > empty.now)
    }
}
