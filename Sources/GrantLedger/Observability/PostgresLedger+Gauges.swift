public import ClawWire
import Postgres
public import ReceiptLog

private enum GaugeStatements {
    /// Every part is an index's end, a row of a small table, or a count of what waits.
    static let all = PreparedStatement(
        "gauges",
        """
        SELECT (SELECT count(*) FROM clawgrant.unsealed),
            (SELECT (extract(epoch FROM clock_timestamp() - g.created_at) * 1000)::int8
                FROM (SELECT day, group_id FROM clawgrant.unsealed ORDER BY group_id LIMIT 1) u
                JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id),
            (SELECT max(number) + 1 FROM clawgrant.receipt_batch),
            last.last_position,
            (extract(epoch FROM clock_timestamp() - last.sealed_at) * 1000)::int8,
            (SELECT next_batch FROM clawgrant.publish_position WHERE lane = 'main'),
            (SELECT next_batch FROM clawgrant.publish_position WHERE lane = 'control'),
            s.control_position, (extract(epoch FROM clock_timestamp() - s.polled_at) * 1000)::int8,
            (SELECT count(*) FROM clawgrant.request WHERE state = 0),
            (SELECT count(*) FROM clawgrant.worker WHERE expires_at >= clock_timestamp())
        FROM clawgrant.control_state s LEFT JOIN LATERAL (
            SELECT last_position, sealed_at FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1) last ON true
        """)

    static let roles = PreparedStatement(
        "gauge_roles", "SELECT role, coalesce(lease_owner = $1, false) FROM clawgrant.role_lease",
        parameterTypes: [.text])

    static let keys = PreparedStatement(
        "gauge_keys",
        """
        SELECT kid, (extract(epoch FROM clock_timestamp() - first_used_at) * 1000)::int8
        FROM clawgrant.signing_key ORDER BY first_used_at DESC LIMIT 100
        """)
}

extension PostgresLedger {
    /// How the ledger stands, in one round trip, without a lock.
    ///
    /// - Parameter worker: whose roles are looked up.
    public func gauges(for worker: WorkerID) async throws(LedgerError) -> LedgerGauges {
        let what = "measuring the ledger"
        let results = try await run(
            what,
            [
                .execute(GaugeStatements.all), .execute(GaugeStatements.roles, Parameters(worker.rawValue)),
                .execute(GaugeStatements.keys),
            ])
        do {
            var gauges = LedgerGauges()
            let all = results[0]
            gauges.unsealedGroups = try all.int64(0, 0)
            gauges.unsealedAge = .milliseconds(max(0, try all.optional(0, 1, as: Int64.self) ?? 0))
            gauges.batches = try all.optional(0, 2, as: Int64.self) ?? 0
            gauges.sealedPosition = try all.optional(0, 3, as: Int64.self)
            gauges.checkpointAge = try all.optional(0, 4, as: Int64.self).map { .milliseconds(max(0, $0)) }
            gauges.nextBatch = [.main: try all.int64(0, 5), .control: try all.int64(0, 6)]
            gauges.controlPosition = try all.int64(0, 7)
            gauges.stopViewAge = .milliseconds(max(0, try all.int64(0, 8)))
            gauges.waitingRequests = try all.int64(0, 9)
            gauges.liveWorkers = try all.int64(0, 10)
            for row in 0..<results[1].rowCount {
                guard let role = WorkerRole(rawValue: try results[1].string(row, 0)) else { continue }
                gauges.roles[role] = try results[1].optional(row, 1) ?? false
            }
            for row in 0..<results[2].rowCount {
                gauges.keyAges[KeyID(try results[2].string(row, 0))] = .milliseconds(
                    max(0, try results[2].int64(row, 1)))
            }
            return gauges
        } catch {
            throw Self.translate(error, what)
        }
    }
}
