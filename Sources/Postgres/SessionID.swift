import Primitives

/// Which of this process's sessions with a server: no two have the same, whatever became of the earlier one.
///
/// What a client remembers of a server, such as values drawn from a sequence, it may remember for as long as the session
/// lasts. The next one may be with a replica that took over.
public struct SessionID: Sendable, Hashable, Comparable {
    private let value: UInt64

    private static let last = Lock<UInt64>(0)

    static func next() -> SessionID {
        SessionID(
            value: last.withLock { last in
                last += 1
                return last
            })
    }

    private init(value: UInt64) { self.value = value }

    /// True when the left session was begun first.
    public static func < (left: SessionID, right: SessionID) -> Bool { left.value < right.value }
}
