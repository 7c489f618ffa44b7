import ClawWire

/// The stored form of what is counted of a source: one JSON object, version 1. When it was heard last stands beside it.
extension SourceHealth {
    private static let subject = "source health"
    /// More than the most approvers take with the most job classes of each, in the longest names.
    private static let storageLimits = JSONLimits(maximumBytes: 16 << 20, maximumDepth: 16, maximumMembers: 1 << 17)

    /// The bytes to store.
    public func encode() -> [UInt8] {
        var object: JSONObject = ["v": 1, "grants": grants.json]
        if let reportedSilence { object["silence"] = .integer(reportedSilence.since?.microseconds ?? -1) }
        object["limit_reported"] = limitReportedAt.map { .integer($0.microseconds) }
        object["approvers"] = .object(
            JSONObject(approvers.sorted { $0.key < $1.key }.map { ($0.rawValue, $1.json) }))
        return JSONWriter.bytes(.object(object))
    }

    /// Reads stored bytes; none are a source of which nothing was counted.
    ///
    /// - Throws: ``StorageError``.
    public init(decoding bytes: [UInt8]) throws(StorageError) {
        self.init()
        guard !bytes.isEmpty else { return }
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: Self.storageLimits)
        } catch {
            throw StorageError(subject: Self.subject, detail: error.description)
        }
        guard value["v"]?.integer == 1 else {
            throw StorageError(subject: Self.subject, detail: "its version is not 1")
        }
        guard let counted = SlidingCount(value["grants"]) else {
            throw StorageError(subject: Self.subject, detail: "grants is no count")
        }
        grants = counted
        if let silence = value["silence"]?.integer {
            reportedSilence = ReportedSilence(since: silence < 0 ? nil : Timestamp(microseconds: silence))
        }
        limitReportedAt = value["limit_reported"]?.integer.map { Timestamp(microseconds: $0) }
        for member in value["approvers"]?.object?.members ?? [] {
            guard let known = ApproverHealth(member.value) else {
                throw StorageError(subject: Self.subject, detail: "approvers.\(member.key) is none")
            }
            approvers[PersonID(member.key)] = known
        }
    }
}

extension SlidingCount {
    fileprivate var json: JSONValue { .array(([length, newest] + counts).map { .integer($0) }) }

    fileprivate init?(_ value: JSONValue?) {
        guard let numbers = value?.array?.compactMap(\.integer), numbers.count >= 2 else { return nil }
        self.init(length: numbers[0], newest: numbers[1], counts: Array(numbers[2...]))
    }
}

extension ApproverHealth {
    fileprivate var json: JSONValue {
        var object: JSONObject = [
            "grants": grants.json, "approvals": approvals.json, "total": .integer(total),
            "classes": .array(classes.map { .string($0.rawValue) }), "last": .integer(lastAt.microseconds),
            "reported": .object(
                JSONObject(
                    reportedAt.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                        ($0.rawValue, .integer($1.microseconds))
                    })),
        ]
        object["suspect_until"] = suspectUntil.map { .integer($0.microseconds) }
        return .object(object)
    }

    fileprivate init?(_ value: JSONValue) {
        guard let grants = SlidingCount(value["grants"]), let approvals = SlidingCount(value["approvals"]),
            let total = value["total"]?.integer, let last = value["last"]?.integer
        else { return nil }
        self.init(at: Timestamp(microseconds: last))
        self.grants = grants
        self.approvals = approvals
        self.total = total
        classes = (value["classes"]?.array ?? []).compactMap(\.string).map { JobClass($0) }
        for member in value["reported"]?.object?.members ?? [] {
            guard let code = HealthFinding.Code(rawValue: member.key), let at = member.value.integer else { continue }
            reportedAt[code] = Timestamp(microseconds: at)
        }
        suspectUntil = value["suspect_until"]?.integer.map { Timestamp(microseconds: $0) }
    }
}
