import Kafka
import Logging
import Observability

extension Logger {
    /// Puts librdkafka's events into this logger: errors it recovers from are warnings, its chatter is debug.
    var kafka: KafkaLog {
        let logger = self
        return { event in
            let level: Logger.Level
            switch event.level {
            // One section of properties serves every client: what only consumers know is no fault in a producer.
            case _ where event.facility == "CONFWARN": level = .debug
            case .emergency, .alert, .critical: level = .error
            case .error, .warning: level = .warning
            case .notice, .informational, .debug: level = .debug
            }
            logger.log(
                .kafkaClient, at: level,
                metadata: ["facility": .outside(event.facility), "message": .outside(event.message)])
        }
    }
}
