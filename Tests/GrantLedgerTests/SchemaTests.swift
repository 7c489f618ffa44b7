import ClawWire
import DevStack
import GrantLedger
import Postgres
import Testing

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct SchemaTests {
    @Test func migratingTwiceChangesNothing() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let connection = try await PostgresConnection.connect(ledger.configuration)
        let report = try await Migrator.migrate(connection, pastDays: 8)
        #expect(report.applied.isEmpty)
        #expect(try await Migrator.version(connection) == Migration.latest)
        await connection.close()
    }

    @Test func anUnmigratedDatabaseIsNamedAsSuch() async throws {
        let ledger = try await LedgerServer.shared.value.ledger(migrated: false)
        let error = await #expect(throws: LedgerError.self) { try await ledger.ledger.openLog(LogID("example/log")) }
        #expect(error?.code == .schema)
    }

    @Test func aNewerSchemaIsRefused() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        _ = try await ledger.sql(
            "INSERT INTO clawgrant.schema_migration (number, name, digest) VALUES (999, 'future', 'x')")
        let connection = try await PostgresConnection.connect(ledger.configuration)
        let error = await #expect(throws: LedgerError.self) { try await Migrator.migrate(connection, pastDays: 1) }
        #expect(error?.code == .schema)
        await connection.close()
    }

    @Test func theLogHasOneName() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        try await ledger.ledger.openLog(LogID("example/log"))
        try await ledger.ledger.openLog(LogID("example/log"))
        let error = await #expect(throws: LedgerError.self) { try await ledger.ledger.openLog(LogID("example/other")) }
        #expect(error?.code == .refused)
    }

    @Test func theWorkerRoleCanDoItsWorkAndNoMore() async throws {
        let ledger = try await LedgerServer.shared.value.ledger(migrated: false)
        _ = try await ledger.sql(LedgerRoles.bootstrap)
        let owner = try await PostgresConnection.connect(ledger.configuration)
        _ = try await Migrator.migrate(owner, pastDays: 8)
        _ = try await owner.simple(LedgerRoles.grants)
        _ = try await owner.simple("CREATE ROLE clawgrant_site_worker LOGIN IN ROLE clawgrant_worker")
        await owner.close()
        var keywords = ledger.configuration.keywords
        keywords["user"] = "clawgrant_site_worker"
        let worker = try TestLedger(
            configuration: try PostgresConfiguration(keywords: keywords), worker: ledger.worker)
        try await worker.ledger.openLog(LogID("example/log"))
        #expect(try await worker.beat().held.count == 4)
        #expect(try await worker.ledger.claim(role: .sealer, for: worker.worker) != nil)
        let usage = try #require(try await worker.ledger.claim(role: .usage, for: worker.worker))
        #expect(try await worker.ledger.openUsage(topic: "gateway", partitions: [0: 0]) == [0: 0])
        try await UsageTests.recordOne(worker.ledger, usage)
        for statement in [
            "DELETE FROM clawgrant.request", "DELETE FROM clawgrant.approval", "DROP TABLE clawgrant.event",
            "ALTER TABLE clawgrant.event DISABLE TRIGGER ALL", "SELECT clawgrant.archive_before(1)",
            "UPDATE clawgrant.ledger SET log_id = 'x'", "DELETE FROM clawgrant.gateway_receipt",
            "DELETE FROM clawgrant.gateway_receipt_name", "DELETE FROM clawgrant.checkpoint_cosignature",
            "UPDATE clawgrant.gateway_receipt_horizon SET before_day = 0",
            "UPDATE clawgrant.finding SET code = 'x'", "DELETE FROM clawgrant.job_usage",
        ] {
            await #expect(throws: (any Error).self, "\(statement)") { try await worker.sql(statement) }
        }
        _ = try await worker.sql("SELECT clawgrant.ensure_days(10, 11)")
    }

    @Test func sealedAndPublishedDaysLeaveForTheArchive() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let before = try await ledger.sql(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'event_d%' AND relkind = 'r'")
        let moved = try await ledger.sql(
            "SELECT partitions FROM clawgrant.archive_before((extract(epoch FROM now()) / 86400)::int - 2)")
        #expect(try moved[0].int64(0, 0) > 0)
        let after = try await ledger.sql(
            """
            SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE relname LIKE 'event_d%' AND relkind = 'r' AND nspname = 'clawgrant'
            """)
        #expect(try after[0].int64(0, 0) < before[0].int64(0, 0))
    }
}
