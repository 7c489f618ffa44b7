import ClawWire
import CrashPoints
import GrantLedger
import ReceiptLog

extension SimulatedLedger {
    func heartbeat(
        worker: WorkerID, lifetime: Duration, topics: [String: Int32],
        initialOffset: @Sendable (InputPartition) -> Int64
    ) async throws(LedgerError) -> LeaseView {
        let microseconds = Int64(lifetime / .microseconds(1))
        let existing = try await run("heartbeat.renew") { session in
            try await Self.renew(worker, microseconds, session)
        }
        CrashPoint.pass(.leaseRenewed)
        var missing: [InputPartition: Int64] = [:]
        for (topic, count) in topics {
            for number in 0..<count {
                let partition = InputPartition(topic: topic, partition: number)
                if !existing.contains(partition) { missing[partition] = initialOffset(partition) }
            }
        }
        let (names, added) = (Set(topics.keys), missing)
        let view = try await run("heartbeat.claim") { session in
            try await Self.claim(worker, names, adding: added, session)
        }
        CrashPoint.pass(.leasesClaimed)
        return view
    }

    private static func renew(
        _ worker: WorkerID, _ lifetime: Int64, _ session: Session
    ) async throws -> Set<InputPartition> {
        let database = session.database
        try await session.statement("heartbeat.renew_worker")
        try await session.lock(.worker(worker))
        let end = Timestamp(microseconds: database.clock.microseconds + lifetime)
        session.write { $0.workers[worker] = end }
        try await session.statement("heartbeat.end_sessions_of_the_dead")
        database.endSessions(ofTheDeadBut: worker)
        try await session.statement("heartbeat.forget_the_dead")
        let now = database.clock
        session.write { tables in
            let old = now.adding(seconds: -3_600)
            for (id, end) in tables.workers where end < old && id != worker {
                let holds =
                    tables.partitions.values.contains { $0.owner == id }
                    || tables.roles.values.contains { $0.owner == id }
                if !holds { tables.workers[id] = nil }
            }
        }
        try await session.statement("heartbeat.known_partitions")
        let known = Set(database.tables.partitions.keys)
        try await session.statement("heartbeat.cut_leases_of_the_future")
        session.write { tables in
            for (id, end) in tables.workers where end > now.adding(seconds: 660) {
                tables.workers[id] = Timestamp(microseconds: now.microseconds + lifetime)
            }
        }
        return known
    }

    private static func claim(
        _ worker: WorkerID, _ topics: Set<String>, adding missing: [InputPartition: Int64], _ session: Session
    ) async throws -> LeaseView {
        let database = session.database
        var added: [InputPartition: Tables.Partition] = [:]
        if !missing.isEmpty {
            try await session.statement("heartbeat.add_partitions")
            for (partition, offset) in missing.sorted(by: { $0.key < $1.key }) {
                try await session.lock(.partition(partition))
                guard database.tables.partitions[partition] == nil else { continue }
                added[partition] = Tables.Partition(nextOffset: offset)
                session.write { $0.partitions[partition] = Tables.Partition(nextOffset: offset) }
            }
        }
        try await session.statement("heartbeat.claim_partitions")
        let now = database.clock
        var partitions = database.tables.partitions.merging(added) { old, _ in old }.filter {
            topics.contains($0.key.topic)
        }
        let live = database.tables.workers.filter { $0.value >= now }.keys.sorted()
        guard let rank = live.firstIndex(of: worker) else {
            return LeaseView(held: [], surplus: 0, liveWorkers: 0, totalPartitions: 0)
        }
        let quota = partitions.count / live.count + (rank < partitions.count % live.count ? 1 : 0)
        var room = max(0, quota - partitions.values.count { $0.owner == worker })
        let free = partitions.filter { !database.tables.isAlive($0.value.owner, at: now) }.keys.sorted {
            ($0.partition, $0.topic) < ($1.partition, $1.topic)
        }
        for partition in free where room > 0 {
            // What a decide transaction has locked is skipped, not waited for.
            guard session.lockIfFree(.partition(partition)), var row = partitions[partition] else { continue }
            row.owner = worker
            row.epoch += 1
            partitions[partition] = row
            room -= 1
            let claimed = row
            session.write { tables in
                tables.partitions[partition]?.owner = worker
                tables.partitions[partition]?.epoch = claimed.epoch
            }
        }
        try await session.statement("heartbeat.lease_shares")
        try await session.statement("heartbeat.lease_view")
        let held = partitions.filter { $0.value.owner == worker }.map {
            PartitionLease(
                partition: $0.key, epoch: LeaseEpoch($0.value.epoch),
                nextOffset: database.tables.partitions[$0.key]?.nextOffset ?? $0.value.nextOffset)
        }
        return LeaseView(
            held: held.sorted { $0.partition < $1.partition }, surplus: max(0, held.count - quota),
            liveWorkers: live.count, totalPartitions: partitions.count)
    }

    /// No worker of a world has the name of another, and a session here lasts for one transaction.
    func endPredecessors(of worker: WorkerID) async throws(LedgerError) -> [WorkerID] { [] }

    func release(partitions: Set<InputPartition>, of worker: WorkerID) async throws(LedgerError) {
        try await run("release_partitions") { session in
            try await session.statement("release_partitions.update")
            try await Self.release(partitions.sorted(), of: worker, session)
        }
    }

    private static func release(
        _ partitions: [InputPartition], of worker: WorkerID, _ session: Session
    ) async throws {
        let database = session.database
        for partition in partitions where database.tables.partitions[partition]?.owner == worker {
            try await session.lock(.partition(partition))
            guard database.tables.partitions[partition]?.owner == worker else { continue }
            session.write { tables in
                tables.partitions[partition]?.owner = nil
                tables.partitions[partition]?.epoch += 1
            }
        }
    }

    func leave(worker: WorkerID) async throws(LedgerError) {
        try await run("leave") { session in
            try await session.statement("leave.release_all_partitions")
            try await Self.release(session.database.tables.partitions.keys.sorted(), of: worker, session)
            try await session.statement("leave.release_roles")
            let database = session.database
            for role in WorkerRole.allCases where database.tables.roles[role]?.owner == worker {
                try await session.lock(.role(role))
                guard database.tables.roles[role]?.owner == worker else { continue }
                session.write { tables in
                    tables.roles[role]?.owner = nil
                    tables.roles[role]?.epoch += 1
                }
            }
            try await session.statement("leave.forget_worker")
            try await session.lock(.worker(worker))
            session.write { $0.workers[worker] = nil }
        }
    }

    func claim(role: WorkerRole, for worker: WorkerID) async throws(LedgerError) -> RoleLease? {
        try await run("claim_\(role.rawValue)") { session in
            let database = session.database
            try await session.statement("claim_\(role.rawValue).update")
            guard var row = database.tables.roles[role] else { return nil }
            if row.owner != worker, !database.tables.isAlive(row.owner, at: database.clock),
                session.lockIfFree(.role(role))
            {
                row.owner = worker
                row.epoch += 1
                let claimed = row
                session.write { $0.roles[role] = claimed }
            }
            try await session.statement("claim_\(role.rawValue).holder")
            guard row.owner == worker else { return nil }
            return RoleLease(role: role, owner: worker, epoch: LeaseEpoch(row.epoch))
        }
    }

    func committedOffsets() async throws(LedgerError) -> [InputPartition: Int64] {
        try await read("committed_offsets") { $0.tables.partitions.mapValues(\.nextOffset) }
    }
}
