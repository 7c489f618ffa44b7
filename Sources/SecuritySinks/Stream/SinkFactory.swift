public import ClawWire
import Foundation
public import GrantWorker
public import Kafka
public import Keys
public import Logging

/// What sinks are made with, beside their own settings.
public struct SinkSurroundings: Sendable {
    /// How the worker reaches its brokers.
    public let kafka: KafkaConfiguration
    /// The worker's keys; sinks of signals sign with that of purpose `set`, and others need none.
    public let keys: KeyRing?
    /// The clock that a key's period is compared with.
    public let now: @Sendable () -> Timestamp
    /// Takes the sinks' log.
    public let logger: Logger

    /// Names surroundings.
    public init(
        kafka: KafkaConfiguration, keys: KeyRing? = nil, logger: Logger,
        now: @escaping @Sendable () -> Timestamp = SinkSurroundings.systemTime
    ) {
        self.kafka = kafka
        self.keys = keys
        self.now = now
        self.logger = logger
    }

    fileprivate func keysForSignals() throws -> KeyRing {
        guard let keys else {
            throw SinkFailure(.misconfigured, "there are no keys to sign signals with; give `keys` one of purpose set")
        }
        return keys
    }

    /// The system's clock.
    public static let systemTime: @Sendable () -> Timestamp = {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6))
    }
}

extension SecurityEventSettings.Sink {
    /// The sink of these settings. Nothing is opened yet.
    ///
    /// - Throws: ``ConfigurationError`` when the settings name what cannot be used.
    public func open(_ surroundings: SinkSurroundings) throws -> any SecurityEventSink {
        switch kind {
        case .kafka(let topic): KafkaSink(name: name, topic, timeout: patience.deliveryTimeout, surroundings)
        case .syslog(let receiver): SyslogSink(name: name, receiver, surroundings)
        case .file(let file): LineFileSink(name: name, file)
        case .splunk(let collector): SplunkHECSink(name: name, collector, timeout: patience.deliveryTimeout)
        case .sentinel(let stream): LogsIngestionSink(name: name, stream)
        case .otlp(let collector): OTLPLogsSink(name: name, collector)
        case .signals(let receiver):
            SignalPushSink(name: name, receiver, keys: try surroundings.keysForSignals(), now: surroundings.now)
        case .signalsTopic(let topic):
            SignalTopicSink(
                name: name, topic, kafka: surroundings.kafka, timeout: patience.deliveryTimeout,
                keys: try surroundings.keysForSignals(), now: surroundings.now)
        }
    }
}
