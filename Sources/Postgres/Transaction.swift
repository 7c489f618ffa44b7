import Primitives

/// An open transaction, to be used within the body it was given to.
///
/// Each call is one round trip. Rounds of one transaction must not run at the same time.
public final class Transaction: Sendable {
    private enum State {
        /// BEGIN has not been sent.
        case new
        case open
        /// A round failed; only a rollback is possible.
        case failed(PostgresError)
        case committed
        case rolledBack
    }

    private let link: ConnectionLink
    private let id: Exchange.TransactionID
    private let begin: String
    private let state = Lock(State.new)

    /// The session that the transaction is of.
    public var sessionID: SessionID { link.sessionID }

    init(_ link: ConnectionLink, begin: String) {
        self.link = link
        self.begin = begin
        id = Exchange.TransactionID(value: link.newID())
    }

    /// Runs steps in one round trip, with one Sync.
    ///
    /// - Returns: one result per step.
    /// - Throws: the first failure, which names its statement. After it the transaction can only be rolled back, and
    ///   later rounds throw the same error.
    public func run(_ steps: [PipelineStep]) async throws(PostgresError) -> [PostgresResult] {
        try await round(steps, commits: false)
    }

    /// Runs one prepared statement in a round trip of its own.
    public func execute(
        _ statement: PreparedStatement, _ parameters: Parameters = Parameters()
    ) async throws(PostgresError) -> PostgresResult {
        let results = try await run([.execute(statement, parameters)])
        guard let result = results.first else {
            throw PostgresError(.protocolViolation, "a statement had no result", statementName: statement.name)
        }
        return result
    }

    /// Runs steps and commits, in one round trip. The transaction is over when this returns.
    ///
    /// - Returns: one result per step.
    /// - Throws: the first failure; then nothing is kept, unless ``PostgresError/isOutcomeUnknown`` says that the
    ///   connection ended before the server's answer to COMMIT was heard.
    public func commit(with steps: [PipelineStep] = []) async throws(PostgresError) -> [PostgresResult] {
        try await round(steps, commits: true)
    }

    /// Undoes everything, so that the body may return a value without keeping its work.
    public func rollback() async throws(PostgresError) {
        let isNeeded = state.withLock { state in
            defer { state = .rolledBack }
            return switch state {
            case .open, .failed: true
            case .new, .committed, .rolledBack: false
            }
        }
        guard isNeeded else { return }
        _ = try await link.submit(.rollback, commit: .never, transaction: id, isCancellable: false)
    }

    private func round(_ steps: [PipelineStep], commits: Bool) async throws(PostgresError) -> [PostgresResult] {
        let (isFirst, refusal) = state.withLock { state -> (Bool, PostgresError?) in
            switch state {
            case .new:
                state = .open
                return (true, nil)
            case .open: return (false, nil)
            case .failed(let error): return (false, error)
            case .committed, .rolledBack:
                return (false, PostgresError(.configuration, "the transaction is over; it takes no more statements"))
            }
        }
        if let refusal { throw refusal }
        do {
            let results = try await link.submit(
                .pipeline(before: isFirst ? begin : nil, steps, after: commits ? "COMMIT" : nil),
                commit: commits ? .byCommand : .never, transaction: id)
            if commits { state.withLock { $0 = .committed } }
            return results
        } catch {
            state.withLock { $0 = .failed(error) }
            throw error
        }
    }

    /// Commits what is still open when the body has returned.
    func conclude() async throws(PostgresError) {
        let (isOpen, failure) = state.withLock { state -> (Bool, PostgresError?) in
            switch state {
            case .open: (true, nil)
            case .failed(let error): (false, error)
            case .new, .committed, .rolledBack: (false, nil)
            }
        }
        if let failure { throw failure }
        if isOpen { _ = try await commit() }
    }

    /// Rolls back after a failure that the caller reports. A rollback that fails needs no report of its own: then the
    /// connection is lost and the server rolls back by itself.
    func abandon() async {
        do {
            try await rollback()
        } catch {
            link.retire()
        }
    }
}
