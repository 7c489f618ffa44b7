public import ClawWire
public import IssuanceRules

/// The declarer's side: signed control events, ready for the topic.
public struct ControlEmitter: Sendable {
    private let signer: NativeEventSigner
    private let source: String

    /// Signs with a key that the rules list under `control`.
    ///
    /// - Parameters:
    ///   - signer: the key.
    ///   - source: the CloudEvents `source`, a URI reference that names the emitter.
    public init(signer: any Ed25519Signer, source: String) {
        self.signer = NativeEventSigner(signer)
        self.source = source
    }

    /// The signed event.
    ///
    /// - Parameters:
    ///   - operation: what it does.
    ///   - id: unique within the source; the same for every repeat.
    ///   - people: who declares it, or who lifts.
    ///   - declaredAt: when.
    ///   - reason: why, for people.
    ///   - incident: incident number.
    /// - Throws: what the signer throws.
    public func event(
        _ operation: ControlOperation, id: String, by people: [Actor], at declaredAt: Timestamp, reason: String? = nil,
        incident: String? = nil
    ) throws -> CloudEvent {
        try signer.sign(
            Self.event(
                operation, id: id, source: source, by: people, at: declaredAt, reason: reason, incident: incident))
    }

    /// The signed event as a record of the control topic; see ``event(_:id:by:at:reason:incident:)``.
    ///
    /// - Throws: what the signer throws.
    public func record(
        _ operation: ControlOperation, id: String, by people: [Actor], at declaredAt: Timestamp, reason: String? = nil,
        incident: String? = nil, topic: String, mode: CloudEvent.Mode = .structured
    ) throws -> SourceRecord {
        let event = try event(operation, id: id, by: people, at: declaredAt, reason: reason, incident: incident)
        return event.record(mode, topic: topic, key: Self.key(operation, id: id))
    }

    /// The event without a signature.
    public static func event(
        _ operation: ControlOperation, id: String, source: String, by people: [Actor], at declaredAt: Timestamp,
        reason: String? = nil, incident: String? = nil
    ) -> CloudEvent {
        var data = operation.json
        data["reason"] = reason.map { .string($0) }
        data["incident"] = incident.map { .string($0) }
        let key = operation.kind == .lift ? "lifted_by" : "declared_by"
        if !people.isEmpty || operation.kind == .lift { data[key] = .array(people.map(\.json)) }
        return CloudEvent(
            id: id, source: source, type: EventType.control(operation.kind), subject: operation.scope?.text,
            time: declaredAt, data: .json(.object(data)))
    }

    /// The record's key on the compacted topic: the scope, the operation and what names the order.
    ///
    /// A key of the scope alone would let compaction drop a stop for its lift, or for another stop of the same scope,
    /// before a reader that comes late has seen it; so only repeats of an event share a key.
    public static func key(_ operation: ControlOperation, id: String) -> String {
        let name =
            switch operation {
            case .stop(let stop): stop.stopID
            case .lift(let lift): "\(lift.stopID)/\(id)"
            case .drill(let drill): drill.drillID
            case .revoke(let revocation): revocation.revocationID ?? id
            case .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey: id
            }
        return "\(operation.scope?.text ?? "stop")/\(operation.kind.rawValue)/\(name)"
    }
}
