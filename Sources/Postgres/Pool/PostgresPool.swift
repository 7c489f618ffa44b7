import Primitives

/// A bounded set of connections that are opened when they are needed and reused.
///
/// Whoever needs a connection while all are taken waits in line. When the server is away, attempts to connect are
/// repeated with a growing, jittered delay for as long as somebody waits; each waiter gives up after
/// ``PostgresConfiguration/acquireTimeout``. A connection that was lost is noticed when it happens and not given out
/// again. Call ``shutdown(grace:)`` when done.
public final class PostgresPool: Sendable {
    /// A snapshot of a pool's figures.
    public struct Metrics: Sendable, Hashable {
        /// Connections that exist, free or taken.
        public let open: Int
        /// Connections that nobody holds.
        public let idle: Int
        /// Tasks that wait for a connection.
        public let waiting: Int
        /// Attempts to connect that are under way or wait for their next try.
        public let connecting: Int
        /// Connections made in place of lost ones, since the start.
        public let reconnects: Int
        /// Attempts to connect that failed, since the start.
        public let failedAttempts: Int
        /// Waits that ended without a connection because the time was over, since the start.
        public let acquireTimeouts: Int
        /// Whether the last attempt to connect failed.
        public let isFailing: Bool
    }

    private typealias Machine = PoolMachine<PostgresConnection>
    private typealias Lease = (id: Machine.MemberID, connection: PostgresConnection)
    private typealias Acquired = Result<Lease, PostgresError>

    private struct State {
        var machine: Machine
        var continuations: [Machine.WaiterID: CheckedContinuation<Acquired, Never>] = [:]
        var attempts: [UInt64: Task<Void, Never>] = [:]
        var nextAttempt: UInt64 = 0
        var lastFailure: PostgresError?
        var acquireTimeouts = 0
        var drainWaiters: [CheckedContinuation<Void, Never>] = []
        var isForced = false
    }

    private let configuration: PostgresConfiguration
    private let onEvent: @Sendable (PostgresEvent) -> Void
    private let state: Lock<State>

    /// Makes a pool. It opens no connection yet.
    ///
    /// - Parameters:
    ///   - configuration: where to, and the limits; `poolSize` must be above zero.
    ///   - onEvent: called on connections' threads and in tasks; must return soon.
    public init(
        _ configuration: PostgresConfiguration, onEvent: @escaping @Sendable (PostgresEvent) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.onEvent = onEvent
        state = Lock(State(machine: Machine(capacity: configuration.poolSize)))
    }

    /// The figures now.
    public var metrics: Metrics {
        state.withLock { state in
            Metrics(
                open: state.machine.openCount, idle: state.machine.idleCount, waiting: state.machine.waiterCount,
                connecting: state.machine.connectingCount, reconnects: state.machine.reconnects,
                failedAttempts: state.machine.failedAttempts, acquireTimeouts: state.acquireTimeouts,
                isFailing: state.machine.failuresInRow > 0)
        }
    }

    // MARK: Use

    /// Lends a connection for the time of `body`.
    ///
    /// - Throws: ``PostgresError/Kind/timeout`` when none became free in time, ``PostgresError/Kind/cancelled`` when the
    ///   task was cancelled while waiting, ``PostgresError/Kind/configuration`` when the server refuses the settings,
    ///   ``PostgresError/Kind/closed`` after shutdown, and whatever `body` throws.
    public func withConnection<Result>(_ body: (PostgresConnection) async throws -> Result) async throws -> Result {
        let lease = try await acquire()
        defer { release(lease) }
        return try await body(lease.connection)
    }

    /// Lends a connection and runs a transaction on it, as ``PostgresConnection/transaction(isolation:access:_:)`` does.
    /// Nothing is repeated: whoever may repeat decides by ``PostgresError/isRetriable``.
    public func withTransaction<Result>(
        isolation: IsolationLevel = .readCommitted, access: AccessMode = .readWrite,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        try await withConnection { connection in
            try await connection.transaction(isolation: isolation, access: access, body)
        }
    }

    private func acquire() async throws(PostgresError) -> Lease {
        let waiter = state.withLock { $0.machine.makeWaiterID() }
        let acquired = await withTaskCancellationHandler {
            await wait(waiter)
        } onCancel: {
            cancel(waiter)
        }
        state.withLock { $0.machine.forget(waiter) }
        return try acquired.get()
    }

    private func wait(_ waiter: Machine.WaiterID) async -> Acquired {
        var timer: Task<Void, Never>?
        defer { timer?.cancel() }
        let acquired = await withCheckedContinuation { (continuation: CheckedContinuation<Acquired, Never>) in
            var closed: [PostgresConnection] = []
            let answer = state.withLock { state -> Acquired? in
                let isShutDown = state.machine.isShutDown
                switch state.machine.acquire(waiter, closed: &closed, isUsable: \.isReusable) {
                case .take(let id, let connection): return .success((id, connection))
                case .refuse: return .failure(isShutDown ? Self.shutDown : Self.cancelled)
                case .wait(let attempts):
                    state.continuations[waiter] = continuation
                    startAttempts(attempts, &state)
                    return nil
                }
            }
            for connection in closed { connection.abort() }
            if let answer {
                continuation.resume(returning: answer)
            } else {
                timer = Task { [configuration] in
                    try? await Task.sleep(for: configuration.acquireTimeout)
                    if !Task.isCancelled { self.timeOut(waiter) }
                }
            }
        }
        return acquired
    }

    private static let shutDown = PostgresError(.closed, "the pool is shut down")
    private static let cancelled = PostgresError(.cancelled, "the task was cancelled while waiting for a connection")

    private func cancel(_ waiter: Machine.WaiterID) {
        let continuation = state.withLock { state in
            if !state.machine.abandon(waiter) { state.machine.abandonEarly(waiter) }
            return state.continuations.removeValue(forKey: waiter)
        }
        continuation?.resume(returning: .failure(Self.cancelled))
    }

    private func timeOut(_ waiter: Machine.WaiterID) {
        let (continuation, error) = state.withLock { state in
            guard state.machine.abandon(waiter) else {
                return (nil as CheckedContinuation<Acquired, Never>?, Self.cancelled)
            }
            state.acquireTimeouts += 1
            var message = "no connection became free within \(configuration.acquireTimeout.milliseconds) ms"
            message += " (\(state.machine.openCount) of \(configuration.poolSize) open)"
            if let failure = state.lastFailure { message += "; the last attempt to connect failed: \(failure.message)" }
            return (
                state.continuations.removeValue(forKey: waiter),
                PostgresError(.timeout, message, sqlState: state.lastFailure?.sqlState)
            )
        }
        continuation?.resume(returning: .failure(error))
    }

    private func release(_ lease: Lease) {
        let isUsable = lease.connection.isReusable
        settle(lease) { state in (state.machine.release(lease.id, isUsable: isUsable), 0) }
    }

    /// Does with a connection what the machine decides.
    private func settle(_ lease: Lease, _ decide: (inout State) -> (placement: Machine.Placement, attempts: Int)) {
        let (handed, mustClose, drained) = state.withLock { state in
            var handed: CheckedContinuation<Acquired, Never>?
            var mustClose = false
            let (placement, attempts) = decide(&state)
            switch placement {
            case .hand(let waiter): handed = state.continuations.removeValue(forKey: waiter)
            case .keep: break
            case .close(let replacements):
                mustClose = true
                startAttempts(replacements, &state)
            }
            startAttempts(attempts, &state)
            return (handed, mustClose, takeDrainWaiters(&state))
        }
        handed?.resume(returning: .success(lease))
        if mustClose { lease.connection.abort() }
        for waiter in drained { waiter.resume() }
    }

    // MARK: Connecting

    /// Called with the lock held: creating a task does not run it.
    private func startAttempts(_ count: Int, _ state: inout State) {
        for _ in 0..<count {
            state.nextAttempt += 1
            let number = state.nextAttempt
            state.attempts[number] = Task { [self] in
                await attempt()
                let drained = self.state.withLock { state in
                    state.attempts[number] = nil
                    return takeDrainWaiters(&state)
                }
                for waiter in drained { waiter.resume() }
            }
        }
    }

    /// Connects, again and again while it makes sense.
    private func attempt() async {
        while true {
            let id = state.withLock { $0.machine.makeMemberID() }
            do throws(PostgresError) {
                let connection = try await PostgresConnection.connect(
                    configuration, onEvent: onEvent,
                    onClose: { [weak self] in self?.state.withLock { $0.machine.lost(id) } })
                return settle((id, connection)) { state in
                    state.lastFailure = nil
                    return state.machine.connected(id, connection)
                }
            } catch {
                guard let delay = failed(error) else { return }
                try? await Task.sleep(for: delay)
                guard state.withLock({ $0.machine.shouldRetry() }) else { return }
            }
        }
    }

    /// Returns how long to wait before the next try; nil to stop.
    private func failed(_ error: PostgresError) -> Duration? {
        let (delay, failures, refused) = state.withLock { state in
            state.lastFailure = error
            switch state.machine.connectFailed(isRetriable: error.isRetriable) {
            case .retry(let failures):
                let delay = configuration.backoff.delay(afterFailures: failures, jitter: .random(in: 0..<1))
                return (delay as Duration?, failures, [] as [CheckedContinuation<Acquired, Never>])
            case .stop(let waiters):
                let refused = waiters.compactMap { state.continuations.removeValue(forKey: $0) }
                return (nil, state.machine.failuresInRow, refused)
            }
        }
        onEvent(.connectFailed(error, attempt: failures, nextAttemptIn: delay))
        for continuation in refused { continuation.resume(returning: .failure(error)) }
        return delay
    }

    // MARK: Shutting down

    /// Refuses new work, closes free connections, waits for those in use to come back, and ends those that have not
    /// come back within the grace: what runs on them fails and is rolled back.
    public func shutdown(grace: Duration = .seconds(10)) async {
        let (idle, refused, attempts) = state.withLock { state in
            let (idle, waiters) = state.machine.shutDown()
            let refused = waiters.compactMap { state.continuations.removeValue(forKey: $0) }
            return (idle, refused, Array(state.attempts.values))
        }
        for continuation in refused { continuation.resume(returning: .failure(Self.shutDown)) }
        for attempt in attempts { attempt.cancel() }
        for connection in idle { await connection.close() }
        let timer = Task {
            try? await Task.sleep(for: grace)
            if !Task.isCancelled { self.forceDrain() }
        }
        await drained()
        timer.cancel()
    }

    private func drained() async {
        await withCheckedContinuation { continuation in
            let isDrained = state.withLock { state in
                if state.machine.isDrained || state.isForced { return true }
                state.drainWaiters.append(continuation)
                return false
            }
            if isDrained { continuation.resume() }
        }
    }

    private func forceDrain() {
        let (members, waiters) = state.withLock { state in
            state.isForced = true
            return (state.machine.leasedMembers, takeDrainWaiters(&state))
        }
        for member in members { member.abort() }
        for waiter in waiters { waiter.resume() }
    }

    private func takeDrainWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard state.machine.isDrained || state.isForced else { return [] }
        defer { state.drainWaiters = [] }
        return state.drainWaiters
    }
}
