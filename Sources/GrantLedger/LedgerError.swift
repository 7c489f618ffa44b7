import ClawWire
public import Postgres

/// A failure of the ledger, in the domain's words.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Code: String, Sendable, Hashable {
        /// The compare-and-set on an offset or a lease failed: another worker owns the partition or the role. Nothing
        /// was committed, and nothing may be until a new lease is held (P10).
        case fenced
        /// Another transaction recorded one of the batch's approvals or requests first. Nothing was committed; decide
        /// the batch again.
        case conflict
        /// The COMMIT was sent and its reply was lost: the transaction may or may not have happened.
        case outcomeUnknown = "outcome_unknown"
        /// The database is unreachable or refused for a passing reason. Nothing was committed.
        case unavailable
        /// The schema is missing, older or newer than this build.
        case schema
        /// Stored bytes do not read as what they should be.
        case corrupted
        /// The topics hold what the ledger does not: it lost its end, and would issue again what is out already.
        case behind
        /// The statement is wrong or refused: a defect or a missing privilege.
        case refused
    }

    /// What went wrong.
    public let code: Code
    /// A sentence for people: what happened, to which input, what to do.
    public let detail: String
    /// The database's own error, where there is one.
    public let underlying: PostgresError?

    /// Makes an error.
    public init(_ code: Code, _ detail: String, underlying: PostgresError? = nil) {
        self.code = code
        self.detail = detail
        self.underlying = underlying
    }

    /// True when trying again can help without anyone's doing.
    public var isRetriable: Bool {
        switch code {
        case .conflict, .outcomeUnknown, .unavailable: true
        case .fenced, .schema, .corrupted, .behind, .refused: false
        }
    }

    /// The detail, with the database's message behind it.
    public var description: String { underlying.map { "\(detail): \($0)" } ?? detail }
}
