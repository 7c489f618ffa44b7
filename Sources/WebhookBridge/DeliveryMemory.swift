import ClawWire
import Primitives

/// Remembers which deliveries the broker has, so that a vendor's repeat is answered without being written again.
///
/// It is a courtesy to the topics, not the guard against repeats: that is downstream, and survives restarts.
final class DeliveryMemory: Sendable {
    /// A delivery. The body is part of it: the delivery's identifier is not signed, and whoever could replay an old body
    /// under the identifier of a delivery to come would otherwise have that one taken for a repeat.
    struct Key: Sendable, Hashable {
        let source: String
        let delivery: String
        let body: Digest
    }

    private struct State {
        var known: Set<Key> = []
        var ring: [Key] = []
        var oldest = 0
    }

    private let capacity: Int
    private let state = Lock(State())

    /// Remembers so many deliveries; beyond, the oldest is forgotten.
    init(capacity: Int) { self.capacity = max(1, capacity) }

    func contains(_ key: Key) -> Bool { state.withLock { $0.known.contains(key) } }

    func remember(_ key: Key) {
        state.withLock { state in
            guard state.known.insert(key).inserted else { return }
            if state.ring.count < capacity {
                state.ring.append(key)
            } else {
                state.known.remove(state.ring[state.oldest])
                state.ring[state.oldest] = key
                state.oldest = (state.oldest + 1) % capacity
            }
        }
    }
}
