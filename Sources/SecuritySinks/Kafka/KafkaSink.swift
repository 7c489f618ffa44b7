import ClawWire
public import GrantWorker
import Kafka
import Logging
import Observability
import Primitives
public import SecurityEvents

/// Security events on a topic, keyed by what ties them together, with their number in a header.
///
/// The producer is idempotent and waits for every replica in sync. A failure that leaves a doubt ends the producer; the
/// next delivery makes a new one and sends the events again.
public final class KafkaSink: SecurityEventSink {
    /// See ``SecurityEventSink/name``.
    public let name: String
    /// See ``SecurityEventSink/maximumEvents``.
    public var maximumEvents: Int { settings.maximumEvents }
    /// 1 MiB.
    public let maximumBytes = 1 << 20
    private let settings: SecurityEventSettings.KafkaTopic
    private let configuration: KafkaConfiguration
    private let logger: Logger
    private let producer = Lock<KafkaProducer?>(nil)

    /// Makes a sink; connects with the first delivery.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - settings: the topic.
    ///   - timeout: how long a record is tried.
    ///   - surroundings: how brokers are reached.
    public init(
        name: String, _ settings: SecurityEventSettings.KafkaTopic, timeout: Duration, _ surroundings: SinkSurroundings
    ) {
        self.name = name
        self.settings = settings
        var configuration = surroundings.kafka
        // A producer of its own, in order and without repeats of its own making, whatever else the brokers are used for.
        configuration["transactional.id"] = nil
        configuration["enable.idempotence"] = "true"
        configuration["acks"] = "all"
        configuration["message.timeout.ms"] = String(max(1_000, Int64(timeout / .milliseconds(1))))
        configuration["linger.ms"] = configuration["linger.ms"] ?? "5"
        self.configuration = configuration
        logger = surroundings.logger
    }

    /// The event as the value of a record.
    public func rendered(_ event: SecurityEvent) -> [UInt8] { Array(settings.format.line(event).utf8) }

    /// Writes the events as records; returns when all are acknowledged.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let producer: KafkaProducer
        do {
            producer = try open()
        } catch {
            throw SinkFailure(.misconfigured, "the topic \(settings.topic) cannot be written: \(error)")
        }
        let records = events.map(record)
        do {
            _ = try await withTaskCancellationHandler {
                try await producer.send(records)
            } onCancel: {
                Task { try? await producer.purge() }
            }
        } catch {
            if let error = error as? KafkaError, let failure = settle(error, events) { throw failure }
            await close()
            throw failure(error)
        }
    }

    /// Ends the producer.
    public func close() async {
        let old = producer.withLock { producer -> KafkaProducer? in
            defer { producer = nil }
            return producer
        }
        _ = await old?.close(deadline: .seconds(2))
    }

    private func open() throws -> KafkaProducer {
        if let open = producer.withLock({ $0 }) { return open }
        let logger = logger
        let fresh = try KafkaProducer(configuration: configuration) { event in
            logger.log(
                .kafkaClient, metadata: ["facility": .outside(event.facility), "message": .outside(event.message)])
        }
        producer.withLock { $0 = fresh }
        return fresh
    }

    private func record(_ event: RenderedEvent) -> ProducerRecord {
        var headers = [
            KafkaHeader(name: "content-type", value: Array(settings.format.mediaType.utf8)),
            KafkaHeader(name: "claw_stream", value: Array("security-events".utf8)),
            KafkaHeader(name: "claw_seq", value: Array(String(event.sequence.value).utf8)),
            KafkaHeader(name: "claw_kind", value: Array(event.kind.utf8)),
        ]
        headers += settings.headers.sorted { $0.key < $1.key }.map {
            KafkaHeader(name: $0.key, value: Array($0.value.utf8))
        }
        return ProducerRecord(
            topic: settings.topic, key: Array(event.correlation.utf8), value: event.bytes, headers: headers,
            timestamp: event.time.milliseconds)
    }

    /// What one record alone is to blame for: everything before it is written.
    private func settle(_ error: KafkaError, _ events: [RenderedEvent]) -> SinkFailure? {
        guard error.code == .messageTooLarge, let index = error.recordIndex, events.indices.contains(index) else {
            return nil
        }
        let event = events[index]
        return SinkFailure(
            .skip([event.sequence]),
            "the topic \(settings.topic) does not take \(event.bytes.count) bytes; raise max.message.bytes there and "
                + "message.max.bytes of the client")
    }

    private func failure(_ error: any Error) -> SinkFailure {
        guard let error = error as? KafkaError else {
            return SinkFailure(.retry(after: nil), "the topic \(settings.topic) was not written: \(error)")
        }
        let faults: Set<KafkaError.Code> = [
            .unknownTopic, .unknownTopicOrPartition, .topicAuthorizationFailed, .authentication, .invalidArgument,
        ]
        return SinkFailure(
            faults.contains(error.code) ? .misconfigured : .retry(after: nil),
            "the topic \(settings.topic) was not written: \(error)")
    }
}

extension SecurityEventFormat {
    /// The media type of a line.
    var mediaType: String {
        switch self {
        case .ocsf, .ecs: "application/json"
        case .cef, .syslog, .syslogCEF: "text/plain; charset=utf-8"
        }
    }
}
