import ClawWire
import Fsck
import GrantLedger
import Kafka

/// The topics of a simulated broker, as a reader sees them who reads what is not committed too.
struct SimulatedTopics: TopicSource {
    let broker: SimulatedBroker

    func beginnings(of topic: String) async throws -> [Int32: Int64] {
        var beginnings: [Int32: Int64] = [:]
        for partition in 0..<(broker.partitionCounts[topic] ?? 0) { beginnings[partition] = 0 }
        return beginnings
    }

    func read(_ topic: String, _ body: (FsckRecord) throws -> Void) async throws {
        for partition in 0..<(broker.partitionCounts[topic] ?? 0) {
            for entry in broker.log(TopicPartition(topic: topic, partition: partition))?.entries ?? [] {
                guard let record = entry.record else { continue }
                try body(
                    FsckRecord(
                        partition: partition, offset: record.offset, timestamp: record.timestamp, key: record.key,
                        value: record.value, headers: record.headers.map { ($0.name, $0.value) }))
            }
        }
    }
}

/// The tables of a simulated ledger.
struct SimulatedRows: LedgerSource {
    let tables: Tables

    func batches(from number: Int64, limit: Int) async throws -> [LedgerBatch] {
        tables.batches.dropFirst(Int(max(0, number))).prefix(limit).map { batch in
            LedgerBatch(
                number: batch.number, firstPosition: batch.firstPosition, lastPosition: batch.lastPosition,
                headerHash: batch.headerHash.bytes, header: batch.header, signature: batch.signature.bytes,
                checkpoint: batch.checkpoint,
                groups: batch.groups.map { LedgerGroupKey(day: $0.day, group: $0.groupID) })
        }
    }

    func groups(_ keys: [LedgerGroupKey]) async throws -> [LedgerGroup] {
        keys.compactMap { key in tables.groups[key.group].map { LedgerGroup(key: key, body: $0.body) } }
    }

    func groupKeys(after key: LedgerGroupKey, limit: Int) async throws -> [LedgerGroupKey] {
        let keys = tables.groups.values.map { LedgerGroupKey(day: $0.group.day, group: $0.group.groupID) }
            .filter { ($0.day, $0.group) > (key.day, key.group) }
        return Array(keys.sorted { ($0.day, $0.group) < ($1.day, $1.group) }.prefix(limit))
    }

    func unsealed(after group: Int64, limit: Int) async throws -> [Int64] {
        Array(tables.unsealed.keys.filter { $0 > group }.sorted().prefix(limit))
    }

    func requests(after request: String, limit: Int) async throws -> [LedgerRequest] {
        let ids = tables.requests.keys.map(\.rawValue).filter { $0 > request }.sorted().prefix(limit)
        return ids.compactMap { id in
            tables.requests[RequestID(id)].map {
                LedgerRequest(
                    id: id, state: $0.request.state.rawValue, tokenHash: $0.request.token?.tokenHash.bytes)
            }
        }
    }

    func approvals(after approval: String, limit: Int) async throws -> [LedgerApproval] {
        let ids = tables.approvals.keys.map(\.rawValue).filter { $0 > approval }.sorted().prefix(limit)
        return ids.compactMap { id in
            tables.approvals[ApprovalID(id)].map { LedgerApproval(id: id, usedBy: $0.usedBy.map(\.rawValue)) }
        }
    }

    func controlEvents(after event: String, limit: Int) async throws -> [LedgerControlEvent] {
        tables.controlEvents.keys.filter { $0 > event }.sorted().prefix(limit).compactMap { id in
            tables.controlEvents[id].map(\.event).map {
                LedgerControlEvent(
                    id: id, position: $0.position, operation: $0.operation, handle: $0.handle, result: $0.result,
                    digest: $0.digest.bytes, body: $0.body)
            }
        }
    }

    func controlPosition() async throws -> (position: Int64, lastEvent: Int64) {
        (tables.controlPosition, tables.controlEvents.values.compactMap(\.event.position).max() ?? 0)
    }
}
