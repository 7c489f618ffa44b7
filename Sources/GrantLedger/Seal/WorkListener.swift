import Postgres
import Primitives

/// One connection that listens for the announcements of decide transactions.
final class WorkListener: Sendable {
    private let connection = Lock<PostgresConnection?>(nil)
    private let configuration: PostgresConfiguration

    init(configuration: PostgresConfiguration) { self.configuration = configuration }

    /// The next announcement; `nil` when the time is over or the connection is new.
    func wait(timeout: Duration) async throws -> SealPriority? {
        let open = connection.withLock { $0 }
        if let open, open.isOpen {
            return try await open.waitForNotification(timeout: timeout).map { SealPriority(announcement: $0.payload) }
        }
        let fresh = try await PostgresConnection.connect(configuration)
        _ = try await fresh.simple("LISTEN clawgrant_unsealed")
        connection.withLock { $0 = fresh }
        return nil
    }

    func close() async {
        let open = connection.withLock { value -> PostgresConnection? in
            defer { value = nil }
            return value
        }
        await open?.close()
    }
}
