import ClawWire
import Foundation

/// Writes the rows of a ledger beside the topics of a dump.
struct LedgerDumpWriter {
    private static let page = 2_000

    let directory: String

    /// Writes all tables, page by page.
    ///
    /// - Throws: when the ledger cannot be read or a file cannot be written.
    func write(_ source: any LedgerSource) async throws -> LedgerDumpSummary {
        var summary = LedgerDumpSummary()
        let state = try await source.controlPosition()
        summary.controlPosition = state.position
        summary.lastControlEvent = state.lastEvent
        summary.rows[.batches] = try await write(.batches) { file in
            var next: Int64 = 0
            while let page = try await some(source.batches(from: next, limit: 32)) {
                for row in page { try file.write(Self.batch(row)) }
                next = (page.last?.number ?? next) + 1
            }
        }
        summary.rows[.groups] = try await write(.groups) { file in
            var last = LedgerGroupKey(day: .min, group: .min)
            while let keys = try await some(source.groupKeys(after: last, limit: 32)) {
                for row in try await source.groups(keys) { try file.write(Self.group(row)) }
                last = keys.last ?? last
            }
        }
        summary.rows[.unsealed] = try await write(.unsealed) { file in
            var last = Int64.min
            while let page = try await some(source.unsealed(after: last, limit: Self.page)) {
                for row in page { try file.write(Self.line(["group_id": .integer(row)])) }
                last = page.last ?? last
            }
        }
        summary.rows[.requests] = try await write(.requests) { file in
            var last = ""
            while let page = try await some(source.requests(after: last, limit: Self.page)) {
                for row in page { try file.write(Self.request(row)) }
                last = page.last?.id ?? last
            }
        }
        summary.rows[.approvals] = try await write(.approvals) { file in
            var last = ""
            while let page = try await some(source.approvals(after: last, limit: Self.page)) {
                for row in page { try file.write(Self.approval(row)) }
                last = page.last?.id ?? last
            }
        }
        summary.rows[.controlEvents] = try await write(.controlEvents) { file in
            var last = ""
            while let page = try await some(source.controlEvents(after: last, limit: Self.page)) {
                for row in page { try file.write(Self.controlEvent(row)) }
                last = page.last?.id ?? last
            }
        }
        return summary
    }

    private func write(
        _ table: LedgerDumpSummary.Table, _ body: (DumpFile) async throws -> Void
    ) async throws -> Int64 {
        let file = try DumpFile(table.file(in: directory))
        try await body(file)
        try file.close()
        return file.records
    }

    private func some<Row>(_ page: [Row]) -> [Row]? { page.isEmpty ? nil : page }

    // MARK: Rows as text

    static func batch(_ row: LedgerBatch) -> [UInt8] {
        line([
            "checkpoint": .string(row.checkpoint), "first_position": .integer(row.firstPosition),
            "groups": .array(row.groups.map { [.integer($0.day), .integer($0.group)] }), "header": bytes(row.header),
            "header_hash": bytes(row.headerHash), "last_position": .integer(row.lastPosition),
            "number": .integer(row.number), "signature": bytes(row.signature),
        ])
    }

    static func group(_ row: LedgerGroup) -> [UInt8] {
        line(["body": bytes(row.body), "day": .integer(row.key.day), "group_id": .integer(row.key.group)])
    }

    static func request(_ row: LedgerRequest) -> [UInt8] {
        line([
            "request_id": .string(row.id), "state": .integer(row.state),
            "token_hash": row.tokenHash.map(bytes) ?? .null,
        ])
    }

    static func approval(_ row: LedgerApproval) -> [UInt8] {
        line(["approval_id": .string(row.id), "used_by": .array(row.usedBy.map { .string($0) })])
    }

    static func controlEvent(_ row: LedgerControlEvent) -> [UInt8] {
        line([
            "body": bytes(row.body), "event_digest": bytes(row.digest), "event_id": .string(row.id),
            "handle": .string(row.handle), "operation": .string(row.operation),
            "position": row.position.map { .integer($0) } ?? .null, "result": .string(row.result),
        ])
    }

    private static func line(_ row: JSONObject) -> [UInt8] {
        JSONWriter.bytes(.object(row), order: .canonical) + [0x0A]
    }

    private static func bytes(_ bytes: [UInt8]) -> JSONValue { .string(Data(bytes).base64EncodedString()) }
}
