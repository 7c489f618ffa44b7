import ArgumentParser
import ClawWire
import GrantLedger
import Postgres

/// `clawgrant ledger roles`.
struct LedgerRolesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roles", abstract: "Print or apply the SQL of the least-privilege database roles.",
        discussion: """
            clawgrant_owner owns the schema, clawgrant_worker is for workers, clawgrant_auditor reads. Make login roles \
            of your own and grant them one of these. Order: roles --apply, migrate --role clawgrant_owner, roles --apply.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Flag(name: .customLong("apply"), help: "Run the SQL instead of printing it; needs a superuser or CREATEROLE.")
    var isApplied = false

    mutating func run() async throws {
        guard isApplied else {
            if output.isJSON {
                Console.out(["bootstrap": .string(LedgerRoles.bootstrap), "grants": .string(LedgerRoles.grants)])
            } else {
                Console.out("-- 1. Before the first migration, as a superuser or a role with CREATEROLE:")
                Console.out(LedgerRoles.bootstrap)
                Console.out("-- 2. After migrations, as the schema's owner:")
                Console.out(LedgerRoles.grants)
            }
            return
        }
        let file = try source.load()
        let isGranted = try await LedgerAccess.connection(file) { connection in
            _ = try await connection.simple(LedgerRoles.bootstrap)
            guard try await Migrator.version(connection) > 0 else { return false }
            _ = try await connection.simple(LedgerRoles.grants)
            return true
        }
        if output.isJSON {
            Console.out(["roles": true, "grants": .bool(isGranted)])
        } else if isGranted {
            Console.out("the roles exist and have their privileges")
        } else {
            Console.out("the roles exist; run `clawgrant ledger migrate --role clawgrant_owner`, then this again")
        }
    }
}
