public import ClawWire
public import IssuanceRules
public import Logging

/// The WPCs of a worker, verified, for those who accompany it.
public struct PolicyShelf: Sendable {
    let cache: PolicyCache

    init(cache: PolicyCache) { self.cache = cache }

    /// A shelf without a source: it has no WPC.
    public init() {
        cache = PolicyCache(sources: [], signers: [], logger: Logger(label: "clawgrant"))
    }

    /// The WPCs that a configuration and its rules point to, but for those on a topic: for a process without a broker.
    ///
    /// - Throws: ``ConfigurationError`` for an address that is none.
    public init(
        _ configuration: WorkerConfiguration, rules: RuleSet, logger: Logger
    ) throws(ConfigurationError) {
        cache = PolicyCache(
            sources: try PolicySettings.sources(PolicySettings.resolve(configuration, rules)),
            signers: rules.workPolicies.signers, logger: logger)
    }

    /// The WPC of a hash, loaded from where the worker finds WPCs when it is not known yet.
    public func policy(of hash: Digest) async -> WPCAvailability {
        await cache.load([hash])
        return cache.known()[hash] ?? .unavailable(reason: "the WPC \(hash) is not loaded yet")
    }
}
