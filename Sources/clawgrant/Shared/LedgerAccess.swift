import ClawWire
import GrantLedger
import GrantWorker
import Postgres
import ReceiptLog

/// Sessions of the ledger's database for commands, which are no workers.
enum LedgerAccess {
    /// What commands call themselves where workers give their names.
    static let name = WorkerID("clawgrant-cli")

    /// Opens one session, runs `body`, closes it.
    ///
    /// - Parameters:
    ///   - role: the database role to act as, instead of the one that logged in.
    ///   - remedy: what to do when there is no database; `nil` for what is always right.
    static func connection<Result>(
        _ file: ConfigurationFile, role: String? = nil, ifUnreachable remedy: String? = nil,
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        var configuration = file.worker.database
        configuration.applicationName = name.rawValue
        configuration.connectTimeout = .seconds(10)
        if let role { configuration.settings["role"] = role }
        let connection: PostgresConnection
        do {
            connection = try await PostgresConnection.connect(configuration)
        } catch {
            throw unreachable(configuration, error, remedy)
        }
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Opens the ledger over a small pool, runs `body`, closes it.
    static func ledger<Result>(
        _ file: ConfigurationFile, ifUnreachable remedy: String? = nil,
        _ body: (PostgresLedger) async throws -> Result
    ) async throws -> Result {
        // A pool tries for long; one session first tells at once when there is nobody to talk to.
        try await connection(file, ifUnreachable: remedy) { _ in }
        var configuration = file.worker.database
        PostgresLedger.configure(&configuration, worker: name)
        configuration.poolSize = 2
        configuration.acquireTimeout = .seconds(10)
        let pool = PostgresPool(configuration)
        let ledger = PostgresLedger(pool: pool, configuration: configuration)
        do {
            let result = try await body(ledger)
            await ledger.close()
            await pool.shutdown()
            return result
        } catch {
            await ledger.close()
            await pool.shutdown()
            throw error
        }
    }

    private static func unreachable(
        _ configuration: PostgresConfiguration, _ error: any Error, _ remedy: String?
    ) -> CommandFailure {
        .negative(
            "the database (\(configuration)) cannot be used: \(error)",
            remedy: remedy ?? "check that it runs, and database.conninfo")
    }
}
