import ClawWire

/// The stored form: one compact JSON object with short keys, version 1. Equal states have equal bytes.
extension ApprovalState {
    static let storageVersion: Int64 = 1
    /// A state is bounded; what is larger was not written by us.
    static let storageLimits = JSONLimits(maximumBytes: 4_194_304, maximumDepth: 16)

    /// The bytes to store.
    public func encode() -> [UInt8] {
        var writer = StorageWriter()
        writer.object { writer in
            writer.member("v", integer: Self.storageVersion)
            writer.member("id", approvalID.rawValue)
            Self.write("rq", "rqx", requesters, to: &writer)
            writer.array("as", assignments.entries) { $0.string($1.key.text) }
            writer.flag("asx", assignments.hasLost)
            writer.array("c", claims.entries) { writer, entry in
                writer.object { writer in
                    Self.write(entry.key, to: &writer)
                    Self.write(entry.value, to: &writer)
                }
            }
            writer.flag("cx", claims.hasLost)
            writeEnds(&writer)
            writer.array("ev", evidenceDigests.entries) { $0.string($1.key) }
            writer.flag("evx", evidenceDigests.hasLost)
            writer.array("so", sourceNames.entries) { $0.string($1.key.rawValue) }
            writer.flag("sox", sourceNames.hasLost)
            writer.member("t0", firstOccurredAt)
            writer.member("t1", lastOccurredAt)
        }
        return writer.bytes
    }

    private static func write(
        _ key: StaticString, _ lost: StaticString, _ people: BoundedMap<PersonID, ActorRecord>,
        to writer: inout StorageWriter
    ) {
        writer.array(key, people.entries) { writer, entry in
            writer.object { write(entry.key, entry.value, to: &$0) }
        }
        writer.flag(lost, people.hasLost)
    }

    private static func write(_ id: PersonID, _ record: ActorRecord, to writer: inout StorageWriter) {
        writer.member("i", id.rawValue)
        writer.member("n", record.name)
        writer.member("u", record.upn)
        writer.flag("x", record.kind == .system)
        writer.member("t", record.at)
    }

    private static func write(_ attestation: Attestation, to writer: inout StorageWriter) {
        writer.member("s", attestation.source.rawValue)
        switch attestation.authenticity {
        case .signed(let keys):
            writer.member("a", "s")
            writer.array("k", keys) { $0.string($1.rawValue) }
        case .confirmed: writer.member("a", "c")
        case .topic: writer.member("a", "t")
        case .unconfirmed: writer.member("a", "u")
        }
    }

    private static func write(_ claims: Claims, to writer: inout StorageWriter) {
        write("su", "sux", claims.subjects, to: &writer)
        writer.array("en", claims.entitlements.entries) { writer, entry in
            writer.object { writer in
                writer.member("k", entry.key.kind.rawValue)
                writer.member("i", entry.key.id)
                writer.member("s", entry.key.scope)
                writer.member("n", entry.value.value)
                writer.member("t", entry.value.at)
            }
        }
        writer.flag("enx", claims.entitlements.hasLost)
        writer.array("cl", claims.jobClasses.entries) { $0.string($1.key.rawValue) }
        writer.flag("clx", claims.jobClasses.hasLost)
        write("ap", "apx", claims.approvers, to: &writer)
        write("ua", claims.unknownApprover?.at, isPresent: claims.unknownApprover != nil, to: &writer)
        if let window = claims.window {
            writer.key("wi")
            writer.object { write(window, to: &$0) }
        }
        if let ticket = claims.ticket {
            writer.key("ti")
            writer.object { writer in
                writer.member("y", ticket.value.system)
                writer.member("n", ticket.value.number)
                writer.member("t", ticket.at)
            }
        }
        if let contained = claims.request {
            writer.key("r")
            contained.request.write(to: &writer)
            writer.flag("rx", contained.isContradicted)
        }
    }

    private func writeEnds(_ writer: inout StorageWriter) {
        Self.write("op", opened?.at, isPresent: opened != nil, to: &writer)
        Self.write("to", timedOut?.at, isPresent: timedOut != nil, to: &writer)
        Self.write("ca", canceled?.at, isPresent: canceled != nil, to: &writer)
        Self.write("de", denied?.at, denied?.value, isPresent: denied != nil, to: &writer)
        Self.write("ed", ended?.at, ended?.value, isPresent: ended != nil, to: &writer)
        Self.write("iv", invalidated?.at, invalidated?.value, isPresent: invalidated != nil, to: &writer)
        if let direct {
            writer.key("di")
            writer.object { writer in
                writer.member("t", direct.first.at)
                writer.flag("o", direct.outsidePIM)
                Self.write(direct.window, to: &writer)
            }
        }
        if let budget {
            writer.key("bu")
            writer.value(budget.json)
        }
        if let record = justificationRecord {
            writer.key("ju")
            writer.object { writer in
                writer.member("x", record.text.text)
                writer.member("d", record.text.digest)
                writer.member("c", integer: Int64(record.text.characters))
                writer.member("t", record.at)
            }
        }
    }

    private static func write(
        _ key: StaticString, _ at: Timestamp?, _ value: String? = nil, isPresent: Bool, to writer: inout StorageWriter
    ) {
        guard isPresent else { return }
        writer.key(key)
        writer.object { writer in
            writer.member("r", value)
            writer.member("t", at)
        }
    }

    private static func write(_ record: WindowRecord, to writer: inout StorageWriter) {
        write("b", record.started?.at, isPresent: record.started != nil, to: &writer)
        write("c", record.changed?.at, isPresent: record.changed != nil, to: &writer)
        writer.member("nb", record.notBefore?.value)
        writer.member("nbt", record.notBefore?.at)
        writer.member("na", record.notAfter?.value)
        writer.member("nat", record.notAfter?.at)
    }
}

extension ApprovalState {
    private static let subject = "approval state"

    /// Reads stored bytes.
    ///
    /// - Throws: ``StorageError`` when the bytes are not a state of a known version.
    public init(decoding bytes: [UInt8]) throws(StorageError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: Self.storageLimits)
        } catch {
            throw StorageError(subject: Self.subject, detail: error.description)
        }
        guard value["v"]?.integer == Self.storageVersion else {
            throw StorageError(subject: Self.subject, detail: "its version is not \(Self.storageVersion)")
        }
        self.init(approvalID: ApprovalID(try value.text("id", of: Self.subject)))
        requesters = try Self.people(value, "rq", "rqx")
        assignments.hasLost = value.flag("asx")
        assignments.entries = value.elements("as").compactMap { element in
            element.string.flatMap { AssignmentID($0) }.map { .init(key: $0, value: Present()) }
        }
        claims.hasLost = value.flag("cx")
        for element in value.elements("c") {
            claims.entries.append(.init(key: try Self.attestation(element), value: try Self.claims(element)))
        }
        opened = value["op"].map { Moment(at: $0.time("t")) }
        timedOut = value["to"].map { Moment(at: $0.time("t")) }
        canceled = value["ca"].map { Moment(at: $0.time("t")) }
        denied = value["de"].map { Earliest(at: $0.time("t"), value: $0["r"]?.string ?? "") }
        ended = value["ed"].map { Earliest(at: $0.time("t"), value: $0["r"]?.string ?? "") }
        invalidated = value["iv"].map { Earliest(at: $0.time("t"), value: $0["r"]?.string ?? "") }
        direct = value["di"].map {
            DirectRecord(
                first: Moment(at: $0.time("t")), outsidePIM: $0.flag("o"), window: Self.windowRecord($0))
        }
        justificationRecord = try Self.justification(value["ju"])
        if let stored = value["bu"] {
            do {
                budget = try Budget(json: stored)
            } catch {
                throw StorageError(subject: Self.subject, detail: "bu is no budget: \(error)")
            }
        }
        evidenceDigests.hasLost = value.flag("evx")
        for element in value.elements("ev") {
            guard let digest = element.string.flatMap({ Digest(b64u: $0) }) else {
                throw StorageError(subject: Self.subject, detail: "ev holds something that is no digest")
            }
            evidenceDigests.entries.append(.init(key: digest, value: Present()))
        }
        sourceNames.hasLost = value.flag("sox")
        sourceNames.entries = value.elements("so").compactMap(\.string).map {
            .init(key: SourceName($0), value: Present())
        }
        firstOccurredAt = value.time("t0")
        lastOccurredAt = value.time("t1")
    }

    private static func people(
        _ value: JSONValue, _ key: String, _ lost: String
    ) throws(StorageError) -> BoundedMap<PersonID, ActorRecord> {
        var people = BoundedMap<PersonID, ActorRecord>()
        people.hasLost = value.flag(lost)
        for element in value.elements(key) {
            people.entries.append(
                .init(key: PersonID(try element.text("i", of: subject)), value: actorRecord(element)))
        }
        return people
    }

    private static func actorRecord(_ value: JSONValue) -> ActorRecord {
        ActorRecord(
            at: value.time("t"), name: value["n"]?.string, upn: value["u"]?.string,
            kind: value.flag("x") ? .system : .human)
    }

    private static func attestation(_ value: JSONValue) throws(StorageError) -> Attestation {
        let authenticity: Authenticity
        switch try value.text("a", of: subject) {
        case "s": authenticity = .signed(value.elements("k").compactMap(\.string).map { KeyID($0) })
        case "c": authenticity = .confirmed
        case "t": authenticity = .topic
        case "u": authenticity = .unconfirmed
        default: throw StorageError(subject: subject, detail: "a is no authenticity")
        }
        return Attestation(source: SourceName(try value.text("s", of: subject)), authenticity: authenticity)
    }

    private static func claims(_ value: JSONValue) throws(StorageError) -> Claims {
        var claims = Claims()
        claims.subjects = try people(value, "su", "sux")
        claims.approvers = try people(value, "ap", "apx")
        for element in value.elements("en") {
            guard let kind = Entitlement.Kind(rawValue: try element.text("k", of: subject)) else {
                throw StorageError(subject: subject, detail: "en[].k is no kind of entitlement")
            }
            let key = EntitlementKey(kind: kind, id: try element.text("i", of: subject), scope: element["s"]?.string)
            claims.entitlements.entries.append(
                .init(key: key, value: Earliest(at: element.time("t"), value: element["n"]?.string ?? "")))
        }
        claims.entitlements.hasLost = value.flag("enx")
        claims.jobClasses.entries = value.elements("cl").compactMap(\.string).map {
            .init(key: JobClass($0), value: Present())
        }
        claims.jobClasses.hasLost = value.flag("clx")
        claims.unknownApprover = value["ua"].map { Moment(at: $0.time("t")) }
        claims.window = value["wi"].map(windowRecord)
        claims.ticket = value["ti"].map {
            Earliest(at: $0.time("t"), value: Ticket(system: $0["y"]?.string, number: $0["n"]?.string))
        }
        if let request = value["r"] {
            claims.request = ContainedRequest(
                request: try CapabilityRequest(stored: request), isContradicted: value.flag("rx"))
        }
        return claims
    }

    private static func justification(_ value: JSONValue?) throws(StorageError) -> JustificationRecord? {
        guard let value else { return nil }
        guard let digest = Digest(b64u: try value.text("d", of: subject)) else {
            throw StorageError(subject: subject, detail: "ju.d is no digest")
        }
        let text = Justification(
            text: try value.text("x", of: subject), digest: digest, characters: Int(value["c"]?.integer ?? 0))
        return JustificationRecord(at: value.time("t"), text: text)
    }

    private static func windowRecord(_ value: JSONValue) -> WindowRecord {
        WindowRecord(
            started: value["b"].map { Moment(at: $0.time("t")) },
            changed: value["c"].map { Moment(at: $0.time("t")) },
            notBefore: value.time("nb").map { WindowEdge(at: value.time("nbt"), value: $0) },
            notAfter: value.time("na").map { WindowEdge(at: value.time("nat"), value: $0) })
    }
}
