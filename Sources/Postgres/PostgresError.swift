/// Why a PostgreSQL operation did not succeed, and what that means for the caller.
///
/// ``description`` never holds row values: the server may put them into ``detail``, which is for code that knows the
/// table, not for logs.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What sort of failure it was.
    public enum Kind: String, Sendable, Hashable {
        /// The connection could not be made, or ended before the reply was complete.
        case connectionLost = "connection_lost"
        /// The server refused a statement; ``PostgresError/sqlState`` says why.
        case server
        /// The server or libpq answered something that the protocol does not allow; the connection was discarded.
        case protocolViolation = "protocol_violation"
        /// A time limit passed: statement, lock, reply, or waiting for a pooled connection.
        case timeout
        /// The calling task was cancelled, or somebody cancelled the statement.
        case cancelled
        /// The call, the statement's parameters or the connection's settings are wrong; repeating will not help.
        case configuration
        /// The connection or pool was closed by its owner.
        case closed
    }

    /// What sort of failure it was.
    public var kind: Kind
    /// The server's code, when the server answered.
    public var sqlState: SQLState?
    /// What happened, in one line. Text of the server or of libpq as it came.
    public var message: String
    /// The server's DETAIL. May quote row values, so it is not part of ``description``.
    public var detail: String?
    /// The server's HINT.
    public var hint: String?
    /// Name of the prepared statement that failed, or the command's first word (`BEGIN`, `COMMIT`).
    public var statementName: String?
    /// Name of the constraint that refused.
    public var constraint: String?
    /// Name of the table concerned.
    public var table: String?
    /// Whether a commit was on its way when the connection ended, so that only reading the data back can tell whether
    /// it happened.
    public var isOutcomeUnknown: Bool

    /// Makes an error.
    public init(
        _ kind: Kind, _ message: String, sqlState: SQLState? = nil, detail: String? = nil, hint: String? = nil,
        statementName: String? = nil, constraint: String? = nil, table: String? = nil, isOutcomeUnknown: Bool = false
    ) {
        self.kind = kind
        self.message = message
        self.sqlState = sqlState
        self.detail = detail
        self.hint = hint
        self.statementName = statementName
        self.constraint = constraint
        self.table = table
        self.isOutcomeUnknown = isOutcomeUnknown
    }

    /// Whether the same work may succeed if it is done again from its beginning, on a fresh connection.
    ///
    /// True for lost connections, time limits, serialisation failures (40001), deadlocks (40P01), locks not granted
    /// (55P03), shutdowns and starts (57P01–57P05), exhausted resources (class 53) and connection exceptions (class
    /// 08). When ``isOutcomeUnknown`` is true as well, find out first whether the work was done.
    public var isRetriable: Bool {
        switch kind {
        case .connectionLost, .timeout: true
        case .server: sqlState.map(Self.isRetriable) ?? false
        case .protocolViolation, .cancelled, .configuration, .closed: false
        }
    }

    private static func isRetriable(_ state: SQLState) -> Bool {
        switch state {
        case .serializationFailure, .deadlockDetected, .lockNotAvailable: true
        default: state.rawValue.hasPrefix("57P") || state.errorClass == "53" || state.errorClass == "08"
        }
    }

    /// For example `server error 23505 in statement "insert_grant" (constraint grants_pkey): duplicate key value …`.
    public var description: String {
        var text = "\(kind.rawValue.split(separator: "_").joined(separator: " "))"
        if kind == .server { text += " error" }
        if let sqlState { text += " \(sqlState)" }
        if let statementName { text += " in statement \"\(statementName)\"" }
        if let constraint {
            text += " (constraint \(constraint)\(table.map { " of table \($0)" } ?? ""))"
        } else if let table {
            text += " (table \(table))"
        }
        text += ": \(message)"
        if let hint { text += " (hint: \(hint))" }
        if isOutcomeUnknown { text += "; whether the commit happened is unknown" }
        return text
    }

    func named(_ statement: String?) -> PostgresError {
        var copy = self
        copy.statementName = copy.statementName ?? statement
        return copy
    }
}
