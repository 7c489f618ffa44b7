import ClawWire
import DevStack
import GrantLedger
import Postgres
import Primitives
import ReceiptLog
import Testing

@testable import Simulation

/// The simulated ledger does what the real one does: one script, played to both, gives one transcript.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct LedgerConformanceTests {
    @Test(arguments: LedgerScript.all) func bothLedgersSayTheSame(script: LedgerScript) async throws {
        let real = try await PostgresStage.shared.value.play(script)
        let simulated = try SimulatedStage.play(script)
        #expect(!real.isEmpty)
        #expect(simulated == real)
    }
}

/// A private PostgreSQL; each script gets a database of its own.
private final class PostgresStage: Sendable {
    static let shared = Task { try await PostgresStage() }

    private let directory: TemporaryDirectory
    private let server: PrivatePostgres

    private init() async throws {
        directory = try TemporaryDirectory(prefix: "clawgrant-sim")
        var options = PrivatePostgres.Options.forTests
        options.settings["max_locks_per_transaction"] = "512"
        server = try PrivatePostgres(directory: directory.path("pg"), options: options)
        try await server.start(within: .seconds(60))
    }

    func play(_ script: LedgerScript) async throws -> [String] {
        try await server.createDatabase(script.name)
        let configuration = try PostgresConfiguration(uri: server.conninfo(database: script.name))
        let connection = try await PostgresConnection.connect(configuration)
        _ = try await Migrator.migrate(connection, pastDays: 8)
        await connection.close()
        var pools: [PostgresPool] = []
        var ledgers: [PostgresLedger] = []
        for worker in [LedgerScript.Stage.first, LedgerScript.Stage.second] {
            var own = configuration
            PostgresLedger.configure(&own, worker: worker)
            let pool = PostgresPool(own)
            pools.append(pool)
            ledgers.append(PostgresLedger(pool: pool, configuration: own))
        }
        let now = try await ledgers[0].controlState(after: 0).now
        let stage = LedgerScript.Stage(one: ledgers[0], two: ledgers[1], now: now)
        try await script.body(stage)
        for ledger in ledgers { await ledger.close() }
        for pool in pools { await pool.shutdown() }
        return stage.transcript
    }
}

/// A simulated database, with nothing going wrong.
private enum SimulatedStage {
    static func play(_ script: LedgerScript) throws -> [String] {
        let scheduler = Scheduler(seed: 1, keepsTrace: false)
        let faults = Faults(scheduler, kinds: [], planned: nil)
        let database = SimulatedDatabase(
            scheduler, faults: faults, bugs: [], watch: Watch(), epoch: Timestamp(seconds: 1_793_606_400))
        let node = Node("script", scheduler)
        let stage = LedgerScript.Stage(
            one: SimulatedLedger(database, worker: LedgerScript.Stage.first, client: node),
            two: SimulatedLedger(database, worker: LedgerScript.Stage.second, client: node), now: database.clock)
        let failure = Lock<(any Error)?>(nil)
        let done = Lock(false)
        node.start {
            do { try await script.body(stage) } catch { failure.withLock { $0 = error } }
            done.withLock { $0 = true }
        }
        let ending = scheduler.run(until: 600_000_000_000, maximumSteps: 1_000_000) { done.withLock { $0 } }
        if let error = failure.withLock({ $0 }) { throw error }
        guard ending == .reached else { throw SimulationError("the script does not come to an end: \(ending)") }
        return stage.transcript
    }
}
