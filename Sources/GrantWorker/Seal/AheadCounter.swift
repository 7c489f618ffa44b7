import Primitives

/// Counts rounds of sealing that wait to be published, and lets the sealer wait a while for room.
final class AheadCounter: Sendable {
    private struct State {
        var count = 0
        /// The wait that is under way, by its number; waits are numbered from 1.
        var waiter: (number: Int, bound: Int, continuation: CheckedContinuation<Void, Never>)?
        var lastWait = 0
        /// The last wait whose time is over.
        var lastExpired = 0
    }

    private let state = Lock(State())

    var value: Int { state.withLock { $0.count } }

    func add() { state.withLock { $0.count += 1 } }

    func remove() {
        wake { state in
            state.count -= 1
            return state.waiter.map { state.count < $0.bound } ?? false
        }
    }

    /// Returns when fewer than `bound` rounds wait, and after `limit` at the latest. For one caller at a time.
    func waitUntilBelow(_ bound: Int, atMost limit: Duration) async {
        let number = state.withLock { state in
            state.lastWait += 1
            return state.lastWait
        }
        let alarm = Task {
            try? await Task.sleep(for: limit)
            wake { state in
                state.lastExpired = max(state.lastExpired, number)
                return state.waiter?.number == number
            }
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state -> Bool in
                if state.count < bound || state.lastExpired >= number { return true }
                state.waiter = (number, bound, continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        alarm.cancel()
    }

    private func wake(when isDue: (inout State) -> Bool) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard isDue(&state) else { return nil }
            defer { state.waiter = nil }
            return state.waiter?.continuation
        }
        continuation?.resume()
    }
}
