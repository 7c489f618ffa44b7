import ClawWire
import GrantLedger

/// Where one sink stands and what is done next. Pure: no clock, no ledger, no sink.
///
/// `position` is what the ledger holds, `cursor` where sending goes on. The cursor is behind the position while events
/// are repeated, and ahead of it only over events that cannot be read any more.
struct SinkCourse: Sendable, Equatable {
    /// What is done with the events that wait, which begin at the cursor.
    enum Move: Sendable, Equatable {
        /// This many are sent.
        case send(Int)
        /// This many are left out: the sink will never take them.
        case leaveOut(Int)
    }

    /// The first event that it was to get.
    let first: Int64
    /// How many events are repeated whenever it begins anew.
    let repeated: Int64
    private(set) var position: Int64
    private(set) var cursor: Int64
    private(set) var failures: Int32
    private(set) var isReported: Bool
    /// Events behind the cursor that the sink refused for good.
    private(set) var refused: Set<Int64> = []
    /// Events that were passed over because they cannot be read any more, and that the ledger is still to be told of.
    private(set) var unread: Range<Int64>?

    init(_ stored: SinkPosition, repeated: Int) {
        first = stored.first
        self.repeated = Int64(max(0, repeated))
        position = stored.next
        failures = stored.failures
        isReported = stored.isReported
        cursor = max(stored.first, stored.next - self.repeated)
    }

    /// What is done with events, the first of which is at the cursor.
    ///
    /// - Parameters:
    ///   - sizes: their lengths in bytes, at least one.
    ///   - maximumEvents: most events of a delivery.
    ///   - maximumBytes: most bytes of a delivery; one event alone may have more.
    func move(over sizes: some Collection<Int>, maximumEvents: Int, maximumBytes: Int) -> Move {
        if refused.contains(cursor) {
            var count = 1
            while count < sizes.count, refused.contains(cursor + Int64(count)) { count += 1 }
            return .leaveOut(count)
        }
        var count = 0
        var bytes = 0
        for size in sizes {
            guard count < max(1, maximumEvents), count == 0 || bytes + size <= maximumBytes,
                !refused.contains(cursor + Int64(count))
            else { break }
            bytes += size
            count += 1
        }
        return .send(count)
    }

    /// The sink has so many more events. Returns what the ledger is told, `nil` for nothing.
    mutating func delivered(_ count: Int) -> SinkStep? {
        cursor += Int64(count)
        guard cursor > position || failures > 0 else { return nil }
        return .delivered(to: max(position, cursor))
    }

    /// So many events are left out. Returns what the ledger is told, `nil` for nothing.
    mutating func leftOut(_ count: Int) -> SinkStep? {
        for number in cursor..<(cursor + Int64(count)) { refused.remove(number) }
        cursor += Int64(count)
        return cursor > position ? .skipped(to: cursor) : nil
    }

    /// Events up to `end` cannot be read any more.
    mutating func passOver(to end: Int64) {
        cursor = max(cursor, end)
        if end > position { unread = (unread?.lowerBound ?? position)..<end }
    }

    /// The sink refused some of the first `count` events for good, and has all before the first of them.
    ///
    /// - Returns: how many it has; `nil` when none of these events was refused.
    mutating func refuse(_ numbers: Set<SequenceNumber>, ofNext count: Int) -> Int? {
        let known = Set(numbers.map(\.value)).intersection(cursor..<(cursor + Int64(count)))
        guard let lowest = known.min() else { return nil }
        refused.formUnion(known)
        return Int(lowest - cursor)
    }

    /// The ledger has written down what happened.
    mutating func settled(_ step: SinkStep) {
        switch step {
        case .delivered(let next):
            position = next
            failures = 0
            isReported = false
        case .skipped(let next):
            position = next
            unread = nil
        case .failed(_, let reported):
            failures += 1
            isReported = isReported || reported
            cursor = max(first, position - repeated)
        }
    }
}
