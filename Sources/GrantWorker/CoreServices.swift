package import ApprovalSources
package import ClawWire
import CrashPoints
package import GrantLedger
package import IssuanceRules
package import Kafka
package import Keys
package import Logging
import Observability
import Primitives
import ReceiptLog

/// What the services between broker and ledger stand on.
package struct WorkerFoundation: Sendable {
    /// The ledger.
    package let ledger: any Ledger
    /// Makes clients of the broker.
    package let clients: any KafkaClients
    /// Tells the broker's topics.
    package let cluster: any ClusterDescription
    /// The rules in force.
    package let rules: RuleSet
    /// The adapters' view of the sources, by topic.
    package let sources: [String: SourceConfiguration]
    /// The worker's keys.
    package let keys: KeyRing
    /// From which token ids are derived.
    package let tokenID: TokenIDSecret
    /// From which the ephemeral keys of sealed deliveries are derived.
    package let sealing: SealingSecret
    /// The worker's own clock.
    package let clock: @Sendable () -> Timestamp
    /// Counts what the services do.
    var metrics = WorkerMetrics()
    /// Says whether the ledger was held against its topics; `nil` where there is nothing to hold it against.
    var lineage: LineageGuard?
    /// Which spans decisions get.
    var tracing = TracePlan.passing
    /// Takes spans; `nil` where none are kept.
    var tracer: WorkerTracer?

    /// Gathers what was opened.
    package init(
        ledger: any Ledger, clients: any KafkaClients, cluster: any ClusterDescription, rules: RuleSet,
        sources: [String: SourceConfiguration], keys: KeyRing, tokenID: TokenIDSecret, sealing: SealingSecret,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.ledger = ledger
        self.clients = clients
        self.cluster = cluster
        self.rules = rules
        self.sources = sources
        self.keys = keys
        self.tokenID = tokenID
        self.sealing = sealing
        self.clock = clock
    }

    /// Has the ledger held against its topics, before anything is decided and whenever another database answers.
    package mutating func compare(
        _ ledger: any LineageLedger, _ configuration: WorkerConfiguration, logger: Logger
    ) {
        lineage = LineageGuard(
            ledger: ledger,
            comparison: LedgerComparison(
                ledger: ledger, logID: configuration.logID,
                logKeys: keys.acceptedKeys(for: .receipt, at: clock()).map(\.publicKey),
                configuration: configuration.kafka, topics: configuration.outputs, admin: cluster, clients: clients,
                logger: logger),
            interval: configuration.limits.heartbeatInterval, metrics: metrics, logger: logger)
    }
}

/// The services that decide, obey, seal, publish, sweep and revoke: everything that stands between broker and ledger and
/// nothing else. A worker has more; a simulation runs these.
package struct CoreServices: Sendable {
    /// A service that reads and decides: it runs until its argument says that the worker leaves.
    typealias Reader = @Sendable (_ isStopping: @escaping @Sendable () -> Bool) async throws -> Void
    /// A service that stays until everything is sealed and published.
    typealias Follower =
        @Sendable (
            _ isStopping: @escaping @Sendable () -> Bool, _ isDrained: @escaping @Sendable () -> Bool
        ) async throws -> Void

    let applier: ControlApplier
    let decider: Decider
    let metrics: WorkerMetrics
    let lanes: [DecideLane]
    let consumers: [any RecordConsumer]
    private let ledger: any Ledger
    private let lineage: LineageGuard?
    private let base: LedgerBase
    private let publisher: Publisher
    private let leases: LeaseService
    private let sweep: SweepService
    private let seal: SealService
    private let revoke: RevokeService
    private let control: ControlService?
    private let limits: WorkerConfiguration.Limits
    private let logger: Logger

    /// Opens the log, makes what a ledger needs, records the keys, and makes the services without WPCs.
    ///
    /// - Throws: ``LedgerError``; `KafkaError`; what keeps a key from being recorded.
    package static func open(
        _ configuration: WorkerConfiguration, _ foundation: WorkerFoundation, logger: Logger
    ) async throws -> CoreServices {
        try await open(
            configuration, foundation,
            policies: PolicyCache(sources: [], signers: foundation.rules.workPolicies.signers, logger: logger),
            localStop: LocalStop(file: configuration.control.stopFile), logger: logger, until: { false })
    }

    /// Opens a ledger once it was held against its topics, for as long as that takes or until the worker is to leave.
    static func open(
        _ configuration: WorkerConfiguration, _ foundation: WorkerFoundation, policies: PolicyCache,
        localStop: LocalStop, logger: Logger, until isStopping: @escaping @Sendable () -> Bool
    ) async throws -> CoreServices {
        let base = LedgerBase(configuration, foundation)
        try await base.open()
        try await foundation.lineage?.compare(until: isStopping)
        let services = try CoreServices(
            configuration, foundation, policies: policies, localStop: localStop, base: base, logger: logger)
        try await services.publisher.checkProperties()
        CrashPoint.pass(.propertiesChecked)
        try await base.registerKeys()
        // Before anything is claimed: a role of a worker that the ledger does not know is free for the next who asks.
        try await services.leases.begin()
        return services
    }

    private init(
        _ configuration: WorkerConfiguration, _ foundation: WorkerFoundation, policies: PolicyCache,
        localStop: LocalStop, base: LedgerBase, logger: Logger
    ) throws {
        let ledger = foundation.ledger
        let rules = foundation.rules
        let worker = configuration.workerID
        let limits = configuration.limits
        let clock = foundation.clock
        let metrics = foundation.metrics
        let applier = ControlApplier(
            ledger: ledger, rules: rules, worker: worker, otherKeys: foundation.keys.withoutTokens
        ) { hash in
            await policies.load([hash])
            if case .available = policies.known()[hash] { return true }
            return false
        }
        let kept = KeptTokens()
        let decider = Decider(
            reader: BatchReader(
                sources: foundation.sources,
                limits: EventAgeLimits(
                    maximumAge: limits.maximumEventAge, maximumAhead: limits.maximumEventAhead), worker: worker,
                confirmable: ConfirmService.confirmable(rules, configuration)),
            clock: clock, ledger: ledger, rules: rules, policies: policies, keys: foundation.keys,
            tokenIDSecret: foundation.tokenID, worker: worker, isDryRun: configuration.isDryRun,
            claimBase: configuration.claims?.address, control: ControlView(localStop: localStop), applier: applier,
            stopViewMaximumAge: configuration.control.topic == nil ? nil : configuration.control.viewMaximumAge,
            maximumClockDifference: limits.maximumClockDifference, lineage: foundation.lineage, metrics: metrics,
            tracing: foundation.tracing, tracer: foundation.tracer, kept: kept, logger: logger)
        let reading = Self.reading(configuration)
        let consumers = try (0..<max(1, limits.lanes)).map { _ in
            try foundation.clients.consumer(reading, bufferBytes: limits.batchBytes, log: logger.kafka)
        }
        let lanes = consumers.map { DecideLane(consumer: $0, decider: decider, limits: limits, logger: logger) }
        let renderer = BatchRenderer(
            logID: configuration.logID, topics: configuration.outputs,
            logKeys: foundation.keys.acceptedKeys(for: .receipt, at: clock()).map(\.publicKey),
            minters: foundation.keys.remakers(for: .token).mapValues { CSTMinter(signer: $0) },
            sealingSecret: foundation.sealing, kept: kept)
        func makePublisher(_ lane: PublishLane) -> Publisher {
            Publisher(
                lane: lane, ledger: ledger, renderer: renderer, configuration: configuration.kafka,
                clients: foundation.clients, usesTransactions: configuration.usesTransactions,
                topics: configuration.outputs, admin: foundation.cluster, lineage: foundation.lineage, metrics: metrics,
                tracer: foundation.tracer, clock: clock, logger: logger)
        }
        publisher = makePublisher(.main)
        self.applier = applier
        self.decider = decider
        self.metrics = metrics
        self.lanes = lanes
        self.ledger = ledger
        lineage = foundation.lineage
        self.base = base
        self.consumers = consumers
        self.limits = limits
        self.logger = logger
        leases = LeaseService(
            ledger: ledger, worker: worker, lanes: lanes, topics: foundation.sources.keys.sorted(),
            admin: foundation.cluster, offsets: consumers[0], limits: limits, metrics: metrics, logger: logger)
        sweep = SweepService(
            ledger: ledger, worker: worker, decider: decider, days: base.days, limits: limits, logger: logger)
        seal = SealService(
            ledger: ledger, worker: worker, logID: configuration.logID, keys: foundation.keys,
            publisher: publisher, controlPublisher: makePublisher(.control),
            heads: RevocationHeads(
                ledger: ledger, logID: configuration.logID, topic: configuration.outputs.name(.revocations),
                keys: foundation.keys, clock: clock, maximumClockDifference: limits.maximumClockDifference),
            statusLists: configuration.statusLists.map {
                StatusListService(
                    settings: $0, ledger: ledger, keys: foundation.keys, configuration: configuration.kafka,
                    clock: clock, logger: logger)
            },
            kept: kept, lineage: foundation.lineage, limits: limits, longestLife: .seconds(rules.hardCapSeconds),
            clock: clock, metrics: metrics, logger: logger)
        revoke = RevokeService(
            ledger: ledger, worker: worker, interval: limits.sweepInterval, metrics: metrics, logger: logger)
        control = configuration.control.topic.map {
            ControlService(
                topic: $0, configuration: configuration.kafka, clients: foundation.clients, ledger: ledger,
                applier: applier, rules: rules.control, worker: worker, limits: limits, clock: clock,
                metrics: metrics, logger: logger)
        }
    }

    /// What input is read with. librdkafka's own 64 MB for each consumer, in answers of up to 50 MB, would be most of a
    /// worker's memory whenever there is a backlog.
    static func reading(_ configuration: WorkerConfiguration) -> KafkaConfiguration {
        var reading = configuration.kafka
        if reading["group.id"] == nil { reading["group.id"] = "clawgrant" }
        if reading["queued.max.messages.kbytes"] == nil { reading["queued.max.messages.kbytes"] = "1024" }
        if reading["fetch.max.bytes"] == nil { reading["fetch.max.bytes"] = String(1 << 20) }
        return reading
    }

    /// Runs until stopped; what is in hand is finished, sealed and published then.
    ///
    /// - Throws: what ends a service although it should go on.
    package func run(until isStopping: @escaping @Sendable () -> Bool) async throws {
        try await run(with: [], followed: [], until: isStopping)
    }

    /// Runs with other services of the same worker.
    func run(
        with others: [Reader], followed followers: [Follower], until isStopping: @escaping @Sendable () -> Bool
    ) async throws {
        let done = Lock(false)
        let isDrained: @Sendable () -> Bool = { done.withLock { $0 } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await self.read(with: others, until: isStopping)
                try await self.drain(atMost: self.limits.drainTimeout)
                done.withLock { $0 = true }
            }
            group.addTask { try await self.seal.run(until: isDrained) }
            for follower in followers { group.addTask { try await follower(isStopping, isDrained) } }
            // The first task to fail ends the others: a worker that lost a part of itself is of no use.
            do {
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    /// Gives partitions and roles back.
    package func leave() async { await leases.leave() }

    /// Ends the consumers.
    package func close() async {
        for consumer in consumers { _ = await consumer.close(deadline: .seconds(5)) }
    }

    /// Reads, decides and sweeps until told to stop; what is in hand then has the drain's time to be committed, and is
    /// left to others if it cannot be.
    private func read(with others: [Reader], until isStopping: @escaping @Sendable () -> Bool) async throws {
        var readers = others
        for lane in lanes { readers.append { try await lane.run(until: $0) } }
        readers.append { [leases] in try await leases.run(until: $0) }
        if let lineage {
            readers.append { [base] in
                // A replica may have taken over that lacks what the start had written.
                try await lineage.run(until: $0) {
                    try await base.open()
                    try await base.registerKeys()
                }
            }
        }
        readers.append { [sweep] in try await sweep.run(until: $0) }
        readers.append { [revoke] in try await revoke.run(until: $0) }
        if let control { readers.append { try await control.run(until: $0) } }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for reader in readers {
                group.addTask {
                    try await reader(isStopping)
                    return true
                }
            }
            let limits = limits
            group.addTask {
                while !isStopping() { try await SteadyTime.sleep(for: limits.heartbeatInterval) }
                try await SteadyTime.sleep(for: limits.drainTimeout)
                return false
            }
            var open = readers.count
            do {
                while open > 0, let isReader = try await group.next() {
                    guard isReader else {
                        logger.log(.drainTimedOut)
                        break
                    }
                    open -= 1
                }
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }

    /// Waits until nothing is left to seal and to publish, so that the last worker to leave leaves nothing behind. With
    /// others alive there is nothing to wait for: they take the role up.
    private func drain(atMost timeout: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.leases.linger() }
            group.addTask { try await SteadyTime.sleep(for: timeout) }
            group.addTask { try await self.waitUntilSealed() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func waitUntilSealed() async throws {
        while true {
            do {
                let status = try await ledger.status()
                if status.liveWorkers > 1 || status.unsealedGroups == 0 && status.nextBatchToPublish >= status.batches {
                    return
                }
            } catch {
                guard error.isRetriable else { throw error }
            }
            try await SteadyTime.sleep(for: .milliseconds(50))
        }
    }
}
