import Postgres

/// What a session sees of the ledger's database: settings, clock, privileges. Reads only.
struct LedgerInspection: Sendable {
    /// A privilege that a worker needs, or must not have.
    struct Privilege: Sendable {
        let table: String
        let kind: String
        let isHeld: Bool
    }

    /// Settings by name.
    let settings: [String: String]
    /// The role of the session.
    let role: String
    /// Whether it is a superuser, whom no privilege binds.
    let isSuperuser: Bool
    /// The database's clock, in microseconds since the Unix epoch.
    let clock: Int64
    /// The log's name, when the ledger has one.
    let logID: String?
    /// What a worker needs.
    let needed: [Privilege]
    /// What an append-only ledger must not give to a worker.
    let refused: [Privilege]

    /// Tables of the ledger with what a worker does to them.
    private static let uses: [(table: String, kinds: [String])] = [
        ("event", ["SELECT", "INSERT"]), ("effect_group", ["SELECT", "INSERT"]),
        ("receipt_batch", ["SELECT", "INSERT"]), ("signing_key", ["SELECT", "INSERT"]),
        ("work_policy_contract", ["SELECT", "INSERT"]), ("approval", ["SELECT", "INSERT", "UPDATE"]),
        ("request", ["SELECT", "INSERT", "UPDATE"]), ("input_partition", ["SELECT", "INSERT", "UPDATE"]),
        ("publish_position", ["SELECT", "UPDATE"]), ("role_lease", ["SELECT", "UPDATE"]),
        ("unsealed", ["SELECT", "INSERT", "DELETE"]), ("worker", ["SELECT", "INSERT", "UPDATE", "DELETE"]),
        ("ledger", ["SELECT", "INSERT"]), ("control_state", ["SELECT", "UPDATE"]),
        ("control_event", ["SELECT", "INSERT"]), ("control_order", ["SELECT", "INSERT", "UPDATE"]),
        ("control_input", ["SELECT", "INSERT", "UPDATE"]), ("revocation_run", ["SELECT", "INSERT", "UPDATE"]),
        ("grant_tally", ["SELECT", "INSERT", "DELETE"]), ("gateway_receipt", ["SELECT", "INSERT"]),
        ("gateway_receipt_name", ["SELECT", "INSERT"]), ("gateway_receipt_horizon", ["SELECT"]),
        ("gateway_run", ["SELECT", "INSERT"]), ("finding", ["SELECT", "INSERT"]),
        ("usage_input", ["SELECT", "INSERT", "UPDATE"]), ("job_usage", ["SELECT", "INSERT", "UPDATE"]),
        ("checkpoint_cosignature", ["SELECT", "INSERT"]),
    ]
    private static let appendOnly = [
        "event", "effect_group", "receipt_batch", "signing_key", "control_event", "gateway_receipt",
        "gateway_receipt_name", "finding", "checkpoint_cosignature",
    ]
    private static let settingNames = [
        "server_version_num", "max_locks_per_transaction", "max_connections", "superuser_reserved_connections", "fsync",
        "synchronous_commit", "full_page_writes", "TimeZone",
    ]

    /// Looks at a database whose schema is up to date.
    static func read(_ connection: PostgresConnection) async throws -> LedgerInspection {
        let names = settingNames.map { "'\($0)'" }.joined(separator: ", ")
        let shown = try await connection.simple("SELECT name, setting FROM pg_settings WHERE name IN (\(names))")
        var settings: [String: String] = [:]
        for row in 0..<shown[0].rowCount {
            settings[try shown[0].string(row, 0).lowercased()] = try shown[0].string(row, 1)
        }
        let session = try await connection.simple(
            """
            SELECT current_user::text, rolsuper, (SELECT max(log_id) FROM clawgrant.ledger)
            FROM pg_roles WHERE rolname = current_user
            """)
        let needed = uses.flatMap { use in use.kinds.map { (use.table, $0) } }
        let refused = appendOnly.flatMap { table in ["UPDATE", "DELETE", "TRUNCATE"].map { (table, $0) } }
        return LedgerInspection(
            settings: settings, role: try session[0].string(0, 0), isSuperuser: try session[0].bool(0, 1),
            clock: try await clock(connection), logID: try session[0].isNull(0, 2) ? nil : session[0].string(0, 2),
            needed: try await privileges(needed, connection), refused: try await privileges(refused, connection))
    }

    /// The database's clock, in microseconds since the Unix epoch.
    static func clock(_ connection: PostgresConnection) async throws -> Int64 {
        let rows = try await connection.simple("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return try rows[0].int64(0, 0)
    }

    private static func privileges(
        _ asked: [(table: String, kind: String)], _ connection: PostgresConnection
    ) async throws -> [Privilege] {
        let columns = asked.map { "has_table_privilege('clawgrant.\($0.table)', '\($0.kind)')" }
        let rows = try await connection.simple("SELECT \(columns.joined(separator: ", "))")
        return try asked.enumerated().map { column, asked in
            Privilege(table: asked.table, kind: asked.kind, isHeld: try rows[0].bool(0, column))
        }
    }
}
