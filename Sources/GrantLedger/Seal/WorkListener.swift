import Postgres
import Primitives

/// One connection that listens for the announcements of decide transactions.
final class WorkListener: Sendable {
    private let connection = Lock<PostgresConnection?>(nil)
    private let configuration: PostgresConfiguration

    init(configuration: PostgresConfiguration) { self.configuration = configuration }

    func wait(pool: PostgresPool, timeout: Duration) async throws {
        let open = connection.withLock { $0 }
        if let open, open.isOpen {
            _ = try await open.waitForNotification(timeout: timeout)
            return
        }
        let fresh = try await PostgresConnection.connect(configuration)
        _ = try await fresh.simple("LISTEN clawgrant_unsealed")
        connection.withLock { $0 = fresh }
        // What was announced before this connection listened is found by looking once without waiting.
    }

    func close() async {
        let open = connection.withLock { value -> PostgresConnection? in
            defer { value = nil }
            return value
        }
        await open?.close()
    }
}
