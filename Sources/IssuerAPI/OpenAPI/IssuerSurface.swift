public import ClawWire
import Foundation
public import GrantWorker

/// The routes beyond those of keys, tokens and revocations: evidence, preflights, claims, health and the description of
/// all of them.
public enum IssuerSurface {
    /// The routes of a worker.
    ///
    /// - Parameter clock: the worker's own clock.
    /// - Throws: what a part of them needs and does not find: a secret, a rule.
    public static func groups(
        _ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp = now
    ) throws -> [any RouteGroup] {
        var groups: [any RouteGroup] = [
            EvidenceRoutes(
                ledger: surroundings.ledger, keys: surroundings.keys, at: clock(), logger: surroundings.logger),
            try PreflightRoutes(surroundings, clock: clock), HealthRoutes(surroundings, clock: clock), OpenAPIRoutes(),
        ]
        if let claims = try GrantClaims.make(surroundings, clock: clock) { groups.append(claims) }
        return groups
    }

    /// The machine's clock.
    @Sendable public static func now() -> Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6))
    }
}
