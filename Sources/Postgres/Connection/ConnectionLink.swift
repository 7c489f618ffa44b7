import Primitives

/// What a connection's users and its thread share: the queue of exchanges, requests to cancel or close, and listeners.
///
/// Every method computes under one lock and resumes continuations after it.
final class ConnectionLink: Sendable {
    typealias Outcome = Result<[PostgresResult], PostgresError>
    typealias OutcomeContinuation = CheckedContinuation<Outcome, Never>

    /// What the thread does next.
    enum Next {
        case exchange(Exchange)
        /// Nothing to send: wait for the socket, the pipe, or the instant.
        case wait(until: ContinuousClock.Instant?)
        case stop
    }

    private enum Phase {
        case connecting
        case open
        /// The thread ends after the exchange that runs.
        case closing
        case closed(PostgresError)
    }

    private struct Queued {
        let exchange: Exchange
        let continuation: OutcomeContinuation
    }

    private struct Running {
        let exchange: Exchange
        let continuation: OutcomeContinuation
        var cancel: CancelReason?
    }

    private struct State {
        var phase = Phase.connecting
        var openResult: Result<Void, PostgresError>?
        var openWaiter: CheckedContinuation<Result<Void, PostgresError>, Never>?
        var closeWaiters: [CheckedContinuation<Void, Never>] = []
        var nextID: UInt64 = 0
        var queue: [Queued] = []
        var running: Running?
        /// Exchanges whose task was cancelled before they were queued.
        var cancelledEarly: Set<Exchange.ID> = []
        var openTransaction: Exchange.TransactionID?
        var cancelsInFlight = 0
        var mustAbort = false
        /// Whether the thread has freed libpq's connection.
        var hasEnded = false
        var processID: Int32 = 0
        var isReusable = false
        var isRetired = false
        var listeners = NotificationListeners()
    }

    private let state = Lock(State())
    let pipe: WakePipe
    private let onEvent: @Sendable (PostgresEvent) -> Void
    private let onClose: @Sendable () -> Void
    let sessionID = SessionID.next()

    init(
        onEvent: @escaping @Sendable (PostgresEvent) -> Void, onClose: @escaping @Sendable () -> Void
    ) throws(PostgresError) {
        pipe = try WakePipe()
        self.onEvent = onEvent
        self.onClose = onClose
    }

    func report(_ event: PostgresEvent) { onEvent(event) }

    // MARK: Opening and closing

    /// Waits until the thread has connected or failed to.
    func opened() async -> Result<Void, PostgresError> {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state -> Result<Void, PostgresError>? in
                if state.openResult == nil { state.openWaiter = continuation }
                return state.openResult
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// Told by the thread.
    func didOpen(processID: Int32) {
        finishOpening(.success(())) { state in
            state.processID = processID
            state.isReusable = true
            if case .connecting = state.phase { state.phase = .open }
        }
        report(.connected(backendProcessID: processID))
    }

    private func finishOpening(_ result: Result<Void, PostgresError>, _ change: (inout State) -> Void) {
        let waiter = state.withLock { state in
            change(&state)
            state.openResult = state.openResult ?? result
            defer { state.openWaiter = nil }
            return state.openWaiter
        }
        waiter?.resume(returning: result)
    }

    var processID: Int32 { state.withLock { $0.processID } }

    /// Whether the connection is open and, as far as known, in order.
    var isOpen: Bool {
        state.withLock { if case .open = $0.phase { true } else { false } }
    }

    /// Whether the next user finds it as a new one: open, no transaction, nothing queued, not retired.
    var isReusable: Bool {
        state.withLock { state in
            guard case .open = state.phase else { return false }
            return state.isReusable && !state.isRetired && state.openTransaction == nil && state.running == nil
                && state.queue.isEmpty
        }
    }

    /// Marks the connection as not worth reusing.
    func retire() { state.withLock { $0.isRetired = true } }

    /// Asks the thread to stop after the exchange that runs, or at once.
    func requestClose(abort: Bool) {
        state.withLock { state in
            switch state.phase {
            case .connecting, .open: state.phase = .closing
            case .closing, .closed: break
            }
            if abort { state.mustAbort = true }
        }
        pipe.wake()
    }

    /// Waits until the thread has ended.
    func closed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if state.hasEnded { return true }
                state.closeWaiters.append(continuation)
                return false
            }
            if isClosed { continuation.resume() }
        }
    }

    var mustStop: Bool {
        state.withLock { if case .closing = $0.phase { true } else { false } }
    }

    var mustAbort: Bool { state.withLock { $0.mustAbort } }

    /// Refuses all that comes from now on; called before the exchange that met the loss is answered.
    func markLost(_ error: PostgresError) {
        state.withLock { state in
            if case .closed = state.phase { return }
            state.phase = .closed(error)
        }
    }

    /// Told by the thread as its last word, after libpq's connection was freed.
    func didClose(_ error: PostgresError) {
        markLost(error)
        let (queue, waiters, closers) = state.withLock { state in
            defer {
                state.queue = []
                state.closeWaiters = []
            }
            state.hasEnded = true
            return (state.queue, state.listeners.close(), state.closeWaiters)
        }
        finishOpening(.failure(error)) { _ in }
        for entry in queue { entry.continuation.resume(returning: .failure(error)) }
        waiters(error)
        for closer in closers { closer.resume() }
        onClose()
    }

    // MARK: Exchanges

    func newID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    /// Queues an exchange and waits for its outcome. When the task is cancelled and `isCancellable`, the exchange is
    /// taken from the queue or the server is asked to cancel it; the outcome comes when the connection is in order.
    func submit(
        _ work: Exchange.Work, commit: Exchange.Commit, transaction: Exchange.TransactionID? = nil,
        isCancellable: Bool = true
    ) async throws(PostgresError) -> [PostgresResult] {
        let exchange = Exchange(
            id: Exchange.ID(value: newID()), work: work, commit: commit, transaction: transaction)
        guard isCancellable else { return try await enqueue(exchange).get() }
        let outcome = await withTaskCancellationHandler {
            await enqueue(exchange)
        } onCancel: {
            cancel(exchange.id)
        }
        state.withLock { _ = $0.cancelledEarly.remove(exchange.id) }
        return try outcome.get()
    }

    private func enqueue(_ exchange: Exchange) async -> Outcome {
        await withCheckedContinuation { continuation in
            let refusal = state.withLock { state -> PostgresError? in
                switch state.phase {
                case .closed(let error): return error
                case .closing: return Self.closedByOwner
                case .connecting, .open: break
                }
                if state.cancelledEarly.contains(exchange.id) { return Self.cancelledBeforeSending }
                state.queue.append(Queued(exchange: exchange, continuation: continuation))
                return nil
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) } else { pipe.wake() }
        }
    }

    static let closedByOwner = PostgresError(.closed, "the connection was closed by its owner")
    private static let cancelledBeforeSending = PostgresError(
        .cancelled, "the task was cancelled before the statements were sent")

    /// Takes a queued exchange back, or marks the running one.
    private func cancel(_ id: Exchange.ID) {
        let removed = state.withLock { state -> OutcomeContinuation? in
            if state.running?.exchange.id == id {
                state.running?.cancel = .requested
                return nil
            }
            guard let index = state.queue.firstIndex(where: { $0.exchange.id == id }) else {
                state.cancelledEarly.insert(id)
                return nil
            }
            return state.queue.remove(at: index).continuation
        }
        removed?.resume(returning: .failure(Self.cancelledBeforeSending))
        pipe.wake()
    }

    /// Asks to cancel whatever runs now.
    func cancelRunning() {
        state.withLock { $0.running?.cancel = .requested }
        pipe.wake()
    }

    /// Picks the thread's next work. While a transaction is open, only its own exchanges are picked.
    func next() -> Next {
        state.withLock { state in
            switch state.phase {
            case .closing, .closed: return .stop
            case .connecting, .open: break
            }
            let open = state.openTransaction
            guard let index = state.queue.firstIndex(where: { open == nil || $0.exchange.transaction == open }) else {
                return .wait(until: state.listeners.nextDeadline)
            }
            let entry = state.queue.remove(at: index)
            state.openTransaction = entry.exchange.transaction
            state.running = Running(exchange: entry.exchange, continuation: entry.continuation)
            return .exchange(entry.exchange)
        }
    }

    /// Whether the running exchange is to be cancelled.
    var cancelRequest: CancelReason? { state.withLock { $0.running?.cancel } }

    /// Answers the running exchange.
    func finish(_ outcome: Outcome, isIdle: Bool) {
        let continuation = state.withLock { state in
            state.isReusable = isIdle
            if isIdle { state.openTransaction = nil }
            defer { state.running = nil }
            return state.running?.continuation
        }
        continuation?.resume(returning: outcome)
    }

    // MARK: Cancel requests on their way

    func cancelStarted() { state.withLock { $0.cancelsInFlight += 1 } }

    func cancelFinished() {
        state.withLock { $0.cancelsInFlight -= 1 }
        pipe.wake()
    }

    var hasCancelInFlight: Bool { state.withLock { $0.cancelsInFlight > 0 } }

    // MARK: Notifications

    func withListeners<Result>(_ body: (inout NotificationListeners) -> Result) -> Result {
        state.withLock { body(&$0.listeners) }
    }

    /// Registers a listener unless the connection is closed; then returns why.
    func register(_ change: (inout NotificationListeners) -> Void) -> PostgresError? {
        let refusal = state.withLock { state -> PostgresError? in
            switch state.phase {
            case .closed(let error): return error
            case .closing: return Self.closedByOwner
            case .connecting, .open: break
            }
            change(&state.listeners)
            return nil
        }
        pipe.wake()
        return refusal
    }

    func deliver(_ notification: PostgresNotification) {
        let resume = withListeners { $0.deliver(notification) }
        resume()
    }

    /// Ends the waits whose time is over.
    func expireWaiters(now: ContinuousClock.Instant) {
        let resume = withListeners { $0.expire(now: now) }
        resume()
    }
}
