import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

/// Control events in any order and any number of times.
@Suite struct ControlPropertyTests {
    private static let scopes: [StopScope] = [
        .everything, StopScope(kind: .jobClass, value: "ref"), StopScope(kind: .jobClass, value: "ent"),
        StopScope(kind: .agent, value: "did:key:z6MkAgent"), StopScope(kind: .subject, value: "avery"),
        StopScope(kind: .approval, value: "a1"), StopScope(kind: .request, value: "r1"),
        StopScope(kind: .job, value: "job-1"), StopScope(kind: .entitlement, value: "group:g-ent"),
        StopScope(kind: .policyHash, value: Setup.hash.b64u), StopScope(kind: .policyID, value: "pol-1"),
        StopScope(kind: .source, value: "pim"), StopScope(kind: .issuerKey, value: Setup.kid.rawValue),
        StopScope(kind: .jti, value: "token-1"), StopScope(kind: .source, value: "requests"),
    ]

    private static let reaches: [ControlOperation.Reach] = [.everywhere, .jobClass(JobClass("ref"))]

    private static func takesAway(_ dice: inout SeededGenerator, _ number: Int) -> ControlOperation {
        switch Int.random(in: 0..<6, using: &dice) {
        case 0:
            let scope = dice.pick(scopes.filter { $0.kind != .jti })
            return .stop(.init(stopID: "s\(number % 4)", scope: scope, revokesLive: dice.chance(50)))
        case 1:
            return .revoke(.init(scope: dice.pick(scopes), permitsReapproval: dice.chance(30)))
        case 2:
            // Forward only: rotations that lead in a circle are ordered by their times.
            return .rotatePolicy(
                .init(
                    jobClass: JobClass("ref"), from: dice.chance(20) ? nil : Setup.hash,
                    to: Digest(hashing: "strict"), running: .keep))
        case 3: return .disableElevated(.init(reach: dice.pick(reaches), revokesLive: dice.chance(50)))
        case 4: return .requireProxy(.init(reach: dice.pick(reaches), revokesLive: dice.chance(50)))
        default:
            return .suspectKey(
                .init(kid: Setup.kid, since: dice.chance(50) ? nil : ControlBench.at(.random(in: -9...9, using: &dice)))
            )
        }
    }

    /// Requests that the judgement is compared on.
    private static func probes(_ state: ControlState, at clock: Int64) throws -> [Decision] {
        var bench = ControlBench()
        bench.state = state
        bench.clock = clock
        var decisions: [Decision] = []
        for decided in [Int64(-60), clock, clock + 60] {
            for variant in 0..<4 {
                let setup = try Setup.under(bench, decided: decided, received: decided) { setup in
                    setup.signingKey = variant == 1 ? KeyID("other") : Setup.kid
                    setup.tokenID = TokenID("token-\(variant)")
                    switch variant {
                    case 1: setup.agent = "did:key:z6MkOther"
                    case 2:
                        setup.bind {
                            $0.policyID = "pol-1"
                            $0.requiresProxy = true
                        }
                    case 3:
                        setup.requestID = "r2"
                        setup.jobID = "job-2"
                        setup.bind { $0.requiresReceipts = true }
                    default: break
                    }
                }
                decisions.append(setup.decision)
            }
        }
        return decisions
    }

    private static func judgement(_ state: ControlState, at clock: Int64 = 0) throws -> [Set<ReasonCode>] {
        try probes(state, at: clock).map { Set($0.codes) }
    }

    private static func apply(_ events: [ControlEvent], at clock: Int64 = 0) throws -> ControlBench {
        var bench = ControlBench()
        bench.clock = clock
        for event in events { try bench.apply(event) }
        return bench
    }

    @Test(arguments: 0..<40)
    func whatTakesAwayConvergesInAnyOrder(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        let events = (0..<Int.random(in: 2...7, using: &dice)).map { number in
            ControlBench.event(Self.takesAway(&dice, number), id: "e\(number)")
        }
        let expected = try Self.judgement(try Self.apply(events).state)
        for _ in 0..<3 {
            let delivered = (events + dice.subset(events)).shuffled(using: &dice)
            let state = try Self.apply(delivered).state
            #expect(try Self.judgement(state) == expected)
        }
    }

    @Test(arguments: 0..<30)
    func stopsAndTheirLiftsConvergeInAnyOrder(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed) + 1_000)
        var events: [ControlEvent] = []
        for number in 0..<Int.random(in: 1...4, using: &dice) {
            let stop = ControlOperation.stop(
                .init(stopID: "s\(number)", scope: dice.pick(Self.scopes.filter { $0.kind != .jti }), revokesLive: true)
            )
            events.append(ControlBench.event(stop, id: "stop-\(number)"))
            guard dice.chance(70) else { continue }
            let authority = dice.chance(70) ? ControlBench.fresh : ControlBench.stale
            events.append(
                ControlBench.event(
                    ControlBench.lift("s\(number)", approval: authority), id: "lift-\(number)",
                    by: ControlBench.lifters, declared: ControlBench.at(dice.chance(85) ? 3_500 : -1)))
        }
        let expected = try Self.judgement(try Self.apply(events, at: 4_000).state, at: 4_000)
        for _ in 0..<3 {
            let delivered = (events + dice.subset(events)).shuffled(using: &dice)
            let state = try Self.apply(delivered, at: 4_000).state
            #expect(try Self.judgement(state, at: 4_000) == expected)
        }
    }

    @Test(arguments: 0..<40)
    func whatTakesAwayNeverLetsAnythingThrough(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed) + 2_000)
        var state = ControlState.none
        var before = try Self.probes(state, at: 0)
        for number in 0..<8 {
            let event = ControlBench.event(Self.takesAway(&dice, number), id: "e\(number)")
            var bench = ControlBench()
            bench.state = state
            try bench.apply(event)
            state = bench.state
            let after = try Self.probes(state, at: 0)
            for (old, new) in zip(before, after) where old.word != "issue" {
                #expect(new.word != "issue", "\(event.operation)")
            }
            before = after
        }
    }

    /// A lift, an enabling and a release end no more than what they name, and never before they are told.
    @Test(arguments: 0..<40)
    func nothingIsIssuedUnderAStopThatHolds(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed) + 3_000)
        var bench = ControlBench()
        bench.clock = 4_000
        var events: [ControlEvent] = []
        for number in 0..<10 {
            let operation: ControlOperation
            switch Int.random(in: 0..<5, using: &dice) {
            case 0: operation = ControlBench.lift("s\(number % 4)", approval: dice.pick([ControlBench.fresh, nil]))
            case 1: operation = .enableElevated(dice.pick(Self.reaches))
            case 2: operation = .releaseProxy(dice.pick(Self.reaches))
            default: operation = Self.takesAway(&dice, number)
            }
            events.append(
                ControlBench.event(
                    operation, id: "e\(number)",
                    by: operation.kind == .lift ? ControlBench.lifters : [ControlBench.mina],
                    declared: ControlBench.at(.random(in: 0...3_900, using: &dice))))
        }
        for event in events + dice.subset(events) {
            try bench.apply(event)
            let held = bench.state.activeStops
            for decision in try Self.probes(bench.state, at: 4_000) where decision.word == "issue" {
                let covers: Set<StopScope.Kind> = [.all]
                #expect(!held.contains { covers.contains($0.scope.kind) || $0.scope.value == "ref" })
            }
        }
    }

    @Test(arguments: 0..<60)
    func whatIsStoredIsReadBack(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed) + 4_000)
        let people = dice.subset([
            ControlBench.mina, Actor(id: PersonID("é\u{1F600}"), name: "a \"b\"", upn: "x@y.example", kind: .system),
        ])
        let origins: [ControlOrigin] = [
            .controlTopic(signer: Setup.kid), .approvalSource(SourceName("s"), signer: nil),
            .approvalSource(SourceName("s"), signer: Setup.kid), .ledger(by: PersonID("oncall")),
        ]
        let operations = [
            Self.takesAway(&dice, seed), ControlBench.lift(approval: nil, policy: Setup.hash, scope: .everything),
            .drill(.init(drillID: "d", scope: dice.pick(Self.scopes))), .enableElevated(dice.pick(Self.reaches)),
            .releaseProxy(dice.pick(Self.reaches)),
        ]
        for operation in operations {
            let event = ControlEvent(
                id: ControlEventID(String(repeating: "x", count: .random(in: 1...200, using: &dice))),
                declaredAt: Timestamp(microseconds: .random(in: 0...4_000_000_000_000_000, using: &dice)),
                declaredBy: people, origin: dice.pick(origins), operation: operation,
                reason: dice.chance(50) ? "why" : nil, incident: dice.chance(50) ? "INC" : nil,
                recordDigest: dice.chance(50) ? Setup.hash : nil)
            #expect(try ControlEvent(encoded: event.encoded) == event)
            #expect(event.id.rawValue.utf8.count <= ControlEventID.maximumBytes)
        }
    }

    @Test func aRowOfAnotherKeyIsRefused() throws {
        var bench = ControlBench()
        let order = try #require(try bench.apply(ControlBench.stop(), id: "e1").changes.first)
        #expect(throws: StorageError.self) { try ControlOrder(key: "stop/x", body: order.body, position: 1) }
        #expect(throws: StorageError.self) { try ControlOrder(key: order.key, body: [0x7B], position: 1) }
        #expect(throws: StorageError.self) {
            try ControlOrder(key: order.key, body: Array("{\"order\":\"planet\"}".utf8), position: 1)
        }
    }
}
