public import Postgres

/// Brings the schema up to this build's number, forward only, one process at a time.
public struct Migrator: Sendable {
    /// What a run did.
    public struct Report: Sendable, Hashable {
        /// Number before.
        public let from: Int32
        /// Number after.
        public let to: Int32
        /// Names of the migrations that ran.
        public let applied: [String]
    }

    /// Key of the advisory lock that keeps migrations apart.
    private static let lockKey = 8_603_002

    /// Runs what is missing, then makes the day partitions from the oldest accepted event to the day after tomorrow.
    ///
    /// - Parameters:
    ///   - connection: a session of the schema's owner.
    ///   - pastDays: days before today for which events are accepted.
    ///   - target: number of the last migration to run, for tests of what an earlier build left; all when `nil`.
    /// - Throws: ``LedgerError/Code/schema`` when the database holds a newer schema, or a released migration with
    ///   another text.
    public static func migrate(
        _ connection: PostgresConnection, pastDays: Int32, through target: Int32? = nil
    ) async throws(LedgerError) -> Report {
        let what = "migrating the schema"
        do {
            return try await connection.transaction { transaction in
                _ = try await transaction.run([
                    .command("SELECT pg_advisory_xact_lock(\(lockKey))"),
                    .command("CREATE SCHEMA IF NOT EXISTS clawgrant"),
                    .command(
                        """
                        CREATE TABLE IF NOT EXISTS clawgrant.schema_migration (
                            number int PRIMARY KEY, name text NOT NULL, digest text NOT NULL,
                            applied_at timestamptz NOT NULL DEFAULT now())
                        """),
                ])
                let known = try await transaction.run([.execute(applied)])[0]
                let last = try check(known)
                if last > Migration.latest {
                    throw LedgerError(
                        .schema,
                        "the database has migration \(last) and this build knows \(Migration.latest); migrate with the "
                            + "newer build")
                }
                let end = target ?? Migration.latest
                var names: [String] = []
                for migration in Migration.all where migration.number > last && migration.number <= end {
                    var steps = statements(of: migration.sql).map { PipelineStep.command($0) }
                    steps.append(.execute(record, Parameters(migration.number, migration.name, migration.digest)))
                    _ = try await transaction.run(steps)
                    names.append(migration.name)
                }
                _ = try await transaction.run([
                    .command(
                        """
                        SELECT clawgrant.ensure_days(
                            floor(extract(epoch FROM now()) / 86400)::int - \(pastDays),
                            floor(extract(epoch FROM now()) / 86400)::int + 2)
                        """)
                ])
                return Report(from: last, to: max(last, end), applied: names)
            }
        } catch {
            throw PostgresLedger.translate(error, what)
        }
    }

    /// The schema's number, 0 when there is none. It is greater than ``Migration/latest`` once a newer build has migrated.
    public static func version(_ connection: PostgresConnection) async throws(LedgerError) -> Int32 {
        do {
            let exists = try await connection.simple("SELECT to_regclass('clawgrant.schema_migration') IS NOT NULL")
            guard try exists[0].bool(0, 0) else { return 0 }
            return try check(try await connection.execute(applied, Parameters()))
        } catch {
            throw PostgresLedger.translate(error, "reading the schema's number")
        }
    }

    private static let applied = PreparedStatement(
        "applied_migrations", "SELECT number, name, digest FROM clawgrant.schema_migration ORDER BY number")

    private static let record = PreparedStatement(
        "record_migration", "INSERT INTO clawgrant.schema_migration (number, name, digest) VALUES ($1, $2, $3)",
        parameterTypes: [.int4, .text, .text])

    private static func check(_ rows: PostgresResult) throws -> Int32 {
        var last: Int32 = 0
        for row in 0..<rows.rowCount {
            let number = try rows.int32(row, 0)
            last = number
            // Migrations of a newer build: they only add, and what they hold is not this build's to judge.
            guard number <= Migration.latest else { continue }
            guard let migration = Migration.all.first(where: { $0.number == number }) else {
                throw LedgerError(
                    .schema,
                    "the database has migration \(number) (\(try rows.string(row, 1))), which this build does not know "
                        + "although it knows later ones; use the build that made this schema")
            }
            guard try rows.string(row, 2) == migration.digest else {
                throw LedgerError(
                    .schema,
                    "migration \(number) (\(migration.name)) in the database has another text than in this build")
            }
        }
        return last
    }

    /// Cuts a text into its statements at semicolons at the end of a line, outside of dollar quotes.
    static func statements(of sql: String) -> [String] {
        var statements: [String] = []
        var current = ""
        var isQuoted = false
        for line in sql.split(separator: "\n", omittingEmptySubsequences: true) {
            current += line + "\n"
            if line.split(separator: "$$", omittingEmptySubsequences: false).count.isMultiple(of: 2) {
                isQuoted.toggle()
            }
            if !isQuoted, line.hasSuffix(";") {
                statements.append(current)
                current = ""
            }
        }
        if current.contains(where: { !$0.isWhitespace }) { statements.append(current) }
        return statements
    }
}
