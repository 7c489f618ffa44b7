import ClawWire
import Kafka

/// What a broker may get wrong about transactions; each was seen on some broker.
enum BrokerFlaw: Sendable, Hashable, CaseIterable {
    /// Readers of committed records see what was aborted.
    case showsAborted
    /// Readers of committed records see what is not committed yet.
    case showsOpen
    /// A commit takes effect on some partitions only, and is answered with an error.
    case tearsCommits
    /// A producer that was fenced off may still write and commit.
    case takesZombies
    /// Readers of committed records do not see what the same producer commits after an abort.
    case hidesAfterAbort
}

/// A broker: topics with partitions, transactions, and one producer epoch for each transactional id.
final class SimulatedBroker: @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    /// What became of a transaction in one partition.
    enum Fate { case open, committed, aborted }

    struct Entry {
        let record: ConsumedRecord?
        let offset: Int64
        let transaction: Int?
    }

    /// One partition's log.
    struct Log {
        var entries: [Entry] = []
        var end: Int64 = 0
        var fates: [Int: Fate] = [:]

        /// The index of the first entry at or behind an offset.
        func index(of offset: Int64) -> Int {
            var (low, high) = (0, entries.count)
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private struct Transaction {
        let number: Int
        let transactionalID: String
        let epoch: Int
        var partitions: Set<TopicPartition> = []
    }

    /// After which a transaction that nobody ends is aborted, in nanoseconds.
    private static let transactionTimeout: Int64 = 10_000_000_000
    let scheduler: Scheduler
    let node: Node
    let faults: Faults
    let flaws: Set<BrokerFlaw>
    private(set) var isDown = false
    private(set) var logs: [TopicPartition: Log] = [:]
    private var counts: [String: Int32] = [:]
    private var epochs: [String: Int] = [:]
    private var open: [String: Transaction] = [:]
    private var nextTransaction = 0
    private var listeners: [() -> Void] = []
    /// Told of each record that a worker puts onto a topic.
    var published: ((ProducerRecord, Node) -> Void)?

    init(_ scheduler: Scheduler, faults: Faults, flaws: Set<BrokerFlaw>) {
        self.scheduler = scheduler
        self.faults = faults
        self.flaws = flaws
        node = Node("broker", scheduler)
    }

    // MARK: Topics

    func create(_ topic: String, partitions: Int32) {
        counts[topic] = partitions
        for partition in 0..<partitions { logs[TopicPartition(topic: topic, partition: partition)] = Log() }
    }

    var partitionCounts: [String: Int32] { counts }

    func log(_ partition: TopicPartition) -> Log? { logs[partition] }

    /// The partition of a record without one, by its key.
    func partition(of record: ProducerRecord) -> TopicPartition {
        if let partition = record.partition { return TopicPartition(topic: record.topic, partition: partition) }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in record.key ?? [] { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let count = UInt64(counts[record.topic] ?? 1)
        return TopicPartition(topic: record.topic, partition: Int32(hash % count))
    }

    /// Appends a record; everyone who reads the topic may have it from now on.
    @discardableResult
    func append(_ record: ProducerRecord, to partition: TopicPartition, in transaction: Int? = nil) -> Int64 {
        var log = logs[partition] ?? Log()
        let offset = log.end
        let consumed = ConsumedRecord(
            topicPartition: partition, offset: offset, timestamp: record.timestamp, key: record.key,
            value: record.value, headers: record.headers)
        log.entries.append(Entry(record: consumed, offset: offset, transaction: transaction))
        log.end += 1
        if let transaction, log.fates[transaction] == nil { log.fates[transaction] = .open }
        logs[partition] = log
        tell()
        return offset
    }

    /// Takes away what a later record of the same key replaced, the newest record left alone.
    func compact(_ topic: String) {
        for partition in logs.keys where partition.topic == topic {
            guard var log = logs[partition] else { continue }
            var last: [[UInt8]: Int64] = [:]
            for entry in log.entries { if let key = entry.record?.key { last[key] = entry.offset } }
            log.entries.removeAll { entry in
                entry.offset < log.end - 1
                    && (entry.record?.key.flatMap { last[$0] }.map { $0 > entry.offset } ?? false)
            }
            logs[partition] = log
        }
        node.note("compacts \(topic)")
    }

    func listen(_ listener: @escaping () -> Void) { listeners.append(listener) }

    private func tell() {
        let all = listeners
        listeners = []
        for listener in all { scheduler.after(100_000, listener) }
    }

    /// Goes away and comes back.
    func restart(after time: Int64) {
        isDown = true
        node.note("the broker goes away")
        scheduler.after(time) { [self] in
            isDown = false
            node.note("the broker is back")
            tell()
        }
    }

    // MARK: Reading

    /// How far a reader may read, and which entries it sees.
    func stableEnd(_ log: Log, isCommittedOnly: Bool) -> Int64 {
        guard isCommittedOnly, !flaws.contains(.showsOpen) else { return log.end }
        let open = Set(log.fates.filter { $0.value == .open }.keys)
        guard !open.isEmpty else { return log.end }
        return log.entries.first { $0.transaction.map(open.contains) ?? false }?.offset ?? log.end
    }

    func isVisible(_ entry: Entry, _ log: Log, isCommittedOnly: Bool) -> Bool {
        guard entry.record != nil else { return false }
        guard isCommittedOnly, let transaction = entry.transaction else { return true }
        switch log.fates[transaction] {
        case .aborted: return flaws.contains(.showsAborted)
        case .open: return flaws.contains(.showsOpen)
        case .committed, nil:
            guard flaws.contains(.hidesAfterAbort) else { return true }
            return !log.fates.contains { $0.key < transaction && $0.value == .aborted }
        }
    }

    // MARK: Transactions

    /// Gives a producer its epoch, which fences older ones and ends what they left open.
    func initialize(_ transactionalID: String) -> Int {
        let epoch = (epochs[transactionalID] ?? -1) + 1
        epochs[transactionalID] = epoch
        if let old = open[transactionalID], !flaws.contains(.takesZombies) {
            end(old, as: .aborted, in: old.partitions)
            open[transactionalID] = nil
        }
        return epoch
    }

    func isFenced(_ transactionalID: String, _ epoch: Int) -> Bool {
        epochs[transactionalID] != epoch && !flaws.contains(.takesZombies)
    }

    /// The number of a producer's open transaction, begun if there is none.
    func transaction(_ transactionalID: String, _ epoch: Int) -> Int {
        let key = flaws.contains(.takesZombies) ? "\(transactionalID)/\(epoch)" : transactionalID
        if let known = open[key] { return known.number }
        nextTransaction += 1
        let number = nextTransaction
        open[key] = Transaction(number: number, transactionalID: transactionalID, epoch: epoch)
        scheduler.after(Self.transactionTimeout) { [self] in
            guard let left = open[key], left.number == number else { return }
            open[key] = nil
            end(left, as: .aborted, in: left.partitions)
        }
        return number
    }

    func join(_ partition: TopicPartition, _ transactionalID: String, _ epoch: Int) {
        let key = flaws.contains(.takesZombies) ? "\(transactionalID)/\(epoch)" : transactionalID
        open[key]?.partitions.insert(partition)
    }

    /// Ends a producer's transaction.
    ///
    /// - Returns: false when it took effect on some partitions only.
    func commit(_ transactionalID: String, _ epoch: Int) -> Bool {
        let key = flaws.contains(.takesZombies) ? "\(transactionalID)/\(epoch)" : transactionalID
        guard let transaction = open.removeValue(forKey: key) else { return true }
        if flaws.contains(.tearsCommits), faults.mayStrike(.transactions, oncein: 6), transaction.partitions.count > 1 {
            let sorted = transaction.partitions.sorted()
            let count = 1 + scheduler.dice.below(sorted.count - 1)
            end(transaction, as: .committed, in: Set(sorted.prefix(count)))
            end(transaction, as: .aborted, in: Set(sorted.dropFirst(count)))
            node.note("a commit is torn")
            return false
        }
        end(transaction, as: .committed, in: transaction.partitions)
        return true
    }

    private func end(_ transaction: Transaction, as fate: Fate, in partitions: Set<TopicPartition>) {
        for partition in partitions.sorted() {
            guard var log = logs[partition] else { continue }
            log.fates[transaction.number] = fate
            log.entries.append(Entry(record: nil, offset: log.end, transaction: nil))
            log.end += 1
            logs[partition] = log
        }
        tell()
    }
}

/// One exchange of a client with the broker.
struct BrokerCall {
    let broker: SimulatedBroker
    let client: Node
    let operation: KafkaError.Operation
    /// The name of the exchange.
    let point: String

    /// Asks the broker for something.
    ///
    /// - Throws: ``KafkaError``: a lost acknowledgement or a broker that is away looks the same.
    func perform<Reply>(_ work: () -> Result<Reply, KafkaError>) async throws(KafkaError) -> Reply {
        guard !client.isDead else { throw closed }
        let isSent: Bool
        switch broker.faults.strike("\(point).send", client) {
        case .none: isSent = true
        case .cut, .timeout, .conflict: isSent = false
        }
        let scheduler = broker.scheduler
        guard await client.wait(orUntil: scheduler.now + scheduler.dice.within(50_000...900_000), { _ in }) == .timedOut
        else { throw closed }
        guard isSent, !broker.isDown else {
            // The client tries by itself until its time is over.
            guard await client.wait(orUntil: scheduler.now + 1_000_000_000, { _ in }) == .timedOut else { throw closed }
            throw failure(mayHaveBeenWritten: false)
        }
        let result = work()
        switch broker.faults.strike(server: "\(point).done", for: client) {
        case .none: break
        case .cut, .timeout, .conflict: throw failure(mayHaveBeenWritten: true)
        }
        if broker.faults.mayStrike(.broker, oncein: 120) { throw failure(mayHaveBeenWritten: true) }
        guard await client.wait(orUntil: scheduler.now + scheduler.dice.within(50_000...900_000), { _ in }) == .timedOut
        else { throw closed }
        return try result.get()
    }

    private var closed: KafkaError {
        KafkaError(code: .destroyed, kind: .permanent, operation: operation, detail: "the client is closed")
    }

    private func failure(mayHaveBeenWritten: Bool) -> KafkaError {
        KafkaError(
            code: .timedOut, kind: .retriable, operation: operation, detail: "the broker did not answer",
            mayHaveBeenWritten: mayHaveBeenWritten)
    }
}
