import ClawWire
import DevStack
import Keys
import Postgres
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// The receipts of keys, in a real ledger.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct KeyRegistrationTests {
    private static let worker = WorkerID("key-test")

    /// One server for the suite, a database for each test.
    private static let server = Task {
        let directory = try TemporaryDirectory(prefix: "clawgrant-keys")
        let server = try PrivatePostgres(directory: directory.path("pg"), options: .forTests)
        try await server.start(within: .seconds(60))
        return (server, directory)
    }

    /// Runs a body with an empty ledger.
    private static func run(
        _ database: String, _ body: (PostgresLedger, PostgresConnection) async throws -> Void
    ) async throws {
        let server = try await server.value.0
        try await server.createDatabase(database)
        let configuration = try PostgresConfiguration(uri: server.conninfo(database: database))
        let connection = try await PostgresConnection.connect(configuration)
        _ = try await Migrator.migrate(connection, pastDays: 8)
        var own = configuration
        PostgresLedger.configure(&own, worker: worker)
        let ledger = PostgresLedger(pool: PostgresPool(own), configuration: own)
        try await body(ledger, connection)
        await connection.close()
        await ledger.close()
        await ledger.pool.shutdown()
    }

    private static func keys(at now: Timestamp) throws -> KeyRing {
        try KeyRing(
            try [KeyPurpose.token, .receipt].enumerated().map { index, purpose in
                LoadedKey(
                    KeyConfiguration(purpose: purpose, location: .file("unused")),
                    signer: try #require(SeedSigner(seed: [UInt8](repeating: UInt8(index + 1), count: 32))))
            }, required: [.token, .receipt], at: now)
    }

    private static let groups = PreparedStatement(
        "groups_of_test", "SELECT body FROM clawgrant.effect_group ORDER BY group_id")

    private static func receipts(_ connection: PostgresConnection) async throws -> [JSONValue] {
        let rows = try await connection.execute(groups, Parameters())
        return try (0..<rows.rowCount).flatMap { row in
            try EffectCodec.decode(try rows.bytes(row, 0)).map { try JSONReader.parse($0.receipt) }
        }
    }

    /// Nothing holds a worker back at its start whose clock is wrong; batches are dated by the ledger's, and so are the
    /// receipts in them.
    @Test func theLedgerDatesTheReceiptsWhateverTheWorkersClockSays() async throws {
        try await Self.run("dates") { ledger, connection in
            let before = try await ledger.controlState(after: 0).now
            let own = before.adding(seconds: 900)
            try await KeyRegistration(ledger: ledger, worker: Self.worker).register(try Self.keys(at: own), at: own)
            let after = try await ledger.controlState(after: 0).now
            let receipts = try await Self.receipts(connection)
            #expect(receipts.count == 2)
            for receipt in receipts {
                let occurred = try #require(receipt["occurred_at"]?.string.flatMap { Timestamp(rfc3339: $0) })
                #expect(occurred.seconds >= before.seconds && occurred <= after)
                #expect(receipt["key"]?["effective_at"]?.string == receipt["occurred_at"]?.string)
            }
        }
    }

    /// A replica that took over lacks the receipts; whoever records the keys again leaves them once.
    @Test func keysThatTheLedgerForgotAreRecordedAgainAndOthersAreNot() async throws {
        try await Self.run("again") { ledger, connection in
            let now = try await ledger.controlState(after: 0).now
            let registration = KeyRegistration(ledger: ledger, worker: Self.worker)
            let keys = try Self.keys(at: now)
            for _ in 0..<2 { try await registration.register(keys, at: now) }
            #expect(try await Self.receipts(connection).count == 2)
            _ = try await connection.simple(
                "TRUNCATE clawgrant.signing_key, clawgrant.effect_group, clawgrant.unsealed")
            for _ in 0..<2 { try await registration.register(keys, at: now) }
            #expect(try await Self.receipts(connection).count == 2)
        }
    }
}
