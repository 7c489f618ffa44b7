import ClawWire
import DevStack
import GrantLedger
import Postgres
import Primitives
import ReceiptLog
import Testing

/// Revocations and cut-offs that are over: which, once, and behind everything that they end.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct EndTests {
    private struct Stopped: Error {}

    /// A ledger with a sealer.
    private struct Log {
        let fixture: ControlFixture
        let role: RoleLease
        let found = Lock<[EndedRevocations]>([])

        static func make() async throws -> Log {
            let fixture = try await ControlFixture.make()
            let role = try await fixture.ledger.ledger.claim(role: .sealer, for: fixture.ledger.worker)
            return Log(fixture: fixture, role: try #require(role))
        }

        private static func effect(_ ended: EndedRevocations) -> Effect {
            let keys = ended.cutoffs + ended.tokens.map(\.hex)
            return Effect(
                receipt: Array("ended".utf8), receiptKind: "revocations.ended",
                outputs: keys.map { OutputRecord(stream: .revocations, key: Array($0.utf8), value: []) })
        }

        private static func batches(_ input: SealInput) throws -> [SealedBatch] {
            let number = input.tail.map { Int64($0[0]) } ?? 0
            let count = Int64(input.groups.reduce(0) { $0 + $1.effects.count })
            let first = input.tail.map { Int64($0[1]) << 8 | Int64($0[2]) } ?? 0
            let end = first + count
            var sequence = input.nextSequence
            for effect in input.groups.flatMap(\.effects) {
                for output in effect.outputs { sequence[Int(output.stream.rawValue)] += 1 }
            }
            let signature = try #require(Ed25519Signature(bytes: [UInt8](repeating: 1, count: 64)))
            return [
                SealedBatch(
                    number: number, firstPosition: first, lastPosition: end - 1,
                    headerHash: Digest(hashing: "h\(number)"), header: [1], signature: signature, checkpoint: "c",
                    tail: [UInt8(number + 1), UInt8(end >> 8), UInt8(end & 0xFF)], rootSignatures: nil,
                    groups: input.groups, nextSequence: sequence, sealedAt: input.now)
            ]
        }

        /// One seal transaction; returns what it ended.
        @discardableResult
        func seal(
            grace: Duration = .seconds(60), unknownLife: Duration? = nil, tokens: Int = 10, groups: Int = 100,
            fails: Bool = false
        ) async throws -> EndedRevocations? {
            let ended = Lock<EndedRevocations?>(nil)
            let ending = RevocationEnding(
                grace: grace, unknownTokenLife: unknownLife, maximumTokens: tokens, maximumCutoffs: 4
            ) { over in
                ended.withLock { $0 = over }
                return Self.effect(over)
            }
            _ = try await fixture.ledger.ledger.seal(
                under: role, maximumGroups: groups, maximumBytes: 1 << 20, whenIdle: nil, ending: ending
            ) { input in
                if fails { throw Stopped() }
                return try Self.batches(input)
            }
            return ended.withLock { $0 }
        }

        func revoke(_ names: [String]) async throws {
            let list = names.map { "'\($0)'" }.joined(separator: ", ")
            _ = try await fixture.ledger.sql(
                "UPDATE clawgrant.request SET revoked_at = now(), revoked_reason = 'x' WHERE request_id IN (\(list))")
        }
    }

    private static func hashes(_ names: [String]) -> [Digest] { names.map { Digest(hashing: $0) } }

    @Test func tokensAreEndedOnceInTheOrderOfTheirExpiry() async throws {
        let log = try await Log.make()
        var grants = (0..<25).map { ControlFixture.Grant(name: "r\($0)", issuedIn: -700, expiresIn: -100 - Int64($0)) }
        grants += [.init(name: "young", expiresIn: -30), .init(name: "alive"), .init(name: "kept", expiresIn: -200)]
        try await log.fixture.issue(grants)
        try await log.revoke(grants.map(\.name).filter { $0 != "kept" })
        let expected = Self.hashes((0..<25).reversed().map { "r\($0)" })
        #expect(try await log.seal()?.tokens == Array(expected[..<10]))
        // A sealer that fails leaves nothing of a chunk; the next goes on where the last succeeded.
        await #expect(throws: Stopped.self) { try await log.seal(fails: true) }
        #expect(try await log.seal()?.tokens == Array(expected[10..<20]))
        #expect(try await log.seal()?.tokens == Array(expected[20...]))
        #expect(try await log.seal() == nil)
        #expect(try await log.seal(grace: .seconds(10))?.tokens == Self.hashes(["young"]))
        #expect(try await log.seal(grace: .seconds(10)) == nil)
        let batches = try await log.fixture.ledger.ledger.batches(from: 0, limit: 10)
        // Each end is in a batch, and moves the dense sequence of its stream.
        #expect(batches.map { $0.nextSequence[Int(OutputStream.revocations.rawValue)] } == [10, 20, 25, 26])
        let horizon = try await log.fixture.ledger.ledger.revocationHorizon()
        #expect(horizon.nextSequence == 26)
        #expect(horizon.nextBatch == 4)
    }

    @Test func nothingIsEndedBeforeWhatItEndsIsSealed() async throws {
        let log = try await Log.make()
        try await log.fixture.issue([.init(name: "a")])
        try await log.fixture.control("s1") { [ControlFixture.run(at: $0)] }
        let ledger = log.fixture.ledger.ledger
        let revoker = try #require(try await ledger.claim(role: .revoker, for: log.fixture.ledger.worker))
        _ = try await ledger.revokeNext(under: revoker, limit: 10) { chunk in
            chunk.tokens.map { _ in
                Effect(
                    receipt: [1], receiptKind: "revocation",
                    outputs: [OutputRecord(stream: .revocations, key: [1], value: [1])])
            }
        }
        _ = try await log.fixture.ledger.sql(
            "UPDATE clawgrant.request SET expires_at = now() - interval '2 minutes' WHERE request_id = 'a'")
        // The revocation waits to be sealed, and is not taken.
        #expect(try await log.seal(groups: 0) == nil)
        // It is taken, and the end stands behind it.
        #expect(try await log.seal()?.tokens == Self.hashes(["a"]))
        let batch = try #require(try await ledger.batches(from: 0, limit: 1).first)
        let values = batch.groups.flatMap(\.effects).flatMap(\.outputs).filter { $0.stream == .revocations }.map(
            \.value)
        #expect(values == [[1], []])
    }

    /// Nothing says when a token expires that the ledger never issued: the longest life of any, after its revocation.
    @Test func whatWasNeverIssuedIsEndedOnceItsLongestLifeIsOver() async throws {
        let log = try await Log.make()
        let ledger = log.fixture.ledger.ledger
        try await log.fixture.issue([.init(name: "known")])
        let revoker = try #require(try await ledger.claim(role: .revoker, for: log.fixture.ledger.worker))
        let names = ["known", "forged-1", "forged-2", "forged-1"]
        for (index, name) in names.enumerated() {
            try await log.fixture.control("s\(index)") {
                [ControlFixture.run("token_hash", Digest(hashing: name).hex, at: $0)]
            }
        }
        let told = Lock<[Digest]>([])
        for _ in names {
            _ = try await ledger.revokeNext(under: revoker, limit: 10) { chunk in
                if let unknown = chunk.unknownToken { told.withLock { $0.append(unknown) } }
                return [Effect(receipt: [1], receiptKind: "revocation", outputs: [])]
            }
        }
        // Each is told once, and a token that is known is told as itself.
        #expect(told.withLock { $0 } == Self.hashes(["forged-1", "forged-2"]))
        _ = try await log.seal()
        let life = Duration.seconds(600)
        #expect(try await log.seal(unknownLife: life) == nil)
        _ = try await log.fixture.ledger.sql(
            "UPDATE clawgrant.revocation_run SET told_unknown_at = told_unknown_at - interval '700 seconds'")
        #expect(try await log.seal() == nil, "who does not say how long they live ends none")
        #expect(try await log.seal(unknownLife: .seconds(650)) == nil, "the grace comes on top")
        await #expect(throws: Stopped.self) { try await log.seal(unknownLife: life, fails: true) }
        #expect(try await log.seal(unknownLife: life, tokens: 1)?.tokens == Self.hashes(["forged-1"]))
        #expect(try await log.seal(unknownLife: life)?.tokens == Self.hashes(["forged-2"]))
        #expect(try await log.seal(unknownLife: life) == nil)
    }

    @Test func whetherAHashIsKnownIsAskedOfIndexes() async throws {
        let log = try await Log.make()
        let plan = try await log.fixture.ledger.sql(
            """
            SET enable_seqscan = off;
            EXPLAIN SELECT 1 FROM clawgrant.request WHERE revoked_at IS NOT NULL AND token_hash = decode('00', 'hex')
            """)
        let lines = try plan.last.map { rows in try (0..<rows.rowCount).map { try rows.string($0, 0) } } ?? []
        #expect(lines.contains { $0.contains("request_revoked_token") }, "\(lines)")
    }

    private static func cutoff(_ key: String, endsIn seconds: Int64?) -> @Sendable (ControlSnapshot) -> [StoredCutoff] {
        { snapshot in
            [
                StoredCutoff(
                    key: key, position: snapshot.position + 1,
                    endsAt: seconds.map { Timestamp(seconds: snapshot.now.seconds + $0) })
            ]
        }
    }

    @Test func cutoffsAreEndedOnceAndThoseWithoutEndNever() async throws {
        let log = try await Log.make()
        let fixture = log.fixture
        try await fixture.control("s1", cutoffs: Self.cutoff("cutoff:job_class:a", endsIn: -100))
        try await fixture.control("s2", cutoffs: Self.cutoff("cutoff:all", endsIn: -30))
        try await fixture.control("s3", cutoffs: Self.cutoff("cutoff:issuer_key:k", endsIn: nil))
        #expect(try await fixture.ledger.ledger.revocationHorizon().cutoffs == 3)
        #expect(try await log.seal()?.cutoffs == ["cutoff:job_class:a"])
        #expect(try await log.seal() == nil)
        #expect(try await fixture.ledger.ledger.revocationHorizon().cutoffs == 2)
        // A scope that is cut off again has another end; one without end keeps none.
        try await fixture.control("s4", cutoffs: Self.cutoff("cutoff:all", endsIn: 500))
        try await fixture.control("s5", cutoffs: Self.cutoff("cutoff:job_class:a", endsIn: -90))
        try await fixture.control("s6", cutoffs: Self.cutoff("cutoff:issuer_key:k", endsIn: -500))
        #expect(try await log.seal()?.cutoffs == ["cutoff:job_class:a"])
        #expect(try await log.seal(grace: .zero) == nil)
        #expect(try await fixture.ledger.ledger.revocationHorizon().cutoffs == 2)
        // Of one event, too, the one without end counts, wherever it stands.
        try await fixture.control(
            "s7",
            cutoffs: { snapshot in
                [Int64?.some(-500), nil, -400].flatMap { Self.cutoff("cutoff:job:j", endsIn: $0)(snapshot) }
            })
        #expect(try await log.seal(grace: .zero) == nil)
        #expect(try await fixture.ledger.ledger.revocationHorizon().cutoffs == 3)
    }

    @Test func aScopeThatIsJustCutOffAgainIsLeftAlone() async throws {
        let log = try await Log.make()
        try await log.fixture.control("s1", cutoffs: Self.cutoff("cutoff:all", endsIn: -100))
        let other = try await PostgresConnection.connect(log.fixture.ledger.configuration)
        _ = try await other.simple("BEGIN; UPDATE clawgrant.cutoff SET ends_at = now() + interval '1 hour'")
        #expect(try await log.seal() == nil)
        _ = try await other.simple("COMMIT")
        await other.close()
        #expect(try await log.seal() == nil)
    }

    @Test func aControlEventSeesTheLatestExpiry() async throws {
        let fixture = try await ControlFixture.make()
        #expect(try await fixture.control("s0").latestExpiry == nil)
        try await fixture.issue([.init(name: "a", expiresIn: 300), .init(name: "b", jobClass: "run", expiresIn: 900)])
        let snapshot = try await fixture.control("s1")
        let latest = try #require(snapshot.latestExpiry)
        #expect((880...900).contains(latest.seconds - snapshot.now.seconds))
        try await fixture.ledger.ledger.foldTallies()
        #expect(try await fixture.control("s2").latestExpiry == latest)
    }
}
