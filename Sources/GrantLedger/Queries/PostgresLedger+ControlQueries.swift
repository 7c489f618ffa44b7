public import ClawWire
import Postgres
import ReceiptLog

enum ControlQueryStatements {
    static let overview = PreparedStatement(
        "control_overview",
        """
        SELECT (SELECT count(*) FROM clawgrant.worker WHERE expires_at >= clock_timestamp()),
            (SELECT r.lease_owner FROM clawgrant.role_lease r JOIN clawgrant.worker w ON w.worker_id = r.lease_owner
                WHERE r.role = 'control' AND w.expires_at >= clock_timestamp()),
            (SELECT count(*) FROM clawgrant.unsealed WHERE priority = 0),
            coalesce((SELECT max(number) FROM clawgrant.receipt_batch), -1),
            (SELECT next_batch FROM clawgrant.publish_position WHERE lane = 'control')
        """)

    static let keysWithoutTokens = PreparedStatement(
        "control_keys_without_tokens", "SELECT kid FROM clawgrant.signing_key WHERE purpose <> 'token'")

    static let openRuns = PreparedStatement(
        "open_revocation_runs",
        """
        SELECT position, ordinal, handle, scope_kind, scope_value, part, part_value, cause, detail, issued_before,
            revoked, started_at
        FROM clawgrant.revocation_run WHERE finished_at IS NULL ORDER BY position, ordinal
        """)

    /// Groups carry the database's clock of their transaction; what was committed up to an instant and is not among the
    /// unsealed is in the batches that the same snapshot shows. A clock that was set back makes this wait for more.
    static let progress = PreparedStatement(
        "control_progress",
        """
        WITH e AS (SELECT applied_at FROM clawgrant.control_event WHERE position = $1),
            r AS (
                SELECT count(*) FILTER (WHERE finished_at IS NULL) AS open, coalesce(sum(revoked), 0)::int8 AS revoked,
                    max(finished_at) AS finished
                FROM clawgrant.revocation_run WHERE position = $1)
        SELECT NOT EXISTS (
                SELECT 1 FROM clawgrant.unsealed u
                JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id
                WHERE u.priority = 0 AND g.created_at <= e.applied_at),
            r.open = 0 AND NOT EXISTS (
                SELECT 1 FROM clawgrant.unsealed u
                JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id
                WHERE u.priority < 2 AND g.created_at <= greatest(e.applied_at, r.finished)),
            r.open, r.revoked, coalesce((SELECT max(number) FROM clawgrant.receipt_batch), -1),
            (SELECT next_batch FROM clawgrant.publish_position WHERE lane = 'control')
        FROM e, r
        """,
        parameterTypes: [.int8])

    static func liveTokens(by index: ReachIndex) -> PreparedStatement {
        PreparedStatement(
            "count_live_tokens_by_\(index.rawValue)",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM clawgrant.request
                WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()
                    AND \(ControlStatements.inScope(kind: "$1", value: "$2")) AND \(index.condition(value: "$2"))
                LIMIT $3) live
            """,
            parameterTypes: [.text, .text, .int8])
    }
}

extension PostgresLedger {
    /// See ``Ledger/controlOverview()``.
    public func controlOverview() async throws(LedgerError) -> ControlOverview {
        let what = "reading the control state"
        let results = try await run(
            what,
            [
                .execute(DecideStatements.controlState),
                .execute(DecideStatements.newControlOrders, Parameters(Int64(0))),
                .execute(ControlStatements.counts), .execute(ControlQueryStatements.openRuns),
                .execute(ControlQueryStatements.overview),
            ])
        do {
            let (state, rest) = (results[0], results[4])
            guard state.rowCount == 1, rest.rowCount == 1 else { throw Self.corrupted("clawgrant.control_state") }
            return ControlOverview(
                now: try state.timestampValue(0, 2), position: try state.int64(0, 0),
                polledAt: try state.timestampValue(0, 1), orders: try StoredRows.controlOrders(results[1]),
                counts: try Self.counts(results[2]).counts,
                openRuns: try (0..<results[3].rowCount).map { try Self.run(results[3], row: $0) },
                liveWorkers: try rest.int64(0, 0),
                reader: try rest.optional(0, 1, as: String.self).map { WorkerID($0) },
                unsealedEvents: try rest.int64(0, 2), lastBatch: try rest.int64(0, 3),
                nextBatchToPublish: try rest.int64(0, 4))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// The keys that workers have made known and that sign something else than tokens. A key has one purpose, for ever.
    public func keysWithoutTokens() async throws(LedgerError) -> Set<KeyID> {
        let what = "reading the keys"
        let rows = try await run(what, [.execute(ControlQueryStatements.keysWithoutTokens)])[0]
        do {
            return Set(try (0..<rows.rowCount).map { KeyID(try rows.string($0, 0)) })
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/controlProgress(of:)``.
    public func controlProgress(of position: Int64) async throws(LedgerError) -> ControlProgress? {
        let what = "reading how far control event \(position) has come"
        let rows = try await run(what, [.execute(ControlQueryStatements.progress, Parameters(position))])[0]
        do {
            guard rows.rowCount == 1 else { return nil }
            return ControlProgress(
                isSealed: try rows.bool(0, 0), isSwept: try rows.bool(0, 1), openRuns: try rows.int64(0, 2),
                revokedTokens: try rows.int64(0, 3), lastBatch: try rows.int64(0, 4),
                nextBatchToPublish: try rows.int64(0, 5))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/liveTokens(scopeKind:value:atMost:within:)``.
    public func liveTokens(
        scopeKind: String, value: String?, atMost limit: Int64, within time: Duration
    ) async throws(LedgerError) -> Int64? {
        let what = "counting live tokens"
        let milliseconds = max(1, Int64(time / .milliseconds(1)))
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction(access: .readOnly) { transaction in
                    let results = try await transaction.run([
                        .command("SET LOCAL statement_timeout = \(milliseconds)"),
                        .execute(
                            ControlQueryStatements.liveTokens(by: ReachIndex(scopeKind: scopeKind, value: value)),
                            Parameters(scopeKind, value ?? "", limit)),
                    ])
                    return try results[1].int64(0, 0)
                }
            }
        } catch let error as PostgresError where error.sqlState == .queryCanceled {
            return nil
        } catch {
            throw Self.translate(error, what)
        }
    }
}
