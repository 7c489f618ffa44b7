public import ClawWire
public import Kafka
public import Keys
import Primitives
public import SecurityEvents

/// The topic of Security Event Tokens.
public struct SignalTopicSettings: Sendable, Hashable {
    /// The sink's name.
    public var name: String
    /// The topic.
    public var topic = "claw.signals.v1"
    /// From whom and for whom.
    public var parties: SignalParties
    /// Most events of one delivery.
    public var deliveryEvents = 500

    /// The standard settings.
    public init(name: String, parties: SignalParties) {
        self.name = name
        self.parties = parties
    }
}

/// Tells revocations on a topic: the compact form of a Security Event Token as the data of a CloudEvent in binary mode.
///
/// The key is the revoked token's `jti`. Events that are no revocation are delivered by doing nothing.
public final class SignalTopicSink: SecurityEventSink {
    private let settings: SignalTopicSettings
    private let kafka: KafkaConfiguration
    private let pen: SignalPen
    private let producer = Lock<KafkaProducer?>(nil)

    /// Makes a sink; it connects at its first revocation.
    ///
    /// - Parameters:
    ///   - settings: where to.
    ///   - kafka: librdkafka's properties, as the worker's other clients have them.
    ///   - keys: the ring with an active key of purpose `set`.
    ///   - now: the clock that the key's period is compared with.
    public init(
        _ settings: SignalTopicSettings, kafka: KafkaConfiguration, keys: KeyRing,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.settings = settings
        self.kafka = kafka
        pen = SignalPen(keys: keys, sink: settings.name, now: now)
    }

    /// As configured.
    public var name: String { settings.name }
    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// Bounded by the number of events; a token has about a thousand bytes.
    public var maximumBytes: Int { 4 << 20 }

    /// The claims of the token; nothing for an event that is no revocation. It is signed when it is written.
    public func rendered(_ event: SecurityEvent) -> [UInt8] {
        SessionRevoked.claims(event, issuer: settings.parties.issuer, audience: settings.parties.audience)
            .map { JSONWriter.bytes(.object($0)) } ?? []
    }

    /// Closes the producer; the next delivery makes another.
    public func close() async {
        _ = await takeProducer()?.close(deadline: .seconds(5))
    }

    /// Writes a record for each revocation and returns when the brokers have all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let signals = events.filter { !$0.bytes.isEmpty }
        guard !signals.isEmpty else { return }
        let signer = try pen.signer()
        var records: [ProducerRecord] = []
        for event in signals { records.append(record(try SignedSignal(claims: event.bytes, by: signer, sink: name))) }
        do throws(KafkaError) {
            try await open().send(records)
        } catch {
            if error.isFatal || error.isClosed { _ = await takeProducer()?.close(deadline: .zero) }
            let said = "\(name): topic \(settings.topic): \(error.detail)"
            guard error.kind == .permanent else { throw SinkFailure(.retry(after: nil), said) }
            throw SinkFailure(.misconfigured, "\(said); make it with `clawgrant topics apply` and let the worker write to it")
        }
    }

    private func open() throws(KafkaError) -> KafkaProducer {
        try producer.withLock { (held: inout KafkaProducer?) throws(KafkaError) in
            if let held { return held }
            let made = try KafkaProducer(configuration: kafka)
            held = made
            return made
        }
    }

    private func takeProducer() async -> KafkaProducer? {
        producer.withLock { held in
            defer { held = nil }
            return held
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
