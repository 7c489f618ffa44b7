public import ClawWire
public import IssuanceRules

/// The data of the stop and lift events.
public enum NativeStop {
    /// Reads a stop from a trusted emitter. What cannot be read is widened, never dropped: an unreadable scope is
    /// everything, an unreadable action revokes too.
    public static func declaration(_ event: CloudEvent) -> StopDeclaration {
        let data = event.json
        let scope = data?["scope"].flatMap { Self.scope($0) }
        let action = data?["action"]?.string
        return StopDeclaration(
            stopID: identifier(data?["stop_id"]) ?? event.id, scope: scope ?? StopScope(kind: .all, value: nil),
            revokesLive: action != "deny_new", reason: text(data?["reason"], 4_096),
            incident: text(data?["incident"], 128), declaredBy: declarers(data?["declared_by"]),
            isWidened: scope == nil || (action != "deny_new" && action != "revoke_and_deny"))
    }

    /// The stop that an unreadable record on a control topic stands for.
    static func unreadable(_ record: SourceRecord) -> StopDeclaration {
        StopDeclaration(
            stopID: "unreadable/\(record.topic)/\(record.partition)/\(record.offset)",
            scope: StopScope(kind: .all, value: nil), revokesLive: true,
            reason: "a record on the control topic could not be read", incident: nil, declaredBy: nil, isWidened: true)
    }

    /// Reads a lift. Unlike a stop, a lift that is not understood in full lifts nothing.
    ///
    /// - Throws: ``SourceFault`` with the member at fault.
    public static func lift(_ event: CloudEvent) throws(SourceFault) -> StopLift {
        guard let json = event.json else {
            throw SourceFault(.malformed, field: "data", "JSON data was expected")
        }
        let data = try FieldReader(json, path: "data")
        try data.refuseMembers(besides: ["stop_id", "scope", "reason", "incident", "lifted_by", "reapproval"])
        var people: [Actor] = []
        for (i, element) in (try data.array("lifted_by", maximumCount: 64) ?? []).enumerated() {
            people.append(try FieldReader(element, path: "data.lifted_by[\(i)]").actor())
        }
        let reapproval = try data.object("reapproval")
        try reapproval?.refuseMembers(besides: ["approval_id", "wpc_hash"])
        let scope = data.value("scope").flatMap { Self.scope($0) }
        guard scope != nil || data.value("scope") == nil else {
            throw SourceFault(.invalidValue, field: "data.scope", "the scope of a stop was expected")
        }
        return StopLift(
            stopID: try data.required(try data.identifier("stop_id"), "stop_id"), liftedBy: people,
            reapproval: try reapproval?.identifier("approval_id").map { ApprovalID($0) },
            policyHash: try reapproval?.digest("wpc_hash"), scope: scope)
    }

    /// The data of a stop event.
    public static func json(_ stop: StopDeclaration) -> JSONValue {
        var object: JSONObject = [
            "stop_id": .string(stop.stopID), "scope": FactDocument.scope(stop.scope),
            "action": stop.revokesLive ? "revoke_and_deny" : "deny_new",
        ]
        object["reason"] = stop.reason.map { .string($0) }
        object["incident"] = stop.incident.map { .string($0) }
        object["declared_by"] = stop.declarersJSON
        object["lift"] = ["requires": "reapproval", "min_approvers": 2]
        return .object(object)
    }

    /// The data of a lift event.
    public static func json(_ lift: StopLift, reason: String?) -> JSONValue {
        var object: JSONObject = ["stop_id": .string(lift.stopID)]
        object["scope"] = lift.scope.map(FactDocument.scope)
        object["reason"] = reason.map { .string($0) }
        object["lifted_by"] = .array(lift.liftedBy.map(\.json))
        var reapproval = JSONObject()
        reapproval["approval_id"] = lift.reapproval.map { .string($0.rawValue) }
        reapproval["wpc_hash"] = lift.policyHash.map { .string($0.b64u) }
        object["reapproval"] = .object(reapproval)
        return .object(object)
    }

    /// A scope with members beside its two says more than is understood, so it is none.
    private static func scope(_ value: JSONValue) -> StopScope? {
        guard let members = value.object?.members, members.allSatisfy({ $0.key == "kind" || $0.key == "value" }),
            let kind = value["kind"]?.string.flatMap({ StopScope.Kind(rawValue: $0) })
        else { return nil }
        let given = value["value"] ?? .null
        if kind == .all { return .everything }
        // A token has been issued, so there is nothing to stop: it is revoked.
        guard kind != .token, kind != .jti, let text = identifier(given) else { return nil }
        let scope = StopScope(kind: kind, value: text)
        return scope.fault == nil ? scope : nil
    }

    private static func identifier(_ value: JSONValue?) -> String? {
        guard let text = value?.string, TextRules.isIdentifier(text), text.utf8.count <= 1_024 else { return nil }
        return text
    }

    private static func text(_ value: JSONValue?, _ characters: Int) -> String? {
        value?.string.map { TextRules.storable(String(String.UnicodeScalarView($0.unicodeScalars.prefix(characters)))) }
    }

    /// The people who declare what takes away: one as an object or as an identifier, several as an array. Whoever cannot be
    /// read stands as ``Actor/unreadable``: a lift must not be theirs.
    static func declarers(_ value: JSONValue?) -> [Actor] {
        guard let value, value != .null else { return [] }
        let elements = value.array ?? [value]
        return elements.prefix(64).map { declarer($0) } + (elements.count > 64 ? [.unreadable] : [])
    }

    private static func declarer(_ value: JSONValue) -> Actor {
        if let id = identifier(value) { return Actor(id: PersonID(TextRules.folded(id))) }
        return (try? FieldReader(value, path: "data.declared_by").actor()) ?? .unreadable
    }
}
