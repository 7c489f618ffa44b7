import CrashPoints

/// Runs simulated worlds.
public struct Simulator: Sendable {
    private let cast: Cast

    /// Makes a simulator.
    ///
    /// - Throws: when the rules of the simulated cast do not read.
    public init() throws {
        cast = try Cast()
        CrashPoint.arm()
    }

    /// Runs one world from its beginning to its verdict, on the calling thread.
    ///
    /// - Throws: ``SimulationError`` and what keeps a world from being made.
    public func run(_ plan: RunPlan) throws -> RunReport { try World(plan, cast).run() }
}
