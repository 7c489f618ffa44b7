import Primitives

/// Answers that everybody who asks for the same thing at about the same time shares, so that ten open consoles cost the
/// database what one does, and no more than a few readings run at once.
final class SharedAnswers<Value: Sendable>: Sendable {
    private struct Entry {
        let task: Task<Value, any Error>
        let startedAt: ContinuousClock.Instant
        let id: UInt64
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Lock(State())
    private let lifetime: Duration
    private let capacity: Int
    private let gate: ReadingGate

    /// - Parameters:
    ///   - lifetime: how old an answer may be.
    ///   - capacity: answers that are kept.
    ///   - gate: limits readings; `nil` for readings that are already limited.
    init(lifetime: Duration, capacity: Int, gate: ReadingGate) {
        self.lifetime = lifetime
        self.capacity = capacity
        self.gate = gate
    }

    /// The answer to a question: one that is young enough, or a new one that is made once for all who ask meanwhile. A
    /// failure is shared by those who wait for it and not kept.
    func answer(_ question: String, _ make: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let entry = state.withLock { state -> Entry in
            let now = ContinuousClock.now
            if let entry = state.entries[question], now - entry.startedAt < lifetime { return entry }
            state.entries = state.entries.filter { now - $0.value.startedAt < lifetime }
            if state.entries.count >= capacity,
                let oldest = state.entries.min(by: { $0.value.startedAt < $1.value.startedAt })
            {
                state.entries[oldest.key] = nil
            }
            state.nextID += 1
            let entry = Entry(
                task: Task { [gate] in try await gate.pass(make) }, startedAt: now, id: state.nextID)
            state.entries[question] = entry
            return entry
        }
        do {
            return try await entry.task.value
        } catch {
            state.withLock { state in
                if state.entries[question]?.id == entry.id { state.entries[question] = nil }
            }
            throw error
        }
    }
}

/// Lets a few through at a time; the others wait in line, and are turned away when the line is long.
final class ReadingGate: Sendable {
    /// The line is full.
    struct Busy: Error {}

    private struct State {
        var inside = 0
        var line: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())
    private let width: Int
    private let longestLine: Int

    init(width: Int, longestLine: Int) {
        self.width = width
        self.longestLine = longestLine
    }

    /// How many stand in line.
    var waiting: Int { state.withLock { $0.line.count } }

    func pass<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        try await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async throws(Busy) {
        enum Admission { case inside, line, refused }
        // Decided once for those who go in at once or not at all; whoever waits is decided again in line.
        let admission = state.withLock { state -> Admission in
            if state.inside < width {
                state.inside += 1
                return .inside
            }
            return state.line.count < longestLine ? .line : .refused
        }
        switch admission {
        case .inside: return
        case .refused: throw Busy()
        case .line:
            await withCheckedContinuation { continuation in
                let isInside = state.withLock { state in
                    guard state.inside >= width else {
                        state.inside += 1
                        return true
                    }
                    state.line.append(continuation)
                    return false
                }
                if isInside { continuation.resume() }
            }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if !state.line.isEmpty { return state.line.removeFirst() }
            state.inside -= 1
            return nil
        }
        next?.resume()
    }
}
