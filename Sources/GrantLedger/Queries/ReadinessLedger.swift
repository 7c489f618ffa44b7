public import ClawWire
import Postgres
public import ReceiptLog

/// What a worker's health asks of the ledger.
public protocol ReadinessLedger: Sendable {
    /// What the ledger knows of a worker and of those it works with.
    func readiness(of worker: WorkerID) async throws(LedgerError) -> LedgerReadiness
}

/// How a worker fares, as the ledger sees it, at one instant.
public struct LedgerReadiness: Sendable, Hashable {
    /// The ledger's clock.
    public let now: Timestamp
    /// When the control topic was last polled to its end.
    public let controlPolledAt: Timestamp
    /// Whether the worker's life has not run out.
    public let isAlive: Bool
    /// Workers that are alive.
    public let liveWorkers: Int64
    /// Input partitions.
    public let partitions: Int64
    /// Those that this worker holds.
    public let ownPartitions: Int64
    /// Those that no live worker holds.
    public let unownedPartitions: Int64
    /// When the oldest receipt was committed that is not in the log yet; `nil` when all are.
    public let oldestUnsealedAt: Timestamp?
    /// Batches that are sealed and not published by every lane.
    public let unpublishedBatches: Int64

    /// Makes a view.
    public init(
        now: Timestamp, controlPolledAt: Timestamp, isAlive: Bool, liveWorkers: Int64, partitions: Int64,
        ownPartitions: Int64, unownedPartitions: Int64, oldestUnsealedAt: Timestamp?, unpublishedBatches: Int64
    ) {
        self.now = now
        self.controlPolledAt = controlPolledAt
        self.isAlive = isAlive
        self.liveWorkers = liveWorkers
        self.partitions = partitions
        self.ownPartitions = ownPartitions
        self.unownedPartitions = unownedPartitions
        self.oldestUnsealedAt = oldestUnsealedAt
        self.unpublishedBatches = unpublishedBatches
    }
}

extension PostgresLedger: ReadinessLedger {
    private static let readiness = PreparedStatement(
        "readiness",
        """
        SELECT clock_timestamp(), (SELECT polled_at FROM clawgrant.control_state),
            EXISTS (SELECT 1 FROM clawgrant.worker WHERE worker_id = $1 AND expires_at >= clock_timestamp()),
            (SELECT count(*) FROM clawgrant.worker WHERE expires_at >= clock_timestamp()),
            (SELECT count(*) FROM clawgrant.input_partition),
            (SELECT count(*) FROM clawgrant.input_partition WHERE lease_owner = $1),
            (SELECT count(*) FROM clawgrant.input_partition p WHERE NOT EXISTS (
                SELECT 1 FROM clawgrant.worker w
                WHERE w.worker_id = p.lease_owner AND w.expires_at >= clock_timestamp())),
            (SELECT g.created_at FROM (SELECT day, group_id FROM clawgrant.unsealed ORDER BY group_id LIMIT 1) u
                JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id),
            coalesce((SELECT max(number) + 1 FROM clawgrant.receipt_batch), 0)
                - (SELECT min(next_batch) FROM clawgrant.publish_position)
        """,
        parameterTypes: [.text])

    /// See ``ReadinessLedger/readiness(of:)``.
    public func readiness(of worker: WorkerID) async throws(LedgerError) -> LedgerReadiness {
        let what = "reading how worker \(worker) fares"
        let rows = try await run(what, [.execute(Self.readiness, Parameters(worker.rawValue))])[0]
        do {
            guard rows.rowCount == 1 else { throw Self.corrupted("clawgrant.control_state") }
            return LedgerReadiness(
                now: try rows.timestampValue(0, 0), controlPolledAt: try rows.timestampValue(0, 1),
                isAlive: try rows.bool(0, 2), liveWorkers: try rows.int64(0, 3), partitions: try rows.int64(0, 4),
                ownPartitions: try rows.int64(0, 5), unownedPartitions: try rows.int64(0, 6),
                oldestUnsealedAt: try rows.optionalTimestamp(0, 7), unpublishedBatches: try rows.int64(0, 8))
        } catch {
            throw Self.translate(error, what)
        }
    }
}
