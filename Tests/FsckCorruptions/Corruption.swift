import ClawWire
import Foundation
import Fsck

/// One kind of damage, and what must be said of it.
struct Corruption: Sendable {
    /// A finding that must be there: its code, and a part of its place.
    struct Expected: Sendable {
        let code: FindingCode
        let place: String
    }

    let name: String
    let expected: [Expected]
    /// Codes that follow from the damage and may be there too.
    var also: Set<FindingCode> = []
    var usesLedger = false
    /// Damage by somebody who holds every key: what comes after it is consistent and signed.
    var forge: @Sendable (inout Forge) throws -> Void = { _ in }
    /// Damage to what was published or stored.
    var spoil: @Sendable (inout ForgedLog) throws -> Void = { _ in }
    var plan: @Sendable (inout FsckPlan) -> Void = { _ in }

    init(_ name: String, _ code: FindingCode, at place: String, also: Set<FindingCode> = []) {
        self.name = name
        expected = [Expected(code: code, place: place)]
        self.also = also
    }

    init(_ name: String, _ expected: [(FindingCode, String)], also: Set<FindingCode> = []) {
        self.name = name
        self.expected = expected.map { Expected(code: $0.0, place: $0.1) }
        self.also = also
    }

    func forged(_ forge: @escaping @Sendable (inout Forge) throws -> Void) -> Corruption {
        var copy = self
        copy.forge = forge
        return copy
    }

    func spoiled(_ spoil: @escaping @Sendable (inout ForgedLog) throws -> Void) -> Corruption {
        var copy = self
        copy.spoil = spoil
        return copy
    }

    func planned(_ plan: @escaping @Sendable (inout FsckPlan) -> Void) -> Corruption {
        var copy = self
        copy.plan = plan
        return copy
    }

    var withLedger: Corruption {
        var copy = self
        copy.usesLedger = true
        return copy
    }

    /// Makes the damaged log, and what the checker is told of it.
    func planted() throws -> (log: ForgedLog, plan: FsckPlan) {
        var forge = try HealthyLog.forge()
        try self.forge(&forge)
        var log = try forge.publish()
        try spoil(&log)
        var plan = HealthyLog.plan()
        self.plan(&plan)
        return (log, plan)
    }

    /// Makes the damaged log and checks it.
    func report() async throws -> FsckReport {
        let (log, plan) = try planted()
        return try await Fsck.run(plan, MemoryTopics(log), ledger: usesLedger ? MemoryLedger(log: log) : nil)
    }

    static let all: [Corruption] =
        records + secrets + heads + batches + checkpoints + receipts + outcomes + bounds + policies + keys + stops
        + ledger
        + ledgerApprovals + ledgerControl
}

extension FsckRecord {
    func with(
        partition: Int32? = nil, offset: Int64? = nil, key: [UInt8]? = nil, value: [UInt8]? = nil,
        headers: [(name: String, value: [UInt8]?)]? = nil
    ) -> FsckRecord {
        FsckRecord(
            partition: partition ?? self.partition, offset: offset ?? self.offset, timestamp: timestamp,
            key: key ?? self.key, value: value ?? self.value, headers: headers ?? self.headers)
    }

    func with(header name: String, _ text: String?) -> FsckRecord {
        var headers = headers.filter { $0.name != name }
        if let text { headers.append((name, Array(text.utf8))) }
        return with(headers: headers)
    }
}

extension ForgedLog {
    mutating func change(_ stream: String, _ index: Int, _ change: (FsckRecord) throws -> FsckRecord) throws {
        let records = topics[stream] ?? []
        guard index < records.count else { throw FsckError("\(stream) has no record \(index)") }
        topics[stream]?[index] = try change(records[index])
    }

    /// Replaces text in a record's value; it must be there.
    mutating func replace(_ stream: String, _ index: Int, _ old: String, _ new: String) throws {
        try change(stream, index) { record in
            let text = String(decoding: record.value ?? [], as: UTF8.self)
            guard text.contains(old) else { throw FsckError("\(old) does not stand in \(stream) \(index)") }
            return record.with(value: Array(text.replacingOccurrences(of: old, with: new).utf8))
        }
    }

    /// Changes a record's members and prints it canonically.
    mutating func edit(_ stream: String, _ index: Int, _ body: (inout JSONObject) -> Void) throws {
        try change(stream, index) { record in
            let limits = JSONLimits(maximumBytes: 4 << 20)
            guard var object = try JSONReader.parse(record.value ?? [], limits: limits).object else {
                throw FsckError("\(stream) \(index) is no object")
            }
            body(&object)
            return record.with(value: JSONWriter.bytes(.object(object), order: .canonical))
        }
    }

    /// A copy of a record at the end of its partition.
    mutating func append(_ stream: String, copyOf index: Int, _ change: (FsckRecord) -> FsckRecord = { $0 }) throws {
        let records = topics[stream] ?? []
        guard index < records.count else { throw FsckError("\(stream) has no record \(index)") }
        let changed = change(records[index])
        let offset = records.filter { $0.partition == changed.partition }.map(\.offset).max() ?? -1
        topics[stream]?.append(changed.with(offset: offset + 1))
    }
}

extension JSONObject {
    /// Changes a member that is an object.
    mutating func within(_ name: String, _ change: (inout JSONObject) -> Void) {
        var object = self[name]?.object ?? JSONObject()
        change(&object)
        self[name] = .object(object)
    }
}
