import DevStack
import Kafka
import Playground
import Primitives

/// Writes to the broker for as long as it takes, whatever becomes of the broker meanwhile.
///
/// What may have been written is written again: a repeat is part of the load, a loss would not be. A producer that has died
/// is replaced by a new one.
final class Sender: Sendable {
    private let configuration: KafkaConfiguration
    private let producer = Lock<KafkaProducer?>(nil)
    private let gate = Lock((isShut: false, underWay: 0))

    init(_ playground: Playground) {
        var configuration = playground.clientConfiguration
        configuration["linger.ms"] = "2"
        configuration["message.timeout.ms"] = "30000"
        self.configuration = configuration
    }

    /// Writes records.
    ///
    /// - Throws: The last failure when a minute was not enough; `CancellationError`.
    func send(_ records: [ProducerRecord]) async throws {
        try await waitUntil(deadline: .seconds(120), description: "the broker to be back") {
            gate.withLock { gate in
                if !gate.isShut { gate.underWay += 1 }
                return !gate.isShut
            }
        }
        defer { gate.withLock { $0.underWay -= 1 } }
        try await deliver(records)
    }

    /// Lets nothing more through, and waits until nothing is under way any more.
    func shut() async throws {
        gate.withLock { $0.isShut = true }
        try await waitUntil(deadline: .seconds(60), description: "what is being written") {
            gate.withLock { $0.underWay == 0 }
        }
    }

    /// Lets everything through again.
    func open() { gate.withLock { $0.isShut = false } }

    private func deliver(_ records: [ProducerRecord]) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            let current = try producer.withLock { producer in
                let current = try producer ?? KafkaProducer(configuration: configuration)
                producer = current
                return current
            }
            do {
                try await current.send(records)
                return
            } catch {
                try Task.checkCancellation()
                guard ContinuousClock.now < end else { throw error }
                await discard(current)
            }
        }
    }

    /// Ends the producer, if there is one.
    func close() async {
        if let current = producer.withLock({ $0 }) { await discard(current) }
    }

    private func discard(_ dead: KafkaProducer) async {
        let isOurs = producer.withLock { producer in
            guard producer === dead else { return false }
            producer = nil
            return true
        }
        if isOurs { await dead.close(deadline: .seconds(1)) }
    }
}
