public import ClawWire

/// Reads the members of a stored object of the control path, naming the member in every fault.
struct ControlReader {
    let value: JSONValue
    let subject: String

    func fault(_ key: String, _ expected: String) -> StorageError {
        StorageError(subject: subject, detail: "\(key) is not \(expected)")
    }

    func member(_ key: String) -> JSONValue? {
        guard let member = value[key], !member.isNull else { return nil }
        return member
    }

    func optionalText(_ key: String) throws(StorageError) -> String? {
        guard let member = member(key) else { return nil }
        guard let text = member.string else { throw fault(key, "a string") }
        return text
    }

    func text(_ key: String) throws(StorageError) -> String {
        guard let text = try optionalText(key) else { throw fault(key, "a string") }
        return text
    }

    func optionalTime(_ key: String) throws(StorageError) -> Timestamp? {
        guard let text = try optionalText(key) else { return nil }
        guard let time = Timestamp(rfc3339: text) else { throw fault(key, "an RFC 3339 time") }
        return time
    }

    func time(_ key: String) throws(StorageError) -> Timestamp {
        guard let time = try optionalTime(key) else { throw fault(key, "an RFC 3339 time") }
        return time
    }

    func optionalDigest(_ key: String) throws(StorageError) -> Digest? {
        guard let text = try optionalText(key) else { return nil }
        guard let digest = Digest(b64u: text) else { throw fault(key, "a SHA-256 in base64url") }
        return digest
    }

    func digest(_ key: String) throws(StorageError) -> Digest {
        guard let digest = try optionalDigest(key) else { throw fault(key, "a SHA-256 in base64url") }
        return digest
    }

    func flag(_ key: String) -> Bool { member(key)?.bool ?? false }

    func integer(_ key: String) throws(StorageError) -> Int64 {
        guard let number = member(key)?.integer else { throw fault(key, "a whole number") }
        return number
    }

    func choice<Choice: RawRepresentable<String>>(_ key: String, _ type: Choice.Type) throws(StorageError) -> Choice {
        guard let choice = Choice(rawValue: try text(key)) else { throw fault(key, "a known word") }
        return choice
    }

    func event(_ key: String) throws(StorageError) -> ControlEventID { ControlEventID(try text(key)) }

    func object(_ key: String) throws(StorageError) -> ControlReader {
        guard let member = member(key), member.object != nil else { throw fault(key, "an object") }
        return ControlReader(value: member, subject: "\(subject), \(key)")
    }

    func optionalObject(_ key: String) throws(StorageError) -> ControlReader? {
        member(key) == nil ? nil : try object(key)
    }

    func elements(_ key: String) throws(StorageError) -> [ControlReader] {
        guard let member = member(key) else { return [] }
        guard let elements = member.array else { throw fault(key, "an array") }
        return elements.map { ControlReader(value: $0, subject: "\(subject), \(key)") }
    }

    func people(_ key: String) throws(StorageError) -> [PersonID] {
        var people: [PersonID] = []
        for element in try elements(key) {
            guard let text = element.value.string else { throw fault(key, "an array of strings") }
            people.append(PersonID(text))
        }
        return people
    }

    func optionalScope(_ key: String) throws(StorageError) -> StopScope? {
        guard let reader = try optionalObject(key) else { return nil }
        return StopScope(kind: try reader.choice("kind", StopScope.Kind.self), value: try reader.optionalText("value"))
    }

    func scope(_ key: String) throws(StorageError) -> StopScope {
        guard let scope = try optionalScope(key) else { throw fault(key, "an object") }
        return scope
    }

    func reach(_ key: String) throws(StorageError) -> ControlOperation.Reach {
        guard let reach = ControlOperation.Reach(try scope(key)) else { throw fault(key, "everything or a job class") }
        return reach
    }

    func actor() throws(StorageError) -> Actor {
        let kind: Actor.Kind = member("kind") == nil ? .human : try choice("kind", Actor.Kind.self)
        return Actor(
            id: PersonID(try text("id")), name: try optionalText("name"), upn: try optionalText("upn"), kind: kind)
    }
}

extension ControlOperation.Reach {
    /// The reach that a scope names, `nil` for a scope that is neither everything nor a job class.
    public init?(_ scope: StopScope) {
        switch (scope.kind, scope.value) {
        case (.all, _): self = .everywhere
        case (.jobClass, let name?): self = .jobClass(JobClass(name))
        case (.jobClass, nil), (.agent, _), (.subject, _), (.approval, _), (.request, _), (.entitlement, _),
            (.policyHash, _), (.policyID, _), (.source, _), (.issuerKey, _), (.job, _), (.token, _), (.jti, _):
            return nil
        }
    }
}

extension StopScope {
    /// `kind`, and `value` where the kind has one.
    public var json: JSONValue {
        var object: JSONObject = ["kind": .string(kind.rawValue)]
        object["value"] = value.map { .string($0) }
        return .object(object)
    }
}

extension Timestamp {
    /// RFC 3339 with milliseconds, or with microseconds where they are not zero.
    var json: JSONValue { .string(RFC3339.text(self)) }
}

func personArray(_ people: [PersonID]) -> JSONValue { .array(people.map { .string($0.rawValue) }) }
