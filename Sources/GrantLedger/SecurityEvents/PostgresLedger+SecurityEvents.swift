public import ClawWire
import Postgres

/// The statements of security event sinks.
enum SecurityEventStatements {
    private static let columns = """
        name, first_position, next_position, delivered_at, failures, failing_since, failed_at, failure, is_reported, \
        skipped
        """

    static let end = PreparedStatement(
        "log_end", "SELECT last_position + 1, sealed_at FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1")

    /// A null start is the end of the log.
    static let open = PreparedStatement(
        "open_sinks",
        """
        INSERT INTO clawgrant.security_event_sink (name, first_position, next_position)
        SELECT s.name, p.position, p.position
        FROM unnest($1::text[], $2::int8[]) AS s (name, start),
            LATERAL (SELECT coalesce(
                s.start,
                (SELECT last_position + 1 FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1), 0)) p (position)
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.textArray, .int8Array])

    static let positions = PreparedStatement(
        "sink_positions", "SELECT \(columns) FROM clawgrant.security_event_sink ORDER BY name COLLATE \"C\"")

    static let delivered = PreparedStatement(
        "sink_delivered",
        """
        UPDATE clawgrant.security_event_sink
        SET next_position = $3, delivered_at = clock_timestamp(), failures = 0, failing_since = NULL,
            is_reported = false
        WHERE name = $1 AND next_position = $2
        """,
        parameterTypes: [.text, .int8, .int8])

    static let failed = PreparedStatement(
        "sink_failed",
        """
        UPDATE clawgrant.security_event_sink
        SET failures = least(failures, 1000000000) + 1, failing_since = coalesce(failing_since, clock_timestamp()),
            failed_at = clock_timestamp(), failure = $3, is_reported = is_reported OR $4
        WHERE name = $1 AND next_position = $2
        """,
        parameterTypes: [.text, .int8, .text, .bool])

    static let skipped = PreparedStatement(
        "sink_skipped",
        """
        UPDATE clawgrant.security_event_sink SET next_position = $3, skipped = skipped + $3 - $2
        WHERE name = $1 AND next_position = $2
        """,
        parameterTypes: [.text, .int8, .int8])
}

extension PostgresLedger: SecurityEventLedger {
    /// See ``SecurityEventLedger/logEnd()``.
    public func logEnd() async throws(LedgerError) -> LogEnd {
        let what = "reading the end of the log"
        let rows = try await run(what, [.execute(SecurityEventStatements.end)])[0]
        do {
            guard rows.rowCount == 1 else { return LogEnd(position: 0, sealedAt: nil) }
            return LogEnd(position: try rows.int64(0, 0), sealedAt: try rows.timestampValue(0, 1))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``SecurityEventLedger/openSinks(_:under:)``.
    public func openSinks(
        _ starts: [String: SinkStart], under lease: RoleLease
    ) async throws(LedgerError) -> [String: SinkPosition] {
        let sorted = starts.sorted { $0.key < $1.key }
        var rows = Parameters()
        rows.append(column: sorted) { $0.key }
        rows.append(nullableColumn: sorted) { start -> Int64? in
            switch start.value {
            case .position(let position): position
            case .end: nil
            }
        }
        let steps: [PipelineStep] = [
            .execute(SecurityEventStatements.open, rows), .execute(SecurityEventStatements.positions),
        ]
        do {
            let results = try await fenced("opening \(sorted.count) sinks", lease) { _ in steps }
            let known = try Self.sinkPositions(results[1])
            return Dictionary(known.filter { starts[$0.name] != nil }.map { ($0.name, $0) }) { first, _ in first }
        } catch {
            throw Self.translate(error, "opening sinks")
        }
    }

    /// See ``SecurityEventLedger/sinkPositions()``.
    public func sinkPositions() async throws(LedgerError) -> [SinkPosition] {
        let what = "reading the positions of sinks"
        let rows = try await run(what, [.execute(SecurityEventStatements.positions)])[0]
        do {
            return try Self.sinkPositions(rows)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``SecurityEventLedger/record(_:of:at:under:leaving:)``.
    public func record(
        _ step: SinkStep, of sink: String, at position: Int64, under lease: RoleLease,
        leaving effects: (@Sendable (Timestamp) throws -> [Effect])?
    ) async throws {
        let statement: PipelineStep =
            switch step {
            case .delivered(let next):
                .execute(SecurityEventStatements.delivered, Parameters(sink, position, next))
            case .failed(let failure, let isReported):
                .execute(SecurityEventStatements.failed, Parameters(sink, position, failure, isReported))
            case .skipped(let next): .execute(SecurityEventStatements.skipped, Parameters(sink, position, next))
            }
        _ = try await fenced("writing the position of sink \(sink)", lease) { transaction in
            let moved = try await transaction.run([statement])
            guard moved[0].affectedRows == 1 else {
                throw LedgerError(.fenced, "sink \(sink) stands elsewhere than at \(position); nothing committed")
            }
            return try await self.steps(effects, lease, transaction)
        }
    }

    /// See ``SecurityEventLedger/leave(_:under:)``.
    public func leave(_ effects: @escaping @Sendable (Timestamp) throws -> [Effect], under lease: RoleLease)
        async throws
    {
        _ = try await fenced("leaving receipts of the stream", lease) { transaction in
            try await self.steps(effects, lease, transaction)
        }
    }

    /// The steps that write a group of effects.
    private func steps(
        _ effects: (@Sendable (Timestamp) throws -> [Effect])?, _ lease: RoleLease, _ transaction: Transaction
    ) async throws -> [PipelineStep] {
        guard let effects else { return [] }
        let clock = try await transaction.run([.execute(SealStatements.clock)])
        let now = try clock[0].timestampValue(0, 0)
        let made = try effects(now)
        guard !made.isEmpty else { return [] }
        let ids = try await takeGroupIDs(1, in: transaction)
        return Self.groupSteps(made, [0..<made.count], ids, worker: lease.owner, now: now)
    }

    /// A transaction of the role's holder; `body` returns what is committed with it.
    private func fenced(
        _ what: String, _ lease: RoleLease, _ body: (Transaction) async throws -> [PipelineStep]
    ) async throws -> [PostgresResult] {
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let held = try await transaction.run([
                        .execute(
                            DecideStatements.fenceRole,
                            Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value))
                    ])
                    guard held[0].rowCount == 1 else {
                        throw LedgerError(
                            .fenced, "the role \(lease.role.rawValue) is held by another worker; nothing committed")
                    }
                    return try await transaction.commit(with: try await body(transaction))
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    private static func sinkPositions(_ rows: PostgresResult) throws -> [SinkPosition] {
        try (0..<rows.rowCount).map { row in
            SinkPosition(
                name: try rows.string(row, 0), first: try rows.int64(row, 1), next: try rows.int64(row, 2),
                deliveredAt: try rows.optionalTimestamp(row, 3), failures: try rows.int32(row, 4),
                failingSince: try rows.optionalTimestamp(row, 5), failedAt: try rows.optionalTimestamp(row, 6),
                failure: try rows.optional(row, 7), isReported: try rows.bool(row, 8), skipped: try rows.int64(row, 9))
        }
    }
}
