import ClawWire
import Kafka
import Playground
import Primitives
import ReceiptLog

/// Reads the revocations topic while it is written, and notes when each cut-off and how many tokens could be read.
final class CutoffWatch: Sendable {
    private struct State {
        var cutoffs: [String: ContinuousClock.Instant] = [:]
        var tokens = 0
        var lastTokenAt: ContinuousClock.Instant?
        var isStopped = false
        var failure: (any Error)?
    }

    private let consumer: KafkaConsumer
    private let state = Lock(State())
    private let task = Lock<Task<Void, Never>?>(nil)

    init(_ playground: Playground) throws {
        consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
    }

    /// Records of single tokens read so far.
    var tokens: Int { state.withLock { $0.tokens } }

    /// When the latest record of a single token was read.
    var lastTokenAt: ContinuousClock.Instant? { state.withLock { $0.lastTokenAt } }

    func start() async throws {
        try await consumer.assign([TopicPartition(topic: PlaygroundTopic.revocations, partition: 0): 0])
        task.withLock { task in
            task = Task(priority: .high) { await self.read() }
        }
    }

    private func read() async {
        while !state.withLock({ $0.isStopped }) {
            do {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 5_000, maximumBytes: 8 << 20, linger: .zero, timeout: .milliseconds(50))
                let now = ContinuousClock.now
                state.withLock { state in
                    for record in batch.records {
                        // A key is a token's hash in 64 digits, a scope behind the word, or the head's.
                        if let key = record.key, key.count == 64, key[6] != UInt8(ascii: ":") {
                            state.tokens += 1
                            state.lastTokenAt = now
                        } else if let stop = Self.stopID(record) {
                            state.cutoffs[stop] = now
                        }
                    }
                }
            } catch {
                state.withLock { $0.failure = error }
                return
            }
        }
    }

    private static func stopID(_ record: ConsumedRecord) -> String? {
        guard let key = record.key, case .cutoff = RevocationKey(key), let value = record.value else { return nil }
        return (try? JSONReader.parse(value))?["stop_id"]?.string
    }

    /// Waits until the cut-off of a stop could be read.
    ///
    /// - Returns: when it could.
    func arrival(ofStop stopID: String, within limit: Duration = .seconds(60)) async throws -> ContinuousClock.Instant {
        let deadline = ContinuousClock.now + limit
        while true {
            let (arrival, failure) = state.withLock { ($0.cutoffs[stopID], $0.failure) }
            if let failure { throw failure }
            if let arrival { return arrival }
            guard ContinuousClock.now < deadline else {
                throw BenchError("the cut-off of \(stopID) did not come within \(limit)")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits until so many records of single tokens could be read.
    ///
    /// - Returns: when the last of them could.
    func waitForTokens(_ wanted: Int, within limit: Duration) async throws -> ContinuousClock.Instant {
        let deadline = ContinuousClock.now + limit
        while true {
            let (count, last, failure) = state.withLock { ($0.tokens, $0.lastTokenAt, $0.failure) }
            if let failure { throw failure }
            if count >= wanted, let last { return last }
            guard ContinuousClock.now < deadline else {
                throw BenchError("\(count) of \(wanted) revoked tokens came within \(limit)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func stop() async {
        state.withLock { $0.isStopped = true }
        await task.withLock { $0 }?.value
        await consumer.close(deadline: .seconds(5))
    }
}
