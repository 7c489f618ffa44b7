import ClawWire
import GrantWorker

/// The routes of keys, tokens and revocations, with what keeps them up to date.
struct Issuer: Sendable {
    let groups: [any RouteGroup]

    init(
        _ surroundings: WorkerSurroundings, _ settings: HTTPSettings, clock: @escaping @Sendable () -> Timestamp
    ) throws {
        groups = []
    }

    /// Keeps them up to date until cancelled.
    func run() async throws {}
}
