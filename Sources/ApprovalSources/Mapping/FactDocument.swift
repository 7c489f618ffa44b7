public import ClawWire
public import IssuanceRules

/// Facts as JSON for people and tools: the shape of `clawgrant source map --json`.
public enum FactDocument {
    /// A fact. Times have microseconds where the source has them.
    ///
    /// - Parameters:
    ///   - fact: the fact.
    ///   - message: index of the message, where the input is a list of messages.
    public static func json(_ fact: Fact, message: Int? = nil) -> JSONValue {
        var object = JSONObject()
        object["message"] = message.map { .integer($0) }
        object["record"] = .integer(fact.recordIndex)
        object["fact"] = .string(name(of: fact.content))
        object["source"] = .string(fact.source)
        object["source_event_id"] = fact.sourceEventID.map { .string($0.rawValue) }
        object["occurred_at"] = fact.occurredAt.map(time)
        object["approval_id"] = fact.approvalID.map { .string($0.rawValue) }
        object["subject"] = fact.subject.map(actor)
        object["requester"] = fact.requester.map(actor)
        object["entitlement"] = fact.entitlement.map(entitlement)
        add(fact.content, to: &object)
        if let text = fact.justification {
            object["justification"] = .string(text.text)
            object["justification_chars"] = .integer(text.characters)
            object["justification_utf8_sha256"] = .string(text.digest.hex)
            object["justification_prefix"] = .string(
                String(String.UnicodeScalarView(text.text.unicodeScalars.prefix(64))))
            object["justification_truncated"] = .bool(text.isTruncated)
        }
        object["approver_justification"] = fact.approverJustification.map { .string($0.text) }
        object["ticket"] = fact.ticket.map(ticket)
        object["job_class"] = fact.jobClass.map { .string($0.rawValue) }
        object["record_sha256"] = fact.recordDigest.map { .string($0.hex) }
        return .object(object)
    }

    /// The name of a kind of fact.
    public static func name(of content: Fact.Content) -> String {
        switch content {
        case .requestOpened: "request.opened"
        case .requestRouted: "request.routed"
        case .decisionApproved: "decision.approved"
        case .decisionDenied: "decision.denied"
        case .decisionTimedOut: "decision.timed_out"
        case .decisionCanceled: "decision.canceled"
        case .grantStarted: "grant.started"
        case .grantChanged: "grant.changed"
        case .grantEnded: "grant.ended"
        case .grantDirect: "grant.direct"
        case .subjectInvalidated: "subject.invalidated"
        case .capabilityRequested: "capability.requested"
        case .stopDeclared: "stop.declared"
        case .stopLifted: "stop.lifted"
        case .ignored: "ignored"
        case .rejected: "rejected"
        }
    }

    private static func add(_ content: Fact.Content, to object: inout JSONObject) {
        switch content {
        case .requestOpened, .requestRouted, .decisionTimedOut, .decisionCanceled: break
        case .decisionApproved(let approver): object["approver"] = actor(approver)
        case .decisionDenied(let approver): object["approver"] = approver.map(actor) ?? .null
        case .grantStarted(let notBefore, let notAfter), .grantChanged(let notBefore, let notAfter):
            object["not_before"] = notBefore.map(time) ?? .null
            object["not_after"] = notAfter.map(time) ?? .null
        case .grantEnded(let reason):
            if object["approval_id"] == nil { object["approval_id"] = .null }
            object["end_reason"] = .string(reason.rawValue)
            object["revoke"] = true
        case .grantDirect(let assignedBy, let outsidePIM, let notBefore, let notAfter):
            if object["approval_id"] == nil { object["approval_id"] = .null }
            object["assigned_by"] = assignedBy.map(actor) ?? .null
            object["outside_pim"] = .bool(outsidePIM)
            object["not_before"] = notBefore.map(time) ?? .null
            object["not_after"] = notAfter.map(time) ?? .null
        case .subjectInvalidated(let reason):
            object["reason"] = .string(reason)
            object["revoke"] = true
        case .capabilityRequested(let request): object["request"] = CapabilityRequestDocument.encode(request)
        case .stopDeclared(let stop):
            object["stop_id"] = .string(stop.stopID)
            object["scope"] = scope(stop.scope)
            object["declared_by"] = stop.declaredBy.map(actor)
            object["reason"] = stop.reason.map { .string($0) }
            object["incident"] = stop.incident.map { .string($0) }
            object["widened"] = .bool(stop.isWidened)
        case .stopLifted(let lift):
            object["stop_id"] = .string(lift.stopID)
            object["scope"] = lift.scope.map(scope)
            object["lifted_by"] = .array(lift.liftedBy.map(actor))
            object["reapproval"] = lift.reapproval.map { .string($0.rawValue) }
            object["wpc_hash"] = lift.policyHash.map { .string($0.b64u) }
        case .ignored(let why), .rejected(let why): object["why"] = .string(why)
        }
    }

    /// A person or a system; `kind` stands only where it is no person.
    public static func actor(_ actor: Actor) -> JSONValue {
        var object: JSONObject = ["id": .string(actor.id.rawValue)]
        object["name"] = actor.name.map { .string($0) }
        object["upn"] = actor.upn.map { .string($0) }
        switch actor.kind {
        case .human: break
        case .system: object["kind"] = "system"
        }
        return .object(object)
    }

    /// An entitlement.
    public static func entitlement(_ entitlement: Entitlement) -> JSONValue {
        var object: JSONObject = ["kind": .string(entitlement.kind.rawValue), "id": .string(entitlement.id)]
        object["name"] = entitlement.name.map { .string($0) }
        object["scope"] = .optional(entitlement.scope)
        return .object(object)
    }

    /// A ticket.
    public static func ticket(_ ticket: Ticket) -> JSONValue {
        ["system": .optional(ticket.system), "number": .optional(ticket.number)]
    }

    /// The scope of a stop.
    public static func scope(_ scope: StopScope) -> JSONValue {
        ["kind": .string(scope.kind.rawValue), "value": .optional(scope.value)]
    }

    /// An instant: milliseconds, or microseconds where they are not zero.
    public static func time(_ time: Timestamp) -> JSONValue {
        let micros = ((time.microseconds % 1_000) + 1_000) % 1_000
        guard micros != 0 else { return .string(time.iso8601) }
        let digits = String(micros)
        return .string(
            time.iso8601.dropLast() + String(repeating: "0", count: 3 - digits.utf8.count) + digits + "Z")
    }
}
