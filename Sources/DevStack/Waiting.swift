import Primitives

/// Waits until a condition holds, asking again and again.
///
/// This is the one place that polls. Use it only for conditions that announce themselves in no other way: a server
/// that begins to answer, a row that appears. What has an event is waited for by that event.
///
/// - Parameters:
///   - deadline: How long to go on asking. The condition is asked at least once.
///   - description: What is waited for, as it is to read after "waiting for" in the error.
///   - interval: The pause between two questions.
///   - condition: The question; an error it throws ends the wait and is passed on.
/// - Throws: `DevStackError` with `deadlineExceeded`, the condition's own error, or `CancellationError`.
public func waitUntil(
    deadline: Duration,
    description: String,
    interval: Duration = .milliseconds(10),
    condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now.advanced(by: deadline)
    while true {
        if try await condition() { return }
        guard clock.now < end else {
            throw DevStackError(.deadlineExceeded, "Gave up after \(deadline) of waiting for \(description).")
        }
        try await clock.sleep(for: interval)
    }
}

/// A value that is set once and that any number of tasks can wait for.
final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [UInt64: CheckedContinuation<Value?, Never>] = [:]
        var abandoned: Set<UInt64> = []
        var lastID: UInt64 = 0
    }

    private let state = Lock(State())

    /// The value, if it is set already.
    var current: Value? { state.withLock { $0.value } }

    /// Sets the value and wakes everyone who waits; a second call changes nothing.
    func fulfil(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil else { return [CheckedContinuation<Value?, Never>]() }
            state.value = value
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value; nil when the limit passes or the task is cancelled first.
    func value(within limit: Duration) async -> Value? {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            if !Task.isCancelled { self.abandon(id) }
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Value?? = state.withLock { state in
                    if let value = state.value { return .some(value) }
                    if state.abandoned.remove(id) != nil { return .some(nil) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            abandon(id)
        }
    }

    private func abandon(_ id: UInt64) {
        let waiter = state.withLock { state in
            if state.value == nil, state.waiters[id] == nil { state.abandoned.insert(id) }
            return state.waiters.removeValue(forKey: id)
        }
        waiter?.resume(returning: nil)
    }
}
