import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import Logging
import Observability
import Primitives
import ReceiptLog

/// The elected reader of the topic of gateway receipts.
///
/// One worker at a time reads all partitions, under a role like the reader of the control topic, and not each worker some
/// of them under partition leases as it does with approvals: the receipts of one job may come through several gateways
/// and partitions, and a limit is a line across all of them. One reader sees each job's sum in one place, so that no two
/// transactions wait for each other at a job and a limit is come to once. It is no bottleneck: a receipt costs one
/// verification and its share of a batch, some thousand a second on one core, and each stands for a model call of
/// seconds. `docs/decisions/009-usage.md` weighs this.
final class UsageService: Sendable {
    /// How often the topic is looked at for new partitions.
    private static let reviewInterval: Duration = .seconds(15)
    /// Most jobs that are looked at together because their wall time is over.
    private static let elapsedLimit = 200

    private let topic: String
    private let configuration: KafkaConfiguration
    private let ledger: any Ledger & UsageLedger
    private let admin: KafkaAdmin
    private let reader: GatewayReceiptReader
    private let planner: UsagePlanner
    private let worker: WorkerID
    private let limits: WorkerConfiguration.Limits
    private let metrics: UsageMetrics
    private let logger: Logger

    init(
        topic: String, configuration: KafkaConfiguration, ledger: any Ledger & UsageLedger, admin: KafkaAdmin,
        rules: RuleSet, worker: WorkerID, limits: WorkerConfiguration.Limits, logger: Logger
    ) {
        self.topic = topic
        self.configuration = configuration
        self.ledger = ledger
        self.admin = admin
        reader = GatewayReceiptReader(rules.gateways)
        planner = UsagePlanner(rules: rules, worker: worker)
        self.worker = worker
        self.limits = limits
        metrics = UsageMetrics()
        self.logger = logger
        if rules.gateways.signers.isEmpty {
            logger.log(.noGateways)
        }
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        try await ledger.hold(.usage, for: worker, every: limits.heartbeatInterval, until: stop) { error in
            logger.log(.usageRestarted, metadata: ["error": "\(error)"])
        } work: { lease in
            try await lead(lease, until: stop)
        }
    }

    private func lead(_ lease: RoleLease, until stop: @Sendable () -> Bool) async throws {
        var properties = configuration
        properties["group.id"] = nil
        let consumer = try KafkaConsumer(
            configuration: properties, bufferBytes: limits.batchBytes, log: logger.kafka)
        do {
            try await lead(lease, consumer, until: stop)
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        _ = await consumer.close(deadline: .seconds(2))
    }

    private func partitions() async throws -> Set<Int32> {
        let topics = try await admin.metadata().topics
        return Set(topics[topic]?.partitions.map(\.id) ?? [])
    }

    /// Assigns the partitions where the ledger stands; what retention took is said and passed over.
    private func open(_ partitions: Set<Int32>, _ consumer: KafkaConsumer) async throws -> [Int32: Int64] {
        var lows: [Int32: Int64] = [:]
        for partition in partitions {
            let place = TopicPartition(topic: topic, partition: partition)
            lows[partition] = try await consumer.watermarks(place, timeout: .seconds(10)).low
        }
        let committed = try await ledger.openUsage(topic: topic, partitions: lows)
        var positions: [TopicPartition: Int64] = [:]
        for (partition, low) in lows {
            let next = committed[partition] ?? low
            if next < low {
                logger.log(.usageDeleted, metadata: ["partition": "\(partition)", "from": "\(next)", "to": "\(low)"])
            }
            positions[TopicPartition(topic: topic, partition: partition)] = max(next, low)
        }
        try await consumer.assign(positions)
        return committed.filter { partitions.contains($0.key) }
    }

    private func lead(
        _ lease: RoleLease, _ consumer: KafkaConsumer, until stop: @Sendable () -> Bool
    ) async throws {
        let known = try await partitions()
        var next = try await open(known, consumer)
        logger.log(.usageReading, metadata: ["topic": "\(topic)", "partitions": "\(known.count)"])
        var reviewed = ContinuousClock.now
        var looked: ContinuousClock.Instant?
        while !stop() {
            try Task.checkCancellation()
            if looked.map({ .now - $0 > limits.sweepInterval }) ?? true {
                try await endWallTimes(lease, until: stop)
                looked = .now
            }
            if .now - reviewed > Self.reviewInterval {
                guard try await partitions() == known else { return }
                reviewed = .now
            }
            let batch = try await consumer.nextBatch(
                maximumRecords: limits.batchRecords, maximumBytes: limits.batchBytes, linger: limits.batchLinger,
                timeout: .milliseconds(100))
            let records = batch.records.filter { $0.offset >= next[$0.topicPartition.partition] ?? 0 }
            guard !records.isEmpty else { continue }
            let understood = reader.read(records)
            try await record(understood, lease, next)
            for (partition, end) in understood.ends { next[partition] = end }
        }
    }

    /// Holds jobs to their wall time although nothing more is received of them.
    private func endWallTimes(_ lease: RoleLease, until stop: @Sendable () -> Bool) async throws {
        while !stop() {
            var batch = GatewayBatch()
            batch.elapsed = try await ledger.elapsedWallTimes(limit: Int64(Self.elapsedLimit))
            guard !batch.elapsed.isEmpty else { return }
            try await record(batch, lease, [:])
            guard batch.elapsed.count == Self.elapsedLimit else { return }
        }
    }

    /// Commits a batch. A conflict is tried again; whatever else happens, the ledger tells where to go on.
    private func record(_ batch: GatewayBatch, _ lease: RoleLease, _ next: [Int32: Int64]) async throws {
        let advances = batch.ends.sorted { $0.key < $1.key }.map {
            UsageAdvance(partition: $0.key, from: next[$0.key] ?? 0, to: $0.value)
        }
        let read = UsageRead(
            lease: lease, topic: topic, advances: advances, calls: batch.calls,
            findingKeys: batch.repeatableFindings, elapsed: batch.elapsed)
        let planner = planner
        let start = ContinuousClock.now
        var backoff = Backoff()
        while true {
            let summary = Lock(UsagePlanner.Summary())
            do {
                try await ledger.recordUsage(
                    read, revoking: { planner.judge(batch, $0).revokedJobs },
                    plan: { snapshot, moment in
                        let (write, counts) = try planner.plan(batch, snapshot, moment)
                        summary.withLock { $0 = counts }
                        return write
                    })
                metrics.recorded(summary.withLock { $0 }, in: .now - start)
                tell(summary.withLock { $0 })
                return
            } catch let error as LedgerError where error.isRetriable {
                logger.log(.usageRetried, metadata: ["error": "\(error)"])
            }
            try await backoff.wait()
        }
    }

    private func tell(_ summary: UsagePlanner.Summary) {
        for (code, count) in summary.findings.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            switch code.severity {
            case .critical:
                logger.log(.usageFindings, metadata: ["code": "\(code.rawValue)", "count": "\(count)"])
            case .warning:
                logger.log(.usageFindings, metadata: ["code": "\(code.rawValue)", "count": "\(count)"])
            }
        }
        if summary.refused > 0 {
            logger.log(.usageSetAside, metadata: ["count": "\(summary.refused)"])
        }
        if summary.revoked > 0 {
            logger.log(.budgetSpent, metadata: ["tokens": "\(summary.revoked)"])
        }
    }
}
