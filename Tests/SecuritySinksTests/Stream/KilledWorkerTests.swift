import ClawWire
import DevStack
import Foundation
import Kafka
import Playground
import Postgres
import Testing

@testable import SecuritySinks

/// Real workers with real sinks, killed in the middle of it.
@Suite(
    "Security events of killed workers",
    .enabled(
        if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(5)))
struct KilledWorkerTests {
    private static let topic = "claw.siem.ocsf.v1"

    @Test("However often a worker is killed, every sink has every number, and repeats are all that is left over")
    func kills() async throws {
        let folder = try TemporaryDirectory(prefix: "claw-siem-kill")
        let rsyslog = Rsyslog.isThere ? try Rsyslog(.tcp) : nil
        let receiver = try await rsyslog?.start()
        let path = folder.path("events.ndjson")
        var options = PlaygroundOptions()
        options.workerSections = """
            security_events:
              poll_ms: 20
              sinks:
                - {name: topic, kind: kafka, batch_events: 7}
                - {name: disk, kind: file, path: "\(path)", rotate_bytes: 65536, keep_files: 0, batch_events: 5,
                   retry_min_ms: 20, retry_max_ms: 200}
            """
        if let rsyslog {
            options.workerSections += """

                    - {name: soc, kind: syslog, host: 127.0.0.1, port: \(rsyslog.port), transport: tcp, batch_events: 9,
                       replay_events: 100, heartbeat_s: 1, retry_min_ms: 20, retry_max_ms: 200}
                """
        }
        let playground = try await Playground.start(options)
        do {
            _ = try await playground.admin.createTopics([
                TopicSpecification(name: Self.topic, partitions: 3, replicationFactor: 1)
            ])
            try await run(playground, path: path, rsyslog: rsyslog)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            if let rsyslog { Issue.record("\(rsyslog.messages.suffix(2_000))") }
            await playground.stop()
            throw error
        }
        await playground.stop()
        _ = receiver?.signal(.kill)
    }

    private func run(_ playground: Playground, path: String, rsyslog: Rsyslog?) async throws {
        let workers = [try playground.startWorker("w1"), try playground.startWorker("w2")]
        try await playground.waitUntilAtWork(workers)
        for round in 0..<4 {
            try await playground.produce(
                try (0..<20).map {
                    try ApprovalDraft("r\(round)-\($0)", .sandbox, in: playground)
                        .record(signedBy: playground.keys.eventSigner)
                })
            // The one in charge of the sinks dies in the middle.
            try await waitUntil(deadline: .seconds(60), description: "the sinks of round \(round) to move") {
                try await self.next(playground).contains { $0 > Int64(round * 15) }
            }
            let owner = try await playground.text(
                "SELECT lease_owner FROM clawgrant.role_lease WHERE role = 'security_events'")
            let victim = try #require(workers.first { worker in owner.map { worker.isNamed($0) } ?? false })
            await victim.kill()
            try await victim.restart()
        }
        try await playground.waitForStatus("80 tokens", within: .seconds(90)) { $0.issued == 80 && $0.waiting == 0 }
        let sinks = rsyslog == nil ? 2 : 3
        try await waitUntil(deadline: .seconds(90), description: "every sink to be at the end of the log") {
            let end =
                Int64(try await playground.text("SELECT max(last_position)::text FROM clawgrant.receipt_batch") ?? "")
                ?? 0
            let next = try await self.next(playground)
            return end >= 80 && next.count == sinks && next.allSatisfy { $0 >= 81 && $0 >= end }
        }
        for worker in workers { _ = await worker.stop() }
        let end = try #require(try await next(playground).min())

        let files = LineFile.finishedFiles(of: path) + [path]
        let lines = try files.flatMap { try String(contentsOfFile: $0, encoding: .utf8).split(separator: "\n") }
        let written = try EventNumbers.ocsf(lines.map(String.init))
        #expect(NumberCheck.faults(written.filter { $0 < end }, 0..<end).isEmpty)
        #expect(files.count > 1)

        let onTopic = try await numbers(of: playground, upTo: end)
        #expect(Set(onTopic.filter { $0 < end }) == Set(0..<end))
        if let rsyslog {
            try await waitUntil(deadline: .seconds(20), description: "rsyslog to have written") {
                Set(try EventNumbers.syslog(rsyslog.lines)).isSuperset(of: 0..<end)
            }
            #expect(NumberCheck.faults(try EventNumbers.syslog(rsyslog.lines).filter { $0 < end }, 0..<end).isEmpty)
        }
        let skipped = try await playground.text("SELECT sum(skipped)::text FROM clawgrant.security_event_sink")
        #expect(skipped == "0")
    }

    private func next(_ playground: Playground) async throws -> [Int64] {
        let text = try await playground.text(
            "SELECT string_agg(next_position::text, ',') FROM clawgrant.security_event_sink")
        return (text ?? "").split(separator: ",").compactMap { Int64($0) }
    }

    private func numbers(of playground: Playground, upTo end: Int64) async throws -> [Int64] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        try await consumer.assign(
            Dictionary(
                uniqueKeysWithValues: (0..<3).map {
                    (TopicPartition(topic: Self.topic, partition: $0), KafkaOffset.beginning)
                }))
        var values: [String] = []
        var open = Set<Int32>(0..<3)
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(2))
            values += batch.records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
            open.subtract(batch.endsReached.keys.map(\.partition))
        }
        await consumer.close(deadline: .seconds(2))
        return try EventNumbers.ocsf(values)
    }
}

extension Playground {
    /// The one value of a query.
    fileprivate func text(_ sql: String) async throws -> String? {
        let rows = try await query(sql)
        return try rows.rowCount == 0 || rows.isNull(0, 0) ? nil : rows.string(0, 0)
    }
}
