import ClawWire
import Foundation
import Kafka
import Postgres

/// An independent reader of everything a Clawgrant leaves behind: it shares no code with the worker and the ledger but the
/// formats, reads the topics from their beginning and the database with SQL of its own, and says whether the properties
/// hold.
public enum GrantChecker {
    /// Reads everything and judges it.
    ///
    /// Memory grows with the number of records by some tens of bytes each; bodies are never kept.
    ///
    /// - Throws: when topics or ledger cannot be read. What is wrong in them is in the report.
    public static func check(_ plan: CheckPlan) async throws -> CheckReport {
        let reader = TopicReader(configuration: plan.kafka)
        var streams: [String: CheckedStream] = [:]
        for (stream, topic) in plan.outputs { streams[topic] = stream }
        let inputMarks = try await reader.marks(plan.inputs.map(\.topic))
        let outputMarks = try await reader.marks(streams.keys.sorted())

        var outputs = OutputAudit(plan)
        for (partition, mark) in outputMarks where mark.low > 0 {
            outputs.report.violate(.positions, "\(partition) begins at \(mark.low): older records are gone")
        }
        _ = try await reader.read(outputMarks) { topic, record in
            if let stream = streams[topic] { outputs.take(record, of: stream) }
        }
        outputs.finish()
        for file in plan.files {
            guard let data = FileManager.default.contents(atPath: file) else { continue }
            outputs.scan(Array(data), file)
        }

        let connection = try await PostgresConnection.connect(plan.database)
        do {
            let report = try await check(LedgerReader(connection: connection), outputs, plan, reader, inputMarks)
            await connection.close()
            return report
        } catch {
            await connection.close()
            throw error
        }
    }

    private static func check(
        _ reader: LedgerReader, _ read: OutputAudit, _ plan: CheckPlan, _ topics: TopicReader,
        _ marks: [TopicPartition: (low: Int64, high: Int64)]
    ) async throws -> CheckReport {
        var outputs = read
        try await reader.bodies { bytes, place in outputs.scan(bytes, place) }
        var ledger = LedgerAudit(outputs, policies: try await reader.policies())
        try await reader.requests { ledger.take($0) }
        try await reader.approvals { ledger.take(approval: $0, usedBy: $1, isClosed: $2, hasDeadline: $3) }
        let effects = try await reader.effects()
        try await reader.batches { ledger.take($0) }
        ledger.finish(
            committed: effects.committed, unsealed: effects.unsealed, unsealedGroups: effects.unsealedGroups)

        var report = ledger.report
        let offsets = try await reader.nextOffsets()
        var inputs = InputAudit(
            events: try await reader.events(), requests: ledger.requests, deadLetters: outputs.deadLetters,
            controlEvents: try await reader.controlEvents())
        let forms = Dictionary(plan.inputs.map { ($0.topic, $0) }) { first, _ in first }
        let ends = try await topics.read(marks) { topic, record in
            let next = offsets["\(topic)/\(record.partition)"] ?? 0
            guard let input = forms[topic], record.offset < next else { return }
            inputs.take(record, of: input, &report)
        }
        for (partition, end) in ends {
            let next = offsets["\(partition.topic)/\(partition.partition)"] ?? 0
            if next > end {
                report.violate(.offsets, "\(partition) ends at \(end) and the ledger has read up to \(next)")
            } else if plan.isSettled, next < end {
                report.violate(.offsets, "\(partition) ends at \(end) and the ledger has read only to \(next)")
            }
        }
        if inputs.unseenEvents > 0, marks.values.allSatisfy({ $0.low == 0 }) {
            report.violate(.offsets, "\(inputs.unseenEvents) events are in the ledger and on no input topic")
        }
        return report
    }
}
