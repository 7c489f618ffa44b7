import ApprovalSources
import ClawWire
import GrantWorker
import IssuanceRules
import Kafka

/// What `request` and `approve` share: signing an event and putting it onto the topic of a source.
enum RecordPublishing {
    /// The event, signed when a key is given.
    static func signed(_ event: CloudEvent, key: String?) throws -> CloudEvent {
        guard let key else { return event }
        return try NativeEventSigner(try KeyArguments.signer(key)).sign(event)
    }

    /// The topic of the one source of a kind, unless one is named.
    static func topic(_ named: String?, kind: SourceRule.Kind, _ file: ConfigurationFile) throws -> String {
        if let named { return named }
        let topics = Set(try file.rules().sources.values.filter { $0.kind == kind }.flatMap(\.topics))
        guard let topic = topics.first else {
            throw CommandFailure.usage(
                "the rules have no source of the kind \(kind.rawValue); name a topic with --topic")
        }
        guard topics.count == 1 else {
            throw CommandFailure.usage(
                "the rules have several topics of the kind \(kind.rawValue) (\(topics.sorted().joined(separator: ", "))); "
                    + "name one with --topic")
        }
        return topic
    }

    /// Publishes an event in binary mode and waits until the broker has it.
    static func publish(
        _ event: CloudEvent, key: String, topic: String, _ file: ConfigurationFile
    ) async throws -> DeliveredRecord {
        let message = event.message(.binary)
        return try await publish(
            ProducerRecord(
                topic: topic, key: Array(key.utf8), value: message.value,
                headers: message.headers.map { KafkaHeader(name: $0.name, value: $0.value) }), file)
    }

    /// Publishes a record and waits until the broker has it.
    static func publish(_ record: ProducerRecord, _ file: ConfigurationFile) async throws -> DeliveredRecord {
        let events = KafkaEvents()
        var properties = file.worker.kafka
        if properties["message.timeout.ms"] == nil { properties["message.timeout.ms"] = "15000" }
        do {
            let producer = try KafkaProducer(configuration: properties, log: events.take)
            do {
                let delivered = try await producer.send([record])
                await producer.close(deadline: .seconds(2))
                guard let first = delivered.first else {
                    throw CommandFailure.defect("the broker took a record and told no place")
                }
                return first
            } catch {
                await producer.close(deadline: .seconds(2))
                throw error
            }
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
    }

    /// Prints where a record was written.
    static func tell(_ record: DeliveredRecord, what: String, id: String, isJSON: Bool, next: String) {
        if isJSON {
            Console.out([
                "id": .string(id), "topic": .string(record.topicPartition.topic),
                "partition": .integer(record.topicPartition.partition),
                "offset": record.offset.map { .integer($0) } ?? .null,
            ])
        } else {
            let offset = record.offset.map { " at offset \($0)" } ?? ""
            Console.out("\(what) \(Console.plain(id)) is on \(record.topicPartition)\(offset)")
            Console.out(next)
        }
    }

    /// A fresh identifier with a telling beginning.
    static func identifier(_ prefix: String) -> String {
        var random = SystemRandomNumberGenerator()
        return prefix + Hex.encode((0..<8).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }
}
