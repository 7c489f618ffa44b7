/// One submission to a connection: what to send, and what its end means.
struct Exchange: Sendable {
    struct ID: Hashable, Sendable { let value: UInt64 }
    struct TransactionID: Hashable, Sendable { let value: UInt64 }

    enum Work: Sendable {
        /// Steps that end in one Sync, between the given commands.
        case pipeline(before: String?, [PipelineStep], after: String?)
        /// Statements in the simple protocol, with results in text form.
        case simple(String)
        /// ROLLBACK, unless the server has no transaction open.
        case rollback
    }

    /// What commits the exchange's work, and so when its outcome may become unknown.
    enum Commit: Sendable {
        /// Nothing: losing the connection undoes the work.
        case never
        /// The Sync, or the end of a simple query. Unknown once everything was handed to the kernel.
        case atEnd
        /// A COMMIT among the requests. Unknown once anything was handed to the kernel.
        case byCommand
    }

    let id: ID
    let work: Work
    let commit: Commit
    /// The transaction that the exchange belongs to.
    let transaction: TransactionID?
}

/// Why a running exchange is being cancelled.
enum CancelReason: Sendable {
    /// The task was cancelled, or the connection's owner asked.
    case requested
    /// No reply came in time.
    case replyTimeout
}
