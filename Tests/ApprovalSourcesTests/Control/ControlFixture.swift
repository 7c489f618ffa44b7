import ClawWire
import IssuanceRules
import Testing

@testable import ApprovalSources

/// Keys, rules and events of the control topic.
enum ControlFixture {
    static let noon = Timestamp(rfc3339: "2026-11-20T12:00:00Z") ?? Timestamp(seconds: 0)
    static let soc = NativeFixtures.signer(21)
    static let owner = NativeFixtures.signer(22)
    static let desk = NativeFixtures.signer(23)
    static let stranger = NativeFixtures.signer(24)
    static let maintenance = JobClass("prod_db_maintenance")
    static let mina = Actor(id: PersonID("mina"), name: "Mina Castellanos")
    static let jonas = Actor(id: PersonID("jonas"), name: "Jonas Lindqvist")

    /// The security operations centre may do everything, the owners may stop and lift one class, the desk may lift and
    /// enable.
    static let rules = ControlRules(signers: [
        soc.publicKey.kid: .init(key: soc.publicKey, operations: Set(ControlOperation.Kind.allCases)),
        owner.publicKey.kid: .init(
            key: owner.publicKey, operations: [.stop, .lift, .revoke], jobClasses: [maintenance]),
        desk.publicKey.kid: .init(key: desk.publicKey, operations: [.lift, .revoke, .enableElevated]),
    ])

    static let source = ControlSource(rules: rules)

    static func event(
        _ operation: ControlOperation, id: String = "e1", time: Timestamp? = noon,
        _ change: (inout JSONObject) -> Void = { _ in }
    ) -> CloudEvent {
        var event = ControlEmitter.event(
            operation, id: id, source: "/soc/harborline", by: operation.kind == .lift ? [mina, jonas] : [mina],
            at: noon, reason: "why", incident: "INC-77")
        event.time = time?.iso8601
        var data = event.json?.object ?? JSONObject()
        change(&data)
        event.data = .json(.object(data))
        return event
    }

    static func read(
        _ event: CloudEvent, by signer: SeedSigner = soc, mode: CloudEvent.Mode = .structured
    ) throws -> ControlReading {
        let signed = try NativeEventSigner(signer).sign(event)
        return source.read(signed.record(mode, topic: "claw.control.v1"), at: noon)
    }

    static func stop(_ kind: StopScope.Kind = .jobClass, _ value: String? = "prod_db_maintenance") -> ControlOperation {
        .stop(.init(stopID: "s1", scope: StopScope(kind: kind, value: value), revokesLive: false))
    }

    /// One of each.
    static let operations: [ControlOperation] = [
        stop(), stop(.all, nil),
        .lift(
            .init(
                stopID: "s1", reapproval: ApprovalID("a1"), policyHash: Digest(hashing: "new"),
                scope: StopScope(kind: .jobClass, value: "prod_db_maintenance"))),
        .lift(.init(stopID: "s1", reapproval: ApprovalID("a1"), policyHash: nil)),
        .revoke(.init(revocationID: "v1", scope: StopScope(kind: .agent, value: "did:key:z6MkAgent"))),
        .revoke(.init(scope: StopScope(kind: .token, value: Digest(hashing: "t").hex), permitsReapproval: true)),
        .rotatePolicy(
            .init(
                jobClass: maintenance, from: Digest(hashing: "A"), to: Digest(hashing: "B"), running: .revoke)),
        .rotatePolicy(.init(jobClass: maintenance, from: nil, to: Digest(hashing: "B"), running: .keep)),
        .disableElevated(.init(reach: .everywhere, revokesLive: true)),
        .enableElevated(.jobClass(maintenance)), .requireProxy(.init(reach: .everywhere, revokesLive: true)),
        .requireProxy(.init(reach: .jobClass(maintenance), revokesLive: false)), .releaseProxy(.jobClass(maintenance)),
        .suspectKey(.init(kid: soc.publicKey.kid, since: noon)), .suspectKey(.init(kid: KeyID("k"), since: nil)),
        .drill(.init(drillID: "d1", scope: StopScope(kind: .subject, value: "mina"))),
    ]
}

extension ControlReading {
    var event: ControlEvent? { if case .event(let event) = self { event } else { nil } }
    var fault: ControlFault? { if case .quarantined(let fault) = self { fault } else { nil } }
    var widened: [ControlEvent] { if case .widened(let events, _) = self { events } else { [] } }
    /// The scopes of the stops that it was widened to.
    var scopes: [String] { widened.compactMap(\.operation.scope?.text) }
}
