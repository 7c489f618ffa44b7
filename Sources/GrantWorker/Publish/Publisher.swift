import ClawWire
import CrashPoints
import GrantLedger
import Kafka
import Logging
import Observability
import Primitives

/// Puts sealed batches onto the topics, one after the other.
///
/// What is on the topics is read from the topics: at start, and after any error that leaves a doubt, the producer is
/// destroyed, a new one made, and the tail of the output topics read back from the position last written down. Records
/// found there are not sent again.
final class Publisher: Sendable {
    private struct State {
        var producer: (any RecordProducer)?
        var nextBatch: Int64 = 0
        var savedBatch: Int64 = 0
        /// The next sequence of each stream after the last batch that was published here; empty before the first.
        var nextSequence: [Int64] = []
        /// Records of batches from `nextBatch` on that are on the topics already.
        var present: Set<StreamPosition> = []
        var ends: [InputPartition: Int64] = [:]
        /// An offset per partition at or before the first record of `nextBatch`: the ends, but only once nothing of a
        /// later batch lies before them.
        var readFrom: [InputPartition: Int64] = [:]
        /// The date of the newest head of revocations on the topic, as far as is known.
        var newestHead: Timestamp?

        /// Takes note of where a record ended up.
        mutating func note(_ record: DeliveredRecord) {
            guard let offset = record.offset else { return }
            let partition = InputPartition(
                topic: record.topicPartition.topic, partition: record.topicPartition.partition)
            ends[partition] = max(ends[partition] ?? 0, offset + 1)
        }
    }

    struct StreamPosition: Hashable {
        let stream: String
        let sequence: Int64
    }

    /// Which of the streams it publishes.
    let lane: PublishLane
    private let state = Lock(State())
    private let ledger: any Ledger
    private let renderer: BatchRenderer
    private let configuration: KafkaConfiguration
    private let clients: any KafkaClients
    private let usesTransactions: Bool
    private let topics: WorkerConfiguration.OutputTopics
    private let admin: any ClusterDescription
    private let lineage: LineageGuard?
    private let metrics: WorkerMetrics
    private let tracer: WorkerTracer?
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    init(
        lane: PublishLane, ledger: any Ledger, renderer: BatchRenderer, configuration: KafkaConfiguration,
        clients: any KafkaClients, usesTransactions: Bool, topics: WorkerConfiguration.OutputTopics,
        admin: any ClusterDescription, lineage: LineageGuard? = nil, metrics: WorkerMetrics,
        tracer: WorkerTracer? = nil, clock: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.lineage = lineage
        self.tracer = tracer
        self.clock = clock
        self.lane = lane
        self.ledger = ledger
        self.renderer = renderer
        self.configuration = configuration
        self.clients = clients
        self.usesTransactions = usesTransactions
        self.topics = topics
        self.admin = admin
        self.metrics = metrics
        self.logger = logger
    }

    /// The first batch that this publisher has not seen on the topics in full.
    var nextBatch: Int64 { state.withLock { $0.nextBatch } }

    /// True when every record of a stream before a sequence is known to be on the topic, given the next batch to be
    /// sealed.
    func hasPublished(_ stream: OutputStream, before sequence: Int64, of nextBatch: Int64) -> Bool {
        state.withLock { state in
            let index = Int(stream.rawValue)
            return state.nextBatch >= nextBatch
                || index < state.nextSequence.count && state.nextSequence[index] == sequence
        }
    }

    /// True for a date that is later than that of every head of revocations so far.
    func mayDateHead(_ time: Timestamp) -> Bool { state.withLock { $0.newestHead.map { $0 < time } ?? true } }

    /// Sends a head of revocations and takes note of its date.
    func send(head: ProducerRecord, of time: Timestamp) async throws {
        // Before it is sent: a head whose acknowledgement is lost may be on the topic.
        state.withLock { $0.newestHead = max($0.newestHead ?? time, time) }
        try await send(unnumbered: [head])
    }

    private func makeProducer() throws -> any RecordProducer {
        var properties = configuration
        // All records of a batch are handed over at once; nothing is gained by waiting for more.
        if properties["linger.ms"] == nil { properties["linger.ms"] = "1" }
        if usesTransactions { properties["transactional.id"] = "\(lane.transactionalID)-\(renderer.logID)" }
        return try clients.producer(properties, log: logger.kafka)
    }

    /// Finds out whether its producer can be made, so that a worker which could decide and never publish does not start.
    ///
    /// - Throws: `KafkaError` naming the property that is refused.
    func checkProperties() async throws {
        _ = try await makeProducer().close(deadline: .seconds(2))
    }

    /// Makes a producer, fences older ones, and reads the tail of the topics back.
    ///
    /// - Throws: `KafkaError`, ``LedgerError``; may be called again.
    func recover() async throws {
        await drop()
        CrashPoint.pass(lane.crashPoints.recovering)
        let producer = try makeProducer()
        CrashPoint.pass(lane.crashPoints.producerMade)
        if usesTransactions {
            try await producer.initTransactions(timeout: .seconds(30))
            CrashPoint.pass(lane.crashPoints.initialized)
        }
        let position = try await ledger.publishPosition(of: lane)
        CrashPoint.pass(lane.crashPoints.positionRead)
        let tail = try await TailReader(
            configuration: configuration, clients: clients, usesTransactions: usesTransactions, topics: topics,
            streams: lane.streams, admin: admin, logger: logger
        ).read(from: position)
        CrashPoint.pass(lane.crashPoints.tailRead)
        state.withLock { state in
            state.producer = producer
            state.nextBatch = tail.nextBatch
            state.nextSequence = []
            state.savedBatch = position.nextBatch
            state.present = tail.positions
            state.ends = tail.ends
            state.readFrom = tail.starts
            if let head = tail.newestHead { state.newestHead = max(state.newestHead ?? head, head) }
        }
        logger.log(.publishingGoesOn, metadata: ["batch": "\(tail.nextBatch)", "found": "\(tail.positions.count)"])
    }

    /// Most batches of one transaction of the broker, which costs as much for one as for several.
    private static let batchesPerTransaction = 4

    /// Publishes batches whose numbers follow on; those published before are passed over.
    func publish(_ batches: [SealedBatch]) async throws {
        var next = nextBatch
        let missing = batches.filter { $0.number >= next }
        for batch in missing {
            guard batch.number == next else {
                throw LedgerError(.corrupted, "batch \(next) was expected to be published and \(batch.number) came")
            }
            next += 1
        }
        var rest = missing[...]
        var rendered = try await render(rest.popFirst(Self.batchesPerTransaction))
        while let round = rendered {
            // The broker takes its time for a transaction; the next batches are made meanwhile.
            let following = rest.popFirst(Self.batchesPerTransaction)
            async let ahead = render(following)
            try await publish(round)
            rendered = try await ahead
        }
    }

    /// Batches that are published together, with their records.
    private struct Round: Sendable {
        let last: SealedBatch
        let records: [PositionedRecord]
        let sealedAt: [Int64: Timestamp]
        let began: Timestamp
        let rendering: Duration
    }

    private func render(_ batches: ArraySlice<SealedBatch>) async throws -> Round? {
        guard let last = batches.last else { return nil }
        let start = SteadyTime.now
        let began = clock()
        var records: [PositionedRecord] = []
        for batch in batches { records += try await renderer.render(batch, for: lane) }
        CrashPoint.pass(lane.crashPoints.rendered)
        let sealedAt = Dictionary(batches.map { ($0.number, $0.sealedAt) }) { first, _ in first }
        return Round(
            last: last, records: records, sealedAt: sealedAt, began: began, rendering: SteadyTime.now - start)
    }

    private func publish(_ round: Round) async throws {
        let (producer, present) = state.withLock { ($0.producer, $0.present) }
        guard let producer else { throw KafkaProducerMissing() }
        let start = SteadyTime.now
        let missing =
            present.isEmpty
            ? round.records
            : round.records.filter {
                !present.contains(StreamPosition(stream: $0.stream.name, sequence: $0.sequence))
            }
        // Right before it is sent: whoever slept since it was sealed may find another database, which does not hold it.
        if !missing.isEmpty { try await lineage?.requireHeld(round.last) }
        let delivered = try await send(missing.map(\.record), producer)
        state.withLock { state in
            state.nextBatch = round.last.number + 1
            state.nextSequence = round.last.nextSequence
            if !state.present.isEmpty {
                let next = Dictionary(
                    uniqueKeysWithValues: OutputStream.allCases.map {
                        ($0.name, round.last.nextSequence[Int($0.rawValue)])
                    })
                state.present = state.present.filter { $0.sequence >= next[$0.stream] ?? 0 }
            }
            for record in delivered { state.note(record) }
            if state.present.isEmpty { state.readFrom = state.ends }
        }
        CrashPoint.pass(lane.crashPoints.noted)
        metrics.published(
            by: lane, records: missing.count, repeats: round.records.count - missing.count,
            in: round.rendering + (SteadyTime.now - start))
        measure(missing, of: round)
    }

    /// What was just written, once: not what was found on the topics.
    private func measure(_ written: [PositionedRecord], of round: Round) {
        let now = clock()
        for index in written.indices where written[index].stream == .grants {
            if let origin = written[index].origin { metrics.granted(origin, at: now) }
        }
        tracer?.published(written, sealedAt: round.sealedAt, began: round.began)
    }

    /// Writes the position down if it has moved, so that the next publisher need not read the topics from their
    /// beginning.
    func savePosition(under lease: RoleLease) async throws {
        let (position, saved) = state.withLock {
            (PublishPosition(nextBatch: $0.nextBatch, readFrom: $0.readFrom), $0.savedBatch)
        }
        guard position.nextBatch > saved else { return }
        CrashPoint.pass(lane.crashPoints.saving)
        try await ledger.setPublishPosition(position, of: lane, under: lease)
        CrashPoint.pass(lane.crashPoints.saved)
        state.withLock { $0.savedBatch = max($0.savedBatch, position.nextBatch) }
    }

    /// Sends records that have no position in a stream of their own. They are sent again when in doubt.
    func send(unnumbered records: [ProducerRecord]) async throws {
        guard let producer = state.withLock({ $0.producer }) else { throw KafkaProducerMissing() }
        let delivered = try await send(records, producer)
        state.withLock { state in
            for record in delivered { state.note(record) }
        }
    }

    /// Destroys the producer.
    func drop() async {
        let producer = state.withLock { state -> (any RecordProducer)? in
            defer { state.producer = nil }
            return state.producer
        }
        _ = await producer?.close(deadline: .seconds(5))
    }

    private func send(_ records: [ProducerRecord], _ producer: any RecordProducer) async throws -> [DeliveredRecord] {
        guard !records.isEmpty else { return [] }
        guard usesTransactions else {
            let delivered = try await producer.send(records)
            CrashPoint.pass(lane.crashPoints.sent)
            return delivered
        }
        try await producer.beginTransaction()
        CrashPoint.pass(lane.crashPoints.begun)
        let delivered = try await producer.send(records)
        CrashPoint.pass(lane.crashPoints.sent)
        try await producer.commitTransaction(timeout: .seconds(30))
        CrashPoint.pass(lane.crashPoints.committed)
        return delivered
    }
}

/// The publisher has no producer: it must recover first.
struct KafkaProducerMissing: Error, CustomStringConvertible {
    var description: String { "the publisher has no producer and recovers first" }
}

extension ArraySlice {
    /// Takes up to so many elements from the front.
    fileprivate mutating func popFirst(_ count: Int) -> ArraySlice {
        let taken = prefix(count)
        removeFirst(taken.count)
        return taken
    }
}

extension PublishLane {
    /// The streams of a lane.
    var streams: [OutputStream] {
        switch self {
        case .control: [.controlResults, .revocations]
        case .main: [.receiptBatches, .grants, .decisions, .deadLetters, .findings]
        }
    }

    fileprivate var transactionalID: String {
        switch self {
        case .control: "clawgrant-control-publisher"
        case .main: "clawgrant-publisher"
        }
    }
}
