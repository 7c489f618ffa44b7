public import ClawWire
import Foundation
public import GrantWorker

/// The routes beyond those of keys, tokens and revocations: evidence, preflights, claims, health and the description of
/// all of them.
public enum IssuerSurface {
    /// The routes of a worker, and what its metadata says of them.
    ///
    /// - Parameter clock: the worker's own clock.
    /// - Throws: what a part of them needs and does not find: a secret, a rule.
    public static func parts(
        _ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp = now
    ) throws -> IssuerAPIParts {
        let issuer = surroundings.configuration.http?.issuer ?? ""
        var groups: [any RouteGroup] = [
            ComparedRoutes(
                group: EvidenceRoutes(
                    ledger: surroundings.ledger, keys: surroundings.keys, at: clock(), logger: surroundings.logger),
                isLevel: { [lineage = surroundings.lineage] in lineage?.isLevel ?? true }),
            try PreflightRoutes(surroundings, clock: clock), HealthRoutes(surroundings, clock: clock), OpenAPIRoutes(),
        ]
        var metadata: JSONObject = ["service_documentation": .string("\(issuer)/openapi.yaml")]
        if let claims = try GrantClaims.make(surroundings, clock: clock) {
            groups.append(claims)
            metadata["dpop_signing_alg_values_supported"] = ["EdDSA", "ES256"]
        }
        return IssuerAPIParts(groups: groups, metadata: metadata)
    }

    /// The machine's clock.
    @Sendable public static func now() -> Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6))
    }
}
