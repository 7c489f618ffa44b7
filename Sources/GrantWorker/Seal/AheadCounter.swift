import Primitives

/// Counts rounds of sealing that wait to be published.
final class AheadCounter: Sendable {
    private let count = Lock(0)

    var value: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }

    func remove() { count.withLock { $0 -= 1 } }
}
