public import ClawWire

extension Fact {
    /// The fact's kind, for example `decision.approved`: the member `fact` of ``json``.
    public var kind: String {
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

    /// The fact as JSON, in the form that `source map` prints and rule cases give; members without a value are left out.
    public var json: JSONValue {
        var object = JSONObject()
        object["record"] = .integer(recordIndex)
        object["fact"] = .string(kind)
        object["source"] = .string(source)
        object["source_event_id"] = sourceEventID.map { .string($0.rawValue) }
        object["occurred_at"] = occurredAt.map { .string(RFC3339.text($0)) }
        object["approval_id"] = approvalID.map { .string($0.rawValue) }
        object["subject"] = subject.map(\.json)
        object["entitlement"] = entitlement.map(\.json)
        object["assignment"] = assignment.map { .string($0.text) }
        object["requester"] = requester.map(\.json)
        object["job_class"] = jobClass.map { .string($0.rawValue) }
        add(content, to: &object)
        if !approvers.isEmpty { object["approvers"] = .array(approvers.map(\.json)) }
        justification?.add(to: &object, as: "justification")
        approverJustification?.add(to: &object, as: "approver_justification")
        object["ticket"] = ticket.map {
            .object(["system": .optional($0.system), "number": .optional($0.number)])
        }
        object["budget"] = budget.map(\.json)
        if changesSettings { object["changes_settings"] = true }
        object["record_sha256"] = recordDigest.map { .string($0.hex) }
        return .object(object)
    }

    private func add(_ content: Content, to object: inout JSONObject) {
        func addWindow(_ notBefore: Timestamp?, _ notAfter: Timestamp?) {
            object["not_before"] = .optional(notBefore.map(RFC3339.text))
            object["not_after"] = .optional(notAfter.map(RFC3339.text))
        }
        switch content {
        case .requestOpened, .requestRouted, .decisionTimedOut, .decisionCanceled: return
        case .decisionApproved(let approver): object["approver"] = approver?.json ?? .null
        case .decisionDenied(let approver): object["approver"] = approver?.json
        case .grantStarted(let notBefore, let notAfter), .grantChanged(let notBefore, let notAfter):
            addWindow(notBefore, notAfter)
        case .grantEnded(let reason):
            object["end_reason"] = .string(reason.rawValue)
            object["revoke"] = true
        case .grantDirect(let assignedBy, let outsidePIM, let notBefore, let notAfter):
            object["assigned_by"] = assignedBy?.json
            if outsidePIM { object["outside_pim"] = true }
            addWindow(notBefore, notAfter)
        case .subjectInvalidated(let reason): object["reason"] = .string(reason)
        case .capabilityRequested(let request): object["request"] = request.json
        case .stopDeclared(let stop):
            object["stop_id"] = .string(stop.stopID)
            object["scope"] = stop.scope.json
            if !stop.revokesLive { object["revoke_live"] = false }
            if stop.isWidened { object["widened"] = true }
            object["reason"] = stop.reason.map { .string($0) }
            object["incident"] = stop.incident.map { .string($0) }
            object["declared_by"] = stop.declarersJSON
        case .stopLifted(let lift):
            object["stop_id"] = .string(lift.stopID)
            object["scope"] = lift.scope.map(\.json)
            object["lifted_by"] = .array(lift.liftedBy.map(\.json))
            object["reapproval"] = lift.reapproval.map { .string($0.rawValue) }
            object["policy_hash_b64u"] = lift.policyHash.map { .string($0.b64u) }
        case .ignored(let why), .rejected(let why): object["why"] = .string(why)
        }
    }
}

extension Actor {
    /// `id`, and `name`, `upn` and `kind` where they say something; humans have no `kind`.
    public var json: JSONValue {
        var object: JSONObject = ["id": .string(id.rawValue)]
        object["name"] = name.map { .string($0) }
        object["upn"] = upn.map { .string($0) }
        if kind == .system { object["kind"] = "system" }
        return .object(object)
    }
}

extension Entitlement {
    /// `kind`, `id`, `name` where known, and `scope`, which is `null` for kinds that have none.
    public var json: JSONValue {
        var object: JSONObject = ["kind": .string(kind.rawValue), "id": .string(id)]
        object["name"] = name.map { .string($0) }
        object["scope"] = .optional(scope)
        return .object(object)
    }
}

extension Justification {
    /// Adds the text, or its prefix with length and digest when it is not the whole.
    func add(to object: inout JSONObject, as key: String) {
        guard isTruncated else {
            object[key] = .string(text)
            return
        }
        object["\(key)_chars"] = .integer(characters)
        object["\(key)_utf8_sha256"] = .string(digest.hex)
        object["\(key)_prefix"] = .string(text)
        object["\(key)_truncated"] = true
    }
}
