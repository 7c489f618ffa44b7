import CLibPQ

/// Runs one connection on a thread of its own: every call into libpq happens here, on a non-blocking socket.
final class ConnectionDriver {
    private let link: ConnectionLink
    private let configuration: PostgresConfiguration
    private let handle: ConnectionHandle
    // Libpq calls it only inside calls on the handle, which this object makes, so it lives long enough.
    private let notices: NoticeSink
    private var prepared: [String: PreparedStatement] = [:]

    /// How a conversation with the server ended.
    private enum End {
        case complete
        case lost(PostgresError)
    }

    /// Connects, serves until asked to stop or the connection is lost, and frees the connection. Called on the thread.
    static func run(link: ConnectionLink, configuration: PostgresConfiguration) {
        link.didClose(connectAndServe(link: link, configuration: configuration))
    }

    /// The driver, and with it libpq's connection, is gone when this returns.
    private static func connectAndServe(link: ConnectionLink, configuration: PostgresConfiguration) -> PostgresError {
        do {
            return try ConnectionDriver(link: link, configuration: configuration).serve()
        } catch {
            return error
        }
    }

    private init(link: ConnectionLink, configuration: PostgresConfiguration) throws(PostgresError) {
        self.link = link
        self.configuration = configuration
        let notices = NoticeSink { severity, state, message in
            link.report(.notice(severity: severity, sqlState: state, message: message))
        }
        self.notices = notices
        handle = try ConnectionHandle(keywords: configuration.connectionKeywords(), notices: notices)
        try connect()
    }

    // MARK: Connecting

    private func connect() throws(PostgresError) {
        let deadline = ContinuousClock.now.advanced(by: configuration.connectTimeout)
        var wantsRead = false
        while !handle.isBad {
            guard !link.mustStop else { throw PostgresError(.cancelled, "connecting was cancelled") }
            guard ContinuousClock.now < deadline else {
                throw PostgresError(
                    .connectionLost, "no connection within \(configuration.connectTimeout.milliseconds) ms")
            }
            let ready = Readiness.wait(
                socket: handle.socket, read: wantsRead, write: !wantsRead, pipe: link.pipe, until: deadline)
            guard ready.isReadable || ready.isWritable else { continue }
            switch handle.connectProgress() {
            case .wantsRead: wantsRead = true
            case .wantsWrite: wantsRead = false
            case .failed: throw connectError()
            case .done:
                guard handle.finishConnecting() else { throw connectError() }
                link.didOpen(processID: handle.processID)
                return
            }
        }
        throw connectError()
    }

    private func connectError() -> PostgresError {
        ConnectFailure.error(message: handle.errorMessage, needsPassword: handle.needsPassword)
    }

    // MARK: Serving

    private func serve() -> PostgresError {
        while true {
            switch link.next() {
            case .exchange(let exchange):
                if let error = perform(exchange) { return error }
            case .wait(let deadline):
                if let error = rest(until: deadline) { return error }
            case .stop:
                return ConnectionLink.closedByOwner
            }
            deliverNotifications()
        }
    }

    /// Waits for the next work while watching the socket, so that a lost connection is noticed when it happens.
    private func rest(until deadline: ContinuousClock.Instant?) -> PostgresError? {
        let ready = Readiness.wait(socket: handle.socket, read: true, write: false, pipe: link.pipe, until: deadline)
        link.expireWaiters(now: .now)
        guard ready.isReadable, !handle.consumeInput() else { return nil }
        deliverNotifications()
        return lost(PostgresError(.connectionLost, lossMessage))
    }

    private func lost(_ error: PostgresError) -> PostgresError {
        link.markLost(error)
        if error.kind != .closed { link.report(.connectionLost(backendProcessID: handle.processID, error)) }
        return error
    }

    private var lossMessage: String {
        let message = PostgresError.oneLine(handle.errorMessage)
        return message.isEmpty ? "the connection was lost" : message
    }

    private func deliverNotifications() {
        while let notification = handle.nextNotification() { link.deliver(notification) }
    }

    /// Runs one exchange and answers it. Returns why the connection is lost, if it is.
    private func perform(_ exchange: Exchange) -> PostgresError? {
        let outcome: ConnectionLink.Outcome
        let end: End
        switch exchange.work {
        case .pipeline(let before, let steps, let after):
            if let error = refusal(of: steps) {
                link.finish(.failure(error), isIdle: handle.transactionStatus == .idle)
                return nil
            }
            (outcome, end) = runPipeline(requests(before, steps, after), commit: exchange.commit)
        case .rollback:
            guard handle.transactionStatus != .idle else {
                link.finish(.success([]), isIdle: true)
                return nil
            }
            (outcome, end) = runPipeline([.control("ROLLBACK")], commit: exchange.commit)
        case .simple(let sql):
            (outcome, end) = runSimple(sql, commit: exchange.commit)
        }
        switch end {
        case .complete:
            if case .failure(let error) = outcome, isStale(error) { link.retire() }
            link.finish(outcome, isIdle: handle.transactionStatus == .idle)
            return nil
        case .lost(let error):
            _ = lost(error)
            link.finish(outcome, isIdle: false)
            return error
        }
    }

    /// Whether the error says that this session no longer fits the server: its prepared statements went or changed
    /// shape, or the server became a standby.
    private func isStale(_ error: PostgresError) -> Bool {
        switch error.sqlState {
        case .invalidStatementName, .readOnlyTransaction: true
        case .featureNotSupported: error.message.contains("cached plan")
        default: false
        }
    }

    private func refusal(of steps: [PipelineStep]) -> PostgresError? {
        var new: [String: PreparedStatement] = [:]
        for case .execute(let statement, let parameters) in steps {
            if let error = statement.mismatch(parameters) { return error }
            let other = prepared[statement.name] ?? new.updateValue(statement, forKey: statement.name)
            if let other, other != statement {
                return PostgresError(
                    .configuration, "another statement of this name is prepared", statementName: statement.name)
            }
        }
        return nil
    }

    /// Lists what to send, with a preparation before the first use of each statement.
    private func requests(
        _ before: String?, _ steps: [PipelineStep], _ after: String?
    ) -> [PipelineProgress.Request] {
        var requests: [PipelineProgress.Request] = []
        requests.reserveCapacity(steps.count + 4)
        if let before { requests.append(.control(before)) }
        var preparing: Set<String> = []
        for step in steps {
            if case .execute(let statement, _) = step, prepared[statement.name] == nil,
                preparing.insert(statement.name).inserted
            {
                requests.append(.prepare(statement))
            }
            requests.append(.step(step))
        }
        if let after { requests.append(.control(after)) }
        return requests
    }

    // MARK: Pipelines

    private func runPipeline(
        _ requests: [PipelineProgress.Request], commit: Exchange.Commit
    ) -> (ConnectionLink.Outcome, End) {
        var progress = PipelineProgress(requests)
        guard handle.enterPipeline(), requests.allSatisfy(send), handle.sendSync() else {
            return discard(
                PostgresError(
                    handle.isBad ? .connectionLost : .protocolViolation, lossMessage,
                    isOutcomeUnknown: commit == .byCommand))
        }
        var delivery = Delivery(commit: commit)
        let end = converse(&delivery) { result in
            switch progress.receive(self.reply(result)) {
            case .more: .more
            case .complete: .complete
            case .violation(let reason):
                .lost(self.handle.isBad ? nil : PostgresError(.protocolViolation, reason))
            }
        }
        for statement in progress.prepared { prepared[statement.name] = statement }
        return conclude(
            end, delivery: delivery, results: progress.results, failure: progress.failure,
            isCommitted: progress.isCommitted)
    }

    private func send(_ request: PipelineProgress.Request) -> Bool {
        switch request {
        case .prepare(let statement): handle.sendPrepare(statement)
        case .control(let sql), .step(.command(let sql)): handle.sendCommand(sql)
        case .step(.execute(let statement, let parameters)): handle.sendExecute(statement, parameters)
        }
    }

    private func reply(_ result: PostgresResult?) -> PipelineProgress.Reply {
        guard let result else { return .endMark }
        switch result.status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return .result(result)
        case PGRES_PIPELINE_ABORTED: return .skipped
        case PGRES_PIPELINE_SYNC: return .synchronized
        default: return .failure(PostgresError(result: result))
        }
    }

    // MARK: Simple queries

    private func runSimple(_ sql: String, commit: Exchange.Commit) -> (ConnectionLink.Outcome, End) {
        guard handle.sendSimple(sql) else {
            return discard(PostgresError(handle.isBad ? .connectionLost : .protocolViolation, lossMessage))
        }
        var results: [PostgresResult] = []
        var failure: PostgresError?
        var delivery = Delivery(commit: commit)
        let end = converse(&delivery) { result in
            switch self.reply(result) {
            case .endMark: return .complete
            case .result(let result): results.append(result)
            case .failure(let error): failure = failure ?? error
            case .skipped, .synchronized:
                return .lost(PostgresError(.protocolViolation, "a pipeline's reply to a simple query"))
            }
            return .more
        }
        return conclude(end, delivery: delivery, results: results, failure: failure, isCommitted: false)
    }

    // MARK: The conversation

    /// How much of an exchange has left this process, and what that means should the connection go.
    private struct Delivery {
        let commit: Exchange.Commit
        var isFlushed = false
        /// Whether every reply was heard.
        var isComplete = false
        var cancel: CancelReason?

        /// Whether the commit may have happened.
        var mayBeCommitted: Bool {
            switch commit {
            case .never: false
            case .atEnd: isFlushed
            case .byCommand: true
            }
        }
    }

    private enum Heard {
        case more, complete
        /// The connection cannot be used any more; nil when libpq knows why.
        case lost(PostgresError?)
    }

    /// Sends what is queued and hears every reply, in whatever order the socket allows: waiting only for writing would
    /// deadlock with a server that waits for us to read.
    private func converse(_ delivery: inout Delivery, hear: (PostgresResult?) -> Heard) -> End {
        var canceller = Canceller(grace: configuration.cancelGrace, replyTimeout: configuration.replyTimeout)
        var isBroken = false
        var isComplete = false
        while true {
            if !delivery.isFlushed {
                switch handle.flush() {
                case .done: delivery.isFlushed = true
                case .pending: break
                case .failed: isBroken = true
                }
            }
            // Results that arrived before a loss are heard first. Asking a busy handle is safe once it is bad: libpq
            // has given up the socket and does not wait.
            while !isComplete && (handle.isBad || !handle.isBusy) {
                let result = handle.nextResult()
                if let error = fatal(result) { return .lost(error) }
                switch hear(result) {
                case .more: continue
                case .complete:
                    isComplete = true
                    delivery.isComplete = true
                case .lost(let error): return .lost(error ?? PostgresError(.connectionLost, lossMessage))
                }
            }
            deliverNotifications()
            if isComplete && !link.hasCancelInFlight { return .complete }
            if isBroken { return .lost(PostgresError(.connectionLost, lossMessage)) }
            if link.mustAbort { return .lost(ConnectionLink.closedByOwner) }

            let now = ContinuousClock.now
            link.expireWaiters(now: now)
            switch canceller.step(
                now: now, request: link.cancelRequest, isInFlight: link.hasCancelInFlight, isComplete: isComplete)
            {
            case .wait: break
            case .send: sendCancel()
            case .giveUp:
                return .lost(PostgresError(.connectionLost, "the cancelled statement did not end in time"))
            }
            delivery.cancel = canceller.reason
            let ready = Readiness.wait(
                socket: handle.socket, read: true, write: !delivery.isFlushed, pipe: link.pipe,
                until: canceller.nextInstant(listener: link.withListeners { $0.nextDeadline }))
            if ready.isReadable && !handle.consumeInput() { isBroken = true }
        }
    }

    /// What a result says about the session's end: an error of libpq's own, or one that the server marks as fatal.
    private func fatal(_ result: PostgresResult?) -> PostgresError? {
        guard let result else { return handle.isBad ? PostgresError(.connectionLost, lossMessage) : nil }
        switch result.status {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE:
            let error = PostgresError(result: result)
            return error.kind == .connectionLost ? error : nil
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            return PostgresError(.protocolViolation, "COPY is not supported")
        default: return nil
        }
    }

    private func sendCancel() {
        guard let cancel = handle.cancelHandle() else { return }
        let link = link
        link.cancelStarted()
        do throws(PostgresError) {
            try OwnThread.start {
                cancel.send()
                link.cancelFinished()
            }
            link.report(.cancelRequested(backendProcessID: handle.processID))
        } catch {
            link.cancelFinished()
        }
    }

    /// Turns a conversation's end into the caller's outcome.
    private func conclude(
        _ end: End, delivery: Delivery, results: [PostgresResult], failure: PostgresError?, isCommitted: Bool
    ) -> (ConnectionLink.Outcome, End) {
        switch end {
        case .complete:
            guard handle.exitPipeline() else {
                return discard(PostgresError(.protocolViolation, lossMessage))
            }
            return (answer(results, failure, delivery), .complete)
        case .lost(var error):
            let loss = error
            // Everything was heard, or COMMIT was confirmed, before the connection went: then the outcome is known.
            if delivery.isComplete || isCommitted { return (answer(results, failure, delivery), .lost(loss)) }
            if let reason = delivery.cancel, error.sqlState == nil {
                error.kind = reason == .requested ? .cancelled : .timeout
            }
            error.isOutcomeUnknown = delivery.mayBeCommitted && failure == nil
            return (.failure(error), .lost(loss))
        }
    }

    private func answer(
        _ results: [PostgresResult], _ failure: PostgresError?, _ delivery: Delivery
    ) -> ConnectionLink.Outcome {
        guard var failure else { return .success(results) }
        if failure.sqlState == .queryCanceled, let reason = delivery.cancel {
            failure.kind = reason == .requested ? .cancelled : .timeout
        }
        return .failure(failure)
    }

    private func discard(_ error: PostgresError) -> (ConnectionLink.Outcome, End) { (.failure(error), .lost(error)) }
}
