import ApprovalSources
import ClawWire
import Foundation
import GrantLedger
import GraphConfirmation
import IssuanceRules
import Kafka
import Keys
import Logging
import Postgres
import ReceiptLog

/// A worker's opened parts, wired.
struct WorkerParts: Sendable {
    let rules: RuleSet
    let keys: KeyRing
    let ledger: PostgresLedger
    let pool: PostgresPool
    let core: CoreServices
    let redrive: RedriveService
    let health: HealthService?
    let usage: UsageService?
    let confirm: ConfirmService?
    let graph: GraphReader?
    let followers: [TopicPolicySource]
    let admin: KafkaAdmin

    /// What reads and decides beside the core.
    var readers: [CoreServices.Reader] {
        var readers: [CoreServices.Reader] = [{ try await redrive.run(until: $0) }]
        if let health { readers.append { try await health.run(until: $0) } }
        if let usage { readers.append { try await usage.run(until: $0) } }
        if let confirm { readers.append { try await confirm.run(until: $0) } }
        return readers
    }

    static func open(
        _ configuration: WorkerConfiguration, localStop: LocalStop, logger: Logger
    ) async throws -> WorkerParts {
        let clock: @Sendable () -> Timestamp = { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
        let rules = try RuleSet(yaml: try readText(configuration.rulesFile, "the issuance rules"))
        if configuration.gatewayReceipts.topic == nil, rules.jobClasses.values.contains(where: { $0.budget != nil }) {
            logger.warning(
                "the rules have budgets and the configuration names no topic of gateway receipts: nothing enforces them"
            )
        }
        let keys = try KeyRing.load(configuration.keys, required: [.token, .receipt], at: clock())
        try keys.selfTest()
        let secrets = try DerivationSecrets.load(configuration)
        var database = configuration.database
        PostgresLedger.configure(&database, worker: configuration.workerID)
        database.poolSize = max(database.poolSize, configuration.limits.lanes + 12)
        let pool = PostgresPool(database)
        let ledger = PostgresLedger(pool: pool, configuration: database)
        let admin = try KafkaAdmin(configuration: configuration.kafka, log: logger.kafka)
        let policySettings = PolicySettings.resolve(configuration, rules)
        let followers =
            policySettings.topic.map {
                [TopicPolicySource(topic: $0, configuration: configuration.kafka, admin: admin, logger: logger)]
            } ?? []
        let policies = PolicyCache(
            sources: try policySources(policySettings) + followers, signers: rules.workPolicies.signers,
            logger: logger)
        let sources = try SourceConfiguration.byTopic(rules, file: configuration.rulesFile)
        let watched = rules.healthRules
        let graph = try configuration.confirmation.map { try ConfirmService.graph($0, rules) }
        ConfirmService.warn(rules, configuration, logger)
        if configuration.gatewayReceipts.topic == nil, rules.jobClasses.values.contains(where: { $0.budget != nil }) {
            logger.warning("the rules give budgets and no topic of gateway receipts is read: nothing is ever counted")
        }
        let core = try await CoreServices.open(
            configuration,
            WorkerFoundation(
                ledger: ledger, clients: LibrdkafkaClients(), cluster: admin, rules: rules, sources: sources,
                keys: keys,
                tokenID: secrets.tokenID, sealing: secrets.sealing, clock: clock),
            policies: policies, localStop: localStop, logger: logger)
        if !watched.isEmpty { try await ledger.watch(Array(watched.keys)) }
        return WorkerParts(
            rules: rules, keys: keys, ledger: ledger, pool: pool, core: core,
            redrive: RedriveService(
                ledger: ledger, worker: configuration.workerID, decider: core.decider,
                configuration: configuration.kafka, limits: configuration.limits, metrics: core.metrics,
                logger: logger),
            health: watched.values.contains { $0.silence != nil }
                ? HealthService(
                    rules: watched, ledger: ledger, decider: core.decider, worker: configuration.workerID,
                    limits: configuration.limits, metrics: core.metrics, logger: logger) : nil,
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
            graph: graph, followers: followers, admin: admin)
    }

    private static func readText(_ path: String, _ what: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationError("\(what) at \(path) cannot be read: \(error.localizedDescription)")
        }
    }

    private static func policySources(_ sources: WorkerConfiguration.PolicySources) throws -> [any PolicySource] {
        var all: [any PolicySource] = []
        if let directory = sources.directory { all.append(DirectoryPolicySource(path: directory)) }
        if let url = sources.url {
            guard let registry = RegistryPolicySource(url: url) else {
                throw ConfigurationError("wpc.url \"\(url)\" is not an http or https address")
            }
            all.append(registry)
        }
        return all
    }

    func close() async {
        await core.close()
        _ = await admin.close(deadline: .seconds(2))
        await graph?.close()
        await ledger.close()
        await pool.shutdown()
    }
}

/// Where WPCs come from: the worker's configuration, else the rules; the rules' directory is relative to their file.
private enum PolicySettings {
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
