public import ClawWire
public import IssuanceRules
public import Kafka
public import Logging

/// Looks WPCs up where a worker would find them, for commands that are no workers: a lift that rests on a new WPC.
public struct PolicyLookup: Sendable {
    private let sources: WorkerConfiguration.PolicySources
    private let signers: [Ed25519PublicKey]
    private let kafka: KafkaConfiguration
    private let logger: Logger

    /// Makes a lookup; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - sources: where WPCs are, see ``WorkerConfiguration/PolicySources``.
    ///   - rules: whose WPCs are accepted.
    ///   - kafka: for a topic of WPCs.
    ///   - logger: told of WPCs that are refused.
    public init(
        sources: WorkerConfiguration.PolicySources, rules: RuleSet, kafka: KafkaConfiguration, logger: Logger
    ) {
        self.sources = sources
        signers = rules.workPolicies.signers
        self.kafka = kafka
        self.logger = logger
    }

    /// Whether a WPC is found and stands: hash, form and signature. Asks for at most so long.
    public func isVerified(_ hash: Digest, within limit: Duration = .seconds(10)) async -> Bool {
        var all: [any PolicySource] = []
        if let directory = sources.directory { all.append(DirectoryPolicySource(path: directory)) }
        if let url = sources.url, let registry = RegistryPolicySource(url: url) { all.append(registry) }
        if await stands(hash, all) { return true }
        guard let topic = sources.topic else { return false }
        return (try? await isOnTopic(topic, hash, within: limit)) ?? false
    }

    /// The envelope that a registry has under a policy hash, not verified yet; `nil` when it has none.
    ///
    /// - Parameters:
    ///   - hash: the WPC.
    ///   - url: the registry's base address, http or https.
    /// - Throws: when the registry does not answer, or with something that is no envelope.
    public static func registered(_ hash: Digest, at url: String) async throws -> [UInt8]? {
        guard let registry = RegistryPolicySource(url: url) else {
            throw RegistryPolicySource.RegistryError(description: "the address is neither http nor https")
        }
        return try await registry.envelope(of: hash)
    }

    private func stands(_ hash: Digest, _ sources: [any PolicySource]) async -> Bool {
        let cache = PolicyCache(sources: sources, signers: signers, patience: .seconds(10), logger: logger)
        await cache.load([hash])
        if case .available? = cache.known()[hash] { return true }
        return false
    }

    private func isOnTopic(_ topic: String, _ hash: Digest, within limit: Duration) async throws -> Bool {
        let admin = try KafkaAdmin(configuration: kafka, log: logger.kafka)
        let source = TopicPolicySource(topic: topic, configuration: kafka, admin: admin, logger: logger)
        let following = Task { try await source.run(until: { Task.isCancelled }) }
        let end = ContinuousClock.now + limit
        var isFound = false
        while !isFound, ContinuousClock.now < end, !Task.isCancelled {
            isFound = await stands(hash, [source])
            if !isFound { try? await Task.sleep(for: .milliseconds(100)) }
        }
        following.cancel()
        _ = await following.result
        await admin.close(deadline: .seconds(2))
        return isFound
    }
}
