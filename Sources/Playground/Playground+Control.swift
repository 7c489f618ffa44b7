public import ApprovalSources
public import ClawWire
public import IssuanceRules
public import Kafka

extension Playground {
    /// Signs a control event and writes it to the control topic.
    ///
    /// - Parameters:
    ///   - operation: what it does.
    ///   - id: its identifier; the same again for a repeat.
    ///   - people: who declares it, or who lifts.
    ///   - emitter: who signs; the key that may do everything when `nil`.
    @discardableResult
    public func declare(
        _ operation: ControlOperation, id: String, by people: [IssuanceRules.Actor],
        at declaredAt: Timestamp = .playgroundNow,
        reason: String? = nil, as emitter: ControlEmitter? = nil
    ) async throws -> [DeliveredRecord] {
        let record = try (emitter ?? keys.control).record(
            operation, id: id, by: people, at: declaredAt, reason: reason, topic: PlaygroundTopic.control)
        return try await produce([
            ProducerRecord(
                topic: record.topic, partition: 0, key: record.key, value: record.value,
                headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
        ])
    }
}
