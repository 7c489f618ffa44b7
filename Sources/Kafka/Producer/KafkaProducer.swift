import CRdKafka
import Primitives

/// Writes records, idempotently unless it is configured otherwise, and in transactions when it has a
/// `transactional.id`.
///
/// Errors of kind `fatal` mean that this producer can write no more. Its owner closes it, makes a new one, finds out
/// from the topics what was written, and goes on from there.
///
/// A producer that is let go of without `close` closes itself in the background.
public final class KafkaProducer: Sendable {
    private let client: Client<ProducerLoop>
    /// Whether partitions are chosen here: not under a `partitioner` of the configuration.
    private let choosesPartitions: Bool
    private let topology = Lock(Topology())
    /// What fits one request of a partition.
    private let requestBytes: Int
    private let requestRecords: Int

    /// Makes a producer and starts its thread.
    ///
    /// Defaults, where the configuration says nothing: `enable.idempotence` true and `acks` all.
    ///
    /// - Parameters:
    ///   - configuration: librdkafka's properties.
    ///   - log: Receives librdkafka's log and the errors it recovers from by itself.
    /// - Throws: `KafkaError` when a property is unknown or refused.
    public init(configuration: KafkaConfiguration, log: @escaping KafkaLog = { _ in }) throws(KafkaError) {
        let isTransactional = configuration["transactional.id"] != nil
        choosesPartitions = configuration["partitioner"] == nil
        // librdkafka's own numbers where the configuration has none.
        let sizes = ["batch.size", "message.max.bytes"].map { configuration[$0].flatMap { Int($0) } ?? 1_000_000 }
        requestBytes = sizes.reduce(.max, min) / 10 * 9
        requestRecords = max(1, configuration["batch.num.messages"].flatMap { Int($0) } ?? 10_000)
        client = try Client(
            RD_KAFKA_PRODUCER, configuration, name: "producer",
            defaults: Self.defaults(under: configuration), log: log
        ) { client in ProducerLoop(client, isTransactional: isTransactional) }
    }

    deinit {
        client.requestClose()
    }

    private static func defaults(under configuration: KafkaConfiguration) -> [(name: String, value: String)] {
        if let idempotence = configuration["enable.idempotence"], idempotence != "true" { return [] }
        return [("enable.idempotence", "true"), ("acks", "all")]
    }

    // MARK: Records

    /// Writes records and waits until every one of them is written, as `acks` demands.
    ///
    /// When librdkafka's queue (`queue.buffering.max.messages`, `queue.buffering.max.kbytes`) is full, the rest waits
    /// on the producer's thread, as do the records of further partitions while those of a few are under way
    /// (``SendingOrder``). The records of a partition keep their order, and those of concurrent calls the order in which
    /// the calls arrived.
    ///
    /// Cancelling the task does not take records back; `message.timeout.ms` bounds the wait. `purge` and `close` end
    /// it.
    ///
    /// - Returns: Where each record was written, in the order given.
    /// - Throws: `KafkaError` of the first record that failed, with its `recordIndex`. Records after it were not
    ///   written, or were: in a transaction the error is `abortable` and the abort settles it; outside one the topic
    ///   tells. After an abort on account of records that a broker refused, librdkafka 2.0.2 may have the first records
    ///   of the next transaction fail as well, also with kind `abortable`. When the producer has died, the error is
    ///   `fatal`.
    @discardableResult
    public func send(_ records: [ProducerRecord]) async throws(KafkaError) -> [DeliveredRecord] {
        guard !records.isEmpty else { return [] }
        guard records.count <= ProducerLoop.maximumRecords else {
            throw KafkaError(
                code: .invalidArgument, kind: .permanent, operation: .produce,
                detail: "\(records.count) records in one call; at most \(ProducerLoop.maximumRecords) are allowed")
        }
        let known = try await topology(for: records)
        let order = SendingOrder(
            records, partitions: known.partitions, maximumBytes: requestBytes, maximumRecords: requestRecords)
        let result: Result<[DeliveredRecord], KafkaError> = await withCheckedContinuation { continuation in
            client.submit(
                { loop in loop.send(records, order, brokers: known.brokers, continuation) },
                refuse: {
                    let error = KafkaError.closed(.produce).with(recordIndex: 0, mayHaveBeenWritten: false)
                    continuation.resume(returning: .failure(error))
                })
        }
        return try result.get()
    }

    /// The numbers of partitions of the records' topics, asked for once in a while; without what the broker does not
    /// tell, in which case librdkafka chooses partitions and finds out about what is wrong.
    private func topology(for records: [ProducerRecord]) async throws(KafkaError) -> Topology {
        guard choosesPartitions else { return Topology() }
        let known = topology.withLock { $0 }
        if known.isFresh, records.allSatisfy({ known.partitions[$0.topic] != nil }) { return known }
        var found = Topology()
        do throws(KafkaError) {
            let cluster = try await client.metadata(timeout: .seconds(5))
            found.brokers = cluster.brokers.count
            found.readAt = .now
            found.partitions = cluster.topics.compactMapValues { topic in
                topic.error == nil ? Int32(topic.partitions.count) : nil
            }
        } catch {
            guard !error.isClosed else { throw error }
            return known
        }
        topology.withLock { $0 = found }
        return found
    }

    /// What is known of the cluster.
    private struct Topology {
        var partitions: [String: Int32] = [:]
        var brokers = 1
        var readAt: ContinuousClock.Instant?

        /// librdkafka's own interval, after which it notices partitions that were added.
        var isFresh: Bool { readAt.map { .now - $0 < .seconds(300) } ?? false }
    }

    /// Waits until librdkafka has nothing left to send, without waiting for `linger.ms`.
    public func flush(timeout: Duration) async throws(KafkaError) {
        try await client.callBroker(.flush) { handle in
            let code = KafkaError.Code(unsafe rd_kafka_flush(handle.raw, timeout.wholeMilliseconds))
            return code.isError ? .failure(KafkaError(code: code, operation: .flush)) : .success(())
        }
    }

    /// Takes back every record that is not written yet. The calls of `send` that wait for them throw, with
    /// `mayHaveBeenWritten` set for records that had been sent.
    public func purge() async throws(KafkaError) {
        try await client.perform(.produce) { loop in
            loop.purge()
            return .success(())
        }
    }

    // MARK: Transactions

    /// Registers the `transactional.id`, which fences off every older producer of the same identity and settles what
    /// they left open. Once per producer, before the first transaction.
    ///
    /// - Throws: `KafkaError`; when it is `retriable` the call may be made again.
    public func initTransactions(timeout: Duration) async throws(KafkaError) {
        try await unsafe transact(.initTransactions) { handle in
            unsafe rd_kafka_init_transactions(handle.raw, timeout.wholeMilliseconds)
        }
    }

    /// Opens a transaction; records sent from now on belong to it.
    public func beginTransaction() async throws(KafkaError) {
        try await unsafe transact(.beginTransaction) { handle in unsafe rd_kafka_begin_transaction(handle.raw) }
    }

    /// Commits the open transaction.
    ///
    /// - Throws: `KafkaError`: `retriable` when the outcome is not known yet, and the call may be made again;
    ///   `abortable` when the transaction has to be aborted; `fatal`, such as after being fenced, when this producer is
    ///   dead and the outcome must be read from the topics.
    public func commitTransaction(timeout: Duration) async throws(KafkaError) {
        try await unsafe transact(.commitTransaction) { handle in
            unsafe rd_kafka_commit_transaction(handle.raw, timeout.wholeMilliseconds)
        }
    }

    /// Aborts the open transaction. Calls of `send` that still wait throw.
    ///
    /// - Throws: `KafkaError`: `retriable` when the call may be made again, `fatal` when this producer is dead.
    public func abortTransaction(timeout: Duration) async throws(KafkaError) {
        try await unsafe transact(.abortTransaction) { handle in
            unsafe rd_kafka_abort_transaction(handle.raw, timeout.wholeMilliseconds)
        }
    }

    /// The calls take turns on the queue of the broker calls, since librdkafka allows one at a time; meanwhile the poll
    /// thread serves the delivery reports they wait for.
    private func transact(
        _ operation: KafkaError.Operation, _ call: @escaping @Sendable (ClientHandle) -> OpaquePointer?
    ) async throws(KafkaError) {
        try await client.callBroker(operation) { handle -> Result<Void, KafkaError> in
            // The error object is freed by `error(owning:)`.
            if let error = unsafe handle.error(owning: call(handle), operation) { return .failure(error) }
            return .success(())
        }
    }

    // MARK: State, statistics and closing

    /// The error that killed this producer, if one did.
    public func fatalError() async throws(KafkaError) -> KafkaError? {
        try await client.perform(.produce) { loop in .success(loop.fatalError) }
    }

    /// The statistics document librdkafka wrote last (STATISTICS.md), as JSON; nil unless `statistics.interval.ms` is
    /// set and has passed once.
    public var statisticsDocument: [UInt8]? { client.statistics }

    /// The figures of the last statistics document that matter for metrics; nil as `statisticsDocument` is.
    public var statistics: KafkaStatistics? { client.statistics.flatMap(KafkaStatistics.init(document:)) }

    /// Closes the producer. Records that are not written are given up, and the calls of `send` that wait for them
    /// throw; call `flush` before to wait for them. An open transaction is left for its timeout or its next owner.
    ///
    /// - Parameter deadline: How long to wait. What is left then goes on closing in the background.
    /// - Returns: Whether the producer was gone before the deadline.
    @discardableResult
    public func close(deadline: Duration) async -> Bool {
        await client.close(deadline: deadline)
    }
}
