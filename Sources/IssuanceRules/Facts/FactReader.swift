public import ClawWire

/// Why a JSON value is no fact.
public struct FactError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Path of the member, for example `approver.id`.
    public let path: String
    /// What was expected there.
    public let expected: String

    /// Says what was expected where.
    public var description: String { "\(path): expected \(expected)" }
}

extension Fact {
    /// Reads the form of ``json``. Members that the kind does not know are ignored.
    ///
    /// - Throws: ``FactError`` naming the member that is missing or of the wrong type.
    public init(json: JSONValue) throws(FactError) {
        let reader = FactReader(value: json)
        self.init(
            recordIndex: Int(try reader.integer("record") ?? 0), source: try reader.text("source") ?? "",
            sourceEventID: try reader.text("source_event_id").map { SourceEventID($0) },
            occurredAt: try reader.time("occurred_at"),
            approvalID: try reader.text("approval_id").map { ApprovalID($0) }, content: try reader.content())
        subject = try reader.actor("subject")
        requester = try reader.actor("requester")
        for (index, value) in (reader.member("approvers")?.array ?? []).enumerated() {
            approvers.append(try FactReader(value: value, path: "approvers[\(index)].").actor())
        }
        entitlement = try reader.entitlement("entitlement")
        if let text = try reader.text("assignment") {
            guard let named = AssignmentID(text) else {
                throw FactError(
                    path: "assignment", expected: "an identifier of 1 to \(AssignmentID.maximumBytes) bytes")
            }
            assignment = named
        }
        jobClass = try reader.text("job_class").map { JobClass($0) }
        justification = try reader.justification("justification")
        approverJustification = try reader.justification("approver_justification")
        if let value = reader.member("ticket") {
            let ticketReader = FactReader(value: value, path: "ticket.")
            ticket = Ticket(system: try ticketReader.text("system"), number: try ticketReader.text("number"))
        }
        if let value = reader.member("budget") {
            do {
                budget = try Budget(json: value)
            } catch {
                throw FactError(path: "budget.\(error.field)", expected: error.expected)
            }
        }
        changesSettings = reader.member("changes_settings")?.bool ?? false
        if let hex = try reader.text("record_sha256") {
            guard let digest = Digest(hex: hex) else {
                throw FactError(path: "record_sha256", expected: "64 hexadecimal digits")
            }
            recordDigest = digest
        }
    }
}

private struct FactReader {
    let value: JSONValue
    var path = ""

    func member(_ key: String) -> JSONValue? {
        guard let member = value[key], !member.isNull else { return nil }
        return member
    }

    func text(_ key: String) throws(FactError) -> String? {
        guard let member = member(key) else { return nil }
        guard let text = member.string else { throw FactError(path: path + key, expected: "a string") }
        return text
    }

    func required(_ key: String) throws(FactError) -> String {
        guard let text = try text(key) else { throw FactError(path: path + key, expected: "a string") }
        return text
    }

    func integer(_ key: String) throws(FactError) -> Int64? {
        guard let member = member(key) else { return nil }
        guard let integer = member.integer else { throw FactError(path: path + key, expected: "an integer") }
        return integer
    }

    func time(_ key: String) throws(FactError) -> Timestamp? {
        guard let text = try text(key) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw FactError(path: path + key, expected: "an RFC 3339 time with an offset")
        }
        return time
    }

    func actor(_ key: String) throws(FactError) -> Actor? {
        guard let member = member(key) else { return nil }
        return try FactReader(value: member, path: "\(path)\(key).").actor()
    }

    func actor() throws(FactError) -> Actor {
        let kind = try text("kind") ?? Actor.Kind.human.rawValue
        guard let kind = Actor.Kind(rawValue: kind) else {
            throw FactError(path: path + "kind", expected: "human or system")
        }
        return Actor(
            id: PersonID(folding: try required("id")), name: try text("name"), upn: try text("upn"), kind: kind)
    }

    /// One person as an object, or several as an array.
    func people(_ key: String) throws(FactError) -> [Actor] {
        guard let elements = member(key)?.array else { return try actor(key).map { [$0] } ?? [] }
        var people: [Actor] = []
        for (index, value) in elements.enumerated() {
            people.append(try FactReader(value: value, path: "\(path)\(key)[\(index)].").actor())
        }
        return people
    }

    func entitlement(_ key: String) throws(FactError) -> Entitlement? {
        guard let member = member(key) else { return nil }
        let reader = FactReader(value: member, path: "\(path)\(key).")
        guard let kind = Entitlement.Kind(rawValue: try reader.required("kind")) else {
            throw FactError(
                path: reader.path + "kind",
                expected: "one of " + Entitlement.Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return Entitlement(
            kind: kind, id: try reader.required("id"), scope: try reader.text("scope"), name: try reader.text("name"))
    }

    func justification(_ key: String) throws(FactError) -> Justification? {
        if let whole = try text(key) { return Justification(whole) }
        guard let prefix = try text("\(key)_prefix") else { return nil }
        guard let digest = try text("\(key)_utf8_sha256").flatMap({ Digest(hex: $0) }) else {
            throw FactError(path: "\(path)\(key)_utf8_sha256", expected: "64 hexadecimal digits")
        }
        return Justification(text: prefix, digest: digest, characters: Int(try integer("\(key)_chars") ?? 0))
    }

    func content() throws(FactError) -> Fact.Content {
        switch try required("fact") {
        case "request.opened": return .requestOpened
        case "request.routed": return .requestRouted
        case "decision.approved": return .decisionApproved(approver: try actor("approver"))
        case "decision.denied": return .decisionDenied(approver: try actor("approver"))
        case "decision.timed_out": return .decisionTimedOut
        case "decision.canceled": return .decisionCanceled
        case "grant.started":
            return .grantStarted(notBefore: try time("not_before"), notAfter: try time("not_after"))
        case "grant.changed":
            return .grantChanged(notBefore: try time("not_before"), notAfter: try time("not_after"))
        case "grant.ended":
            guard let reason = Fact.EndReason(rawValue: try required("end_reason")) else {
                throw FactError(
                    path: path + "end_reason",
                    expected: "one of " + Fact.EndReason.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return .grantEnded(reason)
        case "grant.direct":
            return .grantDirect(
                assignedBy: try actor("assigned_by"), outsidePIM: member("outside_pim")?.bool ?? false,
                notBefore: try time("not_before"), notAfter: try time("not_after"))
        case "subject.invalidated": return .subjectInvalidated(reason: try text("reason") ?? "")
        case "capability.requested": return .capabilityRequested(try request())
        case "stop.declared": return .stopDeclared(try stop())
        case "stop.lifted": return .stopLifted(try lift())
        case "ignored": return .ignored(why: try required("why"))
        case "rejected": return .rejected(why: try required("why"))
        default: throw FactError(path: path + "fact", expected: "a kind of fact, for example decision.approved")
        }
    }

    private func request() throws(FactError) -> CapabilityRequest {
        do {
            return try CapabilityRequest(json: CapabilityRequest.foldingSubject(of: member("request") ?? .null))
        } catch {
            throw FactError(path: path + "request", expected: "a capability request (\(error.detail))")
        }
    }

    private func stop() throws(FactError) -> StopDeclaration {
        StopDeclaration(
            stopID: try required("stop_id"), scope: try scope(member("scope") ?? .null),
            revokesLive: member("revoke_live")?.bool ?? true, reason: try text("reason"),
            incident: try text("incident"), declaredBy: try people("declared_by"),
            isWidened: member("widened")?.bool ?? false)
    }

    private func scope(_ value: JSONValue) throws(FactError) -> StopScope {
        let scope = FactReader(value: value, path: "\(path)scope.")
        guard let kind = StopScope.Kind(rawValue: try scope.required("kind")) else {
            throw FactError(
                path: "\(path)scope.kind",
                expected: "one of " + StopScope.Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return StopScope(kind: kind, value: try scope.text("value"))
    }

    private func lift() throws(FactError) -> StopLift {
        var people: [Actor] = []
        for (index, value) in (member("lifted_by")?.array ?? []).enumerated() {
            people.append(try FactReader(value: value, path: "\(path)lifted_by[\(index)].").actor())
        }
        return StopLift(
            stopID: try required("stop_id"), liftedBy: people,
            reapproval: try text("reapproval").map { ApprovalID($0) },
            policyHash: try text("policy_hash_b64u").flatMap { Digest(b64u: $0) },
            scope: try member("scope").map { value throws(FactError) in try scope(value) })
    }
}
