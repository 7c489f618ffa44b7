import Postgres

/// Reads the ledger with SQL of its own, page by page.
final class PostgresLedgerSource: LedgerSource {
    private let connection: PostgresConnection

    init(_ connection: PostgresConnection) { self.connection = connection }

    func batches(from number: Int64, limit: Int) async throws -> [LedgerBatch] {
        let statement = PreparedStatement(
            "fsck_batches",
            """
            SELECT number, first_position, last_position, header_hash, header, signature, checkpoint, group_ids,
                group_days
            FROM clawgrant.receipt_batch WHERE number >= $1 ORDER BY number LIMIT $2
            """, parameterTypes: [.int8, .int8])
        let rows = try await connection.execute(statement, Parameters(number, Int64(limit)))
        return try (0..<rows.rowCount).map { row in
            let days = try rows.array(row, 8, of: Int32.self)
            let groups = try rows.array(row, 7, of: Int64.self)
            return LedgerBatch(
                number: try rows.int64(row, 0), firstPosition: try rows.int64(row, 1),
                lastPosition: try rows.int64(row, 2), headerHash: try rows.bytes(row, 3),
                header: try rows.bytes(row, 4), signature: try rows.bytes(row, 5),
                checkpoint: try rows.string(row, 6),
                groups: zip(days, groups).map { LedgerGroupKey(day: $0, group: $1) })
        }
    }

    func groups(_ keys: [LedgerGroupKey]) async throws -> [LedgerGroup] {
        let statement = PreparedStatement(
            "fsck_groups",
            """
            SELECT g.day, g.group_id, g.body
            FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (day, group_id, place)
            JOIN clawgrant.effect_group g ON g.day = k.day AND g.group_id = k.group_id ORDER BY k.place
            """, parameterTypes: [.int4Array, .int8Array])
        var parameters = Parameters()
        parameters.append(array: keys.map(\.day))
        parameters.append(array: keys.map(\.group))
        let rows = try await connection.execute(statement, parameters)
        return try (0..<rows.rowCount).map { row in
            LedgerGroup(
                key: LedgerGroupKey(day: try rows.int32(row, 0), group: try rows.int64(row, 1)),
                body: try rows.bytes(row, 2))
        }
    }

    func groupKeys(after key: LedgerGroupKey, limit: Int) async throws -> [LedgerGroupKey] {
        let statement = PreparedStatement(
            "fsck_group_keys",
            """
            SELECT day, group_id FROM clawgrant.effect_group WHERE (day, group_id) > ($1, $2)
            ORDER BY day, group_id LIMIT $3
            """, parameterTypes: [.int4, .int8, .int8])
        let rows = try await connection.execute(statement, Parameters(key.day, key.group, Int64(limit)))
        return try (0..<rows.rowCount).map { row in
            LedgerGroupKey(day: try rows.int32(row, 0), group: try rows.int64(row, 1))
        }
    }

    func unsealed(after group: Int64, limit: Int) async throws -> [Int64] {
        let statement = PreparedStatement(
            "fsck_unsealed",
            "SELECT group_id FROM clawgrant.unsealed WHERE group_id > $1 ORDER BY group_id LIMIT $2",
            parameterTypes: [.int8, .int8])
        let rows = try await connection.execute(statement, Parameters(group, Int64(limit)))
        return try (0..<rows.rowCount).map { try rows.int64($0, 0) }
    }

    func requests(after request: String, limit: Int) async throws -> [LedgerRequest] {
        let statement = PreparedStatement(
            "fsck_requests",
            """
            SELECT request_id, state::int4, token_hash FROM (
                (SELECT request_id, state, token_hash FROM clawgrant.request
                    WHERE request_id > $1 ORDER BY request_id LIMIT $2)
                UNION ALL
                (SELECT request_id, state, token_hash FROM clawgrant_archive.request
                    WHERE request_id > $1 ORDER BY request_id LIMIT $2)) r
            ORDER BY request_id LIMIT $2
            """, parameterTypes: [.text, .int8])
        let rows = try await connection.execute(statement, Parameters(request, Int64(limit)))
        return try (0..<rows.rowCount).map { row in
            LedgerRequest(
                id: try rows.string(row, 0), state: Int16(clamping: try rows.int32(row, 1)),
                tokenHash: try rows.optional(row, 2))
        }
    }

    func approvals(after approval: String, limit: Int) async throws -> [LedgerApproval] {
        let statement = PreparedStatement(
            "fsck_approvals",
            """
            SELECT approval_id, used_by FROM (
                (SELECT approval_id, used_by FROM clawgrant.approval
                    WHERE approval_id > $1 ORDER BY approval_id LIMIT $2)
                UNION ALL
                (SELECT approval_id, used_by FROM clawgrant_archive.approval
                    WHERE approval_id > $1 ORDER BY approval_id LIMIT $2)) a
            ORDER BY approval_id LIMIT $2
            """, parameterTypes: [.text, .int8])
        let rows = try await connection.execute(statement, Parameters(approval, Int64(limit)))
        return try (0..<rows.rowCount).map { row in
            LedgerApproval(id: try rows.string(row, 0), usedBy: try rows.array(row, 1, of: String.self))
        }
    }

    func controlEvents(after event: String, limit: Int) async throws -> [LedgerControlEvent] {
        let statement = PreparedStatement(
            "fsck_control_events",
            """
            SELECT event_id, position, operation, handle, result, event_digest, body FROM clawgrant.control_event
            WHERE event_id > $1 ORDER BY event_id LIMIT $2
            """, parameterTypes: [.text, .int8])
        let rows = try await connection.execute(statement, Parameters(event, Int64(limit)))
        return try (0..<rows.rowCount).map { row in
            LedgerControlEvent(
                id: try rows.string(row, 0), position: try rows.optional(row, 1), operation: try rows.string(row, 2),
                handle: try rows.string(row, 3), result: try rows.string(row, 4), digest: try rows.bytes(row, 5),
                body: try rows.bytes(row, 6))
        }
    }

    func controlPosition() async throws -> (position: Int64, lastEvent: Int64) {
        let statement = PreparedStatement(
            "fsck_control_position",
            """
            SELECT control_position, (SELECT coalesce(max(position), 0) FROM clawgrant.control_event)
            FROM clawgrant.control_state
            """)
        let rows = try await connection.execute(statement)
        guard rows.rowCount == 1 else { throw FsckError("clawgrant.control_state has \(rows.rowCount) rows") }
        return (try rows.int64(0, 0), try rows.int64(0, 1))
    }
}
