/// The passage of time: how services measure it and wait for it.
///
/// It is the continuous clock, and the tasks of a simulation are given another one by ``$source``. Dates are not its
/// business: they come from the ledger, or from a clock that whoever needs it is handed.
public enum SteadyTime {
    /// Time for the tasks of a simulation; `nil` for the continuous clock.
    @TaskLocal public static var source: (any SteadyTimeSource)?

    /// The present, by a clock that nobody sets.
    public static var now: ContinuousClock.Instant { source?.now ?? .now }

    /// Waits.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, at once.
    public static func sleep(until instant: ContinuousClock.Instant) async throws {
        if let source {
            try await source.sleep(until: instant)
        } else {
            try await ContinuousClock().sleep(until: instant)
        }
    }

    /// Waits.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, at once.
    public static func sleep(for time: Duration) async throws { try await sleep(until: now + time) }

    /// A number of a range by chance.
    public static func random(in range: ClosedRange<Int>) -> Int { source?.random(in: range) ?? .random(in: range) }

    /// Starts a task of its own that lives by the same time as its maker.
    @discardableResult
    public static func detach(_ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: source?.executor, operation: work)
    }
}

/// Another time than that of the world outside, and the chance that goes with it.
public protocol SteadyTimeSource: Sendable {
    /// The present.
    var now: ContinuousClock.Instant { get }

    /// What tasks that live by this time run on.
    var executor: any TaskExecutor { get }

    /// Waits.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, at once.
    func sleep(until instant: ContinuousClock.Instant) async throws

    /// A number of a range by chance.
    func random(in range: ClosedRange<Int>) -> Int
}
