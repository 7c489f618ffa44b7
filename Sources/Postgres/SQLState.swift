/// A five-character SQLSTATE (PostgreSQL manual, appendix A).
///
/// The first two characters are the class. Anything else the server might send is refused by ``init(rawValue:)``.
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The five characters, for example `40001`.
    public let rawValue: String

    /// Makes a state from five ASCII digits or capital letters; nil for anything else.
    public init?(rawValue: String) {
        guard rawValue.utf8.count == 5,
            rawValue.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }

    private init(known: StaticString) { rawValue = known.description }

    /// The two-character class, for example `40`.
    public var errorClass: Substring { rawValue.prefix(2) }

    /// The five characters.
    public var description: String { rawValue }

    /// `23505`: a unique index refused a row.
    public static let uniqueViolation = SQLState(known: "23505")
    /// `23503`: a foreign key refused a row.
    public static let foreignKeyViolation = SQLState(known: "23503")
    /// `23514`: a check constraint refused a row.
    public static let checkViolation = SQLState(known: "23514")
    /// `23P01`: an exclusion constraint refused a row.
    public static let exclusionViolation = SQLState(known: "23P01")
    /// `40001`: the transaction could not be serialised.
    public static let serializationFailure = SQLState(known: "40001")
    /// `40P01`: the server broke a deadlock.
    public static let deadlockDetected = SQLState(known: "40P01")
    /// `25P02`: a statement was sent in a transaction that had failed before.
    public static let inFailedTransaction = SQLState(known: "25P02")
    /// `25006`: a write in a read-only transaction, as on a standby.
    public static let readOnlyTransaction = SQLState(known: "25006")
    /// `55P03`: a lock was not granted within `lock_timeout`, or at once with NOWAIT.
    public static let lockNotAvailable = SQLState(known: "55P03")
    /// `57014`: the statement was cancelled, by request or by `statement_timeout`.
    public static let queryCanceled = SQLState(known: "57014")
    /// `57P01`: an administrator terminated the backend or stops the server.
    public static let adminShutdown = SQLState(known: "57P01")
    /// `57P02`: another backend crashed and all are restarted.
    public static let crashShutdown = SQLState(known: "57P02")
    /// `57P03`: the server starts, stops or recovers and takes no connections.
    public static let cannotConnectNow = SQLState(known: "57P03")
    /// `42P01`: the table does not exist.
    public static let undefinedTable = SQLState(known: "42P01")
    /// `42501`: the role lacks the privilege.
    public static let insufficientPrivilege = SQLState(known: "42501")
    /// `26000`: the prepared statement does not exist on this connection.
    public static let invalidStatementName = SQLState(known: "26000")
    /// `0A000`: not supported; also sent when a prepared statement's result changed shape.
    public static let featureNotSupported = SQLState(known: "0A000")
}
