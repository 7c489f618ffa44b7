import ApprovalSources
import ClawWire
import Foundation
import GrantLedger
import IssuanceRules
import Kafka
import Keys
import Logging
import Postgres
import ReceiptLog

/// A worker's opened parts, wired.
struct WorkerParts: Sendable {
    let rules: RuleSet
    let ledger: PostgresLedger
    let pool: PostgresPool
    let lanes: [DecideLane]
    let consumers: [KafkaConsumer]
    let leases: LeaseService
    let sweep: SweepService
    let seal: SealService
    let followers: [TopicPolicySource]
    let admin: KafkaAdmin

    static func open(_ configuration: WorkerConfiguration, logger: Logger) async throws -> WorkerParts {
        let clock: @Sendable () -> Timestamp = { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
        let rules = try RuleSet(yaml: try readText(configuration.rulesFile, "the issuance rules"))
        let keys = try KeyRing.load(configuration.keys, at: clock())
        try keys.selfTest()
        let secrets = try DerivationSecrets.load(configuration)
        var database = configuration.database
        PostgresLedger.configure(&database, worker: configuration.workerID)
        database.poolSize = max(database.poolSize, configuration.limits.lanes + 4)
        let pool = PostgresPool(database)
        let ledger = PostgresLedger(pool: pool, configuration: database)
        try await ledger.openLog(configuration.logID)
        let metrics = WorkerMetrics()
        let admin = try KafkaAdmin(configuration: configuration.kafka, log: logger.kafka)
        let followers = configuration.policies.topic.map {
            [TopicPolicySource(topic: $0, configuration: configuration.kafka, admin: admin, logger: logger)]
        } ?? []
        let policies = PolicyCache(
            sources: try policySources(configuration.policies) + followers, signers: rules.workPolicies.signers,
            logger: logger)
        let sources = SourceConfiguration.byTopic(rules)
        let decider = Decider(
            reader: BatchReader(
                sources: sources,
                limits: EventAgeLimits(
                    maximumAge: configuration.limits.maximumEventAge,
                    maximumAhead: configuration.limits.maximumEventAhead), worker: configuration.workerID),
            clock: clock, ledger: ledger, rules: rules, policies: policies, keys: keys,
            tokenIDSecret: secrets.tokenID, worker: configuration.workerID, isDryRun: configuration.isDryRun,
            metrics: metrics, logger: logger)
        var reading = configuration.kafka
        if reading["group.id"] == nil { reading["group.id"] = "clawgrant" }
        let consumers = try (0..<max(1, configuration.limits.lanes)).map { _ in
            try KafkaConsumer(configuration: reading, log: logger.kafka)
        }
        let lanes = consumers.map {
            DecideLane(consumer: $0, decider: decider, limits: configuration.limits, logger: logger)
        }
        let renderer = BatchRenderer(
            logID: configuration.logID, topics: configuration.outputs,
            logKeys: keys.acceptedKeys(for: .receipt, at: clock()).map(\.publicKey),
            minters: try tokenMinters(keys, at: clock()), sealingSecret: secrets.sealing)
        let publisher = Publisher(
            ledger: ledger, renderer: renderer, configuration: configuration.kafka,
            usesTransactions: configuration.usesTransactions, topics: configuration.outputs, admin: admin,
            metrics: metrics, logger: logger)
        try await KeyRegistration(ledger: ledger, worker: configuration.workerID).register(keys, at: clock())
        return WorkerParts(
            rules: rules, ledger: ledger, pool: pool, lanes: lanes, consumers: consumers,
            leases: LeaseService(
                ledger: ledger, worker: configuration.workerID, lanes: lanes, topics: sources.keys.sorted(),
                admin: admin, offsets: consumers[0], limits: configuration.limits, logger: logger),
            sweep: SweepService(
                ledger: ledger, worker: configuration.workerID, decider: decider, limits: configuration.limits,
                logger: logger),
            seal: SealService(
                ledger: ledger, worker: configuration.workerID, logID: configuration.logID, keys: keys,
                publisher: publisher, limits: configuration.limits, clock: clock, metrics: metrics, logger: logger),
            followers: followers, admin: admin)
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

    /// A minter for each key that may have signed a token which is still to be published.
    private static func tokenMinters(_ keys: KeyRing, at now: Timestamp) throws -> [KeyID: CSTMinter] {
        let signer = try keys.signer(for: .token, at: now)
        return [signer.publicKey.kid: CSTMinter(signer: signer)]
    }

    /// Waits until nothing is left to seal, so that a graceful stop leaves nothing behind that only time would mend.
    func drain(atMost timeout: Duration) async throws {
        let deadline = ContinuousClock.now + timeout
        while ContinuousClock.now < deadline {
            let status = try await ledger.status()
            if status.unsealedGroups == 0, status.nextBatchToPublish >= status.batches { return }
            try await ledger.waitForWork(atMost: .milliseconds(50))
        }
    }

    func close() async {
        for consumer in consumers { _ = await consumer.close(deadline: .seconds(5)) }
        _ = await admin.close(deadline: .seconds(2))
        await ledger.close()
        await pool.shutdown()
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
            throw ConfigurationError("\(configuration.tokenIDSecretFile) holds fewer than 32 bytes; run `clawgrant keys`")
        }
        guard let sealingSecret = SealingSecret(bytes: sealing.copyExposed()) else {
            throw ConfigurationError("\(configuration.sealingSecretFile) holds fewer than 32 bytes; run `clawgrant keys`")
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
