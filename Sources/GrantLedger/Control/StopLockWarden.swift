import Postgres

/// Ends, from a session of its own, the transactions that keep the stop lock from whoever waits for it.
///
/// Each holder has ``patience`` from when it was first seen with the lock, not from the start of its transaction: one that
/// has itself waited behind a frozen holder has had no time of its own yet. The session is not one of the pool's: those may
/// all be waiting for the same lock.
struct StopLockWarden {
    /// Time between looks; what a stop waits for beyond the patience. Most stops are through before the first.
    private static let interval: Duration = .milliseconds(50)
    let configuration: PostgresConfiguration
    let patience: Duration

    private struct Holder: Hashable {
        let process: Int32
        let started: PostgresTimestamp
    }

    /// Watches until cancelled. A look that fails is made again.
    func watch() async {
        var session: PostgresConnection?
        var seen: [Holder: ContinuousClock.Instant] = [:]
        while (try? await Task.sleep(for: min(Self.interval, patience))) != nil {
            do {
                let connection: PostgresConnection
                if let session {
                    connection = session
                } else {
                    connection = try await PostgresConnection.connect(configuration)
                    session = connection
                }
                let holders = try await holders(connection)
                let now = ContinuousClock.now
                seen = Dictionary(uniqueKeysWithValues: holders.map { ($0, seen[$0] ?? now) })
                // The first look comes an interval late: a frozen holder has been there since before it.
                let late = seen.filter { now - $0.value >= patience - Self.interval }.map(\.key)
                if !late.isEmpty, !Task.isCancelled { try await end(late, connection) }
            } catch {
                await session?.close()
                session = nil
            }
        }
        await session?.close()
    }

    private func holders(_ connection: PostgresConnection) async throws -> Set<Holder> {
        let rows = try await connection.execute(ControlStatements.stopLockHolders)
        var holders: Set<Holder> = []
        for row in 0..<rows.rowCount {
            holders.insert(Holder(process: try rows.int32(row, 0), started: try rows.timestamp(row, 1)))
        }
        return holders
    }

    private func end(_ holders: [Holder], _ connection: PostgresConnection) async throws {
        var parameters = Parameters()
        parameters.append(column: holders) { $0.process }
        parameters.append(column: holders) { $0.started }
        _ = try await connection.execute(ControlStatements.endHolders, parameters)
    }
}
