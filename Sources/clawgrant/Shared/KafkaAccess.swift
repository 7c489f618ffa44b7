import GrantWorker
import Kafka
import Primitives

/// Clients of the broker for commands.
enum KafkaAccess {
    /// Opens an administrative client, runs `body`, closes it.
    static func admin<Result>(
        _ file: ConfigurationFile, _ body: (KafkaAdmin) async throws -> Result
    ) async throws -> Result {
        let events = KafkaEvents()
        do {
            let admin = try KafkaAdmin(configuration: file.worker.kafka, log: events.take)
            do {
                let result = try await body(admin)
                await admin.close(deadline: .seconds(2))
                return result
            } catch {
                await admin.close(deadline: .seconds(2))
                throw error
            }
        } catch let error as KafkaError {
            throw failure(error, file, events)
        }
    }

    /// An error of the broker in the operator's words, with what librdkafka said last.
    static func failure(_ error: KafkaError, _ file: ConfigurationFile, _ events: KafkaEvents) -> CommandFailure {
        let brokers = file.worker.kafka["bootstrap.servers"] ?? file.worker.kafka["metadata.broker.list"] ?? ""
        let last = events.lastProblem.map { " (\($0))" } ?? ""
        return .negative(
            "brokers \(brokers): \(error)\(last)", remedy: "check that they run, and kafka.properties")
    }
}

/// Keeps the last problem that librdkafka reported; it never prints.
final class KafkaEvents: Sendable {
    private let last = Lock<String?>(nil)

    /// What librdkafka complained of last.
    var lastProblem: String? { last.withLock { $0 } }

    /// Takes an event.
    @Sendable func take(_ event: KafkaLogEvent) {
        guard event.level <= .warning else { return }
        last.withLock { last in
            // That all brokers are down says less than why the last of them was given up.
            if event.error?.code == .allBrokersDown, last != nil { return }
            last = event.message
        }
    }
}
