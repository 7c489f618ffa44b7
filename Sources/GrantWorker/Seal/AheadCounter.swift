import Primitives

/// Counts rounds of sealing that wait to be published, and lets the sealer wait for room.
final class AheadCounter: Sendable {
    private struct State {
        var count = 0
        var isStopped = false
        var waiter: CheckedContinuation<Void, Never>?
        var bound = 0
    }

    private let state = Lock(State())

    var value: Int { state.withLock { $0.isStopped ? 0 : $0.count } }

    func add() { state.withLock { $0.count += 1 } }

    func remove() {
        wake { $0.count -= 1 }
    }

    func stop() {
        wake { $0.isStopped = true }
    }

    func waitUntilBelow(_ bound: Int) async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state -> Bool in
                if state.isStopped || state.count < bound { return true }
                state.bound = bound
                state.waiter = continuation
                return false
            }
            if isOpen { continuation.resume() }
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            guard state.isStopped || state.count < state.bound else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
