public import ClawWire
public import Kafka
import Primitives

/// Why a follower cannot follow.
public enum RevocationFollowerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The topic has another number of partitions than one, so that its records are in no order.
    case partitions(topic: String, count: Int)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .partitions(let topic, let count):
            "the topic \(topic) has \(count) partitions; revocations are in order only in a topic with one"
        }
    }
}

/// Keeps a ``RevocationState`` up to date with the revocations topic.
///
/// It reads the topic from the beginning, belongs to no group and writes nothing. What it knows is a value that anyone
/// may take at any time; whether it is fresh enough is for the verifier to ask. While the brokers are away the view grows
/// old and the verifier refuses by itself.
public final class RevocationFollower: Sendable {
    /// What to follow.
    public struct Settings: Sendable {
        /// The revocations topic.
        public var topic: String
        /// The log whose heads are believed.
        public var logID: LogID
        /// The log's keys, old ones too.
        public var logKeys: [Ed25519PublicKey]
        /// Bounds on the state.
        public var limits: RevocationLimits
        /// Most records that are applied before the state is published again.
        public var batchRecords: Int
        /// How long to wait after an error before a new connection.
        public var retryDelay: Duration

        /// Makes settings.
        public init(
            topic: String, logID: LogID, logKeys: [Ed25519PublicKey], limits: RevocationLimits = RevocationLimits(),
            batchRecords: Int = 5_000, retryDelay: Duration = .milliseconds(500)
        ) {
            self.topic = topic
            self.logID = logID
            self.logKeys = logKeys
            self.limits = limits
            self.batchRecords = batchRecords
            self.retryDelay = retryDelay
        }
    }

    /// What a follower has to say to whoever operates it.
    public enum Event: Sendable, Hashable {
        /// The state is complete for the first time, or again after it was not.
        case complete(asOf: Timestamp)
        /// A record was not taken in.
        case refused(RevocationFault, offset: Int64)
        /// The connection failed; it is made anew.
        case disconnected(KafkaError)
        /// The position is not in the topic any more; everything is loaded anew.
        case reloading
    }

    private struct Waiter {
        let condition: @Sendable (RevocationState) -> Bool
        let continuation: CheckedContinuation<RevocationState, any Error>
    }

    private struct Shared {
        var state: RevocationState
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
    }

    /// What the running loop builds up; a value of its own, so that loading anew does not disturb what is published.
    private struct Progress {
        var state: RevocationState
        var nextOffset: Int64?
    }

    private let kafka: KafkaConfiguration
    private let settings: Settings
    private let log: KafkaLog
    private let report: @Sendable (Event) -> Void
    private let shared: Lock<Shared>
    private let progress: Lock<Progress>

    /// Makes a follower; ``run()`` starts it.
    ///
    /// - Parameters:
    ///   - kafka: librdkafka's properties. Committed records only are read unless `isolation.level` says otherwise.
    ///   - settings: what to follow.
    ///   - log: receives librdkafka's log.
    ///   - report: receives what an operator should know; it must return quickly.
    public init(
        kafka: KafkaConfiguration, settings: Settings, log: @escaping KafkaLog = { _ in },
        report: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.kafka = kafka
        self.settings = settings
        self.log = log
        self.report = report
        let state = RevocationState(logID: settings.logID, logKeys: settings.logKeys, limits: settings.limits)
        shared = Lock(Shared(state: state))
        progress = Lock(Progress(state: state))
    }

    /// What is known now. Taking it costs nothing; take it once for each token.
    public var state: RevocationState { shared.withLock { $0.state } }

    /// Waits until the state is complete, whatever its age.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    @discardableResult
    public func loaded() async throws -> RevocationState { try await state { $0.isComplete } }

    /// Waits for a state that fulfils a condition. The condition is asked for every published state, under a lock.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func state(
        where condition: @escaping @Sendable (RevocationState) -> Bool
    ) async throws -> RevocationState {
        let number = shared.withLock { shared in
            shared.nextWaiter += 1
            return shared.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = shared.withLock { shared -> Result<RevocationState, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if condition(shared.state) { return .success(shared.state) }
                    shared.waiters[number] = Waiter(condition: condition, continuation: continuation)
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiter = shared.withLock { $0.waiters.removeValue(forKey: number) }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    // MARK: Running

    /// Follows the topic until the task is cancelled. Errors that pass are reported and tried again.
    ///
    /// Call it once at a time. After it threw it may be called again, and goes on where it was.
    ///
    /// - Throws: `CancellationError`; `KafkaError` for a configuration or permission that has to be changed;
    ///   ``RevocationFollowerError``.
    public func run() async throws {
        while true {
            try Task.checkCancellation()
            let consumer = try KafkaConsumer(configuration: kafka, log: log)
            do {
                try await follow(consumer)
            } catch let error as KafkaError {
                await consumer.close(deadline: .seconds(5))
                try recover(from: error)
                try await Task.sleep(for: settings.retryDelay)
            } catch {
                await consumer.close(deadline: .seconds(5))
                throw error
            }
        }
    }

    private func recover(from error: KafkaError) throws {
        if error.code == .positionOutOfRange || error.code == .offsetOutOfRange {
            progress.withLock { progress in
                progress.state = RevocationState(
                    logID: settings.logID, logKeys: settings.logKeys, limits: settings.limits)
                progress.nextOffset = nil
            }
            report(.reloading)
            return
        }
        // A topic that is not there yet, or a partition without a leader, is waited for.
        let isAbsent = error.code == .unknownTopic || error.code == .unknownPartition
        guard error.kind != .permanent || isAbsent else { throw error }
        report(.disconnected(error))
    }

    private func follow(_ consumer: KafkaConsumer) async throws {
        try await checkPartitions()
        let partition = TopicPartition(topic: settings.topic, partition: 0)
        let start = progress.withLock { $0.nextOffset } ?? KafkaOffset.beginning
        try await consumer.assign([partition: start])
        while true {
            let batch = try await consumer.nextBatch(
                maximumRecords: settings.batchRecords, maximumBytes: 4 << 20, linger: .zero, timeout: .seconds(1))
            guard !batch.records.isEmpty else { continue }
            apply(batch.records)
        }
    }

    private func checkPartitions() async throws {
        let admin = try KafkaAdmin(configuration: kafka, log: log)
        let metadata: ClusterMetadata
        do {
            metadata = try await admin.metadata()
            await admin.close(deadline: .seconds(5))
        } catch {
            await admin.close(deadline: .seconds(5))
            throw error
        }
        guard let topic = metadata.topics[settings.topic] else {
            throw KafkaError(
                code: .unknownTopic, kind: .retriable, operation: .metadata,
                detail: "the topic does not exist yet", topic: settings.topic)
        }
        if let error = topic.error { throw error }
        guard topic.partitions.count == 1 else {
            throw RevocationFollowerError.partitions(topic: settings.topic, count: topic.partitions.count)
        }
    }

    private func apply(_ records: [ConsumedRecord]) {
        var refusals: [Event] = []
        let state = progress.withLock { progress in
            for record in records where record.offset >= progress.nextOffset ?? 0 {
                if case .refused(let fault) = progress.state.apply(RevocationTopicRecord(record)) {
                    refusals.append(.refused(fault, offset: record.offset))
                }
                progress.nextOffset = record.offset + 1
            }
            return progress.state
        }
        for refusal in refusals { report(refusal) }
        publish(state)
    }

    private func publish(_ state: RevocationState) {
        let (wasComplete, satisfied) = shared.withLock { shared -> (Bool?, [Waiter]) in
            // While everything is loaded anew, the last complete state stays, and grows old.
            if shared.state.isComplete, state.head == nil { return (nil, []) }
            let wasComplete = shared.state.isComplete
            shared.state = state
            let numbers = shared.waiters.filter { $0.value.condition(state) }.map(\.key)
            return (wasComplete, numbers.compactMap { shared.waiters.removeValue(forKey: $0) })
        }
        for waiter in satisfied { waiter.continuation.resume(returning: state) }
        if wasComplete == false, state.isComplete, let asOf = state.asOf { report(.complete(asOf: asOf)) }
    }
}

extension RevocationTopicRecord {
    /// Takes what matters of a record that was read; the sequence stands in the header `claw_seq`.
    public init(_ record: ConsumedRecord) {
        let text = record.headers.first { $0.name == "claw_seq" }?.value.map { String(decoding: $0, as: UTF8.self) }
        let number = text.flatMap { Int64($0) }.flatMap { $0 >= 0 ? SequenceNumber($0) : nil }
        self.init(key: record.key ?? [], value: record.value, sequence: number)
    }
}
