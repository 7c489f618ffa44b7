import Kafka
import Logging
import Observability
import Primitives

/// Writes records and waits until the brokers have them.
protocol RecordWriting: Sendable {
    func write(_ records: [ProducerRecord]) async throws(KafkaError)
}

/// A producer that is replaced when it dies.
///
/// Records are written outside of transactions: a repeat is harmless, since every event has an identity.
final class RecordWriter: RecordWriting {
    private let configuration: KafkaConfiguration
    private let log: KafkaLog
    private let producer: Lock<KafkaProducer>

    /// Makes the first producer.
    ///
    /// - Throws: `KafkaError` when a property is unknown or refused.
    init(_ configuration: KafkaConfiguration, timeout: Duration, logger: Logger) throws(KafkaError) {
        var configuration = configuration
        // The vendor waits for the answer, so a write that takes longer is given up and asked for again.
        configuration["message.timeout.ms"] = "\(Int(timeout / .milliseconds(1)))"
        configuration["linger.ms"] = configuration["linger.ms"] ?? "0"
        self.configuration = configuration
        log = { event in
            logger.log(
                .kafkaClient, at: event.level <= .warning && event.facility != "CONFWARN" ? .warning : .debug,
                metadata: ["facility": .outside(event.facility), "message": .outside(event.message)])
        }
        producer = Lock(try KafkaProducer(configuration: configuration, log: log))
    }

    func write(_ records: [ProducerRecord]) async throws(KafkaError) {
        let current = producer.withLock { $0 }
        do throws(KafkaError) {
            _ = try await current.send(records)
        } catch {
            if error.isFatal { try replace(current) }
            throw error
        }
    }

    private func replace(_ dead: KafkaProducer) throws(KafkaError) {
        let fresh = try KafkaProducer(configuration: configuration, log: log)
        // Several writes may find the same producer dead; one of them replaces it.
        let isReplaced = producer.withLock { current in
            guard current === dead else { return false }
            current = fresh
            return true
        }
        let idle = isReplaced ? dead : fresh
        Task { await idle.close(deadline: .seconds(5)) }
    }

    func close() async {
        let current = producer.withLock { $0 }
        _ = await current.close(deadline: .seconds(5))
    }
}
