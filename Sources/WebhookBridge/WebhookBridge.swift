public import ClawWire
import HTTPService
import Kafka
public import Logging

/// Why a bridge cannot run.
public struct BridgeError: Error, Sendable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Takes webhooks over HTTPS, verifies the vendors' signatures, and writes records that a worker reads.
///
/// It holds no state that matters: several run side by side behind a load balancer.
public final class WebhookBridge: Sendable {
    private let service: HTTPService
    private let writer: RecordWriter

    /// Prepares a bridge; it does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: what it is told.
    ///   - logger: takes its log; never a header, a body or a secret.
    ///   - clock: the present.
    /// - Throws: ``BridgeError`` for a configuration that contradicts itself, `HTTPServiceError` for certificates,
    ///   `KafkaError` for properties.
    public init(
        configuration: BridgeConfiguration, logger: Logger, clock: @escaping @Sendable () -> Timestamp
    ) throws {
        for source in configuration.sources {
            guard case .native = source.output, configuration.signer == nil else { continue }
            throw BridgeError("source \(source.name) writes native events and no signing key is configured")
        }
        guard Set(configuration.sources.map(\.path)).count == configuration.sources.count else {
            throw BridgeError("two sources have one path")
        }
        let writer = try RecordWriter(configuration.kafka, timeout: configuration.writeTimeout, logger: logger)
        let handling = WebhookHandling(configuration, writer: writer, logger: logger, clock: clock)
        service = try HTTPService(configuration: configuration.http, logger: logger) { await handling.answer($0) }
        self.writer = writer
    }

    /// Serves until ``stop()`` or until the task is cancelled.
    ///
    /// - Parameter onListening: called with the port once vendors can connect.
    /// - Throws: `HTTPServiceError` when the address cannot be listened on.
    public func run(onListening: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        do {
            try await service.run(onListening: onListening)
        } catch {
            await writer.close()
            throw error
        }
        await writer.close()
    }

    /// Asks the bridge to end: it answers what it has.
    public func stop() { service.stop() }
}
