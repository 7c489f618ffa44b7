public import ClawWire
import CrashPoints
import Postgres
public import ReceiptLog

extension PostgresLedger {
    /// See ``Ledger/heartbeat(worker:lifetime:topics:initialOffset:)``.
    public func heartbeat(
        worker: WorkerID, lifetime: Duration, topics: [String: Int32],
        initialOffset: @Sendable (InputPartition) -> Int64
    ) async throws(LedgerError) -> LeaseView {
        let what = "heartbeat of worker \(worker)"
        let milliseconds = Int64(lifetime / .milliseconds(1))
        let names = topics.keys.sorted()
        let known = try await run(
            what,
            [
                .execute(LeaseStatements.renewWorker, Parameters(worker.rawValue, milliseconds)),
                .execute(LeaseStatements.endSessionsOfTheDead, Parameters(worker.rawValue, milliseconds)),
                .execute(LeaseStatements.forgetTheDead),
                .execute(LeaseStatements.knownPartitions),
                .execute(LeaseStatements.cutLeasesOfTheFuture, Parameters(milliseconds)),
            ])
        CrashPoint.pass(.leaseRenewed)
        do {
            var existing: Set<InputPartition> = []
            let rows = known[3]
            for row in 0..<rows.rowCount {
                existing.insert(
                    InputPartition(topic: try rows.string(row, 0), partition: try rows.int32(row, 1)))
            }
            var missing: [InputPartition] = []
            for (topic, count) in topics {
                for partition in 0..<count where !existing.contains(InputPartition(topic: topic, partition: partition))
                {
                    missing.append(InputPartition(topic: topic, partition: partition))
                }
            }
            missing.sort()
            var steps: [PipelineStep] = []
            if !missing.isEmpty {
                var parameters = Parameters()
                parameters.append(column: missing) { $0.topic }
                parameters.append(column: missing) { $0.partition }
                parameters.append(array: missing.map(initialOffset))
                steps.append(.execute(LeaseStatements.addPartitions, parameters))
            }
            for statement in [LeaseStatements.claimPartitions, LeaseStatements.shares, LeaseStatements.leaseView] {
                var parameters = Parameters(worker.rawValue)
                parameters.append(array: names)
                steps.append(.execute(statement, parameters))
            }
            let results = try await run(what, steps)
            CrashPoint.pass(.leasesClaimed)
            return try Self.leaseView(shares: results[results.count - 2], held: results[results.count - 1])
        } catch {
            throw Self.translate(error, what)
        }
    }

    private static func leaseView(shares: PostgresResult, held: PostgresResult) throws -> LeaseView {
        var leases: [PartitionLease] = []
        for row in 0..<held.rowCount {
            leases.append(
                PartitionLease(
                    partition: InputPartition(topic: try held.string(row, 0), partition: try held.int32(row, 1)),
                    epoch: LeaseEpoch(try held.int64(row, 2)), nextOffset: try held.int64(row, 3)))
        }
        guard shares.rowCount == 1 else {
            return LeaseView(held: leases, surplus: 0, liveWorkers: 0, totalPartitions: 0)
        }
        let quota = Int(try shares.int64(0, 2))
        return LeaseView(
            held: leases.sorted { $0.partition < $1.partition }, surplus: max(0, leases.count - quota),
            liveWorkers: Int(try shares.int64(0, 0)), totalPartitions: Int(try shares.int64(0, 1)))
    }

    /// See ``Ledger/endPredecessors(of:)``.
    public func endPredecessors(of worker: WorkerID) async throws(LedgerError) -> [WorkerID] {
        let what = "looking for earlier starts of worker \(worker)"
        let rows = try await run(
            what, [.execute(LeaseStatements.endPredecessors, Parameters(worker.rawValue))])[0]
        do {
            return try (0..<rows.rowCount).map { WorkerID(try rows.string($0, 0)) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/release(partitions:of:)``.
    public func release(partitions: Set<InputPartition>, of worker: WorkerID) async throws(LedgerError) {
        let sorted = partitions.sorted()
        var parameters = Parameters(worker.rawValue)
        parameters.append(column: sorted) { $0.topic }
        parameters.append(column: sorted) { $0.partition }
        _ = try await run(
            "giving up \(sorted.count) partitions", [.execute(LeaseStatements.releasePartitions, parameters)])
    }

    /// See ``Ledger/leave(worker:)``.
    public func leave(worker: WorkerID) async throws(LedgerError) {
        let parameters = Parameters(worker.rawValue)
        _ = try await run(
            "leaving",
            [
                .execute(LeaseStatements.releaseAllPartitions, parameters),
                .execute(LeaseStatements.releaseRoles, parameters),
                .execute(LeaseStatements.forgetWorker, parameters),
            ])
    }

    /// See ``Ledger/claim(role:for:)``.
    public func claim(role: WorkerRole, for worker: WorkerID) async throws(LedgerError) -> RoleLease? {
        let what = "claiming the role \(role.rawValue)"
        let results = try await run(
            what,
            [
                .execute(LeaseStatements.claimRole, Parameters(role.rawValue, worker.rawValue)),
                .execute(LeaseStatements.roleHolder, Parameters(role.rawValue)),
            ])
        do {
            let holder = results[1]
            guard holder.rowCount == 1, try holder.optional(0, 0, as: String.self) == worker.rawValue else {
                return nil
            }
            return RoleLease(role: role, owner: worker, epoch: LeaseEpoch(try holder.int64(0, 1)))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/committedOffsets()``.
    public func committedOffsets() async throws(LedgerError) -> [InputPartition: Int64] {
        let what = "reading committed offsets"
        let rows = try await run(what, [.execute(LeaseStatements.knownPartitions)])[0]
        do {
            var offsets: [InputPartition: Int64] = [:]
            for row in 0..<rows.rowCount {
                offsets[InputPartition(topic: try rows.string(row, 0), partition: try rows.int32(row, 1))] =
                    try rows.int64(row, 2)
            }
            return offsets
        } catch {
            throw Self.translate(error, what)
        }
    }
}
