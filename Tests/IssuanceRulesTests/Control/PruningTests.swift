import ClawWire
import Testing

@testable import IssuanceRules

/// What is forgotten of the control state, and that nobody notices.
struct PruningTests {
    private static let later = ControlBench.at(1_000_000)

    /// A state with one order of every kind, ended ones among them.
    private func bench() throws -> ControlBench {
        var bench = try StopTableTests.lifted()
        try bench.apply(ControlBench.stop("holds", ControlBench.scope(.jobClass, "deploy")), id: "e2")
        for (index, kind) in [StopScope.Kind.token, .jti, .job, .request, .approval, .agent].enumerated() {
            let value = kind == .token ? Digest(hashing: "t").hex : kind == .agent ? "did:key:z6Mk" : "x"
            try bench.apply(ControlBench.revoke(kind, value), id: "r\(index)")
        }
        try bench.apply(ControlBench.lift("unknown"), id: "waits", by: ControlBench.lifters)
        try bench.apply(ControlBench.lift("early"), id: "used", by: ControlBench.lifters)
        try bench.apply(ControlBench.stop("early", ControlBench.scope(.jobClass, "run")), id: "e3", declared: -5)
        try bench.apply(ControlBench.rotate("A", "B"), id: "p1")
        try bench.apply(.suspectKey(.init(kid: KeyID("k"), since: nil)), id: "k1")
        return bench
    }

    private static func kinds(_ orders: [ControlOrder]) -> [String] {
        orders.map { order in
            switch order.content {
            case .stop(let stop): stop.isRevocation ? "revoked \(stop.scope.kind.rawValue)" : stop.stopID
            case .pendingLift(let pending): "lift of \(pending.lift.stopID)"
            case .barrier: "barrier"
            case .rotation: "rotation"
            case .elevation, .proxy: "switch"
            case .suspectKey: "suspect"
            }
        }
    }

    @Test func onlyWhatNobodyCanAskForIsForgotten() throws {
        let state = try bench().state
        let over = state.prunable(before: Self.later, limit: 100)
        #expect(Set(Self.kinds(over)) == ["s1", "early", "lift of early", "revoked token_hash", "revoked jti"])
        #expect(over.map(\.position) == over.map(\.position).sorted())
        #expect(state.prunable(before: Self.later, limit: 2) == Array(over.prefix(2)))
        #expect(state.prunable(before: ControlBench.at(-1_000), limit: 100).isEmpty)
    }

    @Test func whatIsLeftJudgesTheSame() throws {
        let full = try bench()
        let over = Set(full.state.prunable(before: Self.later, limit: 100).map(\.key))
        var rest = full
        rest.state = ControlState(
            position: full.state.position, orders: full.state.allOrders.filter { !over.contains($0.key) })
        let kept = full.state.activeStops.filter { !over.contains(ControlOrder(position: 0, content: .stop($0)).key) }
        #expect(rest.state.activeStops.map(\.stopID) == kept.map(\.stopID))
        for decided in [Int64(-60), 3_999, 4_100] {
            let before = try Setup.under(full, decided: decided).decision
            let after = try Setup.under(rest, decided: decided).decision
            #expect(before == after)
        }
        // A key that was cut off stays so, though its stop is forgotten: the barrier remembers.
        var keys = ControlBench()
        let scope = ControlBench.scope(.issuerKey, "k9")
        try keys.apply(ControlBench.stop("s1", scope), id: "e1")
        keys.clock = 4_000
        try keys.apply(ControlBench.lift(), id: "l1", by: ControlBench.lifters)
        let gone = Set(keys.state.prunable(before: Self.later, limit: 9).map(\.key))
        #expect(gone.count == 1)
        keys.state = ControlState(
            position: keys.state.position, orders: keys.state.allOrders.filter { !gone.contains($0.key) })
        let suspect = ControlOperation.suspectKey(.init(kid: KeyID("k9"), since: ControlBench.at(3_000)))
        #expect(try keys.apply(suspect, id: "e2").effects.cutoffs.map(\.issuedSince) == [nil])
    }
}
