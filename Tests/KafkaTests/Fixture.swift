import Kafka
import Primitives
import Testing

/// A mock cluster with one topic, and clients that talk to it.
struct Fixture {
    let cluster: MockKafkaCluster
    let topic = "approvals"

    init(partitions: Int32 = 1, brokers: Int32 = 1) throws {
        cluster = try MockKafkaCluster(brokers: brokers)
        try cluster.createTopic(topic, partitions: partitions)
    }

    func partition(_ number: Int32 = 0) -> TopicPartition { TopicPartition(topic: topic, partition: number) }

    func configuration(_ more: [String: String] = [:]) -> KafkaConfiguration {
        var configuration = KafkaConfiguration(["bootstrap.servers": cluster.bootstrapServers])
        for (name, value) in more { configuration[name] = value }
        return configuration
    }

    func consumer(
        _ more: [String: String] = [:], bufferBytes: Int = 8 << 20, log: @escaping KafkaLog = { _ in }
    ) throws -> KafkaConsumer {
        // The mock does not wake a waiting fetch.
        var configuration = configuration(["fetch.wait.max.ms": "10"])
        for (name, value) in more { configuration[name] = value }
        return try KafkaConsumer(configuration: configuration, bufferBytes: bufferBytes, log: log)
    }

    func producer(_ more: [String: String] = [:], log: @escaping KafkaLog = { _ in }) throws -> KafkaProducer {
        var configuration = configuration(["linger.ms": "0"])
        for (name, value) in more { configuration[name] = value }
        return try KafkaProducer(configuration: configuration, log: log)
    }

    /// Numbered records whose values are `size` bytes long.
    func records(_ count: Int, size: Int = 8, partition: Int32 = 0) -> [ProducerRecord] {
        (0..<count).map { number in
            ProducerRecord(
                topic: topic, partition: partition, key: Array("\(number)".utf8),
                value: Array(repeating: UInt8(truncatingIfNeeded: number), count: size))
        }
    }

    /// Writes with a producer of its own.
    func write(_ records: [ProducerRecord]) async throws {
        let producer = try producer()
        try await producer.send(records)
        await producer.close(deadline: .seconds(10))
    }
}

extension KafkaConsumer {
    func next(
        _ maximumRecords: Int = 10_000, bytes: Int = 64 << 20, linger: Duration = .zero,
        timeout: Duration = .seconds(30)
    ) async throws -> ConsumedBatch {
        try await nextBatch(maximumRecords: maximumRecords, maximumBytes: bytes, linger: linger, timeout: timeout)
    }

    /// Reads until as many records have come.
    func read(_ count: Int, atMost maximumRecords: Int = 10_000) async throws -> [ConsumedRecord] {
        var records: [ConsumedRecord] = []
        while records.count < count {
            let batch = try await next(maximumRecords)
            if batch.records.isEmpty, batch.endsReached.isEmpty { break }
            records += batch.records
        }
        return records
    }
}

/// Waits for a condition that another thread will fulfil.
func eventually(_ condition: () -> Bool) async -> Bool {
    let limit = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < limit {
        if condition() { return true }
        await Task.yield()
    }
    return condition()
}

/// The error an operation throws.
func kafkaError(_ body: () async throws -> Void) async -> KafkaError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? KafkaError
    }
}

/// Collects log events.
final class LogCollector: Sendable {
    private let events = Lock<[KafkaLogEvent]>([])

    var log: KafkaLog {
        { [self] event in events.withLock { $0.append(event) } }
    }

    var all: [KafkaLogEvent] { events.withLock { $0 } }
}
