import ClawWire
import GrantLedger
import Postgres
import ReceiptLog

/// A ledger on a pool of its own.
struct OpenLedger: Sendable {
    let pool: PostgresPool
    let ledger: PostgresLedger

    init(_ conninfo: String) throws {
        var configuration = try PostgresConfiguration(uri: conninfo)
        PostgresLedger.configure(&configuration, worker: WorkerID("test"))
        pool = PostgresPool(configuration)
        ledger = PostgresLedger(pool: pool, configuration: configuration)
    }

    func close() async {
        await ledger.close()
        await pool.shutdown()
    }
}
