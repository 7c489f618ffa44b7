import ClawWire
import Testing

@testable import IssuanceRules

/// The table of `docs/control-events.md`: revocations and restrictions, one test a row.
@Suite struct RestrictionTableTests {
    private static let disable = ControlOperation.disableElevated(.init(reach: .everywhere, revokesLive: false))
    private static let enable = ControlOperation.enableElevated(.everywhere)
    private static let ref = ControlOperation.Reach.jobClass(JobClass("ref"))

    // MARK: Revocations

    @Test(arguments: [
        (StopScope.Kind.approval, "a1"), (.request, "r1"), (.job, "job-1"), (.agent, "did:key:z6MkAgent"),
        (.subject, "Avery"), (.issuerKey, Setup.kid.rawValue), (.jti, "token-1"),
    ])
    func aRevocationOfSomethingUnknownPreventsIt(kind: StopScope.Kind, value: String) throws {
        var bench = ControlBench()
        let outcome = try bench.apply(ControlBench.revoke(kind, value), id: "e1")
        #expect(outcome.result == .applied)
        #expect(outcome.effects.cutoffs.isEmpty == (kind == .jti))
        #expect(outcome.effects.revocations.map(\.scope.kind) == [kind])
        bench.clock = 60
        let later = try Setup.under(bench, decided: 30, received: 20) {
            $0.signingKey = Setup.kid
            $0.tokenID = TokenID("token-1")
        }
        #expect(later.decision.word == "deny" && later.decision.codes == [.tokenRevoked])
        #expect(bench.state.needsTokenID == (kind == .jti))
    }

    // MARK: What a stop covers

    @Test(arguments: [(StopScope.Kind.policyHash, Setup.hash.b64u), (.policyID, "pol-1")])
    func aStopOfAWPCStopsWhatNamesIt(kind: StopScope.Kind, value: String) throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop("s1", ControlBench.scope(kind, value)), id: "e1")
        bench.clock = 60
        let bound = try Setup.under(bench, decided: 30, received: 20) { $0.bind { $0.policyID = "pol-1" } }
        #expect(bound.decision.word == "deny" && bound.decision.codes == [.capabilityStopped])
        let other = try Setup.under(bench, decided: 30, received: 20)
        #expect(other.decision.word == "issue")
    }

    @Test func aStopOfASourceStopsWhatRestsOnIt() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.stop("s1", ControlBench.scope(.source, "pim")), id: "e1")
        bench.clock = 60
        let resting = try Setup.under(bench, decided: 30, received: 20)
        #expect(resting.decision.word != "issue" && resting.decision.codes.contains(.capabilityStopped))
    }

    @Test func aStopOfAnEntitlementStopsWhatRestsOnIt() throws {
        let entitlement = Entitlement(kind: .group, id: "G-ENT", scope: "Member")
        func decision(_ bench: ControlBench) throws -> Decision {
            try Setup.under(bench, decided: 30, received: 20) { setup in
                setup.jobClass = "ent"
                setup.approvalID = nil
                setup.subject = "avery"
                for index in setup.facts.indices {
                    setup.facts[index].jobClass = nil
                    setup.facts[index].entitlement = entitlement
                }
            }.decision
        }
        var open = ControlBench()
        open.clock = 60
        #expect(try decision(open).word == "issue")
        for value in entitlement.scopeValues {
            var bench = open
            try bench.apply(ControlBench.stop("s1", ControlBench.scope(.entitlement, value)), id: "e1")
            let stopped = try decision(bench)
            #expect(stopped.word != "issue" && stopped.codes.contains(.capabilityStopped), "\(value)")
        }
    }

    @Test func aRevokedHashIsKnown() throws {
        var bench = ControlBench()
        let hash = Digest(hashing: "token")
        try bench.apply(ControlBench.revoke(.token, hash.hex.uppercased()), id: "e1")
        #expect(bench.state.revokes(tokenHash: hash) && !bench.state.revokes(tokenHash: Digest(hashing: "other")))
    }

    @Test func aRevocationOfWhatIsForGoodIsMadeOnce() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.revoke(.request, "r1"), id: "e1")
        #expect(try bench.apply(ControlBench.revoke(.request, "r1"), id: "e1").result == .repeated(of: 1))
        #expect(try bench.apply(ControlBench.revoke(.request, "r1"), id: "e2").result == .repeated(of: 1))
    }

    @Test func aRevocationOfWhatIsForGoodIsNeverLifted() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.revoke(.job, "job-1", id: "v1"), id: "e1")
        bench.clock = 4_000
        #expect(
            try bench.apply(ControlBench.lift("v1"), id: "l1", by: ControlBench.lifters).result == .refused(.forGood))
    }

    @Test func aRevokedAgentComesBackByALift() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.revoke(.agent, "did:key:z6MkAgent", id: "v1"), id: "e1")
        #expect(
            try bench.apply(ControlBench.revoke(.agent, "did:key:z6MkAgent", id: "v1"), id: "e2").result
                == .repeated(of: 1))
        bench.clock = 4_000
        #expect(try Setup.under(bench, decided: 3_999).decision.codes == [.tokenRevoked])
        #expect(try bench.apply(ControlBench.lift("v1"), id: "l1", by: ControlBench.lifters).result == .applied)
        #expect(try Setup.under(bench, decided: 3_999).decision.codes == [.humanApprovalReapprovalRequired])
        #expect(try Setup.under(bench, decided: 4_001).decision.word == "issue")
    }

    @Test func aRevocationThatPermitsReapprovalOnlyEndsWhatWas() throws {
        var bench = ControlBench()
        let revoke = ControlBench.revoke(.agent, "did:key:z6MkAgent", permitsReapproval: true)
        let outcome = try bench.apply(revoke, id: "e1")
        #expect(outcome.effects.cutoffs.map(\.notIssuedBefore) == [ControlBench.at(1)])
        #expect(try bench.apply(revoke, id: "e1").result == .repeated(of: 1))
        #expect(try Setup.under(bench, decided: 0).decision.codes == [.humanApprovalReapprovalRequired])
        #expect(try Setup.under(bench, decided: 1).decision.word == "issue")
        bench.clock = 10
        #expect(try bench.apply(revoke, id: "e2").result == .applied)
        #expect(try Setup.under(bench, decided: 9).decision.codes == [.humanApprovalReapprovalRequired])
    }

    // MARK: Elevation and proxy

    @Test func enablingWithoutDisablingDoesNothing() throws {
        var bench = ControlBench()
        #expect(try bench.apply(Self.enable, id: "e1").result == .withoutEffect)
        #expect(try bench.apply(.releaseProxy(.everywhere), id: "e2").result == .withoutEffect)
        #expect(try bench.apply(Self.disable, id: "e3", declared: -10).result == .applied)
        #expect(!bench.state.isOpen)
    }

    @Test func enablingThatIsOlderThanDisablingIsRefused() throws {
        var bench = ControlBench()
        try bench.apply(Self.disable, id: "e1")
        bench.clock = 10
        for declared in [Int64(-5), 0] {
            #expect(
                try bench.apply(Self.enable, id: "e2", declared: declared).result == .refused(.olderThanRestriction))
        }
        #expect(try bench.apply(Self.enable, id: "e3", declared: 311).result == .refused(.datedInFuture))
        #expect(try bench.apply(Self.enable, id: "e4", declared: 1).result == .applied)
        #expect(bench.state.isOpen)
    }

    @Test func disablingAgainAsksForANewerEnabling() throws {
        var bench = ControlBench()
        try bench.apply(Self.disable, id: "e1")
        #expect(try bench.apply(Self.disable, id: "e1").result == .repeated(of: 1))
        bench.clock = 20
        #expect(try bench.apply(Self.disable, id: "e2").result == .applied)
        #expect(try bench.apply(Self.disable, id: "e3", declared: 5).result == .repeated(of: 2))
        #expect(try bench.apply(Self.enable, id: "e4", declared: 10).result == .refused(.olderThanRestriction))
    }

    @Test func enablingTwiceChangesNothing() throws {
        var bench = ControlBench()
        try bench.apply(Self.disable, id: "e1")
        bench.clock = 10
        try bench.apply(Self.enable, id: "e2")
        #expect(try bench.apply(Self.enable, id: "e2").result == .repeated(of: 2))
        #expect(try bench.apply(Self.enable, id: "e3").result == .repeated(of: 2))
        #expect(try bench.apply(Self.disable, id: "e1", declared: 0).result == .repeated(of: 2))
        #expect(bench.state.isOpen)
        bench.clock = 20
        try bench.apply(Self.disable, id: "e4")
        #expect(try bench.apply(Self.enable, id: "e2", declared: 10).result == .refused(.olderThanRestriction))
    }

    @Test func enablingAClassLeavesWhatHoldsEverywhere() throws {
        var bench = ControlBench()
        try bench.apply(Self.disable, id: "e1")
        try bench.apply(.disableElevated(.init(reach: Self.ref, revokesLive: false)), id: "e2")
        bench.clock = 10
        #expect(try bench.apply(.enableElevated(Self.ref), id: "e3").result == .applied)
        #expect(bench.state.elevationOrder(for: JobClass("ref")) != nil)
        #expect(try bench.apply(Self.enable, id: "e4").result == .applied)
        #expect(bench.state.isOpen)
    }

    @Test func elevatedTokensAreRevokedWhenSaid() throws {
        var bench = ControlBench()
        let outcome = try bench.apply(.disableElevated(.init(reach: Self.ref, revokesLive: true)), id: "e1")
        #expect(outcome.effects.cutoffs.isEmpty)
        #expect(
            outcome.effects.revocations == [
                ControlRevocation(
                    scope: ControlBench.scope(.jobClass, "ref"), part: .elevated, cause: .elevationDisabled)
            ])
        #expect(try bench.apply(Self.disable, id: "e2").effects.revocations.isEmpty)
    }

    @Test func theProxyIsRequiredUntilItIsReleased() throws {
        var bench = ControlBench()
        try bench.apply(.requireProxy(.init(reach: Self.ref, revokesLive: false)), id: "e1")
        func decision(_ bench: ControlBench, proxy: Bool, receipts: Bool = true) throws -> Decision {
            try Setup.under(bench, decided: 1) { setup in
                setup.bind {
                    $0.requiresProxy = proxy
                    $0.requiresReceipts = receipts
                }
            }.decision
        }
        #expect(try decision(bench, proxy: false).codes == [.policyProxyRequired])
        #expect(try decision(bench, proxy: true, receipts: false).codes == [.policyReceiptsRequired])
        #expect(try decision(bench, proxy: true).word == "issue")
        #expect(
            try Setup.under(bench, decided: 1).decision.codes == [.policyProxyRequired, .policyReceiptsRequired])
        bench.clock = 10
        #expect(try bench.apply(.releaseProxy(Self.ref), id: "e2").result == .applied)
        #expect(try decision(bench, proxy: false).word == "issue")
    }

    @Test func unproxiedTokensAreRevokedWhenSaid() throws {
        var bench = ControlBench()
        let quiet = ControlOperation.requireProxy(.init(reach: Self.ref, revokesLive: false))
        let loud = ControlOperation.requireProxy(.init(reach: Self.ref, revokesLive: true))
        let first = try bench.apply(quiet, id: "e1")
        #expect(first.result == .applied && first.effects.revocations.isEmpty && first.effects.cutoffs.isEmpty)
        #expect(try bench.apply(quiet, id: "e2").result == .repeated(of: 1))
        let second = try bench.apply(loud, id: "e3")
        #expect(second.result == .applied && second.effects.cutoffs.isEmpty)
        #expect(
            second.effects.revocations == [
                ControlRevocation(scope: ControlBench.scope(.jobClass, "ref"), part: .unproxied, cause: .proxyRequired)
            ])
        #expect(try bench.apply(loud, id: "e3").result == .repeated(of: 2))
    }

    // MARK: Policies

    private func words(_ bench: ControlBench, _ policies: String?...) throws -> [String] {
        try policies.map { name in
            try Setup.under(bench, decided: 1) { setup in
                guard let name else { return }
                setup.policyHash = Digest(hashing: name)
                setup.wpc = .available(IssuancePolicy(form: .runbookInV1), hash: Digest(hashing: name))
            }.decision.word
        }
    }

    @Test func aRotatedPolicyGivesNoMoreTokens() throws {
        var bench = ControlBench()
        let outcome = try bench.apply(ControlBench.rotate("A", "B", revoke: true), id: "e1")
        #expect(outcome.effects.revocations.map(\.part) == [.pinned(Digest(hashing: "A"))])
        #expect(outcome.effects.revocations.map(\.cause) == [.policyRotated])
        #expect(outcome.effects.cutoffs.isEmpty)
        #expect(try words(bench, "A", "B", "C", nil) == ["deny", "issue", "issue", "deny"])
    }

    @Test func rotatingTwiceIsRotatingOnce() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.rotate("A", "B"), id: "e1")
        #expect(try bench.apply(ControlBench.rotate("A", "B"), id: "e1").result == .repeated(of: 1))
        #expect(try bench.apply(ControlBench.rotate("A", "B"), id: "e2").result == .repeated(of: 1))
        #expect(try bench.apply(ControlBench.rotate("A", "A"), id: "e3").result == .withoutEffect)
    }

    @Test func rotationsFollowEachOther() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.rotate("A", "B"), id: "e1")
        bench.clock = 10
        try bench.apply(ControlBench.rotate("B", "C"), id: "e2")
        #expect(try words(bench, "A", "B", "C") == ["deny", "deny", "issue"])
    }

    @Test func rotatingBackAllowsTheOldPolicy() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.rotate("A", "B"), id: "e1")
        bench.clock = 10
        try bench.apply(ControlBench.rotate("B", "A"), id: "e2")
        #expect(try words(bench, "A", "B") == ["issue", "deny"])
        #expect(try bench.apply(ControlBench.rotate("A", "B"), id: "e1", declared: 0).result == .repeated(of: 2))
    }

    @Test func rotatingBackThatIsOlderAllowsNothing() throws {
        var bench = ControlBench()
        try bench.apply(ControlBench.rotate("B", "A"), id: "e2", declared: -10)
        bench.clock = 10
        try bench.apply(ControlBench.rotate("A", "B"), id: "e1", declared: -20)
        #expect(try words(bench, "A", "B") == ["deny", "deny"])
    }

    @Test func aRotationOfEverythingLeavesOnePolicy() throws {
        var bench = ControlBench()
        let outcome = try bench.apply(ControlBench.rotate(nil, "B", revoke: true), id: "e1")
        #expect(outcome.effects.revocations.map(\.part) == [.notPinned(Digest(hashing: "B"))])
        #expect(try words(bench, "A", "B", "C", nil) == ["deny", "issue", "deny", "deny"])
        bench.clock = 10
        try bench.apply(ControlBench.rotate("B", "C"), id: "e2")
        #expect(try words(bench, "A", "B", "C") == ["deny", "deny", "issue"])
    }

    // MARK: Keys

    @Test func aSuspectKeySignsNothing() throws {
        var bench = ControlBench()
        let since = ControlBench.at(-500)
        let suspect = ControlOperation.suspectKey(.init(kid: Setup.kid, since: since))
        let effects = try bench.apply(suspect, id: "e1").effects
        #expect(effects.cutoffs.map(\.isForever) == [true] && effects.cutoffs.map(\.issuedSince) == [since])
        #expect(effects.cutoffs.allSatisfy { $0.voids(issuedAt: since) && !$0.voids(issuedAt: ControlBench.at(-501)) })
        #expect(effects.revocations.map(\.part) == [.issuedSince(since)])
        let signed = try Setup.under(bench, decided: 1) { $0.signingKey = Setup.kid }.decision
        #expect(signed.word == "wait" && signed.codes == [.tokenKeySuspect])
        #expect(try Setup.under(bench, decided: 1) { $0.signingKey = KeyID("other") }.decision.word == "issue")
    }

    @Test func suspectingAKeyThatSignsNoTokensIsRefused() throws {
        var bench = ControlBench()
        bench.otherKeys = [KeyID("log"), KeyID("envelope")]
        for since in [nil, ControlBench.at(-500)] {
            for kid in ["log", "envelope"] {
                let outcome = try bench.apply(.suspectKey(.init(kid: KeyID(kid), since: since)), id: "e-\(kid)")
                #expect(outcome.result == .refused(.signsNoTokens))
                #expect(!outcome.isRecorded && outcome.effects.cutoffs.isEmpty && outcome.effects.revocations.isEmpty)
            }
        }
        #expect(try bench.apply(.suspectKey(.init(kid: Setup.kid, since: nil)), id: "e2").result == .applied)
        // A stop of such a key is not refused: no stop is. It holds, and nothing is ever in its scope.
        #expect(
            try bench.apply(ControlBench.stop("s", ControlBench.scope(.issuerKey, "log")), id: "e3").result == .applied)
    }

    @Test func noCutOffOfAKeyTakesBackWhatAnEarlierOneVoids() throws {
        let scope = StopScope(kind: .issuerKey, value: Setup.kid.rawValue)
        let suspect = ControlOperation.suspectKey(.init(kid: Setup.kid, since: ControlBench.at(-500)))
        let stop = ControlOperation.stop(.init(stopID: "s", scope: scope, revokesLive: true))
        let revoke = ControlOperation.revoke(.init(scope: scope, permitsReapproval: true))
        for earlier in [stop, revoke] {
            var bench = ControlBench()
            #expect(try bench.apply(earlier, id: "e1").effects.cutoffs.map(\.isForever) == [false])
            let after = try bench.apply(suspect, id: "e2").effects
            #expect(after.cutoffs.map(\.isForever) == [true] && after.cutoffs.map(\.issuedSince) == [nil])
            var reversed = ControlBench()
            try reversed.apply(suspect, id: "e1")
            let later = try reversed.apply(earlier, id: "e2").effects
            #expect(later.cutoffs.map(\.isForever) == [true] && later.cutoffs.map(\.issuedSince) == [nil])
        }
    }

    @Test func suspectingTwiceOnlyReachesFurtherBack() throws {
        var bench = ControlBench()
        func suspect(_ seconds: Int64?) -> ControlOperation {
            .suspectKey(.init(kid: Setup.kid, since: seconds.map(ControlBench.at)))
        }
        try bench.apply(suspect(-500), id: "e1")
        #expect(try bench.apply(suspect(-500), id: "e1").result == .repeated(of: 1))
        #expect(try bench.apply(suspect(-100), id: "e2").result == .repeated(of: 1))
        #expect(try bench.apply(suspect(-900), id: "e3").result == .applied)
        #expect(try bench.apply(suspect(nil), id: "e4").result == .applied)
        #expect(try bench.apply(suspect(-900), id: "e5").result == .repeated(of: 3))
    }
}
