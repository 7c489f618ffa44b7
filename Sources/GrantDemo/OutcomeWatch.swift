import ClawWire
import Kafka
import Playground
import ReceiptLog

/// Follows the output topics from their beginning, each position once.
final class OutcomeWatch {
    /// What was heard.
    enum Heard {
        case decision(DecisionRecord)
        case deadLetter(DeadLetterRecord)
        case revocation(RevocationRecord)
        case control(JSONValue)
    }

    private let consumer: KafkaConsumer
    private var positions: Set<String> = []

    private init(_ consumer: KafkaConsumer) { self.consumer = consumer }

    static func start(_ playground: Playground) async throws -> OutcomeWatch {
        var properties = playground.clientConfiguration
        // Each position counts once here, whatever the broker makes of transactions.
        properties["isolation.level"] = "read_uncommitted"
        let consumer = try KafkaConsumer(configuration: properties)
        var starts: [TopicPartition: Int64] = [:]
        for topic in [
            PlaygroundTopic.decisions, PlaygroundTopic.deadLetters, PlaygroundTopic.revocations,
            PlaygroundTopic.controlResults,
        ] {
            let partitions = PlaygroundTopic.ordered.contains(topic) ? 1 : playground.options.outputPartitions
            for partition in 0..<partitions {
                starts[TopicPartition(topic: topic, partition: partition)] = KafkaOffset.beginning
            }
        }
        try await consumer.assign(starts)
        return OutcomeWatch(consumer)
    }

    /// What has come since the last call; waits a moment for more.
    func next() async throws -> [Heard] {
        let batch = try await consumer.nextBatch(
            maximumRecords: 1_000, maximumBytes: 4 << 20, linger: .milliseconds(5), timeout: .milliseconds(100))
        return try batch.records.compactMap(read)
    }

    private func read(_ record: ConsumedRecord) throws -> Heard? {
        func header(_ name: String) -> String {
            record.headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        guard positions.insert("\(header("claw_stream")) \(header("claw_seq"))").inserted, let value = record.value
        else { return nil }
        switch record.topicPartition.topic {
        case PlaygroundTopic.decisions: return .decision(try DecisionRecord(parsing: value))
        case PlaygroundTopic.deadLetters: return .deadLetter(try DeadLetterRecord(parsing: value))
        case PlaygroundTopic.revocations:
            guard case .token = record.key.flatMap({ RevocationKey($0) }) else { return nil }
            return .revocation(try RevocationRecord(parsing: value))
        case PlaygroundTopic.controlResults: return .control(try JSONReader.parse(value))
        default: return nil
        }
    }

    func close() async { _ = await consumer.close(deadline: .seconds(2)) }
}
