import DevStack
import Playground
import Primitives

/// One worker and what happens to it. It also does what a service manager does: starts again what ended by itself.
///
/// A track is used by one task at a time.
final class WorkerTrack: Sendable {
    let worker: PlaygroundWorker
    private let tally: Tally
    private let journal: Journal
    private let wasStartedAt = Lock(ContinuousClock.now)
    /// Whether the end of the present process was noted already.
    private let isEndNoted = Lock(false)

    /// How long a worker that ended by itself stays down, as `RestartSec` of a service would have it.
    private static let restartPause = Duration.milliseconds(250)

    /// A process this young has nothing to lose; killing it would only make a number larger.
    private static let infancy = Duration.milliseconds(150)

    init(_ worker: PlaygroundWorker, tally: Tally, journal: Journal) {
        self.worker = worker
        self.tally = tally
        self.journal = journal
        tally.count { $0.starts += 1 }
    }

    /// Does what the plan says for this worker.
    func perform(_ actions: [WorkerAction], from start: ContinuousClock.Instant) async throws {
        for action in actions {
            try await supervise(until: start + .milliseconds(action.at))
            switch action.kind {
            case .kill(let pause):
                guard await kill(whileFrozen: false) else { continue }
                if pause > 0 { try await Task.sleep(for: .milliseconds(pause)) }
                try restart()
            case .freeze(let lasting, let forEver): try await freeze(lasting, forEver: forEver)
            case .retire: try await retire()
            }
        }
    }

    /// Keeps the worker running until then.
    func supervise(until end: ContinuousClock.Instant) async throws {
        while true {
            try noteEnd()
            let left = end - .now
            guard left > .zero else { return }
            try await Task.sleep(for: min(left, .milliseconds(50)))
        }
    }

    private func noteEnd() throws {
        guard worker.exitedByItself else { return }
        let isFirst = isEndNoted.withLock { noted in
            defer { noted = true }
            return !noted
        }
        if isFirst {
            let end = worker.exitStatus.map { "\($0)" } ?? "unknown"
            journal.write("\(worker.name) ended by itself, \(end): \(worker.logTail(lines: 2))")
            tally.count { $0.exits += 1 }
            // An orderly end with a reason is what a worker owes that cannot go on; all else is a defect.
            switch worker.exitStatus {
            case .code(1), .code(2): break
            case .code, .signal, nil:
                tally.violate("\(worker.name) crashed, \(end): \(worker.logTail(lines: 30))")
            }
            wasStartedAt.withLock { $0 = .now }
        }
        if wasStartedAt.withLock({ $0 }) + Self.restartPause < .now { try restart() }
    }

    private func restart() throws {
        try worker.start()
        isEndNoted.withLock { $0 = false }
        wasStartedAt.withLock { $0 = .now }
        tally.count { $0.starts += 1 }
    }

    /// - Returns: Whether there was somebody to kill.
    private func kill(whileFrozen: Bool) async -> Bool {
        let age = ContinuousClock.now - wasStartedAt.withLock { $0 }
        guard worker.isRunning, age >= Self.infancy else { return false }
        await worker.kill()
        // It may have ended in the instant before.
        guard worker.exitStatus == .signal(9) else { return true }
        journal.write("\(worker.name) killed")
        tally.count {
            $0.kills += 1
            $0.lives.append(age)
            if whileFrozen { $0.killsWhileFrozen += 1 }
        }
        return true
    }

    private func freeze(_ lasting: Int, forEver: Bool) async throws {
        guard worker.isRunning else { return }
        worker.freeze()
        journal.write("\(worker.name) frozen for \(lasting) ms")
        do {
            try await Task.sleep(for: .milliseconds(lasting))
        } catch {
            worker.thaw()
            throw error
        }
        if forEver {
            if await kill(whileFrozen: true) { try restart() }
        } else {
            worker.thaw()
            tally.count { $0.freezes += 1 }
        }
    }

    private func retire() async throws {
        guard worker.isRunning else { return }
        journal.write("\(worker.name) asked to leave")
        let end = await worker.stop(within: .seconds(3))
        journal.write("\(worker.name) left: \(end.map { "\($0)" } ?? "unknown")")
        // What does not leave in time is killed, as a service manager does; while everything breaks that is no finding.
        tally.count { if end != .signal(9) { $0.retirements += 1 } }
        try restart()
    }

    /// Asks it to leave when all is well and nothing is left to do.
    func leave() async {
        guard let end = await worker.stop(within: .seconds(30)) else { return }
        if !end.isSuccess {
            tally.violate("\(worker.name) did not leave in good order, \(end): \(worker.logTail(lines: 10))")
        }
    }
}
