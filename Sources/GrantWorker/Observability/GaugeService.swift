import ClawWire
import GrantLedger
import Kafka
import Keys
import Logging
import Metrics
import Observability
import Postgres
import ReceiptLog

/// Looks, every so often, at what nobody passes by: the ledger as a whole, the worker's partitions, keys and sessions.
///
/// It never ends the worker: what cannot be read is not shown, and `clawgrant_ledger_up` says so.
final class GaugeService: Sendable {
    private struct Partition: Hashable, Sendable {
        let topic: String
        let partition: Int32
    }

    private let ledger: PostgresLedger
    private let pool: PostgresPool
    private let worker: WorkerID
    private let keys: KeyRing
    private let lanes: [DecideLane]
    private let consumer: any RecordConsumer
    private let localStop: LocalStop
    private let hasControlTopic: Bool
    private let interval: Duration
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    private let up: Gauge
    private let unsealedGroups: Gauge
    private let unsealedAge: Gauge
    private let sealedPosition: Gauge
    private let checkpointAge: Gauge
    private let stopViewAge: Gauge
    private let controlPosition: Gauge
    private let waitingRequests: Gauge
    private let liveWorkers: Gauge
    private let backlog: LabelledGauges<PublishLane>
    private let roles: LabelledGauges<WorkerRole>
    private let keyAge: LabelledGauges<KeyPurpose>
    private let keyExpiry: LabelledGauges<KeyPurpose>
    private let signatures: LabelledCounters<KeyPurpose>
    private let sessions: LabelledGauges<String>
    private let sessionWaiters: Gauge
    private let reconnects: Counter
    private let failedAttempts: Counter
    private let acquireTimeouts: Counter
    private let lag: LabelledGauges<Partition>
    private let partitions: Gauge
    private let halted: Gauge

    init(
        ledger: PostgresLedger, pool: PostgresPool, worker: WorkerID, keys: KeyRing, lanes: [DecideLane],
        consumer: any RecordConsumer, localStop: LocalStop, hasControlTopic: Bool, interval: Duration,
        clock: @escaping @Sendable () -> Timestamp, factory: any MetricsFactory, logger: Logger
    ) {
        self.ledger = ledger
        self.pool = pool
        self.worker = worker
        self.keys = keys
        self.lanes = lanes
        self.consumer = consumer
        self.localStop = localStop
        self.hasControlTopic = hasControlTopic
        self.interval = interval
        self.clock = clock
        self.logger = logger
        func gauge(_ label: String) -> Gauge { Gauge(label: label, factory: factory) }
        up = gauge("clawgrant_ledger_up")
        unsealedGroups = gauge("clawgrant_unsealed_groups")
        unsealedAge = gauge("clawgrant_unsealed_age_seconds")
        sealedPosition = gauge("clawgrant_sealed_position")
        checkpointAge = gauge("clawgrant_checkpoint_age_seconds")
        stopViewAge = gauge("clawgrant_stop_view_age_seconds")
        controlPosition = gauge("clawgrant_control_position")
        waitingRequests = gauge("clawgrant_requests_waiting")
        liveWorkers = gauge("clawgrant_workers_alive")
        sessionWaiters = gauge("clawgrant_database_waiting")
        partitions = gauge("clawgrant_input_partitions")
        halted = gauge("clawgrant_local_stop")
        backlog = LabelledGauges(label: "clawgrant_publish_backlog_batches", factory: factory) {
            [("lane", $0.rawValue)]
        }
        roles = LabelledGauges(label: "clawgrant_role_held", factory: factory) { [("role", $0.rawValue)] }
        keyAge = LabelledGauges(label: "clawgrant_key_age_seconds", factory: factory) { [("purpose", $0.rawValue)] }
        keyExpiry = LabelledGauges(label: "clawgrant_key_expiry_seconds", factory: factory) {
            [("purpose", $0.rawValue)]
        }
        signatures = LabelledCounters(
            label: "clawgrant_key_signatures_total", known: KeyPurpose.allCases, factory: factory
        ) { [("purpose", $0.rawValue)] }
        sessions = LabelledGauges(label: "clawgrant_database_sessions", factory: factory) { [("state", $0)] }
        reconnects = Counter(label: "clawgrant_database_reconnects_total", factory: factory)
        failedAttempts = Counter(label: "clawgrant_database_failed_attempts_total", factory: factory)
        acquireTimeouts = Counter(label: "clawgrant_database_acquire_timeouts_total", factory: factory)
        lag = LabelledGauges(label: "clawgrant_input_lag_records", factory: factory) {
            [("topic", $0.topic), ("partition", String($0.partition))]
        }
    }

    /// Looks until stopped. A database that does not answer keeps nobody from leaving.
    func run(until stop: @escaping @Sendable () -> Bool) async {
        await Patience.run({ await self.look(until: stop) }, until: stop)
    }

    private func look(until stop: @Sendable () -> Bool) async {
        var seen = Seen()
        var next = ContinuousClock.now
        while !stop(), !Task.isCancelled {
            if ContinuousClock.now >= next {
                measureProcess(&seen)
                await measureLedger()
                await measureLag()
                next = .now + interval
            }
            do { try await Task.sleep(for: min(interval, .milliseconds(250))) } catch { return }
        }
    }

    /// What was counted elsewhere and told already.
    private struct Seen {
        var pool: PostgresPool.Metrics?
        var uses: [KeyID: UInt64] = [:]
    }

    private func measureProcess(_ seen: inout Seen) {
        let pool = pool.metrics
        sessions.set("used", to: Double(pool.open - pool.idle))
        sessions.set("idle", to: Double(pool.idle))
        sessions.set("connecting", to: Double(pool.connecting))
        sessionWaiters.record(pool.waiting)
        reconnects.increment(by: pool.reconnects - (seen.pool?.reconnects ?? 0))
        failedAttempts.increment(by: pool.failedAttempts - (seen.pool?.failedAttempts ?? 0))
        acquireTimeouts.increment(by: pool.acquireTimeouts - (seen.pool?.acquireTimeouts ?? 0))
        seen.pool = pool
        halted.record(localStop.reason == nil ? 0 : 1)
        let now = clock()
        for purpose in KeyPurpose.allCases {
            if let end = keys.validUntil(for: purpose) {
                keyExpiry.set(purpose, to: Double(end.microseconds - now.microseconds) / 1e6)
            }
        }
        for key in keys.inventory() where key.configuration.state == .active {
            let fresh = key.uses - min(key.uses, seen.uses[key.kid] ?? 0)
            signatures[key.configuration.purpose].increment(by: Int64(clamping: fresh))
            seen.uses[key.kid] = key.uses
        }
    }

    private func measureLedger() async {
        let gauges: LedgerGauges
        do throws(LedgerError) {
            gauges = try await ledger.gauges(for: worker)
        } catch {
            up.record(0)
            logger.log(.ledgerUnmeasured, metadata: ["error": "\(error)"])
            return
        }
        up.record(1)
        unsealedGroups.record(gauges.unsealedGroups)
        unsealedAge.record(gauges.unsealedAge / .seconds(1))
        sealedPosition.record(gauges.sealedPosition ?? -1)
        if let age = gauges.checkpointAge { checkpointAge.record(age / .seconds(1)) }
        if hasControlTopic { stopViewAge.record(gauges.stopViewAge / .seconds(1)) }
        controlPosition.record(gauges.controlPosition)
        waitingRequests.record(gauges.waitingRequests)
        liveWorkers.record(gauges.liveWorkers)
        for lane in PublishLane.allCases { backlog.set(lane, to: Double(gauges.backlog(of: lane))) }
        for (role, isHeld) in gauges.roles { roles.set(role, to: isHeld ? 1 : 0) }
        for key in keys.inventory() where key.configuration.state == .active {
            if let age = gauges.keyAges[key.kid] { keyAge.set(key.configuration.purpose, to: age / .seconds(1)) }
        }
    }

    /// Asks the brokers where partitions end. A partition whose leader does not answer keeps its last figure, and ends the
    /// look: the others would not answer either.
    private func measureLag() async {
        var positions: [InputPartition: Int64] = [:]
        for lane in lanes { positions.merge(lane.positions) { $1 } }
        partitions.record(positions.count)
        lag.keep(only: Set(positions.keys.map { Partition(topic: $0.topic, partition: $0.partition) }))
        for (partition, next) in positions {
            do throws(KafkaError) {
                let marks = try await consumer.watermarks(partition.kafka, timeout: .seconds(2))
                lag.set(
                    Partition(topic: partition.topic, partition: partition.partition),
                    to: Double(max(0, marks.high - max(next, marks.low))))
            } catch {
                logger.log(.lagUnmeasured, metadata: ["error": "\(error)"])
                return
            }
        }
    }
}
