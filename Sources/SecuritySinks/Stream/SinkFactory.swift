public import GrantWorker
public import Kafka
public import Logging

/// What sinks are made with, beside their own settings.
public struct SinkSurroundings: Sendable {
    /// How the worker reaches its brokers.
    public let kafka: KafkaConfiguration
    /// Takes the sinks' log.
    public let logger: Logger

    /// Names surroundings.
    public init(kafka: KafkaConfiguration, logger: Logger) {
        self.kafka = kafka
        self.logger = logger
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
        }
    }
}
