import Primitives

/// What a double has been given: events by their sequence numbers, and what was wrong with how they came.
public final class ReceivedEvents: Sendable {
    private struct State {
        var counts: [Int64: Int] = [:]
        var refused: Set<Int64> = []
        var highest: Int64?
        var complaints: [String] = []
    }

    private let state = Lock(State())

    init() {}

    /// The events that are there, each once, in order.
    public var sequences: [Int64] { state.withLock { $0.counts.keys.sorted() } }
    /// How often events came that were there already.
    public var repeats: Int { state.withLock { $0.counts.values.reduce(0) { $0 + $1 - 1 } } }
    /// What a real collector would not have noticed and a careful one does.
    public var complaints: [String] { state.withLock { $0.complaints } }

    func complain(_ text: String) { state.withLock { $0.complaints.append(text) } }

    /// Notes an event that is not taken, so that the gap it leaves is none of the sender's.
    func refuse(_ sequence: Int64) { state.withLock { state in _ = state.refused.insert(sequence) } }

    /// Notes events that are there now; none may be left out between two.
    func store(_ sequences: [Int64]) {
        state.withLock { state in
            for sequence in sequences {
                state.counts[sequence, default: 0] += 1
                if let highest = state.highest, sequence > highest + 1 {
                    let between = (highest + 1)..<sequence
                    if between.contains(where: { !state.refused.contains($0) }) {
                        state.complaints.append("nothing between \(highest) and \(sequence)")
                    }
                }
                state.highest = max(state.highest ?? sequence, sequence)
            }
        }
    }
}
