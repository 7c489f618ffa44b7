public import Kafka
import Logging
import Primitives

/// Reads where the partitions of the input topics end.
public protocol ConsoleInputEnds: Sendable {
    /// The offset that the next record of each partition will have. Those that cannot be had are left out.
    func ends(of partitions: [TopicPartition]) async -> [TopicPartition: Int64]
}

/// Asks the broker.
public final class BrokerInputEnds: ConsoleInputEnds {
    /// Partitions that are asked for; those of the largest installations are shown without lag.
    static let mostPartitions = 512
    /// How long all of them together may take.
    private static let patience: Duration = .seconds(2)

    private let configuration: KafkaConfiguration
    private let consumer = Lock<KafkaConsumer?>(nil)

    /// Connects with a configuration, when it is first asked.
    public init(_ configuration: KafkaConfiguration) { self.configuration = configuration }

    /// See ``ConsoleInputEnds/ends(of:)``.
    public func ends(of partitions: [TopicPartition]) async -> [TopicPartition: Int64] {
        guard partitions.count <= Self.mostPartitions, let consumer = connected() else { return [:] }
        var ends: [TopicPartition: Int64] = [:]
        let deadline = ContinuousClock.now + Self.patience
        for partition in partitions {
            let left = deadline - .now
            guard left > .milliseconds(1) else { break }
            // One that does not answer is shown as not known; that is what there is to tell.
            guard let marks = try? await consumer.watermarks(partition, timeout: left) else { continue }
            ends[partition] = marks.high
        }
        return ends
    }

    private func connected() -> KafkaConsumer? {
        consumer.withLock { consumer in
            if consumer == nil { consumer = try? KafkaConsumer(configuration: configuration) }
            return consumer
        }
    }
}
