import ClawWire
import Testing

@testable import IssuanceRules

/// A ledger of control events in memory: applies them one after the other, and takes everything back from its rows.
struct ControlBench {
    static let noon = time("2026-11-20T12:00:00Z")
    static let fresh = ApprovalID("fresh")
    static let stale = ApprovalID("stale")
    static let newPolicy = Digest(hashing: "new policy")

    static let mina = Actor(id: PersonID("mina"))
    static let jonas = Actor(id: PersonID("jonas"))
    static let zoe = Actor(id: PersonID("zoe"))
    static let avery = Actor(id: PersonID("avery"))

    var state = ControlState.none
    /// Seconds after noon, by the ledger's clock.
    var clock: Int64 = 0
    var newestIssuedAt: Timestamp?
    var rules = ControlRules.none
    var otherKeys: Set<KeyID> = []
    var evidence = LiftEvidence(
        approvals: [
            fresh: .init(isGranted: true, decidedAt: noon.adding(seconds: 3_000)),
            stale: .init(isGranted: true, decidedAt: noon.adding(seconds: -3_000)),
            ApprovalID("pending"): .init(isGranted: false, decidedAt: nil),
        ],
        policies: [
            newPolicy: .init(isVerified: true, wasUsed: false),
            Digest(hashing: "used policy"): .init(isVerified: true, wasUsed: true),
            Digest(hashing: "broken policy"): .init(isVerified: false, wasUsed: false),
        ])

    static func at(_ seconds: Int64) -> Timestamp { noon.adding(seconds: seconds) }

    @discardableResult
    mutating func apply(_ event: ControlEvent) throws -> ControlOutcome {
        let context = ControlContext(
            at: Self.at(clock), newestIssuedAt: newestIssuedAt, grantsBefore: 7, rules: rules, evidence: evidence,
            otherKeys: otherKeys)
        let outcome = state.applying(event, in: context)
        #expect(outcome.state.position == state.position + (outcome.isRecorded ? 1 : 0))
        if outcome.isRecorded {
            #expect(outcome.effects.receipt["control_position"]?.integer == outcome.state.position)
        } else {
            #expect(outcome.state == state && outcome.changes.isEmpty && outcome.effects == ControlEffects())
        }
        // What the ledger keeps is the state.
        var reread = state
        reread.advance(
            to: outcome.state.position,
            with: try outcome.changes.map { try ControlOrder(key: $0.key, body: $0.body, position: $0.position) })
        #expect(reread == outcome.state)
        #expect(ControlState(position: reread.position, orders: reread.allOrders) == reread)
        #expect(try ControlEvent(encoded: event.encoded) == event)
        state = outcome.state
        return outcome
    }

    /// The result of an operation, declared now by the ledger's clock unless said otherwise.
    @discardableResult
    mutating func apply(
        _ operation: ControlOperation, id: String, by people: [Actor] = [mina], declared: Int64? = nil,
        origin: ControlOrigin = .ledger(by: PersonID("oncall"))
    ) throws -> ControlOutcome {
        try apply(
            Self.event(operation, id: id, by: people, declared: Self.at(declared ?? clock), origin: origin))
    }

    static func event(
        _ operation: ControlOperation, id: String, by people: [Actor] = [mina], declared: Timestamp = noon,
        origin: ControlOrigin = .ledger(by: PersonID("oncall"))
    ) -> ControlEvent {
        ControlEvent(
            id: ControlEventID(id), declaredAt: declared, declaredBy: people, origin: origin, operation: operation,
            reason: "why \(id)", incident: "INC-77")
    }

    static func stop(
        _ id: String = "s1", _ scope: StopScope = scope(.jobClass, "ref"), revokes: Bool = true
    ) -> ControlOperation {
        .stop(.init(stopID: id, scope: scope, revokesLive: revokes))
    }

    static func lift(
        _ id: String = "s1", approval: ApprovalID? = fresh, policy: Digest? = nil, scope: StopScope? = nil
    ) -> ControlOperation {
        .lift(.init(stopID: id, reapproval: approval, policyHash: policy, scope: scope))
    }

    static func revoke(
        _ kind: StopScope.Kind, _ value: String, id: String? = nil, permitsReapproval: Bool = false
    ) -> ControlOperation {
        .revoke(.init(revocationID: id, scope: scope(kind, value), permitsReapproval: permitsReapproval))
    }

    static func rotate(_ from: String?, _ to: String, revoke: Bool = false) -> ControlOperation {
        .rotatePolicy(
            .init(
                jobClass: JobClass("ref"), from: from.map { Digest(hashing: $0) }, to: Digest(hashing: to),
                running: revoke ? .revoke : .keep))
    }

    static func scope(_ kind: StopScope.Kind, _ value: String? = nil) -> StopScope {
        StopScope(kind: kind, value: value)
    }

    static let lifters = [jonas, zoe]
}

extension Setup {
    /// The request and its approval at an instant after noon, under a control state.
    ///
    /// - Parameters:
    ///   - bench: the control events so far.
    ///   - decided: seconds after noon at which the approver said yes.
    ///   - received: seconds after noon at which the request was read.
    static func under(
        _ bench: ControlBench, decided: Int64 = -60, received: Int64 = -120, change: (inout Setup) -> Void = { _ in }
    ) throws -> Setup {
        var setup = try Setup()
        let approvedAt = RFC3339.text(ControlBench.at(decided))
        setup.facts = [
            Self.approved("mina", approvedAt),
            Self.started(
                from: approvedAt, to: RFC3339.text(ControlBench.at(decided).adding(seconds: 3_600))),
        ]
        setup.receivedAt = ControlBench.at(received)
        setup.requestedAt = setup.receivedAt
        setup.now = ControlBench.at(max(bench.clock, decided + 1))
        setup.control = bench.state
        change(&setup)
        return setup
    }
}
