import ClawWire
import Fsck
import GrantLedger
import GrantWorker
import Kafka
import ReceiptLog

/// The heads of the revocations topic: whether one speaks for all of it, and which may stand behind what they say.
extension World {
    private static let revocations = TopicPartition(
        topic: WorkerConfiguration.OutputTopics().name(.revocations), partition: 0)

    /// What a head says; `nil` for every other record.
    func head(key: [UInt8]?, value: [UInt8]?) -> RevocationHead? {
        guard key == SignedRevocationHead.recordKey, let value else { return nil }
        return try? SignedRevocationHead(
            verifying: value, logKeys: [cast.logKey.publicKey], logID: Cast.logID
        ).head
    }

    /// Whether a head stands on the topic that speaks for every revocation which is sealed: readers rely on nothing else.
    var isSpokenFor: Bool {
        let next = database.tables.batches.last?.nextSequence[Int(OutputStream.revocations.rawValue)] ?? 0
        guard next > 0 else { return true }
        return broker.log(Self.revocations)?.entries.reversed().contains { entry in
            head(key: entry.record?.key, value: entry.record?.value).map { $0.nextSequence.value >= next } ?? false
        } ?? false
    }

    /// Whether nothing keeps a sealer that slept from publishing beside the next one.
    private var isUnfenced: Bool { !usesTransactions || broker.flaws.contains(.takesZombies) }

    /// A worker publishes a head: one of a sealer that slept may stand behind records that it does not speak of.
    ///
    /// What it says is true and less than the whole; readers do not count by it and wait for the next. No process can keep
    /// itself from being put to sleep while the broker takes its record, so only a broker that fences can refuse it.
    func noteHead(_ record: ProducerRecord, by worker: Node) {
        guard isUnfenced, let value = record.value, let head = head(key: record.key, value: value),
            database.tables.roles[.sealer]?.owner != WorkerID(worker.name)
        else { return }
        let sequences = (broker.log(Self.revocations)?.entries ?? []).compactMap { entry in
            entry.record?.headers.first { $0.name == "claw_seq" }?.value.flatMap {
                Int64(String(decoding: $0, as: UTF8.self))
            }
        }
        guard let last = sequences.max(), head.nextSequence.value <= last else { return }
        worker.note("publishes a head behind \(last + 1) records that speaks of \(head.nextSequence.value)")
        lateHeads.insert(value)
    }

    /// Whether the checker tells of a head what the world did to it.
    func isExpected(_ finding: Finding) -> Bool {
        switch finding.code {
        // A clock dated it that was set back, or a sealer published it that slept: readers keep the younger one.
        case "head.time_reversed": return wasDatabaseClockSet || isUnfenced
        case "head.sequence":
            guard let offset = finding.place.split(separator: "@").last.flatMap({ Int64($0) }) else { return false }
            let entries = broker.log(Self.revocations)?.entries ?? []
            return entries.contains { $0.offset == offset && $0.record?.value.map(lateHeads.contains) ?? false }
        default: return false
        }
    }
}
