public import ClawWire

extension ControlOperation {
    /// What the operation says, without its kind: the data of a control event but for who, why and when.
    public var json: JSONObject {
        var object = JSONObject()
        switch self {
        case .stop(let stop):
            object["stop_id"] = .string(stop.stopID)
            object["scope"] = stop.scope.json
            object["action"] = .string(stop.revokesLive ? "revoke_and_deny" : "deny_new")
            if stop.isWidened { object["widened"] = true }
        case .lift(let lift):
            object["stop_id"] = .string(lift.stopID)
            object["scope"] = lift.scope.map(\.json)
            var authority = JSONObject()
            authority["approval_id"] = lift.reapproval.map { .string($0.rawValue) }
            authority["wpc_hash"] = lift.policyHash.map { .string($0.b64u) }
            object["reapproval"] = .object(authority)
        case .revoke(let revocation):
            object["revocation_id"] = revocation.revocationID.map { .string($0) }
            object["scope"] = revocation.scope.json
            if revocation.permitsReapproval { object["permits_reapproval"] = true }
        case .rotatePolicy(let rotation):
            object["job_class"] = .string(rotation.jobClass.rawValue)
            object["from_wpc_hash"] = rotation.from.map { .string($0.b64u) }
            object["to_wpc_hash"] = .string(rotation.to.b64u)
            object["running"] = .string(rotation.running.rawValue)
        case .disableElevated(let stop):
            object["scope"] = stop.reach.scope.json
            object["action"] = .string(stop.revokesLive ? "revoke_and_deny" : "deny_new")
        case .requireProxy(let order):
            object["scope"] = order.reach.scope.json
            // Left out where it says nothing more, so that an event that never had it is the same event still.
            if order.revokesLive { object["action"] = "revoke_and_deny" }
        case .enableElevated(let reach), .releaseProxy(let reach):
            object["scope"] = reach.scope.json
        case .suspectKey(let suspect):
            object["kid"] = .string(suspect.kid.rawValue)
            object["since"] = suspect.since.map(\.json)
        case .drill(let drill):
            object["drill_id"] = .string(drill.drillID)
            object["scope"] = drill.scope.json
        }
        return object
    }

    init(kind: Kind, reader: ControlReader) throws(StorageError) {
        switch kind {
        case .stop:
            self = .stop(
                Stop(
                    stopID: try reader.text("stop_id"), scope: try reader.scope("scope"),
                    revokesLive: try reader.revokesLive(), isWidened: reader.flag("widened")))
        case .lift:
            let authority = try reader.object("reapproval")
            self = .lift(
                Lift(
                    stopID: try reader.text("stop_id"),
                    reapproval: try authority.optionalText("approval_id").map { ApprovalID($0) },
                    policyHash: try authority.optionalDigest("wpc_hash"), scope: try reader.optionalScope("scope")))
        case .revoke:
            self = .revoke(
                Revocation(
                    revocationID: try reader.optionalText("revocation_id"), scope: try reader.scope("scope"),
                    permitsReapproval: reader.flag("permits_reapproval")))
        case .rotatePolicy:
            self = .rotatePolicy(
                PolicyRotation(
                    jobClass: JobClass(try reader.text("job_class")), from: try reader.optionalDigest("from_wpc_hash"),
                    to: try reader.digest("to_wpc_hash"),
                    running: try reader.choice("running", PolicyRotation.Running.self)))
        case .disableElevated:
            self = .disableElevated(
                ElevationStop(reach: try reader.reach("scope"), revokesLive: try reader.revokesLive()))
        case .enableElevated: self = .enableElevated(try reader.reach("scope"))
        case .requireProxy:
            self = .requireProxy(
                ProxyOrder(
                    reach: try reader.reach("scope"),
                    revokesLive: reader.member("action") == nil ? false : try reader.revokesLive()))
        case .releaseProxy: self = .releaseProxy(try reader.reach("scope"))
        case .suspectKey:
            self = .suspectKey(
                SuspectKey(kid: KeyID(try reader.text("kid")), since: try reader.optionalTime("since")))
        case .drill:
            self = .drill(Drill(drillID: try reader.text("drill_id"), scope: try reader.scope("scope")))
        }
    }
}

extension ControlReader {
    fileprivate func revokesLive() throws(StorageError) -> Bool {
        switch try text("action") {
        case "deny_new": return false
        case "revoke_and_deny": return true
        default: throw fault("action", "deny_new or revoke_and_deny")
        }
    }
}

extension ControlOrigin {
    /// `kind`, and what names the origin.
    public var json: JSONValue {
        var object = JSONObject()
        switch self {
        case .controlTopic(let signer):
            object["kind"] = "control_topic"
            object["signer"] = .string(signer.rawValue)
        case .approvalSource(let source, let signer):
            object["kind"] = "approval_source"
            object["source"] = .string(source.rawValue)
            object["signer"] = signer.map { .string($0.rawValue) }
        case .ledger(let person):
            object["kind"] = "ledger"
            object["by"] = .string(person.rawValue)
        }
        return .object(object)
    }

    init(reader: ControlReader) throws(StorageError) {
        switch try reader.text("kind") {
        case "control_topic": self = .controlTopic(signer: KeyID(try reader.text("signer")))
        case "approval_source":
            self = .approvalSource(
                SourceName(try reader.text("source")), signer: try reader.optionalText("signer").map { KeyID($0) })
        case "ledger": self = .ledger(by: PersonID(try reader.text("by")))
        default: throw reader.fault("kind", "control_topic, approval_source or ledger")
        }
    }
}

extension ControlEvent {
    private static let subject = "control event"

    /// The event as an object: the form in which the ledger keeps it.
    public var json: JSONValue {
        var object: JSONObject = [
            "event_id": .string(id.rawValue), "declared_at": declaredAt.json,
            "declared_by": .array(declaredBy.map(\.json)), "origin": origin.json,
            "operation": .string(operation.kind.rawValue), "data": .object(operation.json),
        ]
        object["reason"] = reason.map { .string($0) }
        object["incident"] = incident.map { .string($0) }
        object["record_sha256_b64u"] = recordDigest.map { .string($0.b64u) }
        return .object(object)
    }

    /// ``json`` as RFC 8785 text.
    public var encoded: [UInt8] { JSONWriter.bytes(json, order: .canonical) }

    /// Reads ``json``.
    ///
    /// - Throws: ``StorageError`` naming the member that is missing or of the wrong type.
    public init(json: JSONValue) throws(StorageError) {
        let reader = ControlReader(value: json, subject: Self.subject)
        var people: [Actor] = []
        for element in try reader.elements("declared_by") { people.append(try element.actor()) }
        let kind = try reader.choice("operation", ControlOperation.Kind.self)
        self.init(
            id: try reader.event("event_id"), declaredAt: try reader.time("declared_at"), declaredBy: people,
            origin: try ControlOrigin(reader: try reader.object("origin")),
            operation: try ControlOperation(kind: kind, reader: try reader.object("data")),
            reason: try reader.optionalText("reason"), incident: try reader.optionalText("incident"),
            recordDigest: try reader.optionalDigest("record_sha256_b64u"))
    }

    /// Reads ``encoded``.
    ///
    /// - Throws: ``StorageError`` naming what does not read.
    public init(encoded bytes: [UInt8]) throws(StorageError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes)
        } catch {
            throw StorageError(subject: Self.subject, detail: "\(error)")
        }
        try self.init(json: value)
    }
}
