import ClawWire
import DevStack
import GrantLedger
import Postgres
import Primitives
import ReceiptLog
import Testing

/// One private PostgreSQL for the suite; each test gets a database of its own.
final class LedgerServer: Sendable {
    static let shared = Task { try await LedgerServer() }

    private let directory: TemporaryDirectory
    let server: PrivatePostgres
    private let counter = Lock(0)

    private init() async throws {
        directory = try TemporaryDirectory(prefix: "clawgrant-ledger")
        var options = PrivatePostgres.Options.forTests
        // Many tests make their schema at the same time, and a schema takes a lock for each table and index.
        options.settings["max_locks_per_transaction"] = "512"
        server = try PrivatePostgres(directory: directory.path("pg"), options: options)
        try await server.start(within: .seconds(60))
    }

    /// A fresh database with the schema in it.
    func ledger(worker: String = "worker-1", migrated: Bool = true) async throws -> TestLedger {
        let number = counter.withLock { value in
            value += 1
            return value
        }
        let name = "ledger\(number)"
        try await server.createDatabase(name)
        let configuration = try PostgresConfiguration(uri: server.conninfo(database: name))
        if migrated {
            let connection = try await PostgresConnection.connect(configuration)
            _ = try await Migrator.migrate(connection, pastDays: 8)
            await connection.close()
        }
        return try TestLedger(configuration: configuration, worker: WorkerID(worker))
    }
}

/// A ledger of one worker, with its pool.
struct TestLedger: Sendable {
    let configuration: PostgresConfiguration
    let worker: WorkerID
    let pool: PostgresPool
    let ledger: PostgresLedger

    init(configuration: PostgresConfiguration, worker: WorkerID) throws {
        self.configuration = configuration
        self.worker = worker
        var own = configuration
        PostgresLedger.configure(&own, worker: worker)
        pool = PostgresPool(own)
        ledger = PostgresLedger(pool: pool, configuration: own)
    }

    /// Another worker on the same database.
    func other(_ name: String) throws -> TestLedger {
        try TestLedger(configuration: configuration, worker: WorkerID(name))
    }

    func beat(_ topics: [String: Int32] = ["approvals": 4], lifetime: Duration = .seconds(60)) async throws -> LeaseView
    {
        try await ledger.heartbeat(worker: worker, lifetime: lifetime, topics: topics, initialOffset: { _ in 0 })
    }

    func sql(_ text: String) async throws -> [PostgresResult] {
        let connection = try await PostgresConnection.connect(configuration)
        let results = try await connection.simple(text)
        await connection.close()
        return results
    }
}
