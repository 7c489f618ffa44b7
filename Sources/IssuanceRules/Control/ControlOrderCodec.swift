public import ClawWire

extension ControlOrder {
    /// Key of the row: one order, one key, bounded in length.
    public var key: String {
        func bounded(_ text: String) -> String { ControlEventID(text).rawValue }
        switch content {
        case .stop(let stop):
            return "stop/\(bounded(stop.stopID))/\(stop.event)/\(bounded(stop.scope.normalized.text))"
        case .pendingLift(let pending): return "pending-lift/\(bounded(pending.lift.stopID))/\(pending.event)"
        case .barrier(let barrier): return "barrier/\(bounded(barrier.scope.normalized.text))"
        case .rotation(let rotation):
            return "rotation/\(bounded(rotation.jobClass.rawValue))/\(rotation.from?.b64u ?? "*")"
        case .elevation(let standing): return "elevation/\(bounded(standing.reach.scope.text))"
        case .proxy(let standing): return "proxy/\(bounded(standing.reach.scope.text))"
        case .suspectKey(let suspect): return "suspect-key/\(bounded(suspect.kid.rawValue))"
        }
    }

    /// What holds, as an object whose member `order` says which kind of order it is.
    public var json: JSONValue {
        switch content {
        case .stop(let stop): .object(stop.json)
        case .pendingLift(let pending): .object(pending.json)
        case .barrier(let barrier):
            [
                "order": "barrier", "scope": barrier.scope.json, "at": barrier.at.json,
                "event_id": .string(barrier.event.rawValue), "handle": .string(barrier.handle),
            ]
        case .rotation(let rotation): .object(rotation.json)
        case .elevation(let standing): .object(standing.json("elevation"))
        case .proxy(let standing): .object(standing.json("proxy"))
        case .suspectKey(let suspect): .object(suspect.json)
        }
    }

    /// ``json`` as RFC 8785 text: the row's body.
    public var body: [UInt8] { JSONWriter.bytes(json, order: .canonical) }

    /// Reads a row.
    ///
    /// - Throws: ``StorageError`` when the body does not read, or is that of another key.
    public init(key: String, body: [UInt8], position: Int64) throws(StorageError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(body)
        } catch {
            throw StorageError(subject: "control order \(key)", detail: "\(error)")
        }
        let reader = ControlReader(value: value, subject: "control order \(key)")
        let content: Content
        switch try reader.text("order") {
        case "stop": content = .stop(try StandingStop(reader))
        case "pending_lift": content = .pendingLift(try PendingLift(reader))
        case "barrier":
            content = .barrier(
                Barrier(
                    scope: try reader.scope("scope"), at: try reader.time("at"), event: try reader.event("event_id"),
                    handle: try reader.text("handle")))
        case "rotation": content = .rotation(try StandingRotation(reader))
        case "elevation": content = .elevation(try StandingSwitch(reader))
        case "proxy": content = .proxy(try StandingSwitch(reader))
        case "suspect_key":
            content = .suspectKey(
                SuspectedKey(
                    kid: KeyID(try reader.text("kid")), since: try reader.optionalTime("since"),
                    event: try reader.event("event_id")))
        default: throw reader.fault("order", "a kind of order that this version knows")
        }
        self.init(position: position, content: content)
        guard self.key == key else {
            throw StorageError(subject: "control order \(key)", detail: "the body is that of \(self.key)")
        }
    }
}

extension StandingStop {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "order": "stop", "stop_id": .string(stopID), "event_id": .string(event.rawValue), "scope": scope.json,
            "action": .string(revokesLive ? "revoke_and_deny" : "deny_new"), "declared_by": personArray(declarers),
            "declared_at": declaredAt.json, "at": at.json, "position": .integer(position),
        ]
        if isRevocation { object["revocation"] = true }
        if isWidened { object["widened"] = true }
        object["reason"] = reason.map { .string($0) }
        object["incident"] = incident.map { .string($0) }
        if let lift {
            object["lift"] = [
                "event_id": .string(lift.event.rawValue), "at": lift.at.json, "lifted_by": personArray(lift.people),
            ]
        }
        return object
    }

    fileprivate init(_ reader: ControlReader) throws(StorageError) {
        var lift: Ended?
        if let ended = try reader.optionalObject("lift") {
            lift = Ended(
                event: try ended.event("event_id"), at: try ended.time("at"), people: try ended.people("lifted_by"))
        }
        self.init(
            stopID: try reader.text("stop_id"), event: try reader.event("event_id"), scope: try reader.scope("scope"),
            revokesLive: try reader.text("action") != "deny_new", isRevocation: reader.flag("revocation"),
            isWidened: reader.flag("widened"), declarers: try reader.people("declared_by"),
            declaredAt: try reader.time("declared_at"), at: try reader.time("at"),
            position: try reader.integer("position"), reason: try reader.optionalText("reason"),
            incident: try reader.optionalText("incident"), lift: lift)
    }
}

extension PendingLift {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "order": "pending_lift", "event_id": .string(event.rawValue),
            "data": .object(ControlOperation.lift(lift).json), "lifted_by": personArray(people),
            "declared_at": declaredAt.json,
        ]
        object["signer"] = signer.map { .string($0.rawValue) }
        if isConsumed { object["consumed"] = true }
        return object
    }

    fileprivate init(_ reader: ControlReader) throws(StorageError) {
        guard case .lift(let lift) = try ControlOperation(kind: .lift, reader: try reader.object("data")) else {
            throw reader.fault("data", "a lift")
        }
        self.init(
            event: try reader.event("event_id"), lift: lift, people: try reader.people("lifted_by"),
            signer: try reader.optionalText("signer").map { KeyID($0) }, declaredAt: try reader.time("declared_at"),
            isConsumed: reader.flag("consumed"))
    }
}

extension StandingRotation {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "order": "rotation", "job_class": .string(jobClass.rawValue), "to_wpc_hash": .string(to.b64u),
            "declared_at": declaredAt.json, "event_id": .string(event.rawValue),
        ]
        object["from_wpc_hash"] = from.map { .string($0.b64u) }
        if !isActive { object["ended"] = true }
        return object
    }

    fileprivate init(_ reader: ControlReader) throws(StorageError) {
        self.init(
            jobClass: JobClass(try reader.text("job_class")), from: try reader.optionalDigest("from_wpc_hash"),
            to: try reader.digest("to_wpc_hash"), declaredAt: try reader.time("declared_at"),
            event: try reader.event("event_id"), isActive: !reader.flag("ended"))
    }
}

extension StandingSwitch {
    fileprivate func json(_ order: String) -> JSONObject {
        var object: JSONObject = [
            "order": .string(order), "scope": reach.scope.json, "declared_at": declaredAt.json,
            "event_id": .string(event.rawValue),
        ]
        if !isActive { object["ended"] = true }
        return object
    }

    fileprivate init(_ reader: ControlReader) throws(StorageError) {
        self.init(
            reach: try reader.reach("scope"), isActive: !reader.flag("ended"),
            declaredAt: try reader.time("declared_at"), event: try reader.event("event_id"))
    }
}

extension SuspectedKey {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "order": "suspect_key", "kid": .string(kid.rawValue), "event_id": .string(event.rawValue),
        ]
        object["since"] = since.map(\.json)
        return object
    }
}
