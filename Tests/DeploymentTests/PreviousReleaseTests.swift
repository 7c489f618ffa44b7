import ClawWire
import DevStack
import Foundation
import GrantLedger
import Postgres
import Testing

/// The schema of this build under a worker of the version before; `deploy/previous-release.json` says which that is.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct PreviousReleaseTests {
    private struct Statement {
        let name: String
        let sql: String
        let types: [String]
    }

    private static func release() throws -> JSONValue {
        try JSONReader.parse(Tree.text("deploy/previous-release.json"))
    }

    private static func statements() throws -> [Statement] {
        let file = try JSONReader.parse(
            Tree.text("Tests/DeploymentTests/previous-statements.json"))
        return try #require(file["statements"]?.array).map {
            Statement(
                name: try #require($0["name"]?.string), sql: try #require($0["sql"]?.string),
                types: ($0["types"]?.array ?? []).compactMap(\.string))
        }
    }

    /// Every column of the ledger: type, whether it must be given.
    private static func columns(_ connection: PostgresConnection) async throws -> [String: (type: String, needed: Bool)]
    {
        let rows = try await connection.simple(
            """
            SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'clawgrant' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
                AND NOT a.attisdropped
            """)[0]
        var columns: [String: (String, Bool)] = [:]
        for row in 0..<rows.rowCount {
            columns[try rows.string(row, 0)] = (try rows.string(row, 1), try rows.bool(row, 2))
        }
        return columns
    }

    @Test func theSchemaTakesTheStatementsOfTheVersionBefore() async throws {
        let home = try TemporaryDirectory(prefix: "claw-prev")
        defer { home.close() }
        let server = try PrivatePostgres(directory: home.path("pg"), options: .forTests)
        try await server.start()
        do {
            try await server.createDatabase("ledger")
            let connection = try await PostgresConnection.connect(
                try PostgresConfiguration(uri: server.conninfo(database: "ledger")))
            let number = Int32(try #require(try Self.release()["schema"]?.integer))
            #expect(number <= Migration.latest)
            _ = try await Migrator.migrate(connection, pastDays: 8, through: number)
            let before = try await Self.columns(connection)
            // A build of before would have been refused here: it looks for nothing older than itself.
            let report = try await Migrator.migrate(connection, pastDays: 8)
            #expect(report.from == number)
            let after = try await Self.columns(connection)
            for (name, column) in before {
                #expect(after[name]?.type == column.type, "\(name) went or changed")
                #expect(after[name].map { !$0.needed || column.needed } ?? true, "\(name) must be given now")
            }
            let tables = Set(before.keys.compactMap { $0.split(separator: ".").first })
            for (name, column) in after
            where before[name] == nil && tables.contains(name.split(separator: ".")[0]) {
                #expect(!column.needed, "\(name) is new and has no default: a worker of before leaves it out")
            }
            let statements = try Self.statements()
            #expect(statements.count > 100)
            for (index, statement) in statements.enumerated() {
                let types = statement.types.isEmpty ? "" : "(\(statement.types.joined(separator: ", ")))"
                do {
                    _ = try await connection.simple("PREPARE previous_\(index)\(types) AS \(statement.sql)")
                } catch {
                    Issue.record("\(statement.name) of the version before fails: \(error)")
                }
            }
            await connection.close()
        } catch {
            try? await server.stop(.immediate)
            throw error
        }
        try await server.stop(.immediate)
    }

    @Test func aNewerSchemaIsNamedAndTaken() async throws {
        let home = try TemporaryDirectory(prefix: "claw-newer")
        defer { home.close() }
        let server = try PrivatePostgres(directory: home.path("pg"), options: .forTests)
        try await server.start()
        do {
            try await server.createDatabase("ledger")
            let connection = try await PostgresConnection.connect(
                try PostgresConfiguration(uri: server.conninfo(database: "ledger")))
            _ = try await Migrator.migrate(connection, pastDays: 8, through: Migration.latest - 1)
            #expect(try await Migrator.version(connection) == Migration.latest - 1)
            let configuration = try PostgresConfiguration(uri: server.conninfo(database: "ledger"))
            let pool = PostgresPool(configuration)
            let ledger = PostgresLedger(pool: pool, configuration: configuration)
            let old = await #expect(throws: LedgerError.self) { try await ledger.requireSchema() }
            #expect(old?.code == .schema)
            #expect(old?.detail.contains("clawgrant ledger migrate") == true)
            _ = try await Migrator.migrate(connection, pastDays: 8)
            #expect(try await ledger.requireSchema() == Migration.latest)
            _ = try await connection.simple(
                "INSERT INTO clawgrant.schema_migration (number, name, digest) VALUES "
                    + "(\(Migration.latest + 1), 'of_a_newer_build', 'x')")
            #expect(try await ledger.requireSchema() == Migration.latest + 1)
            #expect(try await Migrator.version(connection) == Migration.latest + 1)
            let newer = await #expect(throws: LedgerError.self) { try await Migrator.migrate(connection, pastDays: 8) }
            #expect(newer?.code == .schema)
            await ledger.close()
            await pool.shutdown()
            await connection.close()
        } catch {
            try? await server.stop(.immediate)
            throw error
        }
        try await server.stop(.immediate)
    }
}
