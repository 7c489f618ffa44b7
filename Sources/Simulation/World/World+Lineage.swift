import ClawWire
import GrantLedger
import GrantWorker
import Kafka
import ReceiptLog

/// What the topics show that the ledger does not hold, after a replica took over that lacks commits.
enum Remains {
    /// Nothing: everything goes on, and holds as everywhere.
    case nothing
    /// Something that every worker must find out: from then on nothing is sealed, and each says why.
    case evident
    /// Something that a sleeper published over a broker which fences nobody. Whoever had compared before it came cannot
    /// know; readers see two records under one position.
    case late
}

extension World {
    /// A replica took over: is anything published of what it lacks?
    func noteLoss() {
        let outputs = WorkerConfiguration.OutputTopics()
        for stream in OutputStream.allCases {
            let topic = outputs.name(stream)
            for number in 0..<(broker.partitionCounts[topic] ?? 0) {
                let entries = broker.log(TopicPartition(topic: topic, partition: number))?.entries ?? []
                for record in entries.compactMap(\.record)
                where !isHeld(key: record.key, value: record.value, record.headers) { remains = .evident }
            }
        }
        hasTakenOver = true
        guard remains != .nothing else { return }
        watch.rests = .everything
        database.node.note("what is gone was published")
    }

    /// A worker publishes a record.
    func published(_ record: ProducerRecord, by worker: Node) {
        noteHead(record, by: worker)
        guard hasTakenOver, !isHeld(key: record.key, value: record.value, record.headers) else { return }
        worker.note("publishes to \(record.topic) what the ledger does not hold")
        if let batch = Self.text("claw_batch", record.headers).flatMap({ Int64($0) }),
            database.lastHeld[WorkerID(worker.name)] ?? -1 < batch
        {
            watch.found("P4", "\(worker.name) published batch \(batch) without asking whether the ledger holds it")
        }
        guard remains == .nothing else { return }
        if usesTransactions, !broker.flaws.contains(.takesZombies) {
            remains = .evident
            // What is decided meanwhile is not sealed, and never leaves.
            watch.rests = .sealing
        } else {
            remains = .late
        }
    }

    /// Whether the ledger holds what a record is of: the batch that has its number and its date; the control events that
    /// a head speaks of.
    private func isHeld(key: [UInt8]?, value: [UInt8]?, _ headers: [KafkaHeader]) -> Bool {
        let tables = database.tables
        if let batch = Self.text("claw_batch", headers).flatMap({ Int(exactly: Int64($0) ?? -1) }) {
            return tables.batches.indices.contains(batch)
                && tables.batches[batch].sealedAt.iso8601 == Self.text("ce_time", headers)
        }
        return head(key: key, value: value).map { $0.controlPosition <= tables.controlPosition } ?? true
    }

    private static func text(_ name: String, _ headers: [KafkaHeader]) -> String? {
        headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}
