public import ClawWire
import CrashPoints
import Postgres
public import ReceiptLog

enum QueryStatements {
    static let openLog = PreparedStatement(
        "open_log", "INSERT INTO clawgrant.ledger (log_id) VALUES ($1) ON CONFLICT DO NOTHING", parameterTypes: [.text])

    static let logID = PreparedStatement("log_id", "SELECT log_id FROM clawgrant.ledger")

    static let due = PreparedStatement(
        "due_requests",
        """
        SELECT request_id, approval_ref, ticket_ref, subject_ref FROM clawgrant.request
        WHERE state = 0 AND wait_until <= statement_timestamp()
        ORDER BY wait_until LIMIT $1
        """,
        parameterTypes: [.int8])

    static let dueApprovals = PreparedStatement(
        "due_approvals",
        """
        SELECT approval_id FROM clawgrant.approval
        WHERE outcome IS NULL AND close_at IS NOT NULL AND close_at <= statement_timestamp() ORDER BY close_at LIMIT $1
        """,
        parameterTypes: [.int8])

    static let registerKey = PreparedStatement(
        "register_key",
        """
        INSERT INTO clawgrant.signing_key (kid, purpose, public_key, first_used_at)
        VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT DO NOTHING RETURNING clock_timestamp()
        """,
        parameterTypes: [.text, .text, .bytea])

    static let ensureDays = PreparedStatement(
        "ensure_days",
        """
        SELECT clawgrant.ensure_days(today.day - $1, today.day + $2)
        FROM (SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::int AS day) AS today
        """,
        parameterTypes: [.int4, .int4])

    /// With a day to spare: no record of an approval is taken that is older than the days that are kept.
    static let forgetHolderEnds = PreparedStatement(
        "forget_holder_ends",
        """
        DELETE FROM clawgrant.holder_end WHERE occurred_at < clock_timestamp() - make_interval(days => $1 + 1)
        """,
        parameterTypes: [.int4])

    static let request = PreparedStatement(
        "request_history",
        """
        SELECT \(DecideStatements.loadedRequestColumns), group_id, group_day, group_index
        FROM clawgrant.request WHERE request_id = $1
        """,
        parameterTypes: [.text])

    static let approvals = PreparedStatement(
        "approvals_by_id",
        "SELECT \(DecideStatements.approvalColumns) FROM clawgrant.approval WHERE approval_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    static let batchOfGroup = PreparedStatement(
        "batch_of_group", "SELECT number FROM clawgrant.receipt_batch WHERE $1 = ANY (group_ids) LIMIT 1",
        parameterTypes: [.int8])

    static let requestCounts = PreparedStatement(
        "request_counts", "SELECT state, count(*) FROM clawgrant.request GROUP BY state")

    static let otherCounts = PreparedStatement(
        "other_counts",
        """
        SELECT (SELECT count(*) FROM clawgrant.approval),
            (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch),
            (SELECT coalesce(max(last_position) + 1, 0) FROM clawgrant.receipt_batch),
            (SELECT count(*) FROM clawgrant.unsealed),
            (SELECT min(next_batch) FROM clawgrant.publish_position),
            (SELECT count(*) FROM clawgrant.worker WHERE expires_at >= clock_timestamp())
        """)
}

extension PostgresLedger {
    /// See ``Ledger/openLog(_:)``.
    public func openLog(_ logID: LogID) async throws(LedgerError) {
        let what = "opening the log \(logID)"
        let results = try await run(
            what,
            [.execute(QueryStatements.openLog, Parameters(logID.rawValue)), .execute(QueryStatements.logID)])
        do {
            let name = try results[1].string(0, 0)
            guard name == logID.rawValue else {
                throw LedgerError(
                    .refused,
                    "this ledger holds the log \"\(name)\" and the configuration names \"\(logID)\"; correct log_id")
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/ensureDays(past:future:)``.
    public func ensureDays(past: Int32, future: Int32) async throws(LedgerError) {
        _ = try await run(
            "making day partitions",
            [
                .execute(QueryStatements.ensureDays, Parameters(past, future)),
                .execute(QueryStatements.forgetHolderEnds, Parameters(past)),
            ])
    }

    /// See ``Ledger/due(limit:)``.
    public func due(limit: Int) async throws(LedgerError) -> DueWork {
        let what = "looking for what is due"
        let results = try await run(
            what,
            [
                .execute(QueryStatements.due, Parameters(Int64(limit))),
                .execute(QueryStatements.dueApprovals, Parameters(Int64(limit))),
            ])
        do {
            return DueWork(
                requests: try (0..<results[0].rowCount).map { row in
                    DueWork.Request(
                        requestID: RequestID(try results[0].string(row, 0)),
                        approvalReference: try results[0].optional(row, 1, as: String.self).map { ApprovalID($0) },
                        ticketReference: try results[0].optional(row, 2),
                        subjectReference: try results[0].optional(row, 3, as: String.self).map { PersonID($0) })
                },
                approvals: try (0..<results[1].rowCount).map { ApprovalID(try results[1].string($0, 0)) })
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/registerKey(kid:purpose:publicKey:worker:effect:)``.
    public func registerKey(
        kid: KeyID, purpose: String, publicKey: Ed25519PublicKey, worker: WorkerID,
        effect: @Sendable (Timestamp) throws -> Effect
    ) async throws -> Bool {
        let what = "recording the signing key \(kid)"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let results = try await transaction.run([
                        .execute(
                            QueryStatements.registerKey, Parameters(kid.rawValue, purpose, publicKey.bytes)),
                        .execute(DecideStatements.groupIDs, Parameters(Int32(1))),
                    ])
                    guard results[0].rowCount == 1 else { return false }
                    let now = try results[0].timestampValue(0, 0)
                    let groupID = try results[1].int64(0, 0)
                    let effect = try effect(now)
                    CrashPoint.pass(.keyInserted)
                    _ = try await transaction.commit(
                        with: Self.groupSteps([effect], [0..<1], [groupID], worker: worker, now: now))
                    CrashPoint.pass(.keyRecorded)
                    return true
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/history(of:)``.
    public func history(of request: RequestID) async throws(LedgerError) -> RequestHistory? {
        let what = "reading request \(request)"
        do {
            return try await pool.withConnection { connection in
                let rows = try await connection.execute(QueryStatements.request, Parameters(request.rawValue))
                guard rows.rowCount == 1 else { return nil }
                let stored = try StoredRows.request(rows, 0)
                var effect: Effect?
                var batchNumber: Int64?
                if let groupID: Int64 = try rows.optional(0, 24), let day: Int32 = try rows.optional(0, 25),
                    let index: Int32 = try rows.optional(0, 26)
                {
                    var key = Parameters()
                    key.append(array: [day])
                    key.append(array: [groupID])
                    let groups = try Self.groups(try await connection.execute(SealStatements.groups, key))
                    if let effects = groups.first?.effects, Int(index) < effects.count { effect = effects[Int(index)] }
                    let batch = try await connection.execute(QueryStatements.batchOfGroup, Parameters(groupID))
                    if batch.rowCount == 1 { batchNumber = try batch.int64(0, 0) }
                }
                var ids = stored.approvals.map(\.rawValue)
                if let reference = stored.approvalReference { ids.append(reference.rawValue) }
                var key = Parameters()
                key.append(array: ids)
                let approvals = try await connection.execute(QueryStatements.approvals, key)
                return RequestHistory(
                    request: stored, effect: effect, batchNumber: batchNumber,
                    approvals: try (0..<approvals.rowCount).map { try StoredRows.approval(approvals, $0) })
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/approval(_:)``.
    public func approval(_ id: ApprovalID) async throws(LedgerError) -> StoredApproval? {
        let what = "reading approval \(id)"
        var key = Parameters()
        key.append(array: [id.rawValue])
        let rows = try await run(what, [.execute(QueryStatements.approvals, key)])[0]
        do {
            return rows.rowCount == 1 ? try StoredRows.approval(rows, 0) : nil
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/status()``.
    public func status() async throws(LedgerError) -> LedgerStatus {
        let what = "reading the status"
        let results = try await run(
            what, [.execute(QueryStatements.requestCounts), .execute(QueryStatements.otherCounts)])
        do {
            var counts: [RequestState: Int64] = [:]
            for row in 0..<results[0].rowCount {
                guard let state = RequestState(rawValue: Int16(clamping: try results[0].int64(row, 0))) else {
                    continue
                }
                counts[state] = try results[0].int64(row, 1)
            }
            let other = results[1]
            return LedgerStatus(
                requests: counts, approvals: try other.int64(0, 0), batches: try other.int64(0, 1),
                receipts: try other.int64(0, 2), unsealedGroups: try other.int64(0, 3),
                nextBatchToPublish: try other.int64(0, 4), liveWorkers: try other.int64(0, 5))
        } catch {
            throw Self.translate(error, what)
        }
    }
}
