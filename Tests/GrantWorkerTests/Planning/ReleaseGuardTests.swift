import ClawWire
import Foundation
import GrantLedger
import Testing

@testable import GrantWorker
@testable import IssuanceRules

/// What is asked before a token is given out that was decided earlier.
@Suite struct ReleaseGuardTests {
    private static let now = PlanFixture.now

    private static let request = StoredRequest(
        requestID: RequestID("req-1"), state: .issued, jobID: JobID("job-1"), jobClass: JobClass("deploy"),
        agentDID: AgentDID("did:key:agent"), body: nil, receivedAt: now, waitUntil: nil, decidedAt: now,
        approvals: [ApprovalID("apr-1")],
        token: IssuedToken(
            tokenHash: Digest(hashing: "token"), tokenID: TokenID("jti-1"), scopeHash: Digest(hashing: "scope"),
            kid: KeyID("kid-1"), issuedAt: Timestamp(seconds: now.seconds), expiresAt: now.adding(seconds: 600),
            scope: ["proxy:call"],
            control: IssuedToken.ControlReach(
                scopes: ["entitlement:group:admins", "policy_hash:abc"], isElevated: false, policyHash: nil)),
        revocation: nil, approvalReference: nil, ticketReference: nil, subjectReference: nil)

    private static func snapshot(polled seconds: Int64 = 0, _ orders: [ControlOrder] = []) -> DecideSnapshot {
        DecideSnapshot(
            now: now, controlPosition: orders.map(\.position).max() ?? 0,
            newControlOrders: orders.map { StoredControlOrder(key: $0.key, position: $0.position, body: $0.body) },
            controlPolledAt: now.adding(seconds: seconds), newEvents: [], conflictingEvents: [], approvals: [:],
            requests: [:])
    }

    private static func release(_ localStop: LocalStop = LocalStop(file: nil)) throws -> ReleaseGuard {
        let text = ConfigurationSample.least + "control: {topic: claw.control.v1, stop_view_max_age_ms: 5000}\n"
        return ReleaseGuard(try ConfigurationRoom().read(text).worker, localStop: localStop, clock: { now })
    }

    private static func stop(_ scope: StopScope) -> ControlOrder {
        ControlOrder(
            position: 1,
            content: .stop(
                StandingStop(
                    stopID: "s1", event: ControlEventID("e1"), scope: scope.normalized, revokesLive: false,
                    isRevocation: false, isWidened: false, declarers: [PersonID("mina")], declaredAt: now, at: now,
                    position: 1, reason: nil, incident: nil)))
    }

    private static func barrier(_ seconds: Int64, _ scope: StopScope = .everything) -> ControlOrder {
        ControlOrder(
            position: 2,
            content: .barrier(
                Barrier(scope: scope, at: now.adding(seconds: seconds), event: ControlEventID("e2"), handle: "s1")))
    }

    private static let scopes: [StopScope] = [
        .everything, StopScope(kind: .jobClass, value: "deploy"), StopScope(kind: .agent, value: "did:key:agent"),
        StopScope(kind: .request, value: "req-1"), StopScope(kind: .job, value: "job-1"),
        StopScope(kind: .jti, value: "jti-1"), StopScope(kind: .token, value: Digest(hashing: "token").hex),
        StopScope(kind: .issuerKey, value: "kid-1"), StopScope(kind: .approval, value: "apr-1"),
        StopScope(kind: .entitlement, value: "group:admins"), StopScope(kind: .policyHash, value: "abc"),
    ]

    @Test(arguments: scopes) func aStopOfWhateverATokenIsOfHoldsItBack(_ scope: StopScope) throws {
        let guarded = try Self.release()
        #expect(try guarded.state(of: Self.snapshot()).withholding(Self.request) == nil)
        let state = try guarded.state(of: Self.snapshot([Self.stop(scope)]))
        #expect(guarded.known.position == 1)
        #expect(state.withholding(Self.request)?.contains("the stop s1 of") == true)
    }

    @Test func aStopOfSomethingElseHoldsNothingBack() throws {
        let others: [StopScope] = [
            StopScope(kind: .jobClass, value: "other"), StopScope(kind: .job, value: "req-1"),
            StopScope(kind: .entitlement, value: "group"),
        ]
        for other in others {
            let state = try Self.release().state(of: Self.snapshot([Self.stop(other)]))
            #expect(state.withholding(Self.request) == nil)
        }
    }

    @Test func aTokenFromBeforeALiftStaysHeldBack() throws {
        for (seconds, isHeld) in [(Int64(-1), false), (0, true), (5, true)] {
            let state = try Self.release().state(of: Self.snapshot([Self.barrier(seconds)]))
            #expect((state.withholding(Self.request) != nil) == isHeld)
        }
    }

    @Test func nothingIsGivenOutUnderAViewThatIsTooOld() throws {
        _ = try Self.release().state(of: Self.snapshot(polled: -5))
        #expect(throws: ReleaseGuard.Held.self) { try Self.release().state(of: Self.snapshot(polled: -6)) }
    }

    @Test func aWorkerThatIsStoppedGivesNothingOut() throws {
        let signalled = LocalStop(file: nil)
        let guarded = try Self.release(signalled)
        _ = try guarded.state(of: Self.snapshot())
        signalled.stop()
        #expect(throws: ReleaseGuard.Held.self) { try guarded.state(of: Self.snapshot()) }

        let room = try ConfigurationRoom()
        let byFile = try Self.release(LocalStop(file: "\(room.directory)/stop"))
        _ = try byFile.state(of: Self.snapshot())
        try room.write("stop", "")
        let held = #expect(throws: ReleaseGuard.Held.self) { try byFile.state(of: Self.snapshot()) }
        #expect(held?.description.contains("/stop") == true)
    }

    /// A replica that took over without the last control events gives their positions to others.
    @Test func whatWasKnownOfAnotherDatabaseIsForgottenWhoeverAskedBefore() throws {
        let guarded = try Self.release()
        func database(_ seconds: Int64) -> LedgerIncarnation {
            LedgerIncarnation(startedAt: Timestamp(seconds: seconds), table: 1)
        }
        var before = Self.snapshot([Self.stop(.everything)])
        before.incarnation = database(1)
        _ = try guarded.state(of: before)
        let (first, second) = (guarded.known, guarded.known)
        #expect(first.position == 1)
        var after = Self.snapshot()
        after.incarnation = database(2)
        #expect(throws: LedgerError.self) { try guarded.state(of: after, since: first) }
        #expect(guarded.known.position == 0)
        // Asked before the first one was answered: what it asked for begins behind a position of the other database.
        #expect(throws: LedgerError.self) { try guarded.state(of: after, since: second) }
        var anew = Self.snapshot([Self.stop(.everything)])
        anew.incarnation = database(2)
        _ = try guarded.state(of: anew)
        #expect(guarded.known.position == 1)
    }
}

extension ReleaseGuard {
    /// What is stopped, to somebody who asked just now.
    fileprivate func state(of snapshot: DecideSnapshot) throws -> ControlState {
        try state(of: snapshot, since: known)
    }
}
