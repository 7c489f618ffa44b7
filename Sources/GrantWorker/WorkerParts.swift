import ApprovalSources
import ClawWire
import Foundation
import GrantLedger
import GraphConfirmation
import IssuanceRules
import Kafka
import Keys
import Logging
import Observability
import Postgres
import ReceiptLog

/// A worker's opened parts, wired.
struct WorkerParts: Sendable {
    let rules: RuleSet
    let keys: KeyRing
    let policies: PolicyCache
    let ledger: PostgresLedger
    let pool: PostgresPool
    let lanes: [DecideLane]
    let consumers: [KafkaConsumer]
    let leases: LeaseService
    let sweep: SweepService
    let seal: SealService
    let revoke: RevokeService
    let redrive: RedriveService
    let health: HealthService?
    let control: ControlService?
    let usage: UsageService?
    let confirm: ConfirmService?
    let graph: GraphReader?
    let applier: ControlApplier
    let lineage: LineageGuard
    let followers: [TopicPolicySource]
    let admin: KafkaAdmin
    let gauges: GaugeService
    let spans: SpanExport?

    static func open(
        _ configuration: WorkerConfiguration, localStop: LocalStop, logger: Logger,
        until isStopping: @escaping @Sendable () -> Bool
    ) async throws -> WorkerParts {
        let clock: @Sendable () -> Timestamp = { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
        let rules = try RuleSet(yaml: try readText(configuration.rulesFile, "the issuance rules"))
        if configuration.gatewayReceipts.topic == nil, rules.jobClasses.values.contains(where: { $0.budget != nil }) {
            logger.log(.budgetsUnenforced)
        }
        let keys = try KeyRing.load(configuration.keys, required: [.token, .receipt], at: clock())
        try keys.selfTest()
        let secrets = try DerivationSecrets.load(configuration)
        var database = configuration.database
        PostgresLedger.configure(&database, worker: configuration.workerID)
        database.poolSize = max(database.poolSize, configuration.limits.lanes + 12)
        let pool = PostgresPool(database)
        let ledger = PostgresLedger(pool: pool, configuration: database)
        try await ledger.requireSchema()
        try await ledger.openLog(configuration.logID)
        let days = DayPartitions(ledger: ledger, limits: configuration.limits)
        try await days.ensure()
        let metrics = WorkerMetrics()
        let spans = configuration.tracing.map { SpanExport($0, configuration, clock: clock, logger: logger) }
        let admin = try KafkaAdmin(configuration: configuration.kafka, log: logger.kafka)
        let lineage = LineageGuard(
            ledger: ledger,
            comparison: LedgerComparison(
                ledger: ledger, logID: configuration.logID,
                logKeys: keys.acceptedKeys(for: .receipt, at: clock()).map(\.publicKey),
                configuration: configuration.kafka, topics: configuration.outputs, admin: admin, logger: logger),
            interval: configuration.limits.heartbeatInterval, metrics: metrics, logger: logger)
        do {
            try await lineage.compare(until: isStopping)
        } catch {
            _ = await admin.close(deadline: .seconds(2))
            await ledger.close()
            await pool.shutdown()
            throw error
        }
        let policySettings = PolicySettings.resolve(configuration, rules)
        let followers =
            policySettings.topic.map {
                [TopicPolicySource(topic: $0, configuration: configuration.kafka, admin: admin, logger: logger)]
            } ?? []
        let policies = PolicyCache(
            sources: try PolicySettings.sources(policySettings) + followers, signers: rules.workPolicies.signers,
            logger: logger)
        let sources = try SourceConfiguration.byTopic(rules, file: configuration.rulesFile)
        let watched = rules.healthRules
        if !watched.isEmpty { try await ledger.watch(Array(watched.keys)) }
        let graph = try configuration.confirmation.map { try ConfirmService.graph($0, rules) }
        let control = ControlView(localStop: localStop)
        let applier = ControlApplier(ledger: ledger, rules: rules, worker: configuration.workerID) { hash in
            await policies.load([hash])
            if case .available = policies.known()[hash] { return true }
            return false
        }
        ConfirmService.warn(rules, configuration, logger)
        let kept = KeptTokens()
        let decider = Decider(
            reader: BatchReader(
                sources: sources,
                limits: EventAgeLimits(
                    maximumAge: configuration.limits.maximumEventAge,
                    maximumAhead: configuration.limits.maximumEventAhead), worker: configuration.workerID,
                confirmable: ConfirmService.confirmable(rules, configuration)),
            clock: clock, ledger: ledger, rules: rules, policies: policies, keys: keys,
            tokenIDSecret: secrets.tokenID, worker: configuration.workerID, isDryRun: configuration.isDryRun,
            claimBase: configuration.claims?.address, control: control, applier: applier,
            stopViewMaximumAge: configuration.control.topic == nil ? nil : configuration.control.viewMaximumAge,
            maximumClockDifference: configuration.limits.maximumClockDifference,
            lineage: lineage, metrics: metrics, tracing: TracePlan(configuration.tracing), tracer: spans?.tracer,
            kept: kept, logger: logger)
        var reading = configuration.kafka
        if reading["group.id"] == nil { reading["group.id"] = "clawgrant" }
        // librdkafka's own 64 MB for each consumer, in answers of up to 50 MB, would be most of a worker's memory whenever
        // there is a backlog.
        if reading["queued.max.messages.kbytes"] == nil { reading["queued.max.messages.kbytes"] = "1024" }
        if reading["fetch.max.bytes"] == nil { reading["fetch.max.bytes"] = String(1 << 20) }
        let consumers = try (0..<max(1, configuration.limits.lanes)).map { _ in
            try KafkaConsumer(
                configuration: reading, bufferBytes: configuration.limits.batchBytes, log: logger.kafka)
        }
        let lanes = consumers.map {
            DecideLane(consumer: $0, decider: decider, limits: configuration.limits, logger: logger)
        }
        let renderer = BatchRenderer(
            logID: configuration.logID, topics: configuration.outputs,
            logKeys: keys.acceptedKeys(for: .receipt, at: clock()).map(\.publicKey),
            minters: keys.remakers(for: .token).mapValues { CSTMinter(signer: $0) }, sealingSecret: secrets.sealing,
            kept: kept)
        func publisher(_ lane: PublishLane) -> Publisher {
            Publisher(
                lane: lane, ledger: ledger, renderer: renderer, configuration: configuration.kafka,
                usesTransactions: configuration.usesTransactions, topics: configuration.outputs, admin: admin,
                metrics: metrics, tracer: spans?.tracer, clock: clock, logger: logger)
        }
        let publishers = (main: publisher(.main), control: publisher(.control))
        try await publishers.main.checkProperties()
        try await KeyRegistration(ledger: ledger, worker: configuration.workerID).register(keys, at: clock())
        return WorkerParts(
            rules: rules, keys: keys, policies: policies, ledger: ledger, pool: pool, lanes: lanes,
            consumers: consumers,
            leases: LeaseService(
                ledger: ledger, worker: configuration.workerID, lanes: lanes, topics: sources.keys.sorted(),
                admin: admin, offsets: consumers[0], limits: configuration.limits, logger: logger),
            sweep: SweepService(
                ledger: ledger, worker: configuration.workerID, decider: decider, days: days,
                limits: configuration.limits, logger: logger),
            seal: SealService(
                ledger: ledger, worker: configuration.workerID, logID: configuration.logID, keys: keys,
                publisher: publishers.main, controlPublisher: publishers.control,
                heads: RevocationHeads(
                    ledger: ledger, logID: configuration.logID, topic: configuration.outputs.name(.revocations),
                    keys: keys, clock: clock, maximumClockDifference: configuration.limits.maximumClockDifference),
                statusLists: configuration.statusLists.map {
                    StatusListService(
                        settings: $0, ledger: ledger, keys: keys, configuration: configuration.kafka, clock: clock,
                        logger: logger)
                },
                kept: kept, lineage: lineage, limits: configuration.limits, clock: clock, metrics: metrics,
                logger: logger),
            revoke: RevokeService(
                ledger: ledger, worker: configuration.workerID, interval: configuration.limits.sweepInterval,
                metrics: metrics, logger: logger),
            redrive: RedriveService(
                ledger: ledger, worker: configuration.workerID, decider: decider, configuration: configuration.kafka,
                limits: configuration.limits, metrics: metrics, logger: logger),
            health: watched.values.contains { $0.silence != nil }
                ? HealthService(
                    rules: watched, ledger: ledger, decider: decider, worker: configuration.workerID,
                    limits: configuration.limits, metrics: metrics, logger: logger) : nil,
            control: configuration.control.topic.map {
                ControlService(
                    topic: $0, configuration: configuration.kafka, ledger: ledger, applier: applier,
                    rules: rules.control, worker: configuration.workerID, limits: configuration.limits, clock: clock,
                    metrics: metrics, logger: logger)
            },
            usage: configuration.gatewayReceipts.topic.map {
                UsageService(
                    topic: $0, configuration: reading, ledger: ledger, admin: admin, rules: rules,
                    worker: configuration.workerID, limits: configuration.limits, logger: logger)
            },
            confirm: graph.flatMap { graph in
                configuration.confirmation.map {
                    ConfirmService(
                        ledger: ledger, worker: configuration.workerID, decider: decider, graph: graph, settings: $0,
                        rules: rules, interval: configuration.limits.sweepInterval, logger: logger)
                }
            },
            graph: graph,
            applier: applier, lineage: lineage,
            followers: followers, admin: admin,
            gauges: GaugeService(
                ledger: ledger, pool: pool, worker: configuration.workerID, keys: keys, lanes: lanes,
                consumer: consumers[0], localStop: localStop, hasControlTopic: configuration.control.topic != nil,
                interval: configuration.metrics.interval, clock: clock, factory: metrics.factory, logger: logger),
            spans: spans)
    }

    private static func readText(_ path: String, _ what: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationError("\(what) at \(path) cannot be read: \(error.localizedDescription)")
        }
    }

    /// Waits until nothing is left to seal and to publish, so that the last worker to leave leaves nothing behind. With
    /// others alive there is nothing to wait for: they take the role up.
    func drain(atMost timeout: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await leases.linger() }
            group.addTask { try await Task.sleep(for: timeout) }
            group.addTask { try await waitUntilSealed() }
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
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func close() async {
        for consumer in consumers { _ = await consumer.close(deadline: .seconds(5)) }
        _ = await admin.close(deadline: .seconds(2))
        await graph?.close()
        await spans?.close()
        await ledger.close()
        await pool.shutdown()
    }
}

/// Where WPCs come from: the worker's configuration, else the rules; the rules' directory is relative to their file.
enum PolicySettings {
    /// The sources that need no broker.
    static func sources(_ settings: WorkerConfiguration.PolicySources) throws(ConfigurationError) -> [any PolicySource]
    {
        var all: [any PolicySource] = []
        if let directory = settings.directory { all.append(DirectoryPolicySource(path: directory)) }
        if let url = settings.url {
            guard let registry = RegistryPolicySource(url: url) else {
                throw ConfigurationError("wpc.url \"\(url)\" is not an http or https address")
            }
            all.append(registry)
        }
        return all
    }

    static func resolve(_ configuration: WorkerConfiguration, _ rules: RuleSet) -> WorkerConfiguration.PolicySources {
        var settings = configuration.policies
        if settings.directory == nil, let directory = rules.workPolicies.directory {
            let base = URL(fileURLWithPath: configuration.rulesFile).deletingLastPathComponent()
            settings.directory = URL(fileURLWithPath: directory, relativeTo: base).path
        }
        settings.topic = settings.topic ?? rules.workPolicies.topic
        settings.url = settings.url ?? rules.workPolicies.registry
        return settings
    }
}

/// The two secrets from which token ids and sealing keys are derived.
struct DerivationSecrets: Sendable {
    let tokenID: TokenIDSecret
    let sealing: SealingSecret

    static func load(_ configuration: WorkerConfiguration) throws -> DerivationSecrets {
        let tokenID = try SecretFile.load(configuration.tokenIDSecretFile)
        let sealing = try SecretFile.load(configuration.sealingSecretFile)
        guard let tokenIDSecret = TokenIDSecret(bytes: tokenID.copyExposed()) else {
            throw ConfigurationError(
                "\(configuration.tokenIDSecretFile) holds fewer than 32 bytes; run `clawgrant keys`")
        }
        guard let sealingSecret = SealingSecret(bytes: sealing.copyExposed()) else {
            throw ConfigurationError(
                "\(configuration.sealingSecretFile) holds fewer than 32 bytes; run `clawgrant keys`")
        }
        return DerivationSecrets(tokenID: tokenIDSecret, sealing: sealingSecret)
    }
}

/// A configuration that cannot be used, with what to do about it.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String
    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
