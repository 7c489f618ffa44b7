import CRdKafka

/// Reads partitions that its owner assigns, from positions that its owner gives.
///
/// It belongs to no group. Everything that touches the assignment or the fetching runs on a thread of its own, which
/// moves records from librdkafka into a buffer bounded in bytes; one task reads the buffer with `nextBatch`. While the
/// buffer is full nothing more is taken from librdkafka, which in turn stops asking the brokers when it holds
/// `queued.max.messages.kbytes`.
///
/// A consumer that is let go of without `close` closes itself in the background.
public final class KafkaConsumer: Sendable {
    private let client: Client<ConsumerLoop>
    private let exchange: ConsumerExchange
    private let hasGroup: Bool

    /// Makes a consumer and starts its thread.
    ///
    /// Defaults, where the configuration says nothing: `enable.auto.commit` and `enable.auto.offset.store` false,
    /// `auto.offset.reset` error (a position that is not in the log is told, never silently replaced) and
    /// `enable.partition.eof` true.
    ///
    /// - Parameters:
    ///   - configuration: librdkafka's properties; `group.id` is needed only for `commit` and `committed`.
    ///   - bufferBytes: The buffer takes no further record once it holds this many bytes, so it exceeds them by at most
    ///     one record.
    ///   - log: Receives librdkafka's log and the errors it recovers from by itself.
    /// - Throws: `KafkaError` when a property is unknown or refused.
    public init(
        configuration: KafkaConfiguration, bufferBytes: Int = 8 << 20, log: @escaping KafkaLog = { _ in }
    ) throws(KafkaError) {
        let exchange = ConsumerExchange(capacity: bufferBytes)
        self.exchange = exchange
        hasGroup = configuration["group.id"] != nil
        client = try Client(
            RD_KAFKA_CONSUMER, configuration, name: "consumer",
            defaults: [
                // librdkafka assigns nothing without a group's name, even when no group is joined.
                ("group.id", "unused"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
            ], log: log
        ) { client in ConsumerLoop(client, exchange) }
    }

    deinit {
        client.requestClose()
    }

    // MARK: Assignment

    /// Replaces the whole assignment. Nothing that was fetched before is delivered after this returns.
    ///
    /// - Parameter positions: For each partition the offset to begin with, or a value of `KafkaOffset`.
    /// - Returns: The generation of the new assignment.
    /// - Throws: `KafkaError`; the assignment is then unchanged.
    @discardableResult
    public func assign(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 {
        try await client.perform(.assign) { loop in loop.assign(positions) }
    }

    /// Adds partitions to the assignment; the others go on undisturbed.
    ///
    /// - Parameter positions: For each partition the offset to begin with, or a value of `KafkaOffset`.
    /// - Returns: The generation of the new assignment.
    /// - Throws: `KafkaError`, with `Code.conflict` when one is assigned already; the assignment is then unchanged.
    @discardableResult
    public func add(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 {
        try await client.perform(.assign) { loop in loop.add(positions) }
    }

    /// Removes partitions from the assignment; the others go on undisturbed, and partitions that are not assigned are
    /// passed over. No batch cut after this returns holds a record of them; a batch cut before has a lower generation.
    ///
    /// - Returns: The generation of the new assignment.
    @discardableResult
    public func remove(_ partitions: Set<TopicPartition>) async throws(KafkaError) -> UInt64 {
        try await client.perform(.assign) { loop in loop.remove(partitions) }
    }

    /// Moves assigned partitions to other positions and restarts those that failed or are paused. What was fetched of
    /// them before is not delivered after this returns.
    ///
    /// - Returns: The new generation of the assignment.
    /// - Throws: `KafkaError`, with `Code.state` when one is not assigned.
    @discardableResult
    public func seek(_ positions: [TopicPartition: Int64]) async throws(KafkaError) -> UInt64 {
        try await client.perform(.assign) { loop in loop.seek(positions) }
    }

    /// Stops fetching partitions without removing them. Records already in the buffer are still delivered.
    public func pause(_ partitions: Set<TopicPartition>) async throws(KafkaError) {
        try await client.perform(.assign) { loop in loop.setPaused(true, partitions) }
    }

    /// Goes on fetching paused partitions where it was left off.
    public func resume(_ partitions: Set<TopicPartition>) async throws(KafkaError) {
        try await client.perform(.assign) { loop in loop.setPaused(false, partitions) }
    }

    // MARK: Reading

    /// Waits for records and returns a batch of them.
    ///
    /// The batch is cut as soon as it is as large as allowed, when its oldest record has waited for `linger`, when the
    /// end of a partition is reached and no record is left (the batch is then empty), or after `timeout`. The limit in
    /// bytes yields to the first record. Only one call may wait at a time.
    ///
    /// - Parameters:
    ///   - maximumRecords: The most records of the batch, at least 1.
    ///   - maximumBytes: The most bytes of the batch, by `ConsumedRecord.size`. A full buffer is not waited for longer,
    ///     whatever this says.
    ///   - linger: How long a record may wait for others to join it; zero for not at all.
    ///   - timeout: How long to wait for a first record.
    /// - Throws: `CancellationError` when the task is cancelled, without loss of records. `KafkaError` for a partition
    ///   that cannot go on, such as one whose position is not in the log (its `topicPartition` says which; the others
    ///   go on, and `seek` restarts it); with `Code.destroyed` when the consumer is closed; with kind `fatal` when it
    ///   is dead. Errors librdkafka recovers from are logged and not thrown.
    public func nextBatch(
        maximumRecords: Int, maximumBytes: Int, linger: Duration, timeout: Duration
    ) async throws -> ConsumedBatch {
        let request = ConsumerExchange.Request(
            limits: BatchBuffer.Limits(records: max(1, maximumRecords), bytes: maximumBytes), linger: linger,
            deadline: .now + timeout)
        return try await exchange.next(request) { [client] in client.wake() }
    }

    /// The generation of the present assignment.
    public var generation: UInt64 { exchange.generation }
    /// The bytes held in the buffer now.
    public var bufferedBytes: Int { exchange.bufferedBytes }
    /// The most bytes the buffer has held.
    public var peakBufferedBytes: Int { exchange.peakBufferedBytes }

    // MARK: Offsets

    /// Asks the leader of a partition for its oldest offset and the offset its next record will have.
    public func watermarks(
        _ partition: TopicPartition, timeout: Duration
    ) async throws(KafkaError) -> (low: Int64, high: Int64) {
        try await client.callBroker(.lookUpOffsets) { handle in
            var low: Int64 = 0
            var high: Int64 = 0
            let code = unsafe rd_kafka_query_watermark_offsets(
                handle.raw, partition.topic, partition.partition, &low, &high, timeout.wholeMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                return .failure(
                    KafkaError(
                        code: KafkaError.Code(code), operation: .lookUpOffsets, topic: partition.topic,
                        partition: partition.partition))
            }
            return .success((low, high))
        }
    }

    /// Finds, for each partition, the first offset whose timestamp is at or after the given one, in milliseconds since
    /// the Unix epoch; `KafkaOffset.end` where there is none.
    public func offsetsForTimes(
        _ timestamps: [TopicPartition: Int64], timeout: Duration
    ) async throws(KafkaError) -> [TopicPartition: Int64] {
        try await client.callBroker(.lookUpOffsets) { handle in
            unsafe lookUp(PartitionList(timestamps)) { list in
                unsafe rd_kafka_offsets_for_times(handle.raw, list, timeout.wholeMilliseconds)
            }
        }
    }

    /// Reads the offsets committed for the configured `group.id`. Partitions without one are left out, and so are all
    /// when no group is configured.
    public func committed(
        _ partitions: Set<TopicPartition>, timeout: Duration
    ) async throws(KafkaError) -> [TopicPartition: Int64] {
        guard hasGroup, !partitions.isEmpty else { return [:] }
        let all = try await client.callBroker(.lookUpOffsets) { handle in
            unsafe lookUp(PartitionList(partitions)) { list in
                unsafe rd_kafka_committed(handle.raw, list, timeout.wholeMilliseconds)
            }
        }
        return all.filter { $0.value >= 0 }
    }

    /// Commits, for the configured `group.id`, the offset the next record to read of each partition has. It serves
    /// tools that show lag and nothing else. Without a configured group it does nothing.
    ///
    /// - Throws: `KafkaError`; reading goes on regardless.
    public func commit(_ offsets: [TopicPartition: Int64]) async throws(KafkaError) {
        guard hasGroup, !offsets.isEmpty else { return }
        let error: KafkaError? = await withCheckedContinuation { continuation in
            client.submit(
                { loop in loop.commit(offsets, continuation) },
                refuse: { continuation.resume(returning: .closed(.commit)) })
        }
        if let error { throw error }
    }

    // MARK: Statistics and closing

    /// The statistics document librdkafka wrote last (STATISTICS.md), as JSON; nil unless `statistics.interval.ms` is
    /// set and has passed once.
    public var statisticsDocument: [UInt8]? { client.statistics }

    /// The figures of the last statistics document that matter for metrics; nil as `statisticsDocument` is.
    public var statistics: KafkaStatistics? { client.statistics.flatMap(KafkaStatistics.init(document:)) }

    /// Closes the consumer. A waiting `nextBatch` throws at once. Calling it again only waits again.
    ///
    /// - Parameter deadline: How long to wait. librdkafka 2.0.2 may hang when it closes; what is left then goes on
    ///   closing in the background.
    /// - Returns: Whether the consumer was gone before the deadline.
    @discardableResult
    public func close(deadline: Duration) async -> Bool {
        exchange.end(.closed(.consume))
        return await client.close(deadline: deadline)
    }
}

/// Runs a call that fills in a list of offsets.
private func lookUp(
    _ list: borrowing PartitionList,
    _ call: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> rd_kafka_resp_err_t
) -> Result<[TopicPartition: Int64], KafkaError> {
    let code = unsafe list.withRaw { list in unsafe call(list) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
        return .failure(
            list.firstError(.lookUpOffsets) ?? KafkaError(code: KafkaError.Code(code), operation: .lookUpOffsets))
    }
    if let error = list.firstError(.lookUpOffsets) { return .failure(error) }
    return .success(
        Dictionary(
            list.entries().map { ($0.topicPartition, $0.offset) }, uniquingKeysWith: { first, _ in first }))
}
