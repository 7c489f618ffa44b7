import ClawWire
import IssuanceRules

/// The data of a control event.
///
/// What takes away is read as far as it decides: who, why and unknown members beside it do not make it unreadable. What
/// gives back must be understood in full.
struct ControlDocument {
    let operation: ControlOperation
    let people: [Actor]
    let declaredAt: Timestamp?
    let reason: String?
    let incident: String?

    private static let maximumPeople = 64

    /// Reads the data of an event of a kind.
    init(_ event: CloudEvent, _ kind: ControlOperation.Kind, limits: SourceConfiguration.Limits) throws(SourceFault) {
        guard let json = event.json else {
            throw SourceFault(.malformed, field: "data", "JSON data was expected")
        }
        let reader = try FieldReader(json, path: "data")
        operation = try Self.operation(kind, reader)
        let remains = Remains(event)
        reason = remains.reason
        incident = remains.incident
        if kind.isRestrictive {
            declaredAt = event.occurredAt
            people = remains.people
            return
        }
        try reader.refuseMembers(besides: Self.members(of: kind))
        guard let time = event.occurredAt else {
            throw SourceFault(.unparseableTime, field: "time", "what gives back needs an RFC 3339 time")
        }
        declaredAt = time
        people = try Self.people(reader, kind == .lift ? "lifted_by" : "declared_by")
    }

    private static func members(of kind: ControlOperation.Kind) -> [String] {
        let common = ["scope", "reason", "incident"]
        return switch kind {
        case .lift: common + ["stop_id", "lifted_by", "reapproval"]
        case .drill: common + ["drill_id", "declared_by"]
        case .enableElevated, .releaseProxy: common + ["declared_by"]
        case .stop, .revoke, .rotatePolicy, .disableElevated, .requireProxy, .suspectKey: common
        }
    }

    private static func operation(
        _ kind: ControlOperation.Kind, _ data: FieldReader
    ) throws(SourceFault) -> ControlOperation {
        switch kind {
        case .stop:
            return .stop(
                .init(
                    stopID: try identifier(data, "stop_id"), scope: try stoppable(data),
                    revokesLive: try revokesLive(data)))
        case .lift:
            let authority = try data.required(try data.object("reapproval"), "reapproval")
            try authority.refuseMembers(besides: ["approval_id", "wpc_hash"])
            return .lift(
                .init(
                    stopID: try identifier(data, "stop_id"),
                    reapproval: try authority.identifier("approval_id").map { ApprovalID($0) },
                    policyHash: try authority.digest("wpc_hash"),
                    scope: data.value("scope") == nil ? nil : try scope(data)))
        case .revoke:
            return .revoke(
                .init(
                    revocationID: try data.identifier("revocation_id"), scope: try scope(data),
                    permitsReapproval: try flag(data, "permits_reapproval")))
        case .rotatePolicy:
            return .rotatePolicy(
                .init(
                    jobClass: JobClass(try identifier(data, "job_class")), from: try data.digest("from_wpc_hash"),
                    to: try data.required(try data.digest("to_wpc_hash"), "to_wpc_hash"),
                    running: try choice(data, "running", ControlOperation.PolicyRotation.Running.self)))
        case .disableElevated:
            return .disableElevated(.init(reach: try reach(data), revokesLive: try revokesLive(data)))
        case .enableElevated: return .enableElevated(try reach(data))
        case .requireProxy:
            return .requireProxy(
                .init(
                    reach: try reach(data),
                    revokesLive: data.value("action") == nil ? false : try revokesLive(data)))
        case .releaseProxy: return .releaseProxy(try reach(data))
        case .suspectKey:
            return .suspectKey(.init(kid: KeyID(try identifier(data, "kid")), since: try data.time("since")))
        case .drill: return .drill(.init(drillID: try identifier(data, "drill_id"), scope: try scope(data)))
        }
    }

    private static func identifier(_ data: FieldReader, _ key: String) throws(SourceFault) -> String {
        try data.required(try data.identifier(key), key)
    }

    private static func scope(_ data: FieldReader) throws(SourceFault) -> StopScope {
        let reader = try data.required(try data.object("scope"), "scope")
        try reader.refuseMembers(besides: ["kind", "value"])
        let kind = try choice(reader, "kind", StopScope.Kind.self)
        let scope = StopScope(kind: kind, value: try reader.identifier("value", maximumBytes: 1_024))
        if let fault = scope.fault { throw SourceFault(.invalidValue, field: reader.name("value"), fault) }
        return scope.normalized
    }

    /// The scope of a stop: a token has been issued, so there is nothing to stop.
    private static func stoppable(_ data: FieldReader) throws(SourceFault) -> StopScope {
        let scope = try scope(data)
        guard scope.kind != .token, scope.kind != .jti else {
            throw SourceFault(.invalidValue, field: "data.scope.kind", "a token is revoked, not stopped")
        }
        return scope
    }

    private static func reach(_ data: FieldReader) throws(SourceFault) -> ControlOperation.Reach {
        guard let reach = ControlOperation.Reach(try scope(data)) else {
            throw SourceFault(.invalidValue, field: "data.scope.kind", "all or job_class was expected")
        }
        return reach
    }

    private static func revokesLive(_ data: FieldReader) throws(SourceFault) -> Bool {
        switch try data.required(try data.string("action"), "action") {
        case "deny_new": return false
        case "revoke_and_deny": return true
        default:
            throw SourceFault(.invalidValue, field: data.name("action"), "deny_new or revoke_and_deny was expected")
        }
    }

    private static func flag(_ data: FieldReader, _ key: String) throws(SourceFault) -> Bool {
        guard let value = data.value(key) else { return false }
        guard let flag = value.bool else {
            throw SourceFault(.wrongType, field: data.name(key), "true or false was expected")
        }
        return flag
    }

    private static func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ data: FieldReader, _ key: String, _ type: Choice.Type
    ) throws(SourceFault) -> Choice {
        guard let choice = Choice(rawValue: try data.required(try data.string(key), key)) else {
            throw SourceFault(
                .invalidValue, field: data.name(key),
                "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")) was expected")
        }
        return choice
    }

    private static func people(_ data: FieldReader, _ key: String) throws(SourceFault) -> [Actor] {
        if data.object[key]?.object != nil {
            return [try data.required(try data.actor(key), key)]
        }
        var people: [Actor] = []
        for (i, element) in (try data.array(key, maximumCount: maximumPeople) ?? []).enumerated() {
            people.append(try FieldReader(element, path: "\(data.name(key))[\(i)]").actor())
        }
        return people
    }

    /// What can be told of an event whatever the rest of it is like.
    struct Remains {
        let stopID: String?
        let action: String?
        let people: [Actor]
        let reason: String?
        let incident: String?

        init(_ event: CloudEvent) {
            let data = event.json
            stopID = data?["stop_id"]?.string.flatMap { TextRules.isIdentifier($0) && $0.utf8.count <= 512 ? $0 : nil }
            action = data?["action"]?.string
            people = NativeStop.declarers(data?["declared_by"])
            reason = Self.text(data?["reason"], 4_096)
            incident = Self.text(data?["incident"], 128)
        }

        private static func text(_ value: JSONValue?, _ characters: Int) -> String? {
            guard let text = value?.string, !text.isEmpty else { return nil }
            return TextRules.storable(String(String.UnicodeScalarView(text.unicodeScalars.prefix(characters))))
        }
    }
}
