import ClawWire
import Kafka
import Logging
import Observability
import Primitives

/// Signed WPC envelopes from a compacted topic, keyed by policy hash. The topic is read from its beginning and followed.
final class TopicPolicySource: PolicySource {
    private static let capacity = 10_000
    let name: String
    private let topic: String
    private let configuration: KafkaConfiguration
    private let admin: KafkaAdmin
    private let logger: Logger
    private let envelopes = Lock<[String: [UInt8]]>([:])

    init(topic: String, configuration: KafkaConfiguration, admin: KafkaAdmin, logger: Logger) {
        self.topic = topic
        self.configuration = configuration
        self.admin = admin
        self.logger = logger
        name = "topic \(topic)"
    }

    func envelope(of hash: Digest) async throws -> [UInt8]? { envelopes.withLock { $0[hash.b64u] } }

    func run(until stop: @Sendable () -> Bool) async throws {
        while !stop() {
            do {
                try await follow(until: stop)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.log(.policyTopicRestarted, metadata: ["topic": "\(topic)", "error": "\(error)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func follow(until stop: @Sendable () -> Bool) async throws {
        let metadata = try await admin.metadata(timeout: .seconds(10))
        guard let description = metadata.topics[topic], !description.partitions.isEmpty else {
            throw TopicMissing(topic: topic)
        }
        var properties = configuration
        properties["group.id"] = nil
        let consumer = try KafkaConsumer(configuration: properties, log: logger.kafka)
        do {
            var positions: [TopicPartition: Int64] = [:]
            for partition in description.partitions {
                positions[TopicPartition(topic: topic, partition: partition.id)] = KafkaOffset.beginning
            }
            try await consumer.assign(positions)
            while !stop() {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 500, maximumBytes: 8 << 20, linger: .zero, timeout: .milliseconds(500))
                take(batch.records)
            }
            _ = await consumer.close(deadline: .seconds(2))
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
    }

    private func take(_ records: [ConsumedRecord]) { take(records.map { ($0.key, $0.value) }) }

    /// Takes keys and values: the newest of a key holds, and one without a value takes the WPC away.
    func take(_ records: [(key: [UInt8]?, value: [UInt8]?)], capacity: Int = TopicPolicySource.capacity) {
        let leftOut = envelopes.withLock { envelopes in
            var leftOut = 0
            for record in records {
                guard let key = record.key.flatMap({ String(validating: $0, as: UTF8.self) }), Digest(b64u: key) != nil
                else { continue }
                if let value = record.value {
                    guard envelopes.count < capacity || envelopes[key] != nil else {
                        leftOut += 1
                        continue
                    }
                    envelopes[key] = value
                } else {
                    envelopes[key] = nil
                }
            }
            return leftOut
        }
        if leftOut > 0 {
            logger.log(.policyTopicFull, metadata: ["topic": "\(topic)", "left_out": "\(leftOut)"])
        }
    }

    private struct TopicMissing: Error, CustomStringConvertible {
        let topic: String
        var description: String { "the topic \(topic) does not exist" }
    }
}
