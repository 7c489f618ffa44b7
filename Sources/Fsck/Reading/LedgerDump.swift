import ClawWire

/// What a dump's manifest says of the ledger's rows.
struct LedgerDumpSummary: Equatable {
    /// A table, one file each: one RFC 8785 object a row, in the order of the ledger.
    enum Table: String, CaseIterable {
        case batches, groups, unsealed, requests, approvals
        case controlEvents = "control_events"

        func file(in directory: String) -> String { "\(directory)/ledger-\(rawValue).ndjson" }
    }

    var rows: [Table: Int64] = [:]
    var controlPosition: Int64 = 0
    var lastControlEvent: Int64 = 0

    var json: JSONValue {
        var object: JSONObject = [
            "control_position": .integer(controlPosition), "last_control_event": .integer(lastControlEvent),
        ]
        for table in Table.allCases { object[table.rawValue] = .integer(rows[table, default: 0]) }
        return .object(object)
    }

    init() {}

    init(_ value: JSONValue) throws {
        guard let position = value["control_position"]?.integer, let last = value["last_control_event"]?.integer else {
            throw FsckError("ledger has no control_position and last_control_event")
        }
        controlPosition = position
        lastControlEvent = last
        for table in Table.allCases {
            guard let count = value[table.rawValue]?.integer, count >= 0 else {
                throw FsckError("ledger does not say how many rows \(table.rawValue) has")
            }
            rows[table] = count
        }
    }
}

/// The rows of a ledger out of a dump. Rows pass by in the order of their files; of groups, which batches ask for by
/// their keys, the places are kept: some 24 bytes each.
final class DumpedLedger: LedgerSource {
    private typealias Table = LedgerDumpSummary.Table

    /// Where a table is read on, and the key of the row before.
    private struct Cursor<Key: Equatable> {
        let lines: LineReader
        var last: Key?
    }

    private let directory: String
    private let summary: LedgerDumpSummary
    private let groupLines: LineReader
    private var index: [(key: LedgerGroupKey, place: UInt64)] = []
    private var batchLines: LineReader?
    private var unsealedRows: Cursor<Int64>?
    private var requestRows: Cursor<String>?
    private var approvalRows: Cursor<String>?
    private var controlRows: Cursor<String>?

    /// Opens the files and counts their rows.
    ///
    /// - Throws: ``FsckError`` when a file cannot be read, is cut, or groups are out of their order.
    init(directory: String, _ summary: LedgerDumpSummary) throws {
        self.directory = directory
        self.summary = summary
        groupLines = try Self.open(.groups, directory)
        for table in Table.allCases {
            let lines = table == .groups ? groupLines : try Self.open(table, directory)
            var count: Int64 = 0
            var place = lines.offset
            while let line = try lines.next() {
                count += 1
                if table == .groups { try add(try Self.row(line, Self.group, table, directory).key, at: place) }
                place = lines.offset
            }
            guard count == summary.rows[table] else {
                throw FsckError(
                    "\(table.file(in: directory)) has \(count) rows, the manifest says \(summary.rows[table] ?? 0)")
            }
        }
    }

    private func add(_ key: LedgerGroupKey, at place: UInt64) throws {
        if let last = index.last?.key, (last.day, last.group) >= (key.day, key.group) {
            throw FsckError("\(Table.groups.file(in: directory)) is not in the order of day and group")
        }
        index.append((key, place))
    }

    private static func open(_ table: Table, _ directory: String) throws -> LineReader {
        // A group holds a unit of work with its claims: more than a batch, which holds receipts alone.
        try LineReader(table.file(in: directory), maximumLine: 64 << 20)
    }

    /// Reads one row.
    private static func row<Row>(
        _ line: [UInt8], _ read: (Members) -> Row?, _ table: Table, _ directory: String
    ) throws -> Row {
        guard let members = try? Members(line), let row = read(members) else {
            throw FsckError("a line of \(table.file(in: directory)) is no row of a dump")
        }
        return row
    }

    /// The rows behind the one that the last page ended with.
    private func page<Row, Key: Equatable>(
        _ table: LedgerDumpSummary.Table, _ cursor: inout Cursor<Key>?, after key: Key, limit: Int,
        _ read: (Members) -> Row?, key name: (Row) -> Key
    ) throws -> [Row] {
        var current: Cursor<Key>
        if let cursor, cursor.last == key {
            current = cursor
        } else {
            current = Cursor(lines: try Self.open(table, directory), last: nil)
        }
        var rows: [Row] = []
        while rows.count < limit, let line = try current.lines.next() {
            rows.append(try Self.row(line, read, table, directory))
        }
        current.last = rows.last.map(name) ?? key
        cursor = current
        return rows
    }

    func batches(from number: Int64, limit: Int) throws -> [LedgerBatch] {
        let lines = try batchLines ?? Self.open(.batches, directory)
        batchLines = lines
        var rows: [LedgerBatch] = []
        while rows.count < limit, let line = try lines.next() {
            let row = try Self.row(line, Self.batch, .batches, directory)
            if row.number >= number { rows.append(row) }
        }
        return rows
    }

    func groups(_ keys: [LedgerGroupKey]) throws -> [LedgerGroup] {
        try keys.compactMap { key in
            guard let place = place(of: key) else { return nil }
            try groupLines.seek(to: place)
            guard let line = try groupLines.next() else { return nil }
            return try Self.row(line, Self.group, .groups, directory)
        }
    }

    /// The first entry of the index whose key is not less.
    private func lowerBound(_ key: LedgerGroupKey) -> Int {
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if (index[middle].key.day, index[middle].key.group) < (key.day, key.group) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private func place(of key: LedgerGroupKey) -> UInt64? {
        let found = lowerBound(key)
        return found < index.count && index[found].key == key ? index[found].place : nil
    }

    func groupKeys(after key: LedgerGroupKey, limit: Int) -> [LedgerGroupKey] {
        var first = lowerBound(key)
        if first < index.count, index[first].key == key { first += 1 }
        return index[first...].prefix(limit).map(\.key)
    }

    func unsealed(after group: Int64, limit: Int) throws -> [Int64] {
        try page(.unsealed, &unsealedRows, after: group, limit: limit, { $0.integer("group_id") }, key: { $0 })
    }

    func requests(after request: String, limit: Int) throws -> [LedgerRequest] {
        try page(.requests, &requestRows, after: request, limit: limit, Self.request, key: \.id)
    }

    func approvals(after approval: String, limit: Int) throws -> [LedgerApproval] {
        try page(.approvals, &approvalRows, after: approval, limit: limit, Self.approval, key: \.id)
    }

    func controlEvents(after event: String, limit: Int) throws -> [LedgerControlEvent] {
        try page(.controlEvents, &controlRows, after: event, limit: limit, Self.controlEvent, key: \.id)
    }

    func controlPosition() -> (position: Int64, lastEvent: Int64) {
        (summary.controlPosition, summary.lastControlEvent)
    }
}

// MARK: Rows as text

extension DumpedLedger {
    static func batch(_ members: Members) -> LedgerBatch? {
        guard let number = members.integer("number"), let first = members.integer("first_position"),
            let last = members.integer("last_position"), let hash = bytes(members, "header_hash"),
            let header = bytes(members, "header"), let signature = bytes(members, "signature"),
            let checkpoint = members.string("checkpoint"), let groups = members.range("groups"),
            let (pairs, _) = try? CanonicalText.array(members.text.span, at: groups.lowerBound, maximum: 1 << 20)
        else { return nil }
        var keys: [LedgerGroupKey] = []
        for pair in pairs {
            guard let (parts, _) = try? CanonicalText.array(members.text.span, at: pair.lowerBound, maximum: 2),
                parts.count == 2, let day = Int32(String(decoding: members.text[parts[0]], as: UTF8.self)),
                let group = Int64(String(decoding: members.text[parts[1]], as: UTF8.self))
            else { return nil }
            keys.append(LedgerGroupKey(day: day, group: group))
        }
        return LedgerBatch(
            number: number, firstPosition: first, lastPosition: last, headerHash: hash, header: header,
            signature: signature, checkpoint: checkpoint, groups: keys)
    }

    static func group(_ members: Members) -> LedgerGroup? {
        guard let day = members.integer("day").flatMap({ Int32(exactly: $0) }), let group = members.integer("group_id"),
            let body = bytes(members, "body")
        else { return nil }
        return LedgerGroup(key: LedgerGroupKey(day: day, group: group), body: body)
    }

    static func request(_ members: Members) -> LedgerRequest? {
        guard let id = members.string("request_id"),
            let state = members.integer("state").flatMap({ Int16(exactly: $0) }),
            let hash = members.range("token_hash").flatMap({ DumpSource.bytes(members.text, $0) })
        else { return nil }
        return LedgerRequest(id: id, state: state, tokenHash: hash.bytes)
    }

    static func approval(_ members: Members) -> LedgerApproval? {
        guard let id = members.string("approval_id"), let uses = members.strings("used_by") else { return nil }
        return LedgerApproval(id: id, usedBy: uses)
    }

    static func controlEvent(_ members: Members) -> LedgerControlEvent? {
        guard let id = members.string("event_id"), let place = members.raw("position"),
            let operation = members.string("operation"), let handle = members.string("handle"),
            let result = members.string("result"), let digest = bytes(members, "event_digest"),
            let body = bytes(members, "body")
        else { return nil }
        let position = members.integer("position")
        guard position != nil || place.elementsEqual("null".utf8) else { return nil }
        return LedgerControlEvent(
            id: id, position: position, operation: operation, handle: handle, result: result, digest: digest,
            body: body)
    }

    private static func bytes(_ members: Members, _ name: String) -> [UInt8]? {
        members.range(name).flatMap { DumpSource.bytes(members.text, $0) }?.bytes
    }
}
