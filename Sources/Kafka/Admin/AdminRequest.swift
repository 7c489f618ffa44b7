import CRdKafka

/// One administrative request: its options and the queue its answer comes to.
@safe struct AdminRequest: ~Copyable {
    // Safe: the pointers are lent to the one call that makes the request, which copies the options.
    private let options: OpaquePointer
    private let queue: OpaquePointer
    private let client: ClientHandle
    private let operation: KafkaError.Operation
    private let timeout: Duration

    init(
        _ client: ClientHandle, _ kind: rd_kafka_admin_op_t, _ operation: KafkaError.Operation, timeout: Duration
    ) throws(KafkaError) {
        let milliseconds = max(1, timeout.wholeMilliseconds)
        // Both are ours until `deinit`, or until the check below fails.
        let options: OpaquePointer = unsafe rd_kafka_AdminOptions_new(client.raw, kind)
        let queue: OpaquePointer = unsafe rd_kafka_queue_new(client.raw)
        let (code, text) = unsafe withErrorText { buffer, size in
            let code = unsafe rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, buffer, size)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, operation != .alterConfiguration,
                operation != .describeTopicConfiguration, operation != .describeAccess
            else { return code }
            // How long the broker may take over it before it answers.
            return unsafe rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, buffer, size)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            unsafe rd_kafka_AdminOptions_destroy(options)
            unsafe rd_kafka_queue_destroy(queue)
            throw KafkaError(code: KafkaError.Code(code), operation: operation, detail: text)
        }
        unsafe self.options = options
        unsafe self.queue = queue
        self.client = client
        self.operation = operation
        self.timeout = timeout
    }

    deinit {
        unsafe rd_kafka_AdminOptions_destroy(options)
        unsafe rd_kafka_queue_destroy(queue)
    }

    /// Makes the request with `issue` (client, options, queue) and reads its answer with `read`.
    func run<Value>(
        issue: (OpaquePointer, OpaquePointer, OpaquePointer) -> Void, read: (OpaquePointer) -> Value
    ) -> Result<Value, KafkaError> {
        unsafe issue(client.raw, options, queue)
        // librdkafka answers by itself when the time is up; the addition is for its own bookkeeping.
        guard let raw = unsafe rd_kafka_queue_poll(queue, (timeout + .seconds(5)).wholeMilliseconds) else {
            return .failure(KafkaError(code: .timedOut, operation: operation))
        }
        let event = unsafe ClientEvent(owning: raw)
        guard !event.code.isError else {
            return .failure(KafkaError(code: event.code, operation: operation, detail: event.errorText))
        }
        return .success(unsafe event.withRaw(read))
    }
}

/// Reads the outcomes of a request about topics.
func topicOutcomes(
    _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ operation: KafkaError.Operation
) -> [String: TopicOutcome] {
    var outcomes: [String: TopicOutcome] = [:]
    guard let results = unsafe results else { return outcomes }
    for index in 0..<count {
        guard let result = unsafe results[index], let name = unsafe rd_kafka_topic_result_name(result) else { continue }
        let topic = unsafe String(cString: name)
        let code = KafkaError.Code(unsafe rd_kafka_topic_result_error(result))
        let text = unsafe rd_kafka_topic_result_error_string(result).map { unsafe String(cString: $0) }
        outcomes[topic] =
            switch code {
            case .none: .done
            case .topicAlreadyExists: .alreadyExists
            case .unknownTopicOrPartition: .unknownTopic
            default: .failed(KafkaError(code: code, operation: operation, detail: text, topic: topic))
            }
    }
    return outcomes
}
