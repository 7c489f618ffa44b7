public import ClawWire
public import GrantWorker
public import Kafka
public import Keys
import Primitives
public import SecurityEvents

/// Tells revocations on a topic: the compact form of a Security Event Token as the data of a CloudEvent in binary mode.
///
/// The key is the revoked token's `jti`; that of a stop is its group or agent. Events that revoke nothing are delivered by doing nothing.
public final class SignalTopicSink: SecurityEventSink {
    /// As configured.
    public let name: String
    private let settings: SignalTopicSettings
    private let kafka: KafkaConfiguration
    private let pen: SignalPen
    private let producer = Lock<KafkaProducer?>(nil)

    /// Makes a sink; it connects at its first revocation.
    ///
    /// - Parameters:
    ///   - settings: where to.
    ///   - kafka: librdkafka's properties, as the worker's other clients have them.
    ///   - timeout: how long a record is tried.
    ///   - keys: the ring with an active key of purpose `set`.
    ///   - now: the clock that the key's period is compared with.
    public init(
        name: String, _ settings: SignalTopicSettings, kafka: KafkaConfiguration, timeout: Duration, keys: KeyRing,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.name = name
        self.settings = settings
        var kafka = kafka
        // A producer of its own, in order and without repeats of its own making, whatever else the brokers are used for.
        kafka["transactional.id"] = nil
        kafka["enable.idempotence"] = "true"
        kafka["acks"] = "all"
        kafka["message.timeout.ms"] = String(max(1_000, Int64(timeout / .milliseconds(1))))
        self.kafka = kafka
        pen = SignalPen(keys: keys, sink: name, now: now)
    }

    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// Bounded by the number of events; a token has about a thousand bytes.
    public var maximumBytes: Int { 4 << 20 }

    /// The claims of the token; nothing for an event that revokes nothing. It is signed when it is written.
    public func rendered(_ event: SecurityEvent) -> [UInt8] {
        SessionRevoked.claims(event, issuer: settings.parties.issuer, audience: settings.parties.audience)
            .map { JSONWriter.bytes(.object($0)) } ?? []
    }

    /// Closes the producer; the next delivery makes another.
    public func close() async {
        let old = producer.withLock { producer -> KafkaProducer? in
            defer { producer = nil }
            return producer
        }
        _ = await old?.close(deadline: .seconds(2))
    }

    /// Writes a record for each revocation and returns when the brokers have all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let signals = events.filter { !$0.bytes.isEmpty }
        guard !signals.isEmpty else { return }
        let signer = try pen.signer()
        var records: [ProducerRecord] = []
        for event in signals { records.append(record(try SignedSignal(claims: event.bytes, by: signer, sink: name))) }
        do {
            let producer = try open()
            _ = try await withTaskCancellationHandler {
                try await producer.send(records)
            } onCancel: {
                Task { try? await producer.purge() }
            }
        } catch {
            // A failure that leaves a doubt ends the producer; the same tokens are written again.
            await close()
            throw failure(error)
        }
    }

    private func failure(_ error: any Error) -> SinkFailure {
        let said = "\(name): the topic \(settings.topic) was not written: \(error)"
        let faults: Set<KafkaError.Code> = [
            .unknownTopic, .unknownTopicOrPartition, .topicAuthorizationFailed, .authentication, .invalidArgument,
        ]
        guard let error = error as? KafkaError, faults.contains(error.code) else {
            return SinkFailure(.retry(after: nil), said)
        }
        return SinkFailure(
            .misconfigured, "\(said); make it with `clawgrant topics apply` and let the worker write to it")
    }

    private func open() throws(KafkaError) -> KafkaProducer {
        try producer.withLock { (held: inout KafkaProducer?) throws(KafkaError) in
            if let held { return held }
            let made = try KafkaProducer(configuration: kafka)
            held = made
            return made
        }
    }

    private func record(_ signal: SignedSignal) -> ProducerRecord {
        func header(_ name: String, _ value: String) -> KafkaHeader {
            KafkaHeader(name: name, value: Array(value.utf8))
        }
        return ProducerRecord(
            topic: settings.topic, key: Array(signal.session.utf8), value: Array(signal.compact.utf8),
            headers: [
                header("content-type", SignedSignal.mediaType), header("ce_specversion", "1.0"),
                header("ce_id", signal.identifier), header("ce_source", settings.parties.issuer),
                header("ce_type", "com.clawbureau.signal.session-revoked.v1"),
                header("ce_time", signal.issuedAt.iso8601),
            ])
    }
}
