import CrashPoints
import Primitives

/// A process of a simulated world, in one of its lives: a worker from its start to its crash, a server, an operator.
///
/// All its tasks run on it. A frozen node runs nothing, while time goes on. A dead one is cut off from everything: what its
/// tasks still do while they unwind reaches nobody.
final class Node: TaskExecutor, SteadyTimeSource, CrashPointObserver, @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    /// Why a wait of a node ended early.
    struct Gone: Error {}

    let name: String
    let scheduler: Scheduler
    /// How far this machine's clock is ahead, in microseconds.
    var clockOffset: Int64 = 0
    /// True where the world ends for good for this node.
    private(set) var isDead = false
    private(set) var isFrozen = false
    /// Told of every crash point that a task of the node passes.
    var onPoint: ((String) -> Void)?
    /// Told when the node dies: sessions and connections end.
    var onDeath: [() -> Void] = []
    private var held: [UnownedJob] = []
    private var waits: [Int: (Bool) -> Void] = [:]
    private var nextWait = 0
    private var root: Task<Void, Never>?

    init(_ name: String, _ scheduler: Scheduler) {
        self.name = name
        self.scheduler = scheduler
    }

    // MARK: Executing

    func enqueue(_ job: consuming ExecutorJob) { scheduler.enqueue(UnownedJob(job), on: self) }

    var executor: any TaskExecutor { self }

    /// Whether a job may run now; one of a frozen node is kept for later.
    func takes(_ job: UnownedJob) -> Bool {
        if isFrozen { held.append(job) }
        return !isFrozen
    }

    /// Starts the node's first task.
    func start(_ work: @escaping @Sendable () async -> Void) {
        root = Task(executorPreference: self) {
            await CrashPoint.$observer.withValue(self) {
                await SteadyTime.$source.withValue(self, operation: work)
            }
        }
    }

    func note(_ event: String) { scheduler.trace.note(scheduler.now, name, event) }

    /// What a task does after a crash, until it next waits, reaches nobody.
    func passes(_ point: CrashPoint) { onPoint?(point.rawValue) }

    // MARK: Fate

    /// Ends the node without warning.
    func kill() {
        guard !isDead else { return }
        note("dies")
        isDead = true
        thaw()
        for action in onDeath { action() }
        onDeath = []
        root?.cancel()
        let all = waits.sorted { $0.key < $1.key }
        waits = [:]
        for (_, end) in all { end(false) }
    }

    func freeze() {
        guard !isDead, !isFrozen else { return }
        note("freezes")
        isFrozen = true
    }

    func thaw() {
        guard isFrozen else { return }
        note("thaws")
        isFrozen = false
        for job in held { scheduler.enqueue(job, on: self) }
        held = []
    }

    // MARK: Time

    var now: ContinuousClock.Instant { scheduler.instant }

    func random(in range: ClosedRange<Int>) -> Int {
        Int(scheduler.dice.within(Int64(range.lowerBound)...Int64(range.upperBound)))
    }

    func sleep(until instant: ContinuousClock.Instant) async throws {
        try Task.checkCancellation()
        let due = scheduler.time(of: instant)
        guard await wait(orUntil: due, { _ in }) != .cut else { throw CancellationError() }
    }

    // MARK: Waiting

    /// How a wait ended.
    enum Wake: Sendable { case called, timedOut, cut }

    /// Wakes a wait; a second call does nothing.
    typealias Bell = () -> Void

    /// Waits until it is called, the time is over, the task is cancelled, or the node dies.
    ///
    /// - Parameters:
    ///   - due: nanoseconds since the beginning; `nil` for no limit.
    ///   - arrange: takes the bell that ends the wait.
    func wait(orUntil due: Int64?, _ arrange: (@escaping Bell) -> Void) async -> Wake {
        // Time passes for the dead too, or what they still do would go round without end.
        guard !Task.isCancelled, !isDead || due != nil else { return .cut }
        nextWait += 1
        let number = nextWait
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Wake, Never>) in
                var isTimed = false
                waits[number] = { continuation.resume(returning: $0 ? (isTimed ? .timedOut : .called) : .cut) }
                arrange { [weak self] in self?.end(number, true) }
                if let due {
                    scheduler.at(due) { [weak self] in
                        isTimed = true
                        self?.end(number, true)
                    }
                }
                if Task.isCancelled { end(number, false) }
            }
        } onCancel: {
            end(number, false)
        }
    }

    private func end(_ number: Int, _ isOrderly: Bool) { waits.removeValue(forKey: number)?(isOrderly) }
}
