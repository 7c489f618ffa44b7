public import ClawWire
import Postgres
import ReceiptLog

extension PostgresLedger {
    /// See ``ConsoleLedger/consoleWaiting(after:limit:)``.
    public func consoleWaiting(after place: ConsolePlace?, limit: Int) async throws(LedgerError) -> ConsoleWaiting {
        let what = "reading what waits"
        let key = Parameters(
            (place?.time ?? Timestamp(seconds: 0)).postgres, place?.requestID.rawValue ?? "", Int64(min(limit, 200)))
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction(access: .readOnly) { transaction in
                    let rows = try await transaction.look([.execute(ConsoleStatements.waiting, key)])[0]
                    return try await Self.waiting(
                        try (0..<rows.rowCount).map { try StoredRows.request(rows, $0) }, transaction)
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// What the rules need to say what requests wait for.
    private static func waiting(
        _ requests: [StoredRequest], _ transaction: Transaction
    ) async throws -> ConsoleWaiting {
        var approvals = Parameters()
        approvals.append(array: requests.compactMap(\.approvalReference?.rawValue))
        approvals.append(array: requests.compactMap(\.ticketReference))
        approvals.append(array: requests.compactMap(\.subjectReference?.rawValue))
        var jobs = Parameters()
        jobs.append(array: requests.map(\.jobID.rawValue))
        let found = try await transaction.look([
            .execute(UsageStatements.now), .execute(ConsoleStatements.approvals, approvals),
            .execute(ConsoleStatements.usage, jobs), .execute(ConsoleStatements.sources),
        ])
        let stored = try (0..<found[1].rowCount).map { try StoredRows.approval(found[1], $0) }
        var usage: [JobID: [UInt8]] = [:]
        for row in 0..<found[2].rowCount { usage[JobID(try found[2].string(row, 0))] = try found[2].bytes(row, 1) }
        return ConsoleWaiting(
            now: try found[0].timestampValue(0, 0), requests: requests, approvals: stored, usage: usage,
            sources: try StoredRows.sourceHealth(found[3]),
            confirmations: try await confirmations(of: stored, transaction))
    }

    private static func confirmations(
        of approvals: [StoredApproval], _ transaction: Transaction
    ) async throws -> [ApprovalID: String] {
        guard !approvals.isEmpty else { return [:] }
        var ids = Parameters()
        ids.append(column: approvals) { $0.approvalID.rawValue }
        let rows = try await transaction.look([.execute(ConsoleStatements.confirmations, ids)])[0]
        var waiting: [ApprovalID: String] = [:]
        for row in 0..<rows.rowCount {
            let why = try rows.string(row, 2)
            waiting[ApprovalID(try rows.string(row, 0))] =
                "\(try rows.string(row, 1)) has not answered yet" + (why.isEmpty ? "" : " (\(why))")
        }
        return waiting
    }

    /// See ``ConsoleLedger/consoleRequest(_:)``.
    public func consoleRequest(_ id: RequestID) async throws(LedgerError) -> ConsoleRequest? {
        let what = "reading request \(id)"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction(access: .readOnly) { transaction in
                    try await Self.request(id, transaction)
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    private static func request(_ id: RequestID, _ transaction: Transaction) async throws -> ConsoleRequest? {
        let rows = try await transaction.look([.execute(QueryStatements.request, Parameters(id.rawValue))])[0]
        guard rows.rowCount == 1 else { return nil }
        let stored = try StoredRows.request(rows, 0)
        if stored.state == .waiting {
            let waiting = try await waiting([stored], transaction)
            return ConsoleRequest(
                history: RequestHistory(
                    request: stored, effect: nil, batchNumber: nil, approvals: waiting.approvals),
                position: nil, confirmations: waiting.confirmations, waiting: waiting)
        }
        var effect: Effect?
        var place: (batch: Int64, position: Int64)?
        if let groupID: Int64 = try rows.optional(0, 24), let day: Int32 = try rows.optional(0, 25),
            let index: Int32 = try rows.optional(0, 26)
        {
            var key = Parameters()
            key.append(array: [day])
            key.append(array: [groupID])
            let groups = try groups(try await transaction.look([.execute(SealStatements.groups, key)])[0])
            if let effects = groups.first?.effects, Int(index) < effects.count { effect = effects[Int(index)] }
            if let decidedAt = stored.decidedAt {
                place = try await self.place(of: groupID, index: Int64(index), decidedAt: decidedAt, transaction)
            }
        }
        var ids = Parameters()
        ids.append(array: stored.approvals.map(\.rawValue) + [stored.approvalReference?.rawValue].compactMap(\.self))
        let approvals = try await transaction.look([.execute(QueryStatements.approvals, ids)])[0]
        return ConsoleRequest(
            history: RequestHistory(
                request: stored, effect: effect, batchNumber: place?.batch,
                approvals: try (0..<approvals.rowCount).map { try StoredRows.approval(approvals, $0) }),
            position: place?.position, confirmations: [:], waiting: nil)
    }

    /// The batch that sealed a group's entry and the entry's position, found by when the group was written: batches are
    /// numbered in the order of their sealing, so a search by halves needs no index over the groups of each.
    private static func place(
        of groupID: Int64, index: Int64, decidedAt: Timestamp, _ transaction: Transaction
    ) async throws -> (batch: Int64, position: Int64)? {
        let unsealed = try await transaction.look([.execute(ConsoleStatements.log)])[0]
        guard unsealed.rowCount == 1 else { return nil }
        // As much as the clocks of sealer and ledger may differ, and again, so that a step back costs nothing.
        let from = decidedAt.adding(seconds: -600)
        var (low, high) = (Int64(0), try unsealed.int64(0, 0))
        while low < high {
            let middle = low + (high - low) / 2
            let row = try await transaction.look([.execute(ConsoleStatements.batchAt, Parameters(middle))])[0]
            if row.rowCount == 1, try row.timestampValue(0, 0) < from { low = middle + 1 } else { high = middle }
        }
        let rows = try await transaction.look([.execute(ConsoleStatements.batchOfGroup, Parameters(low, groupID))])[0]
        guard rows.rowCount == 1 else { return nil }
        let before = try rows.array(0, 2, of: Int64.self).prefix { $0 != groupID }
        var keys = Parameters()
        keys.append(array: Array(try rows.array(0, 3, of: Int32.self).prefix(before.count)))
        keys.append(array: Array(before))
        let entries = try await transaction.look([.execute(ConsoleStatements.entries, keys)])[0]
        return (try rows.int64(0, 0), try rows.int64(0, 1) + (try entries.int64(0, 0)) + index)
    }
}
