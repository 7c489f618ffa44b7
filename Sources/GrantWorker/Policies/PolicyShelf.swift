public import ClawWire
public import IssuanceRules
import Logging

/// The WPCs of a worker, verified, for those who accompany it.
public struct PolicyShelf: Sendable {
    let cache: PolicyCache

    init(cache: PolicyCache) { self.cache = cache }

    /// A shelf without a source: it has no WPC.
    public init() {
        cache = PolicyCache(sources: [], signers: [], logger: Logger(label: "clawgrant"))
    }

    /// The WPC of a hash, loaded from where the worker finds WPCs when it is not known yet.
    public func policy(of hash: Digest) async -> WPCAvailability {
        await cache.load([hash])
        return cache.known()[hash] ?? .unavailable(reason: "the WPC \(hash) is not loaded yet")
    }
}
