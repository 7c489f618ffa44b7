import ClawWire
import Fsck
import ReceiptLog

/// Records of topics in memory.
struct MemoryTopics: TopicSource {
    let topics: [String: [FsckRecord]]

    init(_ log: ForgedLog) {
        topics = Dictionary(
            uniqueKeysWithValues: HealthyLog.streams.map { ($0.topic, log.topics[$0.name] ?? []) })
    }

    func beginnings(of topic: String) -> [Int32: Int64] { [0: 0, 1: 0] }

    func read(_ topic: String, _ body: (FsckRecord) throws -> Void) throws {
        for record in topics[topic] ?? [] { try body(record) }
    }
}

/// Rows of a ledger in memory.
struct MemoryLedger: LedgerSource {
    let log: ForgedLog

    func batches(from number: Int64, limit: Int) -> [LedgerBatch] {
        Array(log.ledgerBatches.filter { $0.number >= number }.prefix(limit))
    }

    func groups(_ keys: [LedgerGroupKey]) -> [LedgerGroup] {
        keys.flatMap { key in log.ledgerGroups.filter { $0.key == key } }
    }

    func groupKeys(after key: LedgerGroupKey, limit: Int) -> [LedgerGroupKey] {
        Array(
            log.ledgerGroups.map(\.key).sorted { ($0.day, $0.group) < ($1.day, $1.group) }
                .filter { ($0.day, $0.group) > (key.day, key.group) }.prefix(limit))
    }

    func unsealed(after group: Int64, limit: Int) -> [Int64] {
        Array(log.unsealed.filter { $0 > group }.prefix(limit))
    }

    func requests(after request: String, limit: Int) -> [LedgerRequest] {
        Array(log.ledgerRequests.filter { $0.id > request }.prefix(limit))
    }

    func approvals(after approval: String, limit: Int) -> [LedgerApproval] {
        Array(log.ledgerApprovals.filter { $0.id > approval }.prefix(limit))
    }

    func controlEvents(after event: String, limit: Int) -> [LedgerControlEvent] {
        Array(log.ledgerControlEvents.filter { $0.id > event }.prefix(limit))
    }

    func controlPosition() -> (position: Int64, lastEvent: Int64) {
        (log.ledgerControlPosition, log.ledgerControlEvents.compactMap(\.position).max() ?? 0)
    }
}
