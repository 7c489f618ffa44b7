import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import Logging
import Observability
import ReceiptLog

/// Reads the records of dead letters again, when somebody has asked for it, and decides them through the same door.
///
/// One worker at a time does it, under a role. Each record is read from where it stands and taken by the adapter of the
/// source that reads its topic now, with every check of authenticity, age and form, in a decide transaction of its own:
/// what it says, the receipt and the dead letter's state are one commit. What was decided before is known by its event
/// and is not decided again. No record is written for it, so that nothing can go round in circles.
final class RedriveService: Sendable {
    /// Redrives of one round.
    private static let limit: Int64 = 100
    /// How often the counts of open dead letters are measured, and old ones taken away.
    private static let measureInterval: Duration = .seconds(30)
    private static let pruneInterval: Duration = .seconds(3_600)
    private static let pruneLimit: Int64 = 1_000

    private let ledger: any Ledger & DeadLetterLedger
    private let worker: WorkerID
    private let decider: Decider
    private let control: ControlRedrive?
    private let controlTopic: String?
    private let usage: GatewayRedrive?
    private let usageTopic: String?
    private let configuration: KafkaConfiguration
    private let limits: WorkerConfiguration.Limits
    private let metrics: WorkerMetrics
    private let logger: Logger

    init(
        ledger: any Ledger & DeadLetterLedger & UsageLedger, decider: Decider, applier: ControlApplier, rules: RuleSet,
        configuration: WorkerConfiguration, metrics: WorkerMetrics, logger: Logger
    ) {
        self.ledger = ledger
        worker = configuration.workerID
        self.decider = decider
        controlTopic = configuration.control.topic
        control = configuration.control.topic.map { _ in
            ControlRedrive(rules: rules, applier: applier, worker: configuration.workerID, clock: decider.clock)
        }
        usageTopic = configuration.gatewayReceipts.topic
        usage = configuration.gatewayReceipts.topic.map {
            GatewayRedrive(ledger: ledger, topic: $0, rules: rules, worker: configuration.workerID)
        }
        self.configuration = configuration.kafka
        limits = configuration.limits
        self.metrics = metrics
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        var measured: ContinuousClock.Instant?
        var pruned: ContinuousClock.Instant?
        var known: Set<SourceName> = []
        try await ledger.hold(.redriver, for: worker, every: limits.sweepInterval, until: stop) { error in
            logger.log(.redriveFailed, metadata: ["error": "\(error)"])
        } work: { lease in
            if pruned.map({ .now - $0 > Self.pruneInterval }) ?? true {
                try await prune(until: stop)
                pruned = .now
            }
            if measured.map({ .now - $0 > Self.measureInterval }) ?? true {
                let open = try await ledger.openDeadLetters()
                known.formUnion(open.keys)
                for source in known { metrics.openDeadLetters(open[source] ?? 0, of: source) }
                measured = .now
            }
            while !stop(), try await redriveSome(lease, until: stop) {}
        }
    }

    private func prune(until stop: () -> Bool) async throws {
        while !stop() {
            let count = try await ledger.pruneDeadLetters(
                olderThan: limits.deadLetterRetention, limit: Self.pruneLimit)
            if count > 0 {
                logger.log(.deadLettersExpired, metadata: ["dead_letters": "\(count)"])
            }
            guard Int64(count) == Self.pruneLimit else { return }
        }
    }

    /// Does the oldest redrives that wait; false when none waits or none could be done now.
    private func redriveSome(_ lease: RoleLease, until stop: @Sendable () -> Bool) async throws -> Bool {
        let wanted = try await ledger.wantedRedrives(limit: Self.limit)
        guard !wanted.isEmpty else { return false }
        let fetcher = try RecordFetcher(configuration, log: logger.kafka)
        var done = 0
        do {
            for letter in wanted where !stop() {
                do {
                    try await redrive(letter, fetcher, lease, until: stop)
                    done += 1
                } catch let error as KafkaError {
                    // Other topics may be well.
                    logger.log(.redriveUnreadable, metadata: ["dead_letter": "\(letter.origin)", "error": "\(error)"])
                }
            }
        } catch {
            await fetcher.close()
            throw error
        }
        await fetcher.close()
        return done > 0
    }

    private func redrive(
        _ letter: StoredDeadLetter, _ fetcher: RecordFetcher, _ lease: RoleLease, until stop: @Sendable () -> Bool
    ) async throws {
        let record: ConsumedRecord
        do {
            switch try await fetcher.fetch(letter.origin) {
            case .found(let found): record = found
            case .gone(let why): return try await lose(letter, "record_gone", "the record is not there: \(why)", lease)
            }
        } catch let error as KafkaError
            where [.unknownTopic, .unknownPartition, .unknownTopicOrPartition].contains(error.code)
        {
            return try await lose(letter, "record_gone", "its topic or partition does not exist any more", lease)
        }
        guard Digest(hashing: record.value ?? []) == letter.valueDigest else {
            return try await lose(
                letter, "record_replaced",
                "another record stands at its place: its digest is not that of what was set aside", lease)
        }
        // A topic that a source reads besides is the source's.
        if !decider.reader.reads(letter.origin.topic) {
            if let control, letter.origin.topic == controlTopic {
                return note(try await control.redrive(letter, record, lease), of: letter)
            }
            if let usage, letter.origin.topic == usageTopic {
                return note(try await usage.redrive(letter, record, lease), of: letter)
            }
        }
        var signatures = BatchSignatureCache(capacity: 1)
        var batch = decider.reader.read(
            [SourceRecord(record)], fence: .role(lease), at: decider.clock(), signatures: &signatures)
        batch.read.redrive = letter.origin
        // What was put on the topic long ago tells nothing of how its source fares now.
        batch.seen = [:]
        batch.lag = [:]
        for index in batch.entries.indices { batch.entries[index].recordedAt = nil }
        do {
            try await decider.decide(try await decider.obey(batch)) { !stop() }
        } catch is RedriveOver {
            logger.log(.redriveOver, metadata: ["dead_letter": "\(letter.origin)"])
        }
    }

    private func note(_ outcome: Receipt.DeadLetterAction.Outcome?, of letter: StoredDeadLetter) {
        if let outcome {
            metrics.redriven(outcome)
        } else {
            logger.log(.redriveOver, metadata: ["dead_letter": "\(letter.origin)"])
        }
    }

    private func lose(_ letter: StoredDeadLetter, _ code: String, _ detail: String, _ lease: RoleLease) async throws {
        let worker = worker
        let isRecorded = try await ledger.loseRedrive(
            of: letter.origin, under: lease, code: code, detail: detail
        ) { letter, now in
            let receipt = DeadLetterReceipt.make(
                letter, .lost, reason: Receipt.Reason(code: code, detail: detail),
                provenance: Receipt.Provenance(workerID: worker), at: now)
            return Effect(
                receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
        }
        if isRecorded { metrics.redriven(.lost) }
    }
}
