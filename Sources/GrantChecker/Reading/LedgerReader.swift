import ClawWire
import Postgres
import ReceiptLog

/// Reads the ledger with SQL of the checker's own, page by page.
struct LedgerReader {
    struct Request {
        let id: String
        let state: Int32
        let tokenHash: [UInt8]?
        let waitsUntil: Bool
        let isDecided: Bool
        /// Scopes that cover its token, as `kind:value`.
        var scopes: [String] = []
    }

    struct Batch {
        let number: Int64
        let headerHash: [UInt8]
        let lastPosition: Int64
        /// True when it holds a heartbeat and nothing else.
        let isHeartbeat: Bool
    }

    private static let page: Int64 = 5_000
    let connection: PostgresConnection

    /// Requests, archived ones included, in the order of their ids.
    func requests(_ body: (Request) -> Void) async throws {
        let statement = PreparedStatement(
            "check_requests",
            """
            SELECT request_id, state::int4, token_hash, wait_until IS NOT NULL, decided_at IS NOT NULL,
                coalesce(control_scopes, '{}') FROM (
                (SELECT request_id, state, token_hash, wait_until, decided_at, control_scopes FROM clawgrant.request
                    WHERE request_id > $1 ORDER BY request_id LIMIT $2)
                UNION ALL
                (SELECT request_id, state, token_hash, wait_until, decided_at, control_scopes
                    FROM clawgrant_archive.request WHERE request_id > $1 ORDER BY request_id LIMIT $2)) r
            ORDER BY request_id LIMIT $2
            """, parameterTypes: [.text, .int8])
        var last = ""
        while true {
            let rows = try await connection.execute(statement, Parameters(last, Self.page))
            for row in 0..<rows.rowCount {
                last = try rows.string(row, 0)
                body(
                    Request(
                        id: last, state: try rows.int32(row, 1), tokenHash: try rows.optional(row, 2),
                        waitsUntil: try rows.bool(row, 3), isDecided: try rows.bool(row, 4),
                        scopes: try rows.array(row, 5, of: String.self)))
            }
            if rows.rowCount < Int(Self.page) { return }
        }
    }

    /// Approvals: id, requests they were used by, whether closed, whether they have a time to close.
    func approvals(_ body: (String, [String], Bool, Bool) -> Void) async throws {
        let statement = PreparedStatement(
            "check_approvals",
            """
            SELECT approval_id, used_by, outcome IS NOT NULL, close_at IS NOT NULL FROM clawgrant.approval
            WHERE approval_id > $1 ORDER BY approval_id LIMIT $2
            """, parameterTypes: [.text, .int8])
        var last = ""
        while true {
            let rows = try await connection.execute(statement, Parameters(last, Self.page))
            for row in 0..<rows.rowCount {
                last = try rows.string(row, 0)
                body(last, try rows.array(row, 1, of: String.self), try rows.bool(row, 2), try rows.bool(row, 3))
            }
            if rows.rowCount < Int(Self.page) { return }
        }
    }

    /// `policy_id` of the WPCs that were in use, by their hash in base64url, from their signed envelopes.
    func policies() async throws -> [String: String] {
        let rows = try await connection.execute(
            PreparedStatement("check_policies", "SELECT policy_hash, envelope FROM clawgrant.work_policy_contract"))
        var policies: [String: String] = [:]
        for row in 0..<rows.rowCount {
            guard let hash = Digest(bytes: try rows.bytes(row, 0)),
                let policyID = try JSONReader.parse(try rows.bytes(row, 1))["payload"]?["policy_id"]?.string
            else { continue }
            policies[hash.b64u] = policyID
        }
        return policies
    }

    /// Keys of all events.
    func events() async throws -> Set<Fingerprint> {
        let statement = PreparedStatement(
            "check_events",
            """
            SELECT day, event_key, uuid_send(event_key) FROM clawgrant.event
            WHERE (day, event_key) > ($1, $2) ORDER BY day, event_key LIMIT $3
            """, parameterTypes: [.int4, .uuid, .int8])
        var keys: Set<Fingerprint> = []
        var day = Int32.min
        var key = PostgresUUID(bytes: [UInt8](repeating: 0, count: 16))
        while let after = key {
            let rows = try await connection.execute(statement, Parameters(day, after, Self.page))
            for row in 0..<rows.rowCount {
                if let fingerprint = Fingerprint(bytes: try rows.bytes(row, 2)) { keys.insert(fingerprint) }
            }
            if rows.rowCount < Int(Self.page) { break }
            day = try rows.int32(rows.rowCount - 1, 0)
            key = try rows.uuid(rows.rowCount - 1, 1)
        }
        return keys
    }

    /// Control events by their identifiers and by the names that people give them.
    func controlEvents() async throws -> Set<String> {
        let rows = try await connection.execute(
            PreparedStatement("check_control_events", "SELECT event_id, handle FROM clawgrant.control_event"))
        var names: Set<String> = []
        for row in 0..<rows.rowCount {
            names.insert(try rows.string(row, 0))
            names.insert(try rows.string(row, 1))
        }
        return names
    }

    /// The offset that each input partition is read from next.
    func nextOffsets() async throws -> [String: Int64] {
        let rows = try await connection.execute(
            PreparedStatement(
                "check_offsets", "SELECT topic, partition, next_offset FROM clawgrant.input_partition"))
        var offsets: [String: Int64] = [:]
        for row in 0..<rows.rowCount {
            offsets["\(try rows.string(row, 0))/\(try rows.int32(row, 1))"] = try rows.int64(row, 2)
        }
        return offsets
    }

    /// Batches in order.
    func batches(_ body: (Batch) -> Void) async throws {
        let statement = PreparedStatement(
            "check_batches",
            """
            SELECT number, header_hash, last_position, first_position, header FROM clawgrant.receipt_batch
            WHERE number > $1 ORDER BY number LIMIT $2
            """, parameterTypes: [.int8, .int8])
        var last: Int64 = -1
        while true {
            let rows = try await connection.execute(statement, Parameters(last, Self.page))
            for row in 0..<rows.rowCount {
                last = try rows.int64(row, 0)
                let (end, start) = (try rows.int64(row, 2), try rows.int64(row, 3))
                var isHeartbeat = false
                if start == end {
                    let header = try? BatchHeader(parsing: try rows.bytes(row, 4))
                    isHeartbeat = header?.counts == [Receipt.Kind.heartbeat.rawValue: 1]
                }
                body(
                    Batch(
                        number: last, headerHash: try rows.bytes(row, 1), lastPosition: end, isHeartbeat: isHeartbeat))
            }
            if rows.rowCount < Int(Self.page) { return }
        }
    }

    /// Effects that were committed, and effects that are not sealed yet.
    func effects() async throws -> (committed: Int64, unsealed: Int64, unsealedGroups: Int64) {
        let rows = try await connection.execute(
            PreparedStatement(
                "check_effects",
                """
                SELECT (SELECT coalesce(sum(entries), 0)::int8 FROM clawgrant.effect_group),
                    (SELECT coalesce(sum(g.entries), 0)::int8 FROM clawgrant.unsealed u
                        JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id),
                    (SELECT count(*)::int8 FROM clawgrant.unsealed)
                """))
        return (try rows.int64(0, 0), try rows.int64(0, 1), try rows.int64(0, 2))
    }

    /// Everything in which a token could hide.
    func bodies(_ body: ([UInt8], String) -> Void) async throws {
        let groups = PreparedStatement(
            "check_groups",
            """
            SELECT day, group_id, body FROM clawgrant.effect_group WHERE (day, group_id) > ($1, $2)
            ORDER BY day, group_id LIMIT 32
            """, parameterTypes: [.int4, .int8])
        var (day, group) = (Int32.min, Int64.min)
        while true {
            let rows = try await connection.execute(groups, Parameters(day, group))
            for row in 0..<rows.rowCount {
                (day, group) = (try rows.int32(row, 0), try rows.int64(row, 1))
                body(try rows.bytes(row, 2), "effect group \(group) of day \(day)")
            }
            if rows.rowCount < 32 { break }
        }
        try await texts("request", "request_id", "coalesce(body, '')", body)
        try await texts("approval", "approval_id", "state", body)
    }

    private func texts(
        _ table: String, _ id: String, _ column: String, _ body: ([UInt8], String) -> Void
    ) async throws {
        let statement = PreparedStatement(
            "check_\(table)_bodies",
            "SELECT \(id), \(column) FROM clawgrant.\(table) WHERE \(id) > $1 ORDER BY \(id) LIMIT $2",
            parameterTypes: [.text, .int8])
        var last = ""
        while true {
            let rows = try await connection.execute(statement, Parameters(last, Self.page))
            for row in 0..<rows.rowCount {
                last = try rows.string(row, 0)
                body(try rows.bytes(row, 1), "\(table) \(last)")
            }
            if rows.rowCount < Int(Self.page) { return }
        }
    }
}
