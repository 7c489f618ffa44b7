import ApprovalSources
import ClawWire
import Kafka
import Playground

/// Native approvals that carry their request: one event, one decision, one token sealed to the job's key.
struct Workload: Sendable {
    /// How events are signed.
    enum Signing: Sendable, Hashable {
        /// One signature over so many events.
        case together(Int)
        /// Each event has its own.
        case each
    }

    let playground: Playground
    let signing: Signing
    /// Tells the records of one run from another's.
    let prefix: String
    /// Time of all events: making a record again makes the same record.
    let date = Timestamp.playgroundNow

    /// The job of the record at an index; also the key of its grant.
    func jobID(_ index: Int) -> JobID { JobID("job-\(name(index))") }

    private func name(_ index: Int) -> String { "\(prefix)-\(index)" }

    private func draft(_ index: Int) -> ApprovalDraft {
        ApprovalDraft(name(index), .agentRun, in: playground, at: date)
    }

    /// Records of a range of indexes.
    func records(_ range: Range<Int>) throws -> [ProducerRecord] {
        switch signing {
        case .each:
            return try range.map { try draft($0).record(signedBy: playground.keys.eventSigner) }
        case .together(let count):
            var records: [ProducerRecord] = []
            records.reserveCapacity(range.count)
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(range.upperBound, start + count)
                records += try ApprovalDraft.records(
                    (start..<end).map { draft($0) }, signedTogetherBy: playground.keys.batchSigner)
                start = end
            }
            return records
        }
    }

    /// Writes the records of a range to the broker, a few thousand at a time.
    func produce(_ count: Int) async throws {
        var start = 0
        while start < count {
            let end = min(count, start + 4_096)
            try await playground.produce(try records(start..<end))
            start = end
        }
    }
}
