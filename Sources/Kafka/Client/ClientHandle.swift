import CRdKafka

/// Owns an `rd_kafka_t` with its queues.
///
/// There is no `deinit`: destroying a client waits for its threads, so `Client` does it on the poll thread.
@safe final class ClientHandle: @unchecked Sendable {
    // Safe to send: clients and queues may be used from any thread (rdkafka.h; INTRODUCTION.md, "Threads and
    // callbacks"), the fields do not change, and `destroy` runs once, after every other user has finished.
    let raw: OpaquePointer
    let mainQueue: OpaquePointer
    private let consumerQueue: OpaquePointer?

    /// Requests and answers are small and many are under way at once, which Nagle's algorithm delays by tens of
    /// milliseconds.
    private static let commonDefaults = [(name: "socket.nagle.disable", value: "true")]

    /// Makes a client. The defaults yield to the configuration's own properties.
    init(
        _ type: rd_kafka_type_t, _ configuration: KafkaConfiguration,
        defaults: [(name: String, value: String)] = []
    ) throws(KafkaError) {
        let handle = ConfigurationHandle()
        try handle.set(Self.commonDefaults + defaults + configuration.properties + [(name: "log.queue", value: "true")])
        handle.enableEvents(
            RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
                | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH)
        unsafe raw = try handle.makeClient(type)
        // The references to the queues are ours; `destroy` gives them back.
        unsafe mainQueue = rd_kafka_queue_get_main(raw)
        unsafe consumerQueue = type == RD_KAFKA_CONSUMER ? rd_kafka_queue_get_consumer(raw) : nil
        // Without a queue the log would pile up in a temporary one; nil stands for the main queue.
        unsafe rd_kafka_set_log_queue(raw, nil)
    }

    /// Waits for an event of the main queue: logs, errors, statistics, delivery reports, results.
    func pollMain(_ timeout: Duration) -> ClientEvent? {
        // The event belongs to the caller.
        guard let event = unsafe rd_kafka_queue_poll(mainQueue, timeout.wholeMilliseconds) else { return nil }
        return unsafe ClientEvent(owning: event)
    }

    /// Waits for a message of the assigned partitions. Only for the poll thread of a consumer.
    func pollConsumer(_ timeout: Duration) -> FetchedMessage? {
        // The message belongs to the caller.
        guard let message = unsafe rd_kafka_consumer_poll(raw, timeout.wholeMilliseconds) else { return nil }
        return unsafe FetchedMessage(owning: message)
    }

    /// Makes the poll thread return from its wait, or not wait the next time.
    func wake() {
        unsafe rd_kafka_queue_yield(mainQueue)
        if let consumerQueue = unsafe consumerQueue { unsafe rd_kafka_queue_yield(consumerQueue) }
    }

    /// The error that killed the client, if one did.
    func fatalError(_ operation: KafkaError.Operation) -> KafkaError? {
        let (code, text) = unsafe withErrorText { buffer, size in unsafe rd_kafka_fatal_error(raw, buffer, size) }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(code: KafkaError.Code(code), kind: .fatal, operation: operation, detail: text)
    }

    /// Turns an error object into an error and frees it; nil when there is none.
    func error(owning object: OpaquePointer?, _ operation: KafkaError.Operation) -> KafkaError? {
        guard let object = unsafe object else { return nil }
        defer { unsafe rd_kafka_error_destroy(object) }
        let code = KafkaError.Code(unsafe rd_kafka_error_code(object))
        if code == .fatal, let fatal = fatalError(operation) { return fatal }
        let kind: KafkaError.Kind =
            if unsafe rd_kafka_error_is_fatal(object) != 0 {
                .fatal
            } else if unsafe rd_kafka_error_txn_requires_abort(object) != 0 {
                .abortable
            } else if unsafe rd_kafka_error_is_retriable(object) != 0 {
                .retriable
            } else {
                code.kindByDefault
            }
        let text = unsafe rd_kafka_error_string(object).map { unsafe String(cString: $0) } ?? code.text
        return KafkaError(code: code, kind: kind, operation: operation, detail: text)
    }

    /// Gives librdkafka the token it asked for, or says why there is none.
    func setToken(_ result: Result<OAuthBearerToken, any Error>) -> KafkaError? {
        let reason: String
        switch result {
        case .success(let token):
            let (code, text) = set(token)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
            reason = text
        case .failure(let error):
            reason = "the token provider failed: \(error)"
        }
        unsafe rd_kafka_oauthbearer_set_token_failure(raw, reason)
        return KafkaError(code: .authentication, kind: .retriable, operation: .refreshToken, detail: reason)
    }

    private func set(_ token: OAuthBearerToken) -> (rd_kafka_resp_err_t, String) {
        // librdkafka copies the token and the extensions; the copies made here are freed on return.
        let texts = token.extensions.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        let copies = unsafe texts.map { (text: String) -> UnsafeMutablePointer<CChar> in
            let bytes = text.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            for (index, byte) in bytes.enumerated() { unsafe copy.advanced(by: index).initialize(to: byte) }
            return unsafe copy
        }
        defer { unsafe copies.forEach { (copy: UnsafeMutablePointer<CChar>) -> Void in unsafe copy.deallocate() } }
        var pointers = unsafe copies.map { (copy: UnsafeMutablePointer<CChar>) -> UnsafePointer<CChar>? in
            unsafe UnsafePointer(copy)
        }
        let count = texts.count
        return unsafe pointers.withUnsafeMutableBufferPointer {
            (list: inout UnsafeMutableBufferPointer<UnsafePointer<CChar>?>) -> (rd_kafka_resp_err_t, String) in
            let start = list.baseAddress
            return unsafe withErrorText { buffer, size in
                unsafe rd_kafka_oauthbearer_set_token(
                    raw, token.value.reveal(), token.expiresAt, token.principal, start, count, buffer, size)
            }
        }
    }

    /// Destroys the client and waits for its threads. A consumer leaves nothing behind to close: it is no member of a
    /// group, and closing it as one may hang in this release of librdkafka.
    func destroy() {
        if let consumerQueue = unsafe consumerQueue { unsafe rd_kafka_queue_destroy(consumerQueue) }
        unsafe rd_kafka_queue_destroy(mainQueue)
        unsafe rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up and kept within what librdkafka takes; never negative.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard self > .zero else { return 0 }
        guard seconds < Int64(Int32.max) / 1_000 else { return Int32.max }
        return Int32(clamping: seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
