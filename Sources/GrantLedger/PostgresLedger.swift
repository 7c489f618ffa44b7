public import ClawWire
public import Postgres
import Primitives
public import ReceiptLog

/// The ledger in PostgreSQL 13 or later.
///
/// Each call takes one connection of a pool. The pool's application name must be the worker's id: it is how other
/// workers find and end the sessions of a worker that stopped living (see ``Ledger/heartbeat``).
public final class PostgresLedger: Ledger {
    let pool: PostgresPool
    let groupIDs = Lock(DrawnGroupIDs())

    /// Settings each session needs: plans must not fall back to scanning a table that was empty when the plan was made,
    /// or to walking an index from end to end for a join (every statement looks rows up by key, so that nested loops
    /// are right whatever the statistics say), and a frozen client must not hold its locks for longer than
    /// `idleInTransaction`.
    public static func configure(
        _ configuration: inout PostgresConfiguration, worker: WorkerID, idleInTransaction: Duration = .seconds(5)
    ) {
        configuration.applicationName = worker.rawValue
        configuration.idleInTransactionTimeout = idleInTransaction
        for method in ["enable_seqscan", "enable_mergejoin", "enable_hashjoin"] {
            configuration.settings[method] = "off"
        }
        configuration.settings["jit"] = "off"
        configuration.settings["plan_cache_mode"] = "force_generic_plan"
        configuration.settings["search_path"] = "clawgrant"
        configuration.settings["timezone"] = "UTC"
    }

    let listener: WorkListener
    /// For sessions beside the pool, which may be exhausted when they are needed.
    let configuration: PostgresConfiguration

    /// Makes a ledger over a pool; `configuration` is the pool's own, for sessions beside it.
    public init(pool: PostgresPool, configuration: PostgresConfiguration) {
        self.pool = pool
        self.configuration = configuration
        var listening = configuration
        listening.idleInTransactionTimeout = nil
        listener = WorkListener(configuration: listening)
    }

    /// Ends the listening session; the pool is its owner's to close.
    public func close() async { await listener.close() }

    /// Runs steps in one pipelined transaction on any connection.
    func run(_ what: String, _ steps: [PipelineStep]) async throws(LedgerError) -> [PostgresResult] {
        do {
            return try await pool.withConnection { connection in try await connection.pipeline(steps) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// Puts a database error into the ledger's words.
    static func translate(_ error: any Error, _ what: String) -> LedgerError {
        if let error = error as? LedgerError { return error }
        guard let error = error as? PostgresError else {
            return LedgerError(.unavailable, "\(what): \(error)")
        }
        if error.isOutcomeUnknown {
            return LedgerError(
                .outcomeUnknown, "\(what): the commit was sent and its reply was lost; reading the ledger back tells",
                underlying: error)
        }
        switch error.sqlState {
        case .serializationFailure, .deadlockDetected, .uniqueViolation:
            return LedgerError(.conflict, "\(what): another transaction was first; try again", underlying: error)
        case .undefinedTable:
            return LedgerError(
                .schema, "\(what): the schema is missing or old; run `clawgrant ledger migrate`", underlying: error)
        case .insufficientPrivilege:
            return LedgerError(
                .refused, "\(what): the database role lacks a privilege; run `clawgrant ledger roles`",
                underlying: error)
        default: break
        }
        if error.isRetriable {
            return LedgerError(.unavailable, "\(what): the database cannot answer now; trying again", underlying: error)
        }
        switch error.kind {
        case .closed, .cancelled: return LedgerError(.unavailable, "\(what): stopping", underlying: error)
        case .connectionLost, .server, .protocolViolation, .timeout, .configuration:
            return LedgerError(.refused, "\(what): the database refused", underlying: error)
        }
    }

    static func corrupted(_ what: String) -> LedgerError {
        LedgerError(.corrupted, "\(what) does not read as what it should be; compare the ledger with a backup")
    }
}

extension Timestamp {
    var postgres: PostgresTimestamp { PostgresTimestamp(unixMicroseconds: microseconds) }
}

extension PostgresTimestamp {
    var timestamp: Timestamp { Timestamp(microseconds: unixMicroseconds) }
}

extension PostgresResult {
    func timestampValue(_ row: Int, _ column: Int) throws(PostgresError) -> Timestamp {
        try timestamp(row, column).timestamp
    }

    func optionalTimestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Timestamp? {
        let value: PostgresTimestamp? = try optional(row, column)
        return value?.timestamp
    }

    func digest(_ row: Int, _ column: Int) throws -> Digest {
        guard let digest = Digest(bytes: try bytes(row, column)) else {
            throw PostgresLedger.corrupted("a digest in row \(row), column \(column)")
        }
        return digest
    }
}
