import ClawWire
import DevStack
import Kafka
import Postgres
import ReceiptLog

/// What a playground's ledger holds at one moment, by its own SQL.
public struct PlaygroundStatus: Sendable, Hashable {
    /// Requests that wait.
    public var waiting = 0
    /// Requests with a token.
    public var issued = 0
    /// Requests refused.
    public var denied = 0
    /// Requests whose time ran out.
    public var expired = 0
    /// Groups of effects not sealed yet.
    public var unsealedGroups = 0
    /// Sealed batches.
    public var batches = 0
    /// Sealed receipts.
    public var receipts = 0
    /// First batch that may not be on the topics in full.
    public var nextBatchToPublish = 0
    /// Sum of the input offsets committed.
    public var recordsCommitted = 0
    /// Workers whose lease has not run out.
    public var liveWorkers = 0
    /// Input partitions that a live worker holds, by worker.
    public var partitionsHeld: [String: Int] = [:]
    /// Partitions that a worker's present start holds.
    public func partitions(heldBy worker: PlaygroundWorker) -> Int {
        partitionsHeld.first { worker.isNamed($0.key) }?.value ?? 0
    }
    /// The worker that seals and publishes; empty when there is none.
    public var sealer = ""
}

extension Playground {
    /// Reads the ledger.
    public func status() async throws -> PlaygroundStatus {
        let row = try await query(
            """
            SELECT (SELECT count(*) FROM clawgrant.request WHERE state = 0)::text,
                (SELECT count(*) FROM clawgrant.request WHERE state = 1)::text,
                (SELECT count(*) FROM clawgrant.request WHERE state = 2)::text,
                (SELECT count(*) FROM clawgrant.request WHERE state = 3)::text,
                (SELECT count(*) FROM clawgrant.unsealed)::text,
                (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch)::text,
                (SELECT coalesce(max(last_position) + 1, 0) FROM clawgrant.receipt_batch)::text,
                (SELECT min(next_batch) FROM clawgrant.publish_position)::text,
                (SELECT coalesce(sum(next_offset), 0) FROM clawgrant.input_partition)::text,
                (SELECT count(*) FROM clawgrant.worker WHERE expires_at > now())::text,
                (SELECT coalesce(string_agg(held.lease_owner || '=' || held.n, ','), '') FROM (
                    SELECT p.lease_owner, count(*) AS n FROM clawgrant.input_partition p
                    JOIN clawgrant.worker w ON w.worker_id = p.lease_owner AND w.expires_at > now()
                    GROUP BY p.lease_owner) held),
                (SELECT coalesce(max(lease_owner), '') FROM clawgrant.role_lease WHERE role = 'sealer')
            """)
        func number(_ column: Int) throws -> Int { Int(try row.string(0, column)) ?? 0 }
        var status = PlaygroundStatus()
        status.waiting = try number(0)
        status.issued = try number(1)
        status.denied = try number(2)
        status.expired = try number(3)
        status.unsealedGroups = try number(4)
        status.batches = try number(5)
        status.receipts = try number(6)
        status.nextBatchToPublish = try number(7)
        status.recordsCommitted = try number(8)
        status.liveWorkers = try number(9)
        for pair in try row.string(0, 10).split(separator: ",") {
            let parts = pair.split(separator: "=")
            if parts.count == 2 { status.partitionsHeld[String(parts[0])] = Int(parts[1]) }
        }
        status.sealer = try row.string(0, 11)
        return status
    }

    /// Waits until every worker named holds partitions and they alone hold all.
    public func waitUntilAtWork(_ workers: [PlaygroundWorker], within limit: Duration = .seconds(120)) async throws {
        let all = inputTopics.count * Int(options.inputPartitions)
        try await wait(within: limit, "\(workers.map(\.name).joined(separator: ", ")) to take the partitions") {
            try requireRunning(workers)
            let status = try await self.status()
            let held = workers.map { status.partitions(heldBy: $0) }
            return held.allSatisfy { $0 > 0 } && held.reduce(0, +) == all
        }
    }

    /// Waits until a condition on the ledger holds.
    ///
    /// - Throws: `DevStackError` with what was waited for and the last state seen.
    public func waitForStatus(
        _ description: String, within limit: Duration = .seconds(60),
        _ condition: @Sendable (PlaygroundStatus) -> Bool
    ) async throws {
        try await wait(within: limit, description) { condition(try await self.status()) }
    }

    /// Waits until everything that was sent has been read and decided, everything decided sealed, and everything sealed
    /// published. Requests may still wait for their approval.
    ///
    /// - Parameter waiting: How many requests may still wait for something that is not there; `nil` for any number.
    public func waitUntilSettled(waiting: Int? = nil, within limit: Duration = .seconds(60)) async throws {
        try await wait(within: limit, "everything sent to be decided, sealed and published") {
            let status = try await self.status()
            guard status.unsealedGroups == 0, status.nextBatchToPublish == status.batches,
                waiting.map({ status.waiting <= $0 }) ?? true
            else { return false }
            return try await self.recordsSent() == status.recordsCommitted
        }
    }

    /// How many records the input topics hold, all partitions together.
    ///
    /// Tansu tells too little when it is asked for the end of a partition, so what was sent from here counts as well.
    public func recordsSent() async throws -> Int {
        var sum: Int64 = 0
        let consumer = try KafkaConsumer(configuration: clientConfiguration)
        for topic in inputTopics {
            for partition in 0..<options.inputPartitions {
                let key = TopicPartition(topic: topic, partition: partition)
                sum += max(try await consumer.watermarks(key, timeout: .seconds(10)).high, ownEnd(key))
            }
        }
        _ = await consumer.close(deadline: .seconds(2))
        return Int(sum)
    }

    /// Waits until a head of the revocations topic speaks of a control position, or of a later one.
    ///
    /// That a control event stands in the ledger does not say so: heads come at intervals.
    ///
    /// - Throws: `DevStackError` when none comes within a minute, and `KafkaError` when the topic cannot be read.
    public func waitForHead(controlPosition: Int64) async throws {
        let consumer = try KafkaConsumer(configuration: clientConfiguration)
        let partition = TopicPartition(topic: PlaygroundTopic.revocations, partition: 0)
        do {
            try await consumer.assign([partition: KafkaOffset.beginning])
            try await wait(within: .seconds(60), "a head that speaks of control position \(controlPosition)") {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
                return try batch.records.contains { record in
                    guard record.key == SignedRevocationHead.recordKey, let value = record.value else { return false }
                    let head = try SignedRevocationHead(verifying: value, logKeys: [keys.log], logID: logID)
                    return head.head.controlPosition >= controlPosition
                }
            }
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        _ = await consumer.close(deadline: .seconds(2))
    }

    private func requireRunning(_ workers: [PlaygroundWorker]) throws {
        for worker in workers where !worker.isRunning {
            throw PlaygroundError("\(worker.name) ended by itself; the end of its log:\n\(worker.logTail())")
        }
    }

    private func wait(
        within limit: Duration, _ description: String, _ condition: () async throws -> Bool
    ) async throws {
        do {
            try await waitUntil(
                deadline: limit, description: description, interval: .milliseconds(25), condition: condition)
        } catch let error as DevStackError where error.code == .deadlineExceeded {
            let status = try? await status()
            throw PlaygroundError("\(error.message) The ledger: \(status.map { "\($0)" } ?? "does not answer").")
        }
    }
}
