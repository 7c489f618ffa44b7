import Kafka
import Playground
import Primitives

/// Reads the grants topic while workers write it, and notes when each grant could be read.
///
/// It looks at keys alone; that every grant is what it should be is checked afterwards, see ``ReadBack``.
final class GrantWatch: Sendable {
    private struct State {
        var count = 0
        var arrivals: [[UInt8]: ContinuousClock.Instant] = [:]
        var isStopped = false
        var failure: (any Error)?
    }

    private let consumer: KafkaConsumer
    private let playground: Playground
    private let notesArrivals: Bool
    private let state = Lock(State())
    private let task = Lock<Task<Void, Never>?>(nil)

    init(_ playground: Playground, notesArrivals: Bool = false) throws {
        self.playground = playground
        self.notesArrivals = notesArrivals
        var configuration = playground.clientConfiguration
        // What is measured is when a grant could be read, not how often this reader asks.
        configuration["fetch.wait.max.ms"] = "10"
        consumer = try KafkaConsumer(configuration: configuration)
    }

    /// Grants read so far.
    var count: Int { state.withLock { $0.count } }

    /// When the grant of each key was read.
    var arrivals: [[UInt8]: ContinuousClock.Instant] { state.withLock { $0.arrivals } }

    func start() async throws {
        try await consumer.assign(
            Dictionary(
                uniqueKeysWithValues: (0..<playground.options.outputPartitions).map {
                    (TopicPartition(topic: PlaygroundTopic.grants, partition: $0), 0)
                }))
        task.withLock { task in
            task = Task { await self.read() }
        }
    }

    private func read() async {
        while !state.withLock({ $0.isStopped }) {
            do {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 2_000, maximumBytes: 8 << 20, linger: .zero, timeout: .milliseconds(50))
                let now = ContinuousClock.now
                state.withLock { state in
                    state.count += batch.records.count
                    guard notesArrivals else { return }
                    for record in batch.records { if let key = record.key { state.arrivals[key] = now } }
                }
            } catch {
                state.withLock { $0.failure = error }
                return
            }
        }
    }

    /// Waits until so many grants could be read.
    ///
    /// - Parameter sample: is called about ten times a second with the count.
    func wait(
        for wanted: Int, within limit: Duration, sample: (Int) -> Void = { _ in }
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let (count, failure) = state.withLock { ($0.count, $0.failure) }
            sample(count)
            if let failure { throw failure }
            if count >= wanted { return }
            guard ContinuousClock.now < deadline else {
                throw BenchError("\(count) of \(wanted) grants came within \(limit); the workers' logs: \(logs)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private var logs: String {
        playground.workers.map { "\($0.name): \($0.logTail(lines: 5))" }.joined(separator: "\n")
    }

    func stop() async {
        state.withLock { $0.isStopped = true }
        await task.withLock { $0 }?.value
        await consumer.close(deadline: .seconds(5))
    }
}
