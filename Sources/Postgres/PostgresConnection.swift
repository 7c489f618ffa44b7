/// One session with a PostgreSQL server.
///
/// A thread of its own makes every call into libpq, so nothing here blocks the cooperative pool; a call costs one hop
/// to that thread and back, whatever the number of steps in it. Calls are served in the order they arrive. While a
/// transaction is open, only its own rounds are served and other calls wait for its end; a call on the connection from
/// within a transaction's body therefore never returns.
///
/// When a task is cancelled while its call runs, the server is asked to cancel the statement. The call returns when the
/// session is in order again: with ``PostgresError/Kind/cancelled``, or with its results if they came first. If the
/// server does not answer within ``PostgresConfiguration/cancelGrace``, the connection is discarded.
///
/// The session ends with ``close()`` or when the last reference goes.
public final class PostgresConnection: Sendable {
    private let link: ConnectionLink

    /// The server's process for this session, as `pg_backend_pid()`.
    public let backendProcessID: Int32

    private init(_ link: ConnectionLink) {
        self.link = link
        backendProcessID = link.processID
    }

    deinit { link.requestClose(abort: false) }

    /// Connects.
    ///
    /// - Parameters:
    ///   - configuration: where to and with which limits; the pool's settings are not used.
    ///   - onEvent: called on the connection's thread; must return soon.
    /// - Throws: ``PostgresError/Kind/connectionLost`` when the server cannot be reached, and
    ///   ``PostgresError/Kind/configuration`` when it refuses the role, the database or a setting.
    public static func connect(
        _ configuration: PostgresConfiguration, onEvent: @escaping @Sendable (PostgresEvent) -> Void = { _ in }
    ) async throws(PostgresError) -> PostgresConnection {
        try await connect(configuration, onEvent: onEvent, onClose: {})
    }

    /// - Parameter onClose: called on the connection's thread when the session has ended for whatever reason.
    static func connect(
        _ configuration: PostgresConfiguration, onEvent: @escaping @Sendable (PostgresEvent) -> Void,
        onClose: @escaping @Sendable () -> Void
    ) async throws(PostgresError) -> PostgresConnection {
        let link = try ConnectionLink(onEvent: onEvent, onClose: onClose)
        try OwnThread.start { ConnectionDriver.run(link: link, configuration: configuration) }
        let opened = await withTaskCancellationHandler {
            await link.opened()
        } onCancel: {
            link.requestClose(abort: true)
        }
        try opened.get()
        return PostgresConnection(link)
    }

    /// Whether the session is open as far as is known. Losses are noticed when they happen, also between calls.
    public var isOpen: Bool { link.isOpen }

    /// Whether a pool may give the session to its next user.
    var isReusable: Bool { link.isReusable }

    /// Runs steps in one implicit transaction with one Sync, in one round trip.
    ///
    /// Steps run in order. If one fails the rest are skipped, nothing is kept, and the error names the statement.
    ///
    /// - Returns: one result per step.
    /// - Throws: the first failure; ``PostgresError/isOutcomeUnknown`` when the connection ended after everything was
    ///   sent and before the end was heard.
    public func pipeline(_ steps: [PipelineStep]) async throws(PostgresError) -> [PostgresResult] {
        try await link.submit(.pipeline(before: nil, steps, after: nil), commit: .atEnd)
    }

    /// Runs one prepared statement as a transaction of its own.
    public func execute(
        _ statement: PreparedStatement, _ parameters: Parameters = Parameters()
    ) async throws(PostgresError) -> PostgresResult {
        let results = try await pipeline([.execute(statement, parameters)])
        guard let result = results.first else {
            throw PostgresError(.protocolViolation, "a statement had no result", statementName: statement.name)
        }
        return result
    }

    /// Runs any number of SQL statements in one text, for migrations.
    ///
    /// They form one transaction unless the text contains its own. Results are in text form: only strings, integers
    /// and booleans can be read from them.
    public func simple(_ sql: String) async throws(PostgresError) -> [PostgresResult] {
        try await link.submit(.simple(sql), commit: .atEnd)
    }

    /// Asks the server to cancel what the connection is running now, if anything; whoever waits for it gets
    /// ``PostgresError/Kind/cancelled``.
    public func cancelCurrent() { link.cancelRunning() }

    /// Ends the session after the call that runs now, and returns when it has ended. Calls that wait are refused.
    public func close() async {
        link.requestClose(abort: false)
        await link.closed()
    }

    /// Ends the session at once; the call that runs fails, and the server undoes what was not committed.
    func abort() { link.requestClose(abort: true) }

    // MARK: Transactions

    /// Runs a transaction of one or more rounds.
    ///
    /// BEGIN travels with the first round and COMMIT with the last one if `body` ends with
    /// ``Transaction/commit(with:)``; otherwise COMMIT follows in a round of its own when `body` returns. If `body`
    /// throws, the transaction is rolled back, also when the task was cancelled.
    ///
    /// - Throws: what `body` throws; the failure of a round that `body` ignored; the failure of the commit, with
    ///   ``PostgresError/isOutcomeUnknown`` when its reply was lost.
    public func transaction<Result>(
        isolation: IsolationLevel = .readCommitted, access: AccessMode = .readWrite,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        let transaction = Transaction(link, begin: "BEGIN ISOLATION LEVEL \(isolation.rawValue) \(access.rawValue)")
        let result: Result
        do {
            result = try await body(transaction)
        } catch {
            await transaction.abandon()
            throw error
        }
        do {
            try await transaction.conclude()
        } catch {
            await transaction.abandon()
            throw error
        }
        return result
    }

    // MARK: Notifications

    /// Listens to a channel.
    ///
    /// - Returns: the notifications from now on, ending when the session ends. If the reader is slow, the oldest of
    ///   more than 1024 are dropped: take each as a hint to look.
    public func listen(_ channel: String) async throws(PostgresError) -> AsyncStream<PostgresNotification> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self, bufferingPolicy: .bufferingNewest(NotificationListeners.capacity))
        let id = link.newID()
        if let error = link.register({ $0.add(continuation, id: id, channel: channel) }) { throw error }
        let link = link
        continuation.onTermination = { _ in link.withListeners { $0.removeStream(id: id, channel: channel) } }
        do {
            _ = try await pipeline([.command("LISTEN \(Self.quoted(channel))")])
        } catch {
            continuation.finish()
            throw error
        }
        return stream
    }

    /// Stops listening to a channel.
    public func unlisten(_ channel: String) async throws(PostgresError) {
        _ = try await pipeline([.command("UNLISTEN \(Self.quoted(channel))")])
    }

    /// Waits for the next notification that no stream took; up to 1024 that came before are kept.
    ///
    /// Make the session listen first, with ``listen(_:)`` or a `LISTEN` command.
    ///
    /// - Returns: nil when the time is over.
    public func waitForNotification(timeout: Duration? = nil) async throws(PostgresError) -> PostgresNotification? {
        let id = link.newID()
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
        let link = link
        let received = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                var resume: (() -> Void)?
                if let error = link.register({ resume = $0.wait(id: id, until: deadline, continuation) }) {
                    continuation.resume(returning: .failure(error))
                }
                resume?()
            }
        } onCancel: {
            let resume = link.withListeners { $0.cancelWait(id: id) }
            resume()
        }
        link.withListeners { $0.forgetWait(id: id) }
        return try received.get()
    }

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

/// How a transaction sees the work of others (PostgreSQL manual, "Transaction Isolation").
public enum IsolationLevel: String, Sendable, Hashable {
    /// Each statement sees what was committed before it began.
    case readCommitted = "READ COMMITTED"
    /// All statements see what was committed before the first.
    case repeatableRead = "REPEATABLE READ"
    /// As if transactions ran one after another.
    case serializable = "SERIALIZABLE"
}

/// Whether a transaction may write.
public enum AccessMode: String, Sendable, Hashable {
    /// It may.
    case readWrite = "READ WRITE"
    /// The server refuses writes (25006).
    case readOnly = "READ ONLY"
}
