public import ClawWire
import Postgres

/// The statements of watched sources.
enum HealthStatements {
    static let watch = PreparedStatement(
        "watch_sources",
        "INSERT INTO clawgrant.source_health (source) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
        parameterTypes: [.textArray])

    /// No worker's clock keeps a source alive beyond the ledger's.
    static let noteSeen = PreparedStatement(
        "note_sources_seen",
        """
        INSERT INTO clawgrant.source_health (source, seen_at)
        SELECT s.source, least(s.seen_at, clock_timestamp())
        FROM unnest($1::text[], $2::timestamptz[]) AS s (source, seen_at)
        ON CONFLICT (source) DO UPDATE SET seen_at = greatest(source_health.seen_at, excluded.seen_at)
        """,
        parameterTypes: [.textArray, .timestamptzArray])

    static let read = PreparedStatement(
        "source_health",
        """
        SELECT source, seen_at, body, clock_timestamp() FROM clawgrant.source_health WHERE source = ANY ($1::text[])
        """,
        parameterTypes: [.textArray])

    /// In one order, so that two decisions never wait for each other in a ring.
    static let lock = PreparedStatement(
        "lock_source_health",
        """
        SELECT source, seen_at, body FROM clawgrant.source_health WHERE source = ANY ($1::text[])
        ORDER BY source COLLATE "C" FOR UPDATE
        """,
        parameterTypes: [.textArray])

    static let put = PreparedStatement(
        "put_source_health",
        """
        INSERT INTO clawgrant.source_health (source, body) SELECT * FROM unnest($1::text[], $2::bytea[])
        ON CONFLICT (source) DO UPDATE SET body = excluded.body
        """,
        parameterTypes: [.textArray, .byteaArray])
}

extension PostgresLedger: HealthLedger {
    /// See ``HealthLedger/watch(_:)``.
    public func watch(_ sources: [SourceName]) async throws(LedgerError) {
        var names = Parameters()
        names.append(column: sources.sorted()) { $0.rawValue }
        _ = try await run("watching \(sources.count) sources", [.execute(HealthStatements.watch, names)])
    }

    /// See ``HealthLedger/noteSeen(_:)``.
    public func noteSeen(_ seen: [SourceName: Timestamp]) async throws(LedgerError) {
        guard !seen.isEmpty else { return }
        let sorted = seen.sorted { $0.key < $1.key }
        var rows = Parameters()
        rows.append(column: sorted) { $0.key.rawValue }
        rows.append(column: sorted) { $0.value.postgres }
        _ = try await run("noting what was heard", [.execute(HealthStatements.noteSeen, rows)])
    }

    /// See ``HealthLedger/sourceHealth(of:)``.
    public func sourceHealth(
        of sources: [SourceName]
    ) async throws(LedgerError) -> (now: Timestamp, health: [SourceName: StoredSourceHealth]) {
        let what = "reading the health of \(sources.count) sources"
        let results = try await run(
            what, [.execute(UsageStatements.now), Self.healthStep(HealthRead(sources: sources, locks: false))])
        do {
            return (try results[0].timestampValue(0, 0), try StoredRows.sourceHealth(results[1]))
        } catch {
            throw Self.translate(error, what)
        }
    }

    static func healthStep(_ read: HealthRead) -> PipelineStep {
        var names = Parameters()
        names.append(column: read.sources) { $0.rawValue }
        return .execute(read.locks ? HealthStatements.lock : HealthStatements.read, names)
    }

    /// Writes what is counted of sources; their rows are locked.
    static func healthStep(_ bodies: [SourceName: [UInt8]]) -> PipelineStep? {
        guard !bodies.isEmpty else { return nil }
        let sorted = bodies.sorted { $0.key < $1.key }
        var rows = Parameters()
        rows.append(column: sorted) { $0.key.rawValue }
        rows.append(column: sorted) { $0.value }
        return .execute(HealthStatements.put, rows)
    }
}

extension StoredRows {
    static func sourceHealth(_ result: PostgresResult) throws -> [SourceName: StoredSourceHealth] {
        var health: [SourceName: StoredSourceHealth] = [:]
        for row in 0..<result.rowCount {
            health[SourceName(try result.string(row, 0))] = StoredSourceHealth(
                seenAt: try result.optionalTimestamp(row, 1), body: try result.bytes(row, 2))
        }
        return health
    }
}
