import ApprovalSources
import ClawWire
import CrashPoints
import GrantLedger
import IssuanceRules
import Kafka
import Logging
import Observability
import Primitives
import ReceiptLog

/// The elected reader of the control topic: its own connection, its own task, behind no approval.
///
/// It applies each record in a transaction of its own, in the order of the topic, and notes in the ledger each time it
/// has read the topic to its end: workers issue nothing when that was too long ago.
final class ControlService: Sendable {
    private let topic: String
    private let configuration: KafkaConfiguration
    private let clients: any KafkaClients
    private let ledger: any Ledger
    private let applier: ControlApplier
    private let source: ControlSource
    private let worker: WorkerID
    private let limits: WorkerConfiguration.Limits
    private let clock: @Sendable () -> Timestamp
    private let metrics: WorkerMetrics
    private let logger: Logger

    init(
        topic: String, configuration: KafkaConfiguration, clients: any KafkaClients, ledger: any Ledger,
        applier: ControlApplier,
        rules: ControlRules, worker: WorkerID, limits: WorkerConfiguration.Limits,
        clock: @escaping @Sendable () -> Timestamp, metrics: WorkerMetrics, logger: Logger
    ) {
        self.topic = topic
        self.configuration = configuration
        self.clients = clients
        self.ledger = ledger
        self.applier = applier
        source = ControlSource(rules: rules)
        self.worker = worker
        self.limits = limits
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        try await ledger.hold(.control, for: worker, every: limits.heartbeatInterval, until: stop) { error in
            logger.log(.controlRestarted, metadata: ["error": "\(error)"])
        } work: { lease in
            try await lead(lease, until: stop)
        }
    }

    private func lead(_ lease: RoleLease, until stop: @Sendable () -> Bool) async throws {
        var properties = configuration
        properties["group.id"] = nil
        // Stops are read as soon as they are written, whoever wrote them: a transaction that somebody leaves open must not
        // keep the stops behind it unread, nor make the view look fresh.
        properties["isolation.level"] = "read_uncommitted"
        properties["fetch.wait.max.ms"] = configuration["fetch.wait.max.ms"] ?? "100"
        let consumer = try clients.consumer(properties, bufferBytes: 4 << 20, log: logger.kafka)
        do {
            try await lead(lease, consumer, until: stop)
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        _ = await consumer.close(deadline: .seconds(2))
    }

    private func lead(
        _ lease: RoleLease, _ consumer: any RecordConsumer, until stop: @Sendable () -> Bool
    ) async throws {
        let partition = TopicPartition(topic: topic, partition: 0)
        var next = try await ledger.controlOffset(of: topic)
        CrashPoint.pass(.controlOffsetRead)
        let marks = try await consumer.watermarks(partition, timeout: .seconds(10))
        // What compaction took away was replaced by what stands behind it.
        let start = max(next, marks.low)
        try await consumer.assign([partition: start])
        CrashPoint.pass(.controlAssigned)
        logger.log(.controlReading, metadata: ["topic": "\(topic)", "offset": "\(start)"])
        var reached = start
        var asked: ContinuousClock.Instant?
        while !stop() {
            try Task.checkCancellation()
            let batch = try await consumer.nextBatch(
                maximumRecords: 100, maximumBytes: 1 << 20, linger: .zero, timeout: .milliseconds(100))
            for record in batch.records where record.offset >= reached {
                CrashPoint.pass(.controlFetched)
                try await apply(record, ControlFence(lease: lease, topic: topic, from: next, to: record.offset + 1))
                next = record.offset + 1
                reached = next
                CrashPoint.pass(.controlAdvanced)
            }
            // What stands at the end and is no record (the mark of a transaction, what compaction took) is passed over.
            if let end = batch.endsReached[partition] { reached = max(reached, end) }
            // Only the broker's own word proves that nothing stands unread: silence proves nothing.
            if asked.map({ SteadyTime.now - $0 > .milliseconds(500) }) ?? true {
                let end = try await consumer.watermarks(partition, timeout: .seconds(5)).high
                if end <= reached {
                    CrashPoint.pass(.pollNoting)
                    try await ledger.noteControlPoll(of: topic, coveredTo: next, under: lease)
                    CrashPoint.pass(.pollNoted)
                }
                asked = SteadyTime.now
            }
        }
    }

    private func apply(_ record: ConsumedRecord, _ fence: ControlFence) async throws {
        let start = SteadyTime.now
        let reading = source.read(SourceRecord(record), at: clock())
        switch reading {
        case .tombstone: try await applier.pass({ _ in [] }, fence: fence)
        case .event(let event): try await apply([event], record, fence, since: start)
        case .widened(let events, let fault):
            logger.log(.controlWidened, metadata: ["offset": "\(record.offset)", "fault": .outside(fault)])
            try await apply(events, record, fence, since: start)
        case .quarantined(let fault):
            logger.log(.controlQuarantined, metadata: ["offset": "\(record.offset)", "fault": .outside(fault)])
            metrics.controlled("unknown", fault.code.rawValue, in: .zero, waited: .zero)
            try await quarantine(record, code: fault.code.rawValue, detail: fault.description, fence)
        }
    }

    /// All but the last event go to the ledger without the fence: should this worker die in between, they are applied
    /// again and found to be repeats.
    private func apply(
        _ events: [ControlEvent], _ record: ConsumedRecord, _ fence: ControlFence, since start: ContinuousClock.Instant
    ) async throws {
        for (index, event) in events.enumerated() {
            let isLast = index == events.count - 1
            let worker = worker
            let answer = try await applier.apply(event, fence: isLast ? fence : nil, since: start) { snapshot, why in
                let detail = "the \(event.operation.kind.rawValue) of \(event.handle) is not obeyed: \(why.rawValue)"
                return [try Self.deadLetter(record, code: "control_\(why.rawValue)", detail: detail, snapshot, worker)]
            }
            let name = ControlApplier.name(answer.result)
            metrics.controlled(
                event.operation.kind.rawValue, name, in: .milliseconds(answer.milliseconds),
                waited: .milliseconds(answer.waitedMilliseconds))
            logger.log(
                .controlApplied,
                metadata: [
                    "operation": "\(event.operation.kind.rawValue)", "handle": .outside(event.handle),
                    "result": "\(name)",
                    "position": "\(answer.position.map(String.init) ?? "none")", "ms": "\(answer.milliseconds)",
                ])
        }
    }

    private func quarantine(
        _ record: ConsumedRecord, code: String, detail: String, _ fence: ControlFence
    ) async throws {
        let worker = worker
        try await applier.pass(
            { snapshot in [try Self.deadLetter(record, code: code, detail: detail, snapshot, worker)] }, fence: fence)
    }

    private static func deadLetter(
        _ record: ConsumedRecord, code: String, detail: String, _ snapshot: ControlSnapshot, _ worker: WorkerID
    ) throws -> Effect {
        let value = record.value ?? []
        let origin = ReceiptLog.RecordOrigin(
            topic: record.topicPartition.topic, partition: record.topicPartition.partition, offset: record.offset)
        let receipt = Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(origin: origin, valueDigest: Digest(hashing: value), valueBytes: value.count)),
            subject: Receipt.Subject(),
            provenance: Receipt.Provenance(workerID: worker, controlPosition: snapshot.position),
            reasons: [Receipt.Reason(code: code, detail: detail)], occurredAt: snapshot.now)
        let encoded = try receipt.encoded()
        let outputs = DeadLetterRecord(encoded, excerpt: Redaction.excerpt(value)).map {
            [OutputRecord(stream: .deadLetters, key: $0.recordKey, value: $0.canonicalBytes)]
        }
        return Effect(receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: outputs ?? [])
    }
}
