import CRdKafka
import Dispatch
import Primitives

/// The work of one kind of client on its poll thread. An instance is made on that thread and never leaves it.
protocol PollLoop: SendableMetatype {
    /// One round: does what there is to do and waits for more, but not for longer than about 100 ms.
    func turn()
    /// Deals with an event of the main queue that `Client` has no use for itself.
    func serve(_ event: borrowing ClientEvent)
    /// Answers everyone who still waits; no turn follows.
    func finish()
}

/// A librdkafka client with its poll thread, on which its loop runs, and a queue for calls that wait for a broker.
final class Client<Loop: PollLoop>: Sendable {
    /// A piece of work for the poll thread, and what to do instead when the client closes first.
    private struct Command: Sendable {
        let run: @Sendable (Loop) -> Void
        let refuse: @Sendable () -> Void
    }

    private enum Phase {
        case open, closing, closed
    }

    private struct State {
        var phase = Phase.open
        var commands: [Command] = []
        var statistics: [UInt8]?
        var tokenTask: Task<Void, Never>?
        var closeWaiters: [@Sendable () -> Void] = []
    }

    let handle: ClientHandle
    private let state = Lock(State())
    private let brokerCalls: DispatchQueue
    private let log: KafkaLog
    private let tokenProvider: (@Sendable () async throws -> OAuthBearerToken)?

    /// Makes the client and starts its thread, which makes the loop.
    init(
        _ type: rd_kafka_type_t, _ configuration: KafkaConfiguration, name: String,
        defaults: [(name: String, value: String)] = [], log: @escaping KafkaLog,
        makeLoop: @escaping @Sendable (Client) -> Loop
    ) throws(KafkaError) {
        handle = try ClientHandle(type, configuration, defaults: defaults)
        brokerCalls = DispatchQueue(label: "kafka.\(name)")
        self.log = log
        tokenProvider = configuration.tokenProvider
        do throws(KafkaError) {
            try PollThread.start { [self] in run(makeLoop) }
        } catch {
            // No thread, so no other user: the handle is destroyed here.
            handle.destroy()
            throw error
        }
    }

    /// The statistics document librdkafka wrote last.
    var statistics: [UInt8]? { state.withLock { $0.statistics } }

    /// Runs `body` on the poll thread and returns its result.
    func perform<Value: Sendable>(
        _ operation: KafkaError.Operation, _ body: @escaping @Sendable (Loop) -> Result<Value, KafkaError>
    ) async throws(KafkaError) -> Value {
        let result: Result<Value, KafkaError> = await withCheckedContinuation { continuation in
            submit(
                { loop in continuation.resume(returning: body(loop)) },
                refuse: { continuation.resume(returning: .failure(.closed(operation))) })
        }
        return try result.get()
    }

    /// Has the poll thread run `run`, or calls `refuse` when the client closes before it could.
    func submit(_ run: @escaping @Sendable (Loop) -> Void, refuse: @escaping @Sendable () -> Void) {
        let accepted = state.withLock { state in
            guard state.phase == .open else { return false }
            state.commands.append(Command(run: run, refuse: refuse))
            // Under the lock, because the handle is destroyed once the phase has changed.
            handle.wake()
            return true
        }
        if !accepted { refuse() }
    }

    /// Makes the poll thread begin its next round at once.
    func wake() {
        state.withLock { state in
            if state.phase == .open { handle.wake() }
        }
    }

    /// Runs a call that waits for a broker, away from the poll thread and the cooperative pool. One runs at a time.
    func callBroker<Value: Sendable>(
        _ operation: KafkaError.Operation,
        _ body: @escaping @Sendable (ClientHandle) -> Result<Value, KafkaError>
    ) async throws(KafkaError) -> Value {
        let result: Result<Value, KafkaError> = await withCheckedContinuation { continuation in
            let accepted = state.withLock { state in
                guard state.phase == .open else { return false }
                // Under the lock, so that the closing thread finds every accepted call in the queue.
                brokerCalls.async { [handle] in continuation.resume(returning: body(handle)) }
                return true
            }
            if !accepted { continuation.resume(returning: .failure(.closed(operation))) }
        }
        return try result.get()
    }

    /// Asks the poll thread to finish. Returns at once; asking again changes nothing.
    func requestClose() {
        let task: Task<Void, Never>? = state.withLock { state in
            guard state.phase == .open else { return nil }
            state.phase = .closing
            handle.wake()
            return state.tokenTask
        }
        task?.cancel()
    }

    /// Asks the poll thread to finish and waits for it, but not for longer than `deadline`. Returns whether it
    /// finished; if not, it goes on trying by itself.
    func close(deadline: Duration) async -> Bool {
        requestClose()
        return await withCheckedContinuation { continuation in
            let waiting = Lock<CheckedContinuation<Bool, Never>?>(continuation)
            let answer: @Sendable (Bool) -> Void = { finished in
                waiting.withLock { waiting in
                    defer { waiting = nil }
                    return waiting
                }?.resume(returning: finished)
            }
            let closed = state.withLock { state in
                if state.phase != .closed { state.closeWaiters.append { answer(true) } }
                return state.phase == .closed
            }
            if closed {
                answer(true)
            } else {
                let milliseconds = Int(deadline.wholeMilliseconds)
                DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { answer(false) }
            }
        }
    }

    /// Waits for an event of the main queue and deals with it and with some of those behind it. Only for the poll
    /// thread.
    func serveMain(_ loop: Loop, timeout: Duration) {
        var timeout = timeout
        // Bounded, so that a flood of events does not keep the loop from its other work.
        for _ in 0..<100 {
            guard let event = handle.pollMain(timeout) else { return }
            serve(event, loop)
            timeout = .zero
        }
    }

    /// Reports an error that no call waits for.
    func report(_ error: KafkaError) {
        log(
            KafkaLogEvent(
                level: error.isFatal ? .critical : error.isRetriable ? .warning : .error, facility: "ERROR",
                message: error.description, error: error))
    }

    private func run(_ makeLoop: (Client) -> Loop) {
        let loop = makeLoop(self)
        while true {
            let (commands, isOpen) = state.withLock { state in
                defer { state.commands = [] }
                return (state.commands, state.phase == .open)
            }
            guard isOpen else {
                for command in commands { command.refuse() }
                break
            }
            for command in commands { command.run(loop) }
            loop.turn()
        }
        loop.finish()
        brokerCalls.sync {}
        handle.destroy()
        let waiters = state.withLock { state in
            defer { state.closeWaiters = [] }
            state.phase = .closed
            return state.closeWaiters
        }
        for waiter in waiters { waiter() }
    }

    private func serve(_ event: borrowing ClientEvent, _ loop: Loop) {
        switch event.type {
        case RD_KAFKA_EVENT_LOG:
            if let line = event.logLine { log(line) }
        case RD_KAFKA_EVENT_ERROR:
            let fatal = event.isFatal ? handle.fatalError(.background) : nil
            report(fatal ?? KafkaError(code: event.code, operation: .background, detail: event.errorText))
        case RD_KAFKA_EVENT_STATS:
            let statistics = event.statistics
            state.withLock { $0.statistics = statistics }
        case RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH:
            refreshToken()
        default:
            loop.serve(event)
        }
    }

    private func refreshToken() {
        guard let tokenProvider else {
            if let error = handle.setToken(.failure(MissingTokenProvider())) { report(error) }
            return
        }
        let task = Task { [self] in
            let result: Result<OAuthBearerToken, any Error>
            do { result = .success(try await tokenProvider()) } catch { result = .failure(error) }
            submit(
                { [self] _ in
                    if let error = handle.setToken(result) { report(error) }
                }, refuse: {})
        }
        let isOpen = state.withLock { state in
            state.tokenTask = task
            return state.phase == .open
        }
        if !isOpen { task.cancel() }
    }
}

/// The configuration asks for OAUTHBEARER and has no token provider.
private struct MissingTokenProvider: Error, CustomStringConvertible {
    var description: String { "KafkaConfiguration.tokenProvider is not set" }
}
