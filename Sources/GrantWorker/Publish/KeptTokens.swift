import ClawWire
import Primitives

/// Tokens that this process signed when it decided and may be about to publish, so that it need not sign them again.
///
/// They are held in memory alone, a few thousand at most, each until it is taken, and only while the process has the role
/// of the sealer: nobody else publishes. A token that is not here is made again from its claims, with the same bytes.
final class KeptTokens: Sendable {
    private struct State {
        var isOpen = false
        var tokens: [TokenHash: BearerToken] = [:]
        /// Names in the order of their coming, those that were taken among them.
        var order: [TokenHash] = []
        /// Where in `order` the next name goes once it is full: the place of the oldest.
        var oldest = 0
    }

    private let capacity: Int
    private let state = Lock(State())

    init(capacity: Int = 4_096) { self.capacity = max(1, capacity) }

    /// Begins to keep what is signed.
    func open() { state.withLock { $0.isOpen = true } }

    /// Forgets everything and keeps nothing more.
    func close() { state.withLock { $0 = State() } }

    /// Keeps a token in the place of the oldest.
    func keep(_ token: BearerToken, _ hash: TokenHash) {
        state.withLock { state in
            guard state.isOpen, state.tokens.updateValue(token, forKey: hash) == nil else { return }
            if state.order.count < capacity {
                state.order.append(hash)
            } else {
                state.tokens[state.order[state.oldest]] = nil
                state.order[state.oldest] = hash
                state.oldest = (state.oldest + 1) % capacity
            }
        }
    }

    /// Gives a token away.
    func take(_ hash: TokenHash) -> BearerToken? { state.withLock { $0.tokens.removeValue(forKey: hash) } }
}
