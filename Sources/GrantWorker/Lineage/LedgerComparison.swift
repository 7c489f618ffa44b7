public import ClawWire
public import GrantLedger
public import Kafka
public import Logging
import ReceiptLog

/// Holds a ledger against its topics: is everything that was published in the ledger?
///
/// Batches are sealed in the ledger before anything of them is published, so a record of a batch that the ledger does
/// not hold proves that the ledger lost its end: it was restored from a backup, or a standby took over that had not
/// received everything. Such a ledger would issue a second time what is out already, under numbers that readers have
/// seen with other content.
public struct LedgerComparison: Sendable {
    /// A live sealer may be ahead of what was read of the ledger by less than this; reading ends early beyond it.
    private static let raceBatches: Int64 = 1_000
    /// So many offsets before the end of a partition are read in any case; a transaction takes one for its own end.
    private static let lastRecords: Int64 = 8
    private let ledger: any LineageLedger
    private let logID: LogID
    private let logKeys: [Ed25519PublicKey]
    private let configuration: KafkaConfiguration
    private let topics: WorkerConfiguration.OutputTopics
    private let admin: any ClusterDescription
    private let clients: any KafkaClients
    private let logger: Logger

    /// Makes a comparison; nothing is read yet.
    ///
    /// - Parameters:
    ///   - ledger: the ledger.
    ///   - logID: name of its log.
    ///   - logKeys: keys whose batches and heads are believed; others are passed over.
    ///   - configuration: how the broker is reached.
    ///   - topics: names of the output topics.
    ///   - admin: tells which topics there are.
    ///   - clients: makes the client that reads them.
    ///   - logger: takes what the client has to say.
    public init(
        ledger: any LineageLedger, logID: LogID, logKeys: [Ed25519PublicKey], configuration: KafkaConfiguration,
        topics: WorkerConfiguration.OutputTopics, admin: any ClusterDescription,
        clients: any KafkaClients = LibrdkafkaClients(), logger: Logger
    ) {
        self.ledger = ledger
        self.logID = logID
        self.logKeys = logKeys
        self.configuration = configuration
        self.topics = topics
        self.admin = admin
        self.clients = clients
        self.logger = logger
    }

    /// What a record says of the ledger that it was published from.
    private enum Claim {
        case batch(Int64, header: Digest?)
        case control(Int64)
    }

    private struct Shown {
        var claim: Claim
        var place: String
    }

    /// What the topics show, as far as it matters.
    private struct Tail {
        /// The greatest batch of any record.
        var batch: Shown?
        /// The greatest control position of any head.
        var control: Shown?
        /// The last batch of receipts whose signature holds.
        var sealed: (number: Int64, header: Digest, place: String)?

        mutating func note(_ claim: Claim, at place: @autoclosure () -> String) {
            switch claim {
            case .batch(let number, let header):
                if Self.isGreater(number, than: batch) { batch = Shown(claim: claim, place: place()) }
                if let header, sealed.map({ number > $0.number }) ?? true { sealed = (number, header, place()) }
            case .control(let position):
                if Self.isGreater(position, than: control) { control = Shown(claim: claim, place: place()) }
            }
        }

        private static func isGreater(_ number: Int64, than shown: Shown?) -> Bool {
            switch shown?.claim {
            case nil: true
            case .batch(let other, _), .control(let other): number > other
            }
        }
    }

    private struct ReadEnough: Error {}

    /// Reads the ends of the output topics, from where publishing stood by the ledger's own note, and compares.
    ///
    /// - Returns: the database for which it holds that nothing is published which it does not have.
    /// - Throws: ``LedgerError/Code/behind`` when it does not hold; `KafkaError` and ``LedgerError`` when either side
    ///   cannot be read.
    public func run() async throws -> LedgerIncarnation {
        while true {
            let before = try await ledger.standing()
            let tail = try await read(before)
            let after = try await ledger.standing()
            guard before.incarnation == after.incarnation else { continue }
            try await check(tail, after)
            return after.incarnation
        }
    }

    private func check(_ tail: Tail, _ standing: LedgerStanding) async throws(LedgerError) {
        if let shown = tail.batch, case .batch(let number, _) = shown.claim, number >= standing.nextBatch {
            throw Self.behind(
                "\(shown.place) is of batch \(number), and the ledger's next batch is \(standing.nextBatch)")
        }
        if let shown = tail.control, case .control(let position) = shown.claim, position > standing.controlPosition {
            throw Self.behind(
                "\(shown.place) speaks of control position \(position), and the ledger's is "
                    + "\(standing.controlPosition)")
        }
        if let sealed = tail.sealed, let own = try await ledger.headerHash(ofBatch: sealed.number),
            own != sealed.header
        {
            throw Self.behind(
                "\(sealed.place) is batch \(sealed.number), and the ledger has another batch of that number")
        }
    }

    private static func behind(_ what: String) -> LedgerError {
        LedgerError(
            .behind,
            "the topics hold what this ledger does not: \(what). It was restored to an earlier instant, or it is not the "
                + "ledger of these topics. Nothing is issued, sealed or published from it, because what is out already "
                + "would be issued again. Restore a later state of the database, or close this log and open its successor; "
                + "docs/backup.md tells how")
    }

    private func read(_ standing: LedgerStanding) async throws -> Tail {
        let metadata = try await admin.metadata(timeout: .seconds(15))
        var properties = configuration
        // Records of aborted transactions were sealed as well.
        properties["isolation.level"] = "read_uncommitted"
        properties["group.id"] = nil
        let consumer = try clients.consumer(properties, bufferBytes: 8 << 20, log: logger.kafka)
        do {
            var tail = Tail()
            for lane in PublishLane.allCases {
                let position = try await ledger.publishPosition(of: lane)
                do {
                    try await read(consumer, metadata, lane, position, limit: standing.nextBatch, into: &tail)
                } catch is ReadEnough {
                    break
                }
            }
            _ = await consumer.close(deadline: .seconds(5))
            return tail
        } catch {
            _ = await consumer.close(deadline: .seconds(5))
            throw error
        }
    }

    private func read(
        _ consumer: any RecordConsumer, _ metadata: ClusterMetadata, _ lane: PublishLane, _ position: PublishPosition,
        limit: Int64, into tail: inout Tail
    ) async throws {
        var starts: [InputPartition: Int64] = [:]
        var ends: [InputPartition: Int64] = [:]
        for stream in lane.streams {
            let name = topics.name(stream)
            // Nothing can have been published on a topic that is not there.
            guard let topic = metadata.topics[name] else { continue }
            if let error = topic.error {
                if error.code == .unknownTopicOrPartition || error.code == .unknownTopic { continue }
                throw error
            }
            for partition in topic.partitions {
                let key = InputPartition(topic: name, partition: partition.id)
                let marks = try await consumer.watermarks(key.kafka, timeout: .seconds(15))
                // Also what stands right before the ledger's own note, which may be all there is: the last batch and the
                // last head show whether the history is the same.
                starts[key] = max(min(position.readFrom[key] ?? 0, marks.high - Self.lastRecords), marks.low)
                ends[key] = marks.high
            }
        }
        var seen = tail
        defer { tail = seen }
        try await TailReader.visit(consumer, starts, ends) { key, record in
            guard let claim = claim(of: record) else { return }
            seen.note(claim, at: "\(key)@\(record.offset)")
            if case .batch(let number, _) = claim, number >= limit + Self.raceBatches { throw ReadEnough() }
        }
    }

    private func claim(of record: ConsumedRecord) -> Claim? {
        if let found = TailReader.found(record) {
            guard found.position.stream == OutputStream.receiptBatches.name, let value = record.value,
                let batch = try? VerifiedBatch(
                    parsing: value, previous: nil, logID: logID, logKeys: logKeys, depth: .hashes)
            else { return .batch(found.batch, header: nil) }
            return .batch(found.batch, header: batch.headerHash)
        }
        guard let value = record.value, record.key == SignedRevocationHead.recordKey,
            let head = try? SignedRevocationHead(verifying: value, logKeys: logKeys, logID: logID)
        else { return nil }
        return .control(head.head.controlPosition)
    }
}
