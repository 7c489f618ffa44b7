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
    let core: CoreServices
    let lineage: LineageGuard?
    let redrive: RedriveService
    let health: HealthService?
    let usage: UsageService?
    let confirm: ConfirmService?
    let graph: GraphReader?
    let policyTopics: [TopicPolicySource]
    let admin: KafkaAdmin
    let gauges: GaugeService
    let spans: SpanExport?

    /// What reads and decides beside the core.
    var readers: [CoreServices.Reader] {
        var readers: [CoreServices.Reader] = [{ try await redrive.run(until: $0) }]
        if let health { readers.append { try await health.run(until: $0) } }
        if let usage { readers.append { try await usage.run(until: $0) } }
        if let confirm { readers.append { try await confirm.run(until: $0) } }
        return readers
    }

    /// What stays beside the core until everything is published.
    var followers: [CoreServices.Follower] {
        var followers = policyTopics.map { topic -> CoreServices.Follower in
            { _, isDrained in try await topic.run(until: isDrained) }
        }
        followers.append { [gauges] _, isDrained in await gauges.run(until: isDrained) }
        if let spans { followers.append { _, isDrained in await spans.run(until: isDrained) } }
        return followers
    }

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
        let metrics = WorkerMetrics()
        let spans = configuration.tracing.map { SpanExport($0, configuration, clock: clock, logger: logger) }
        let admin = try KafkaAdmin(configuration: configuration.kafka, log: logger.kafka)
        let policySettings = PolicySettings.resolve(configuration, rules)
        let policyTopics =
            policySettings.topic.map {
                [TopicPolicySource(topic: $0, configuration: configuration.kafka, admin: admin, logger: logger)]
            } ?? []
        let policies = PolicyCache(
            sources: try PolicySettings.sources(policySettings) + policyTopics, signers: rules.workPolicies.signers,
            logger: logger)
        var foundation = WorkerFoundation(
            ledger: ledger, clients: LibrdkafkaClients(), cluster: admin, rules: rules,
            sources: try SourceConfiguration.byTopic(rules, file: configuration.rulesFile), keys: keys,
            tokenID: secrets.tokenID, sealing: secrets.sealing, clock: clock)
        foundation.metrics = metrics
        foundation.compare(ledger, configuration, logger: logger)
        foundation.tracing = TracePlan(configuration.tracing)
        foundation.tracer = spans?.tracer
        let graph = try configuration.confirmation.map { try ConfirmService.graph($0, rules) }
        ConfirmService.warn(rules, configuration, logger)
        let core: CoreServices
        do {
            core = try await CoreServices.open(
                configuration, foundation, policies: policies, localStop: localStop, logger: logger, until: isStopping)
        } catch {
            _ = await admin.close(deadline: .seconds(2))
            await graph?.close()
            await spans?.close()
            await ledger.close()
            await pool.shutdown()
            throw error
        }
        let watched = rules.healthRules
        if !watched.isEmpty { try await ledger.watch(Array(watched.keys)) }
        return WorkerParts(
            rules: rules, keys: keys, policies: policies, ledger: ledger, pool: pool, core: core,
            lineage: foundation.lineage,
            redrive: RedriveService(
                ledger: ledger, decider: core.decider, applier: core.applier, rules: rules,
                configuration: configuration, metrics: metrics, logger: logger),
            health: watched.values.contains { $0.silence != nil }
                ? HealthService(
                    rules: watched, ledger: ledger, decider: core.decider, worker: configuration.workerID,
                    limits: configuration.limits, metrics: metrics, logger: logger) : nil,
            usage: configuration.gatewayReceipts.topic.map {
                UsageService(
                    topic: $0, configuration: CoreServices.reading(configuration), ledger: ledger, admin: admin,
                    rules: rules, worker: configuration.workerID, limits: configuration.limits, logger: logger)
            },
            confirm: graph.flatMap { graph in
                configuration.confirmation.map {
                    ConfirmService(
                        ledger: ledger, worker: configuration.workerID, decider: core.decider, graph: graph,
                        settings: $0, rules: rules, interval: configuration.limits.sweepInterval, logger: logger)
                }
            },
            graph: graph, policyTopics: policyTopics, admin: admin,
            gauges: GaugeService(
                ledger: ledger, pool: pool, worker: configuration.workerID, keys: keys, lanes: core.lanes,
                consumer: core.consumers[0], localStop: localStop,
                hasControlTopic: configuration.control.topic != nil, interval: configuration.metrics.interval,
                clock: clock, factory: metrics.factory, logger: logger),
            spans: spans)
    }

    private static func readText(_ path: String, _ what: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationError("\(what) at \(path) cannot be read: \(error.localizedDescription)")
        }
    }

    func close() async {
        await core.close()
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
