import ClawWire
import Testing

@testable import IssuanceRules

/// The table of `docs/control-events.md`: stops and lifts, one test a row.
@Suite struct StopTableTests {
    @Test func aRepeatedStopChangesNothing() throws {
        var bench = ControlBench()
        #expect(try bench.apply(ControlBench.stop(), id: "e1").result == .applied)
        bench.clock = 10
        #expect(try bench.apply(ControlBench.stop(), id: "e1", declared: 0).result == .repeated(of: 1))
    }

    @Test func aStopSaidTwiceIsOneStop() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        #expect(try bench.apply(ControlBench.stop(), id: "e2").result == .repeated(of: 1))
        #expect(try bench.apply(ControlBench.stop(revokes: false), id: "e3").result == .repeated(of: 1))
    }

    @Test func aStopSaidAgainMoreStronglyIsApplied() throws {
        var bench = ControlBench()
        #expect(try bench.apply(ControlBench.stop(revokes: false), id: "e1").effects.revocations.isEmpty)
        let stronger = try bench.apply(ControlBench.stop(revokes: true), id: "e2")
        #expect(stronger.result == .applied)
        #expect(!stronger.effects.revocations.isEmpty)
    }

    @Test func aSecondStopOfTheSameIdentifierStandsForItself() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1", by: [ControlBench.mina])
        let second = try bench.apply(
            ControlBench.stop("s1", ControlBench.scope(.agent, "did:key:z6MkAgent")), id: "e2",
            by: [ControlBench.avery])
        #expect(second.result == .applied)
        #expect(bench.state.activeStops.count == 2)
        bench.clock = 4_000
        let lift = ControlBench.lift()
        #expect(try bench.apply(lift, id: "l1", by: ControlBench.lifters).result == .refused(.tooFewPeople))
        #expect(
            try bench.apply(lift, id: "l2", by: ControlBench.lifters + [ControlBench.avery]).result
                == .refused(.liftedByDeclarer))
        let kim = Actor(id: PersonID("kim"))
        #expect(try bench.apply(lift, id: "l3", by: ControlBench.lifters + [kim]).result == .applied)
        #expect(bench.state.activeStops.isEmpty)
    }

    @Test func theSameEventWithOtherContentAddsToIt() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(revokes: false), id: "e1", by: [ControlBench.mina])
        let wider = try bench.apply(ControlBench.stop(), id: "e1", by: [ControlBench.avery])
        #expect(wider.result == .applied && wider.effects.cutoffs.count == 1)
        #expect(bench.state.activeStops.map(\.declarers) == [[PersonID("avery"), PersonID("mina")]])
        try bench.apply(ControlBench.stop("s1", .everything), id: "e1", by: [ControlBench.mina])
        #expect(bench.state.activeStops.count == 2)
    }

    @Test func anIdentifierUsedAgainAfterItsLiftStopsAgain() throws {
        var bench = try Self.lifted()
        #expect(try bench.apply(ControlBench.stop(), id: "e2").result == .applied)
        #expect(bench.state.activeStops.count == 1)
    }

    @Test func aRepeatedStopAfterItsLiftStaysLifted() throws {
        var bench = try Self.lifted()
        #expect(try bench.apply(ControlBench.stop(), id: "e1", declared: 0).result == .repeated(of: 1))
        #expect(bench.state.activeStops.isEmpty)
    }

    @Test func overlappingStopsAreIndependent() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop("s1"), id: "e1")
        try bench.apply(ControlBench.stop("s2", .everything), id: "e2")
        try bench.apply(ControlBench.stop("s3"), id: "e3")
        bench.clock = 4_000
        for (stop, left) in [("s2", ["s1", "s3"]), ("s1", ["s3"]), ("s3", [])] {
            #expect(
                try bench.apply(ControlBench.lift(stop), id: "l-\(stop)", by: ControlBench.lifters).result == .applied)
            #expect(bench.state.activeStops.map(\.stopID) == left)
            let decision = try Setup.under(bench, decided: 4_001).decision
            #expect(decision.word == (left.isEmpty ? "issue" : "deny"))
        }
    }

    @Test func aLiftRevivesNothing() throws {
        let bench = try Self.lifted()
        let old = try Setup.under(bench, decided: 3_999).decision
        #expect(old.word == "deny" && old.codes == [.humanApprovalReapprovalRequired])
        let same = try Setup.under(bench, decided: 4_000).decision
        #expect(same.codes == [.humanApprovalReapprovalRequired])
        #expect(try Setup.under(bench, decided: 4_001, received: 4_001).decision.word == "issue")
        // The request may be old as long as what approves it is not.
        #expect(try Setup.under(bench, decided: 4_001, received: -60).decision.word == "issue")
    }

    @Test func aClockThatIsAheadRevivesNothing() throws {
        let bench = try Self.lifted()
        func decision(readAt: Int64) throws -> Decision {
            try Setup.under(bench, decided: 4_100, received: 4_001) { $0.readAt = ControlBench.at(readAt) }.decision
        }
        #expect(try decision(readAt: 4_000).codes == [.humanApprovalReapprovalRequired])
        #expect(try decision(readAt: 4_001).word == "issue")
    }

    @Test func aWaitingRequestIsAsOldAsItsReceipt() throws {
        let bench = try Self.lifted()
        func decision(received: Int64) throws -> Decision {
            try Setup.under(bench, received: received) { $0.facts = [] }.decision
        }
        #expect(try decision(received: 4_000).codes.first == .humanApprovalReapprovalRequired)
        #expect(try decision(received: 4_000).word == "deny")
        #expect(try decision(received: 4_001).word == "wait")
        // One that has its fresh approval and waits for something else goes on waiting.
        let waiting = try Setup.under(bench, decided: 4_010, received: 0) { $0.facts.removeLast() }
        #expect(waiting.decision.codes == [.humanApprovalNotYetActive])
    }

    @Test func aLiftBeforeItsStopWaitsAndLifts() throws {
        var bench = ControlBench()
        bench.clock = 4_000
        let lift = try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters)
        #expect(lift.result == .pendingLift && bench.state.isOpen && bench.state.pendingLifts.count == 1)
        let event = ControlBench.event(ControlBench.stop(), id: "e1")
        #expect(bench.state.evidenceNeeded(by: event).approvals == [ControlBench.fresh])
        bench.clock = 4_010
        let stop = try bench.apply(ControlBench.stop(), id: "e1", declared: 0)
        #expect(stop.result == .appliedAndLifted(by: ControlEventID("l1")))
        #expect(stop.effects.cutoffs.map(\.notIssuedBefore) == [ControlBench.at(4_011)])
        #expect(stop.effects.receipt["lifted_by_event"] == "l1")
        #expect(bench.state.activeStops.isEmpty && bench.state.pendingLifts.isEmpty)
        #expect(try Setup.under(bench, decided: 4_010).decision.codes == [.humanApprovalReapprovalRequired])
        #expect(try Setup.under(bench, decided: 4_011).decision.word == "issue")
        #expect(
            try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters, declared: 4_000).result
                == .repeated(of: 2))
    }

    @Test func aLiftThatIsOlderThanItsStopLiftsNothing() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.lift(policy: ControlBench.newPolicy), id: "l1", by: ControlBench.lifters)
        bench.clock = 10
        #expect(try bench.apply(ControlBench.stop(), id: "e1").result == .applied)
        #expect(bench.state.activeStops.count == 1 && bench.state.pendingLifts.isEmpty)
    }

    @Test func aLiftOfAnUnknownStopIsRepeatedOnce() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.lift("nothing"), id: "l1", by: ControlBench.lifters)
        let again = try bench.apply(ControlBench.lift("nothing"), id: "l1", by: ControlBench.lifters)
        #expect(again.result == .repeated(of: 1))
        #expect(try bench.apply(ControlBench.lift("x"), id: "l2", by: []).result == .refused(.tooFewPeople))
        #expect(
            try bench.apply(ControlBench.lift("x", approval: nil), id: "l3", by: ControlBench.lifters).result
                == .refused(.noAuthority))
    }

    @Test func aSecondLiftChangesNothing() throws {
        var bench = try Self.lifted()
        #expect(
            try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters, declared: 4_000).result
                == .repeated(of: 2))
        #expect(try bench.apply(ControlBench.lift(), id: "l2", by: ControlBench.lifters).result == .repeated(of: 2))
    }

    struct WeakLift: Sendable, CustomTestStringConvertible {
        let refusal: ControlRefusal
        var people = ControlBench.lifters
        var approval: ApprovalID? = ControlBench.fresh
        var policy: Digest?
        var declared: Int64 = 4_000

        var testDescription: String { refusal.rawValue }
    }

    @Test(arguments: [
        WeakLift(refusal: .tooFewPeople, people: [ControlBench.jonas]),
        WeakLift(refusal: .tooFewPeople, people: [ControlBench.jonas, Actor(id: PersonID("JONAS"))]),
        WeakLift(refusal: .tooFewPeople, people: [ControlBench.jonas, Actor(id: PersonID("bot"), kind: .system)]),
        WeakLift(refusal: .liftedByDeclarer, people: [ControlBench.jonas, Actor(id: PersonID("Mina"))]),
        WeakLift(refusal: .noAuthority, approval: nil),
        WeakLift(refusal: .approvalNotGranted, approval: ApprovalID("unknown")),
        WeakLift(refusal: .approvalNotGranted, approval: ApprovalID("pending")),
        WeakLift(refusal: .approvalNotFresh, approval: ControlBench.stale),
        WeakLift(refusal: .policyNotVerified, approval: nil, policy: Digest(hashing: "unknown")),
        WeakLift(refusal: .policyNotVerified, approval: nil, policy: Digest(hashing: "broken policy")),
        WeakLift(refusal: .policyNotNew, approval: nil, policy: Digest(hashing: "used policy")),
        WeakLift(refusal: .approvalNotFresh, approval: ControlBench.stale, policy: Digest(hashing: "used policy")),
        WeakLift(refusal: .olderThanRestriction, declared: 0),
        WeakLift(refusal: .datedInFuture, declared: 4_301),
    ])
    func aLiftThatDoesNotSufficeLiftsNothing(lift: WeakLift) throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        bench.clock = 4_000
        let outcome = try bench.apply(
            ControlBench.lift(approval: lift.approval, policy: lift.policy), id: "l1", by: lift.people,
            declared: lift.declared)
        #expect(outcome.result == .refused(lift.refusal))
        #expect(bench.state.activeStops.count == 1)
    }

    @Test func aNewPolicyLifts() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        bench.clock = 4_000
        let lift = ControlBench.lift(approval: nil, policy: ControlBench.newPolicy)
        #expect(try bench.apply(lift, id: "l1", by: ControlBench.lifters).result == .applied)
        let named = ControlBench.scope(.policyHash, ControlBench.newPolicy.b64u)
        try bench.apply(ControlBench.stop("s2", named), id: "e2")
        bench.clock = 4_010
        #expect(
            try bench.apply(
                ControlBench.lift("s2", approval: nil, policy: ControlBench.newPolicy), id: "l2",
                by: ControlBench.lifters
            ).result == .refused(.policyNotNew))
    }

    @Test func aLiftOfAnotherScopeIsRefused() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        bench.clock = 4_000
        #expect(
            try bench.apply(ControlBench.lift(scope: .everything), id: "l1", by: ControlBench.lifters).result
                == .refused(.scopeMismatch))
        #expect(
            try bench.apply(
                ControlBench.lift(scope: ControlBench.scope(.jobClass, "ref")), id: "l2", by: ControlBench.lifters
            ).result == .applied)
    }

    @Test func aLiftBySomeoneWhoseKeyDoesNotReachTheStopIsRefused() throws {
        var bench = ControlBench()
        let key = try #require(Setup.signer?.publicKey)
        bench.rules = ControlRules(signers: [
            key.kid: .init(key: key, operations: [.stop, .lift], jobClasses: [JobClass("ref")])
        ])
        let origin = ControlOrigin.controlTopic(signer: key.kid)
        try bench.apply(ControlBench.stop("s1"), id: "e1", origin: origin)
        try bench.apply(ControlBench.stop("s2", .everything), id: "e2")
        bench.clock = 4_000
        #expect(
            try bench.apply(ControlBench.lift("s2"), id: "l1", by: ControlBench.lifters, origin: origin).result
                == .refused(.signerNotAllowed))
        #expect(
            try bench.apply(ControlBench.lift("s1"), id: "l2", by: ControlBench.lifters, origin: origin).result
                == .applied)
    }

    @Test func anApprovalIsAsNewAsItsLastDecision() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        bench.clock = 4_000
        try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters)
        bench.clock = 4_200
        let renewed = try Setup.under(bench, decided: 4_100, received: 4_050) { setup in
            setup.facts.insert(Setup.approved("zoe", RFC3339.text(ControlBench.at(-60))), at: 0)
        }
        #expect(renewed.decision.word == "issue")
        let old = try Setup.under(bench, decided: -60, received: 4_050)
        #expect(old.decision.codes == [.humanApprovalReapprovalRequired])
    }

    @Test func aConsentFromBeforeTheLiftDoesNotCount() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop("s1", .everything), id: "e1")
        bench.clock = 4_000
        try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters)
        bench.clock = 4_300
        func decision(_ approvals: (String, Int64)...) throws -> Decision {
            try Setup.under(bench, decided: 4_100, received: 4_050) { setup in
                setup.use("distinct", approvers: [])
                setup.facts = approvals.map { person, at in
                    Setup.approved(person, RFC3339.text(ControlBench.at(at)), jobClass: "distinct")
                }
                setup.facts.append(
                    Setup.started(
                        from: RFC3339.text(ControlBench.at(4_100)), to: RFC3339.text(ControlBench.at(7_000)),
                        jobClass: "distinct"))
            }.decision
        }
        #expect(try decision(("mina", 4_100), ("zoe", 4_200)).word == "issue")
        let mixed = try decision(("mina", -60), ("zoe", 4_200))
        #expect(mixed.word == "deny" && mixed.codes == [.humanApprovalReapprovalRequired])
        // At the instant of the lift is not after it.
        #expect(try decision(("mina", 4_000), ("zoe", 4_200)).codes == [.humanApprovalReapprovalRequired])
        // Whoever decided before neither helps nor harms where enough others decided since.
        #expect(try decision(("jonas", -60), ("mina", 4_100), ("zoe", 4_200)).word == "issue")
    }

    @Test func aStopOfAnUnknownDeclarerTakesOnePersonMore() throws {
        for people in [[], [ControlBench.mina, Actor.unreadable]] {
            var bench = ControlBench()
            try bench.apply(
                ControlBench.stop(), id: "e1", by: people,
                origin: .approvalSource(SourceName("pager"), signer: KeyID("k")))
            bench.clock = 4_000
            let crowd = (1...5).map { Actor(id: PersonID("lifter-\($0)")) }
            let needed = people.isEmpty ? 3 : 4
            #expect(
                try bench.apply(ControlBench.lift(), id: "l1", by: Array(crowd.prefix(needed - 1))).result
                    == .refused(.tooFewPeople))
            #expect(
                try bench.apply(ControlBench.lift(), id: "l2", by: Array(crowd.prefix(needed))).result == .applied)
        }
    }

    @Test func aKeyThatMayOnlyStopLiftsNothing() throws {
        var bench = ControlBench()
        let key = try #require(Setup.signer?.publicKey)
        bench.rules = ControlRules(signers: [key.kid: .init(key: key, operations: [.stop])])
        let origin = ControlOrigin.controlTopic(signer: key.kid)
        try bench.apply(ControlBench.stop(), id: "e1", origin: origin)
        bench.clock = 4_000
        #expect(
            try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters, origin: origin).result
                == .refused(.signerNotAllowed))
    }

    @Test func moreDeclarersTakeMoreLifters() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1", by: [ControlBench.mina, ControlBench.avery])
        bench.clock = 4_000
        #expect(
            try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters).result == .refused(.tooFewPeople))
    }

    @Test func aStopOfAnUnknownNameHolds() throws {
        var bench = ControlBench()
        let outcome = try bench.apply(ControlBench.stop("s1", ControlBench.scope(.jobClass, "nowhere")), id: "e1")
        #expect(outcome.result == .applied && bench.state.activeStops.count == 1)
        #expect(try Setup.under(bench, decided: 1).decision.word == "issue")
        let stopped = try Setup.under(bench, decided: 1) { $0.jobClass = "nowhere" }.decision
        #expect(stopped.codes == [.capabilityStopped])
    }

    @Test func aStopDatedInTheFutureHoldsNow() throws {
        var bench = ControlBench()
        #expect(try bench.apply(ControlBench.stop(), id: "e1", declared: 1_000_000).result == .applied)
        #expect(bench.state.activeStops.map(\.declaredAt) == [ControlBench.noon])
        #expect(try Setup.under(bench).decision.codes == [.capabilityStopped])
    }

    @Test func aDrillDeniesNothing() throws {
        var bench = ControlBench()
        let drill = ControlOperation.drill(.init(drillID: "d1", scope: .everything))
        let outcome = try bench.apply(drill, id: "e1")
        #expect(outcome.result == .applied && outcome.changes.isEmpty && outcome.effects.cutoffs.isEmpty)
        #expect(bench.state.isOpen && bench.state.position == 1)
        #expect(outcome.effects.receipt["operation"] == "drill" && outcome.effects.receipt["grants_before"] == 7)
        #expect(try bench.apply(drill, id: "e2").result == .applied)
        #expect(try Setup.under(bench, decided: 1).decision.word == "issue")
    }

    @Test func aCutOffIsNewerThanEveryToken() throws {
        var bench = ControlBench()
        bench.newestIssuedAt = ControlBench.at(90)
        let ahead = try bench.apply(ControlBench.stop(), id: "e1").effects.cutoffs
        #expect(ahead.map(\.notIssuedBefore) == [ControlBench.at(91)])
        bench.clock = 200
        let behind = try bench.apply(ControlBench.stop("s2"), id: "e2").effects
        #expect(behind.cutoffs.map(\.notIssuedBefore) == [ControlBench.at(201)])
        #expect(behind.revocations.map(\.cause) == [.stopped])
        #expect(try bench.apply(ControlBench.stop("s3", revokes: false), id: "e3").effects.cutoffs.isEmpty)
    }

    @Test func aClockThatIsSetBackTakesNothingBack() throws {
        var bench = ControlBench()
        bench.clock = 3_600
        let first = try bench.apply(ControlBench.stop(), id: "e1", declared: 0).effects.cutoffs
        #expect(first.map(\.notIssuedBefore) == [ControlBench.at(3_601)])
        bench.clock = 100
        let second = try bench.apply(ControlBench.stop("s2"), id: "e2").effects.cutoffs
        #expect(second.map(\.notIssuedBefore) == [ControlBench.at(3_601)])
        let other = try bench.apply(ControlBench.stop("s3", ControlBench.scope(.jobClass, "run")), id: "e3").effects
        #expect(other.cutoffs.map(\.notIssuedBefore) == [ControlBench.at(101)])
        // Nor does the lift let through what was decided before the stop, nor a stop after it spare what the first voided.
        let lift = try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters)
        #expect(lift.result == .applied)
        #expect(bench.state.barrier(of: ControlBench.scope(.jobClass, "ref"))?.barrier.at == ControlBench.at(3_600))
        bench.clock = 150
        try bench.apply(ControlBench.lift("s2"), id: "l2", by: ControlBench.lifters)
        let third = try bench.apply(ControlBench.stop("s4"), id: "e4").effects.cutoffs
        #expect(third.map(\.notIssuedBefore) == [ControlBench.at(3_601)])
    }

    static func lifted() throws -> ControlBench {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop(), id: "e1")
        bench.clock = 4_000
        #expect(try bench.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters).result == .applied)
        return bench
    }
}
