/// Owns all progress of a simulated world: every job of every task, and every event of time.
///
/// Jobs that are ready run one after the other in an order that the dice choose. Only when none is left does time move,
/// to the next event. Nothing runs beside it.
final class Scheduler: @unchecked Sendable {
    // Safe to send: one thread calls `run`, and everything of a world happens within it, one job or event after the
    // other; before and after nothing of the world runs.

    private struct Ready {
        let job: UnownedJob
        let node: Node
    }

    private struct Event {
        let at: Int64
        let number: Int
        let action: () -> Void
    }

    /// Nanoseconds since the beginning.
    private(set) var now: Int64 = 0
    /// Jobs that were run.
    private(set) var steps = 0
    var dice: Dice
    var trace: Trace
    private var ready: [Ready] = []
    private var events: [Event] = []
    private var nextEvent = 0
    private let origin = ContinuousClock.now

    init(seed: UInt64, keepsTrace: Bool) {
        dice = Dice(seed: seed)
        trace = Trace(isKept: keepsTrace)
    }

    /// The present as services see it.
    var instant: ContinuousClock.Instant { origin.advanced(by: .nanoseconds(now)) }

    /// Nanoseconds from the beginning to an instant.
    func time(of instant: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = origin.duration(to: instant).components
        return seconds * 1_000_000_000 + (attoseconds + 999_999_999) / 1_000_000_000
    }

    func enqueue(_ job: UnownedJob, on node: Node) { ready.append(Ready(job: job, node: node)) }

    /// Does something later.
    func after(_ delay: Int64, _ action: @escaping () -> Void) { at(now + max(0, delay), action) }

    /// Does something at a time.
    func at(_ time: Int64, _ action: @escaping () -> Void) {
        events.append(Event(at: max(time, now), number: nextEvent, action: action))
        nextEvent += 1
        var child = events.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { break }
            events.swapAt(child, parent)
            child = parent
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        events[left].at != events[right].at
            ? events[left].at < events[right].at : events[left].number < events[right].number
    }

    private func popEvent() -> Event? {
        guard let first = events.first else { return nil }
        let last = events.removeLast()
        guard !events.isEmpty else { return first }
        events[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < events.count && precedes(child, least) {
                least = child
            }
            guard least != parent else { return first }
            events.swapAt(least, parent)
            parent = least
        }
    }

    /// How a run of the scheduler ended.
    enum Ending: Sendable, Hashable {
        /// The condition came true.
        case reached
        /// The time was over first.
        case timedOut
        /// So many jobs ran that something must be going round in circles.
        case exhausted
        /// Nothing is left that could happen.
        case idle
    }

    /// Runs until a condition, which is looked at whenever time moves.
    ///
    /// - Parameters:
    ///   - time: by when, in nanoseconds since the beginning.
    ///   - maximumSteps: most jobs.
    func run(until time: Int64, maximumSteps: Int, _ condition: () -> Bool = { false }) -> Ending {
        let lastStep = steps + maximumSteps
        while true {
            while !ready.isEmpty {
                let index = dice.below(ready.count)
                ready.swapAt(index, ready.count - 1)
                let next = ready.removeLast()
                guard next.node.takes(next.job) else { continue }
                steps += 1
                guard steps <= lastStep else { return .exhausted }
                unsafe next.job.runSynchronously(on: next.node.asUnownedTaskExecutor())
            }
            if condition() { return .reached }
            guard let next = events.first else { return .idle }
            guard next.at <= time else {
                now = max(now, time)
                return .timedOut
            }
            guard let event = popEvent() else { return .idle }
            now = max(now, event.at)
            event.action()
        }
    }
}
