/// What a run simulates.
public struct RunPlan: Sendable {
    /// The seed, from which everything follows that is not said here.
    public var seed: UInt64
    /// How many workers live at a time; `nil` leaves it to the seed.
    public var workers: Int?
    /// What may go wrong.
    public var faults: Set<FaultKind> = Set(FaultKind.allCases)
    /// How many things people and systems do; `nil` leaves it to the seed.
    public var size: Int?
    /// Crashes at named points; `nil` leaves misfortune to chance.
    public var crashes: [PlannedCrash]?
    /// What the planned points bring about instead of crashes.
    public var takeover: PlannedTakeover?
    /// Whether a takeover may come, and workers hold the ledger against its topics because of it.
    public var hasTakeover = false
    /// Mistakes that the ledger makes.
    public var bugs: Set<PlantedBug> = []
    /// Whether the trace is kept line by line.
    public var keepsTrace = false

    /// Plans a run of a seed.
    public init(seed: UInt64) { self.seed = seed }
}

/// What a run came to.
public struct RunReport: Sendable {
    /// The seed.
    public let seed: UInt64
    /// What must not be so; empty for a good run.
    public let violations: [Violation]
    /// Requests that came to an outcome.
    public let decisions: Int
    /// Tokens that were granted.
    public let grants: Int
    /// Control events that were applied.
    public let controlEvents: Int
    /// What went wrong, by its kind.
    public let strikes: [FaultKind: Int]
    /// Simulated time, in nanoseconds.
    public let simulated: Int64
    /// Jobs that the scheduler ran.
    public let steps: Int
    /// Digest of the trace: equal runs have equal digests.
    public let digest: UInt64
    /// The trace, when it was asked for.
    public let trace: [String]
    /// How often each named point was come to.
    public let visits: [String: Int]
}
