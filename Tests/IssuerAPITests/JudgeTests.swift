import ClawWire
import GrantLedger
import GrantVerifier
import GrantWorker
import Primitives
import Testing

@testable import IssuerAPI

/// Where tokens stand, by signature, ledger and view.
@Suite struct JudgeTests {
    @Test func aTokenIsActiveUntilItsLedgerSaysOtherwise() async throws {
        let issuer = try TestIssuer()
        let (good, forged) = (try issuer.mint("a"), try issuer.mint("b", isIssued: false))
        // Before the first look nobody knows.
        #expect(await issuer.name(of: good) == "unknown")
        try await issuer.view.look()
        #expect(await issuer.name(of: good) == "active")
        #expect(await issuer.name(of: forged) == "not_issued")
        #expect(await issuer.judge.standing(of: good.token.exposed + "x").name == "invalid")
        #expect(await issuer.judge.standing(of: "").name == "invalid")
        #expect(await issuer.judge.standing(of: String(repeating: "a", count: 40_000)).name == "invalid")
        #expect(issuer.ledger.content.withLock { $0.lookups } == 2)
        for _ in 0..<5 { #expect(await issuer.name(of: good) == "active") }
        // What was asked once is remembered; what is not known is asked again.
        #expect(issuer.ledger.content.withLock { $0.lookups } == 2)
        #expect(await issuer.name(of: forged) == "not_issued")
        #expect(issuer.ledger.content.withLock { $0.lookups } == 3)
    }

    @Test func aTokenEndsWithItsTimeAndItsKey() async throws {
        let now = Lock(Timestamp.testNow)
        let issuer = try TestIssuer(clock: { now.withLock { $0 } })
        let token = try issuer.mint("a", lifetime: 60)
        try await issuer.view.look()
        #expect(await issuer.name(of: token) == "active")
        now.withLock { $0 = $0.adding(seconds: 61) }
        guard case .invalid(let error) = await issuer.judge.standing(of: token.token.exposed) else {
            Issue.record("an expired token is no token")
            return
        }
        #expect(error.code == CSTError.Code.expired.rawValue)
    }

    @Test func aKeyThatIsTakenAwayEndsWhatIsRemembered() async throws {
        let keys = Lock<AcceptedKeys?>(nil)
        let issuer = try TestIssuer()
        keys.withLock { $0 = AcceptedKeys(signing: [issuer.signer.publicKey]) }
        let judge = TokenJudge(
            keys: { _ in keys.withLock { $0 ?? AcceptedKeys(signing: []) } },
            lookup: TokenLookup(ledger: issuer.ledger), view: issuer.view, settings: TestIssuer.settings,
            clock: { .testNow })
        let token = try issuer.mint("a")
        try await issuer.view.look()
        #expect(await judge.standing(of: token.token.exposed).name == "active")
        let past = Timestamp.testNow.seconds - 1
        keys.withLock { $0 = AcceptedKeys(signing: [], verifyOnly: [(issuer.signer.publicKey, past)]) }
        guard case .invalid(let expired) = await judge.standing(of: token.token.exposed) else {
            Issue.record("the window is over")
            return
        }
        #expect(expired.code == CSTError.Code.kidExpired.rawValue)
        keys.withLock { $0 = AcceptedKeys(signing: []) }
        guard case .invalid(let unknown) = await judge.standing(of: token.token.exposed) else {
            Issue.record("the key is gone")
            return
        }
        #expect(unknown.code == CSTError.Code.unknownKid.rawValue)
    }

    @Test func revocationsByNameAreSeenUnsealedAndSealed() async throws {
        let issuer = try TestIssuer()
        let tokens = try ["a", "b", "c"].map { try issuer.mint($0) }
        try await issuer.view.look()
        for token in tokens { #expect(await issuer.name(of: token) == "active") }
        let group = EffectGroupKey(day: 0, groupID: 0)
        issuer.ledger.content.withLock {
            $0.unsealed[group] = [RevokedTokenMark(tokenHash: tokens[0].hash.digest, revokedAt: .testNow)]
        }
        try await issuer.view.look()
        #expect(await issuer.name(of: tokens[0]) == "revoked")
        #expect(await issuer.name(of: tokens[1]) == "active")
        // Sealed since, with another that was never seen unsealed: the first group is not read again.
        issuer.ledger.content.withLock { $0.unsealed = [:] }
        issuer.ledger.seal([(tokens[0].hash.hex, "{}")])
        issuer.ledger.seal([(tokens[1].hash.hex, "{}")])
        let reads = issuer.ledger.content.withLock { $0.groupReads }
        try await issuer.view.look()
        #expect(issuer.ledger.content.withLock { $0.groupReads } == reads + 1)
        #expect(await issuer.name(of: tokens[1]) == "revoked")
        #expect(await issuer.name(of: tokens[2]) == "active")
        // Nothing new costs one statement.
        try await issuer.view.look()
        #expect(issuer.ledger.content.withLock { $0.groupReads } == reads + 1)
    }

    @Test(
        arguments: [
            ("all", nil), ("job_class", "ledger_reconcile"), ("agent", "did:key:z6MkAgenta"), ("request", "req-a"),
            ("job", "job-a"), ("approval", "apr-a"), ("jti", "jti-a"), ("subject", "ines@harborline.example"),
            ("entitlement", "entra_role:r1"), ("source", "entra"),
        ] as [(String, String?)])
    func aControlEventVoidsItsScopeAtOnceAndNoOther(_ kind: String, _ value: String?) async throws {
        let issuer = try TestIssuer()
        let hit = try issuer.mint(
            "a", scopes: ["subject:ines@harborline.example", "entitlement:entra_role:r1", "source:entra"])
        let other = try issuer.mint("b", scopes: ["subject:ruth@harborline.example", "source:github"])
        try await issuer.view.look()
        #expect(await issuer.name(of: hit) == "active")
        #expect(await issuer.name(of: other) == "active")
        issuer.void(kind, value)
        try await issuer.view.look()
        #expect(await issuer.name(of: hit) == "revoked")
        let isWide = ["all", "job_class"].contains(kind)
        #expect(await issuer.name(of: other) == (isWide ? "revoked" : "active"))
    }

    @Test func aControlEventVoidsItsPartAlone() async throws {
        let hash = Digest(hashing: "wpc")
        let pin = "policy_hash:\(hash.b64u)"
        let now = Timestamp.testNow
        for (part, plain, pinned, elevated, proxied) in [
            (RevocationRun.Part.elevated, false, false, true, false),
            (.pinned(hash), false, true, false, false), (.notPinned(hash), true, false, true, true),
            (.unproxied, true, true, true, false), (.issuedSince(now.adding(seconds: 60)), false, false, false, false),
            (.issuedSince(now.adding(seconds: -60)), true, true, true, true),
        ] {
            let issuer = try TestIssuer()
            let tokens = [
                (try issuer.mint("plain"), plain), (try issuer.mint("pinned", scopes: [pin]), pinned),
                (try issuer.mint("elevated", isElevated: true), elevated),
                (try issuer.mint("proxied", scopes: ["model_route:proxied"]), proxied),
            ]
            issuer.void("all", nil, part: part)
            try await issuer.view.look()
            for (token, isVoid) in tokens {
                #expect(await issuer.name(of: token) == (isVoid ? "revoked" : "active"), "\(part)")
            }
        }
    }

    @Test func whatIsIssuedBehindAControlEventIsNotVoid() async throws {
        let issuer = try TestIssuer()
        let now = Timestamp.testNow
        let (old, new) = (try issuer.mint("a", issuedAt: now.adding(seconds: -5)), try issuer.mint("b", issuedAt: now))
        issuer.void("all", nil, before: Timestamp(seconds: now.seconds))
        try await issuer.view.look()
        #expect(await issuer.name(of: old) == "revoked")
        #expect(await issuer.name(of: new) == "active")
    }

    @Test func anOldViewCallsNothingActiveAndStillKnowsWhatIsRevoked() async throws {
        var settings = HTTPSettings.Introspection()
        settings.maximumAge = .milliseconds(200)
        let issuer = try TestIssuer(settings: settings)
        let (good, bad) = (try issuer.mint("a"), try issuer.mint("b"))
        let named = try issuer.mint("named", isIssued: false)
        issuer.ledger.content.withLock { $0.revoked[named.hash.digest] = .testNow }
        issuer.void("request", "req-b")
        try await issuer.view.look()
        #expect(await issuer.name(of: good) == "active" || issuer.judge.staleness() != nil)
        #expect(await issuer.name(of: bad) == "revoked")
        issuer.ledger.content.withLock { $0.isDown = true }
        await #expect(throws: LedgerError.self) { try await issuer.view.look() }
        while issuer.judge.staleness() == nil { await Task.yield() }
        #expect(await issuer.name(of: good) == "unknown")
        #expect(await issuer.name(of: bad) == "revoked")
        // One that is revoked by its name need not be looked up.
        #expect(await issuer.name(of: named) == "revoked")
        // Of a token that was never seen nobody knows whether it was issued.
        let unseen = try issuer.mint("c")
        #expect(await issuer.name(of: unseen) == "unknown")
        issuer.ledger.content.withLock { $0.isDown = false }
        try await issuer.view.look()
        #expect(await issuer.name(of: bad) == "revoked")
    }

    @Test func aRestoredLedgerIsReadAnew() async throws {
        let issuer = try TestIssuer()
        let token = try issuer.mint("a")
        for _ in 0..<3 { issuer.void("request", "req-other") }
        try await issuer.view.look()
        #expect(await issuer.name(of: token) == "active")
        // Back at an earlier position, where another event voids it.
        issuer.ledger.content.withLock {
            $0.controlPosition = 0
            $0.runs = []
        }
        issuer.void("request", "req-a")
        try await issuer.view.look()
        #expect(await issuer.name(of: token) == "revoked")
    }

    @Test func aDatabaseThatWasNotComparedIsNotBelieved() async throws {
        func database(_ number: Int64) -> LedgerIncarnation {
            LedgerIncarnation(startedAt: Timestamp(seconds: 1), table: number)
        }
        let compared = Lock<LedgerIncarnation?>(nil)
        let issuer = try TestIssuer(isCompared: { asked in compared.withLock { $0 == asked } })
        let token = try issuer.mint("a")
        issuer.ledger.content.withLock { $0.incarnation = database(1) }
        await #expect(throws: RevocationView.NotCompared.self) { try await issuer.view.look() }
        #expect(await issuer.name(of: token) == "unknown")
        compared.withLock { $0 = database(1) }
        try await issuer.view.look()
        #expect(await issuer.name(of: token) == "active")
        // Another database, which may have lost what voids the token: what is known goes on to count until it is too old.
        issuer.void("request", "req-a")
        try await issuer.view.look()
        issuer.ledger.content.withLock {
            $0.incarnation = database(2)
            $0.runs = []
            $0.controlPosition = 0
        }
        await #expect(throws: RevocationView.NotCompared.self) { try await issuer.view.look() }
        #expect(await issuer.name(of: token) == "revoked")
    }

    @Test func memoryOfTokensIsBounded() async throws {
        var settings = TestIssuer.settings
        settings.cachedTokens = 4
        let issuer = try TestIssuer(settings: settings)
        try await issuer.view.look()
        let tokens = try (0..<10).map { try issuer.mint("t\($0)") }
        for token in tokens { #expect(await issuer.name(of: token) == "active") }
        #expect(await issuer.name(of: tokens[9]) == "active")
        #expect(issuer.ledger.content.withLock { $0.lookups } == 10)
        #expect(await issuer.name(of: tokens[0]) == "active")
        #expect(issuer.ledger.content.withLock { $0.lookups } == 11)
    }

    @Test func manyAsksShareFewStatements() async throws {
        let issuer = try TestIssuer()
        try await issuer.view.look()
        let tokens = try (0..<100).map { try issuer.mint("t\($0)") }
        let names = await withTaskGroup(of: String.self) { group in
            for token in tokens { group.addTask { await issuer.name(of: token) } }
            return await group.reduce(into: [String]()) { $0.append($1) }
        }
        #expect(names.allSatisfy { $0 == "active" } && names.count == 100)
    }

    @Test func theViewIsWaitedFor() async throws {
        let issuer = try TestIssuer()
        let running = Task { try await issuer.view.run() }
        defer { running.cancel() }
        let waiting = Task { try await issuer.view.reach(sequence: 0) }
        issuer.ledger.seal([("cutoff:all", "{}")])
        try await waiting.value
        #expect(issuer.view.nextSequence == 1)
        issuer.void("all", nil)
        try await issuer.view.reach(controlPosition: 1)
        let never = Task { try await issuer.view.reach(sequence: 99) }
        never.cancel()
        await #expect(throws: CancellationError.self) { try await never.value }
    }
}
