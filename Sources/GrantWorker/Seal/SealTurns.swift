import GrantLedger
import Primitives

/// When a sealer's turn comes, and what it may seal.
///
/// A round that is sealed before the one in front of it is published only waits, and what is decided meanwhile waits for a
/// round of its own. So the next round is sealed when the last one is published; only while whole rounds are waiting to be
/// sealed is one sealed ahead, so that neither side stands still. Rounds that are not full keep a distance: each costs the
/// broker a transaction. Stops are sealed at once, whatever waits.
final class SealTurns: Sendable {
    /// What a turn is for.
    enum Turn: Sendable, Hashable {
        /// Everything that waits.
        case everything
        /// Stops and their like: there is no room for more.
        case controlAlone
    }

    private struct State {
        /// Rounds that are sealed and not published.
        var ahead = 0
        /// True when the last round was full: more is waiting.
        var isBacklog = false
        /// Before this, only full rounds and stops are sealed.
        var notBefore = SteadyTime.now
        var hasWork = true
        var hasControl = true
        /// The wait that is under way, by its number; waits are numbered from 1.
        var waiter: (number: Int, continuation: CheckedContinuation<Void, Never>)?
        var lastWait = 0
        /// The last wait whose time is over.
        var lastExpired = 0

        var hasRoom: Bool { ahead < (isBacklog ? 2 : 1) }

        func isEverythingDue(at now: ContinuousClock.Instant) -> Bool { hasRoom && (isBacklog || now >= notBefore) }

        /// The turn that is due.
        func due(at now: ContinuousClock.Instant) -> Turn? {
            if hasWork, isEverythingDue(at: now) { return .everything }
            return hasControl ? .controlAlone : nil
        }
    }

    private let state = Lock(State())
    private let distance: Duration

    /// - Parameter distance: time from one round that is not full to the next.
    init(distance: Duration) { self.distance = distance }

    /// True when everything that was sealed is published.
    var isLevel: Bool { state.withLock { $0.ahead == 0 } }

    /// Something was announced.
    func announced(_ priority: SealPriority) {
        wake { state in
            state.hasWork = true
            if priority == .control { state.hasControl = true }
        }
    }

    /// A round was sealed.
    func sealed(_ turn: Turn, isFull: Bool) {
        wake { state in
            state.ahead += 1
            guard turn == .everything else { return }
            state.isBacklog = isFull
            state.notBefore = SteadyTime.now + distance
            if isFull { state.hasWork = true }
        }
    }

    /// A round was published.
    func published() { wake { $0.ahead -= 1 } }

    /// The next turn: as soon as there is something to seal and room for it, and after `limit` without being told.
    /// For one caller at a time.
    func next(atMost limit: Duration) async -> Turn {
        let deadline = SteadyTime.now + limit
        while true {
            let notBefore = state.withLock { $0.notBefore }
            await wait(until: notBefore > SteadyTime.now ? min(notBefore, deadline) : deadline)
            let now = SteadyTime.now
            let turn = state.withLock { state -> Turn? in
                var turn = state.due(at: now)
                if turn == nil, now >= deadline { turn = state.isEverythingDue(at: now) ? .everything : .controlAlone }
                // Before looking: what is announced from now on needs another look.
                if turn != nil { state.hasControl = false }
                if turn == .everything { state.hasWork = false }
                return turn
            }
            if let turn { return turn }
        }
    }

    /// Returns when a turn is due, and at `time` at the latest.
    private func wait(until time: ContinuousClock.Instant) async {
        let number = state.withLock { state in
            state.lastWait += 1
            return state.lastWait
        }
        let alarm = SteadyTime.detach { [self] in
            try? await SteadyTime.sleep(until: time)
            wake { $0.lastExpired = max($0.lastExpired, number) }
        }
        defer { alarm.cancel() }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state -> Bool in
                if state.due(at: SteadyTime.now) != nil || state.lastExpired >= number { return true }
                state.waiter = (number, continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            guard let waiter = state.waiter, state.due(at: SteadyTime.now) != nil || state.lastExpired >= waiter.number
            else {
                return nil
            }
            state.waiter = nil
            return waiter.continuation
        }
        continuation?.resume()
    }
}
