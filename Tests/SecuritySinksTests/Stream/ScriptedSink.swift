import ClawWire
import Primitives
import SecurityEvents

@testable import SecuritySinks

/// A sink in memory that misbehaves by a script.
final class ScriptedSink: SecurityEventSink {
    /// What becomes of a delivery.
    enum Act: Sendable {
        /// Takes it.
        case take
        /// Refuses it for now.
        case busy(after: Duration?)
        /// Takes so many and then breaks.
        case partial(Int)
        /// Takes all and loses the word for it.
        case lostAcknowledgement
        /// Refuses these numbers for good, and has what comes before the first of them.
        case poison(Set<Int64>)
        /// Needs another configuration.
        case misconfigured
        /// Never answers, until it is cancelled.
        case dead
    }

    private struct State {
        var script: [Act]
        var always: Act
        var arrived: [Int64] = []
        var deliveries: [[Int64]] = []
        var isClosed = false
    }

    let name: String
    let maximumEvents: Int
    let maximumBytes: Int
    let replayedEvents: Int
    private let size: Int?
    private let state: Lock<State>

    /// - Parameters:
    ///   - script: what becomes of the first deliveries.
    ///   - always: what becomes of every further one.
    ///   - size: length of every rendered event; its real one when `nil`.
    init(
        _ name: String = "sink", _ script: [Act] = [], always: Act = .take, maximumEvents: Int = 10,
        maximumBytes: Int = 1 << 20, replayedEvents: Int = 0, size: Int? = nil
    ) {
        self.name = name
        self.maximumEvents = maximumEvents
        self.maximumBytes = maximumBytes
        self.replayedEvents = replayedEvents
        self.size = size
        state = Lock(State(script: script, always: always))
    }

    /// Numbers of the events that arrived, in order, repeats too.
    var arrived: [Int64] { state.withLock { $0.arrived } }
    /// Numbers of every delivery that was tried.
    var deliveries: [[Int64]] { state.withLock { $0.deliveries } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// From now on every delivery ends like this.
    func become(_ act: Act) {
        state.withLock { state in
            state.script = []
            state.always = act
        }
    }

    func rendered(_ event: SecurityEvent) -> [UInt8] {
        size.map { [UInt8](repeating: 0x61, count: $0) } ?? Array(SecurityEventFormat.ocsf.line(event).utf8)
    }

    func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let numbers = events.map(\.sequence.value)
        let act = state.withLock { state -> Act in
            state.deliveries.append(numbers)
            return state.script.isEmpty ? state.always : state.script.removeFirst()
        }
        switch act {
        case .take: arrive(numbers)
        case .busy(let after): throw SinkFailure(.retry(after: after), "busy")
        case .partial(let count):
            arrive(Array(numbers.prefix(count)))
            throw SinkFailure(.retry(after: nil), "broke off")
        case .lostAcknowledgement:
            arrive(numbers)
            throw SinkFailure(.retry(after: nil), "no word")
        case .poison(let refused):
            let mine = refused.intersection(numbers)
            guard let lowest = mine.min() else { return arrive(numbers) }
            arrive(numbers.filter { $0 < lowest })
            throw SinkFailure(.skip(Set(mine.map { SequenceNumber($0) })), "malformed\nevent \u{1B}[2J")
        case .misconfigured: throw SinkFailure(.misconfigured, "wrong credentials")
        case .dead:
            do { try await Task.sleep(for: .seconds(3_600)) } catch {
                throw SinkFailure(.retry(after: nil), "cancelled")
            }
        }
    }

    func close() async { state.withLock { $0.isClosed = true } }

    private func arrive(_ numbers: [Int64]) { state.withLock { $0.arrived += numbers } }
}

/// What sequence numbers tell of a delivery at least once, in order.
enum NumberCheck {
    /// Faults: numbers that are missing from a range, and numbers that come before a smaller one came first.
    static func faults(_ numbers: [Int64], _ range: Range<Int64>, without gaps: Set<Int64> = []) -> [String] {
        var faults: [String] = []
        let seen = Set(numbers)
        for number in range where !seen.contains(number) && !gaps.contains(number) {
            faults.append("\(number) is missing")
        }
        for number in seen where !range.contains(number) { faults.append("\(number) is out of range") }
        for number in gaps where seen.contains(number) { faults.append("\(number) came although it was refused") }
        var next = range.lowerBound
        for number in numbers {
            while gaps.contains(next) { next += 1 }
            if number > next { faults.append("\(number) came before \(next)") }
            next = max(next, number + 1)
        }
        return faults
    }
}
