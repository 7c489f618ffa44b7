import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Metrics
import Observability
import Playground
import Postgres
import Primitives
import Testing

/// A whole run, watched from outside: what the metrics say is what the checker counts, and a trace leads from the event of
/// an approval to the record of its grant.
@Suite(.enabled(if: PrivateBroker.Kind.allCases.allSatisfy(BrokerTools.find().has)), .timeLimit(.minutes(6)))
struct ObservedRunTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let approvedUnder = "00f067aa0ba902b7"

    /// The spans that a collector wrote down.
    private static func spans(_ path: String) throws -> [JSONValue] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").flatMap { line in
            let body = try JSONReader.parse(String(line))
            return body["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array ?? []
        }
    }

    private static func attribute(_ span: JSONValue, _ name: String) -> String? {
        let value = span["attributes"]?.array?.first { $0["key"]?.string == name }?["value"]
        return value?["stringValue"]?.string ?? value?["intValue"]?.string
    }

    /// The headers of the records of a topic, by name.
    private static func headers(of topic: String, in playground: Playground) async throws -> [[String: String]] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration, bufferBytes: 4 << 20)
        var found: [[String: String]] = []
        let admin = try KafkaAdmin(configuration: playground.clientConfiguration)
        let partitions = try await admin.metadata().topics[topic]?.partitions ?? []
        _ = await admin.close(deadline: .seconds(2))
        var starts: [TopicPartition: Int64] = [:]
        var open: Set<TopicPartition> = []
        for partition in partitions {
            let place = TopicPartition(topic: topic, partition: partition.id)
            let marks = try await consumer.watermarks(place, timeout: .seconds(10))
            starts[place] = marks.low
            if marks.high > marks.low { open.insert(place) }
        }
        try await consumer.assign(starts)
        for _ in 0..<50 where !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 4 << 20, linger: .milliseconds(300), timeout: .seconds(2))
            open.subtract(batch.endsReached.keys)
            for record in batch.records {
                found.append(
                    Dictionary(
                        record.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) }
                    ) { first, _ in first })
            }
        }
        _ = await consumer.close(deadline: .seconds(2))
        return found
    }

    @Test func figuresAreThoseOfTheCheckerAndATraceLeadsToTheGrant() async throws {
        let directory = try TemporaryDirectory(prefix: "observed")
        defer { directory.close() }
        var collector = ObservationPeers.python(
            "collector", [directory.path("port"), directory.path("spans"), "503"])
        collector.output = .files(output: directory.path("collector.out"), errors: directory.path("collector.err"))
        let collecting = try ManagedProcess(collector)
        try await waitUntil(deadline: .seconds(20), description: "the collector to listen") {
            FileManager.default.fileExists(atPath: directory.path("port"))
        }
        let port = try String(contentsOfFile: directory.path("port"), encoding: .utf8)

        let playground = try await Playground.start(PlaygroundOptions())
        let registry = MetricRegistry()
        ProcessMetrics.install(in: registry, version: BuildVersion.text, program: "worker")
        var configuration = try playground.workerConfiguration(id: "observed")
        configuration.metrics.interval = .seconds(1)
        configuration.metrics.textfile = directory.path("clawgrant.prom")
        var tracing = TracingSettings(endpoint: "http://127.0.0.1:\(port)/v1/traces")
        tracing.exporter.headers["x-access"] = SecretText("open sesame")
        configuration.tracing = tracing
        let file = try #require(MetricsFile(configuration.metrics, registry: registry))
        let worker = Worker(
            configuration: configuration, companions: [file], metrics: registry, logger: Logger(label: "test"))
        let running = Task { try await worker.run() }
        do {
            try await produce(in: playground)
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            // Everything was looked at once more.
            let position = try await playground.query(
                "SELECT max(last_position)::text FROM clawgrant.receipt_batch"
            ).string(0, 0)
            try await waitUntil(deadline: .seconds(30), description: "the sealed position to be measured") {
                (registry.value("clawgrant_sealed_position") ?? -1) >= (Double(position) ?? .infinity)
            }
            try await waitUntil(deadline: .seconds(30), description: "the metrics file to show every grant") {
                let written = try? String(contentsOfFile: directory.path("clawgrant.prom"), encoding: .utf8)
                return written?.contains("clawgrant_outcomes_total{outcome=\"issued\"} 22\n") ?? false
            }
            try await checkFigures(registry, try await playground.check().counts, in: playground)
            try await checkTrace(directory.path("spans"), in: playground)
        } catch {
            worker.stop()
            await playground.stop()
            running.cancel()
            _ = await collecting.terminate()
            throw error
        }
        worker.stop()
        try await running.value
        #expect(!FileManager.default.fileExists(atPath: directory.path("clawgrant.prom")))
        await playground.stop()
        _ = await collecting.terminate()
        let complaints = try String(contentsOfFile: directory.path("collector.err"), encoding: .utf8)
        #expect(!complaints.contains("refused"), "\(complaints)")
    }

    /// Twenty approvals, one of them traced by its event; one whose request comes later, traced by headers; a denial; a
    /// repeat; records that nobody can read.
    private func produce(in playground: Playground) async throws {
        let drafts = (0..<20).map { ApprovalDraft("m\($0)", .reconcile, in: playground) }
        var records = try drafts.dropFirst().map { try $0.record(signedBy: playground.keys.eventSigner) }
        var traced = drafts[0].event
        traced.extensions["traceparent"] = .string("00-\(Self.trace)-\(Self.approvedUnder)-01")
        records.append(try playground.keys.eventSigner.sign(traced).producerRecord(.structured))
        var plain = try ApprovalDraft("m20", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
        plain.headers.append(
            KafkaHeader(name: "traceparent", value: Array("00-\(Self.trace)-aaaaaaaaaaaaaaaa-01".utf8)))
        plain.headers.append(KafkaHeader(name: "tracestate", value: Array("vendor=7".utf8)))
        records.append(plain)
        records.append(records[0])
        records.append(
            try ApprovalDraft("no", .reconcile, in: playground).denied().record(signedBy: playground.keys.eventSigner))
        for broken in BrokenRecord.allCases { records.append(try broken.record("x", in: playground)) }
        try await playground.produce(records)
        // The approval comes first, in a batch of its own; its trace waits in the ledger for the request.
        let activation = EntraActivation("late", at: .playgroundNow.adding(seconds: -60))
        var message = activation.message([.requested, .routed, .approved, .completed])
        message.headers.append(
            KafkaHeader(name: "traceparent", value: Array("00-\(Self.trace)-bbbbbbbbbbbbbbbb-01".utf8)))
        try await playground.produce([message])
        try await playground.waitUntilSettled(within: .seconds(60))
        var request = RequestDraft("late", .appAdmin, in: playground, at: .playgroundNow)
        request.approvalID = activation.approvalID
        try await playground.produce([try request.record(signedBy: playground.keys.requestSigner)])
    }

    private func checkFigures(
        _ registry: MetricRegistry, _ counts: CheckReport.Counts, in playground: Playground
    ) async throws {
        func value(_ name: String, _ labels: [String: String] = [:]) -> Int? {
            registry.value(name, labels).map { Int($0) }
        }
        #expect(value("clawgrant_outcomes_total", ["outcome": "issued"]) == counts.issued)
        #expect(value("clawgrant_outcomes_total", ["outcome": "denied"]) == counts.denied)
        #expect(value("clawgrant_outcomes_total", ["outcome": "quarantined"]) == counts.quarantined)
        #expect(value("clawgrant_repeats_seen_total") == counts.inputRepeats)
        #expect(value("clawgrant_records_read_total") == counts.inputRecords)
        #expect(value("clawgrant_grant_age_seconds") == counts.issued)
        #expect(value("clawgrant_grant_delay_seconds") == counts.issued)
        #expect(value("clawgrant_decision_age_seconds") == counts.issued)
        #expect(value("clawgrant_batches_decided_total") == value("clawgrant_plan_seconds"))
        #expect(value("clawgrant_batches_decided_total") == value("clawgrant_commit_seconds"))
        #expect(value("clawgrant_ledger_up") == 1)
        #expect(value("clawgrant_workers_alive") == 1)
        #expect(value("clawgrant_role_held", ["role": "sealer"]) == 1)
        #expect(value("clawgrant_input_lag_records", ["topic": PlaygroundTopic.requests, "partition": "0"]) != nil)
        #expect(try #require(registry.value("clawgrant_key_age_seconds", ["purpose": "token"])) > 0)
        #expect(try #require(registry.value("clawgrant_key_signatures_total", ["purpose": "token"])) >= 22)
        let receipts = try await playground.query(
            "SELECT sum(last_position - first_position + 1)::text FROM clawgrant.receipt_batch"
        ).string(0, 0)
        #expect(value("clawgrant_receipts_sealed_total") == Int(receipts))
        let text = String(decoding: registry.render(), as: UTF8.self)
        #expect(text.contains("clawgrant_reasons_total{outcome=\"quarantined\",reason="))
        #expect(!text.contains("not in the catalogue"), "\(text)")
    }

    private func checkTrace(_ path: String, in playground: Playground) async throws {
        try await waitUntil(deadline: .seconds(30), description: "the spans of three grants") {
            let spans = (try? Self.spans(path)) ?? []
            return spans.count { $0["name"]?.string?.hasPrefix("send ") ?? false } >= 6
        }
        let spans = try Self.spans(path)
        #expect(spans.allSatisfy { $0["traceId"]?.string == Self.trace })
        let grants = try await Self.headers(of: "claw.grants.v1", in: playground).compactMap { $0["ce_traceparent"] }
        #expect(grants.count == 3)
        for parent in [Self.approvedUnder, "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"] {
            let decided = try #require(
                spans.first { $0["parentSpanId"]?.string == parent }, "no span continues \(parent)")
            #expect(decided["kind"]?.integer == 5)
            #expect(decided["name"]?.string?.hasPrefix("process ") ?? false)
            #expect(Self.attribute(decided, "clawgrant.outcome") == "issued")
            #expect(Self.attribute(decided, "messaging.system") == "kafka")
            let id = try #require(decided["spanId"]?.string)
            // What is published goes on from there.
            #expect(grants.contains("00-\(Self.trace)-\(id)-01"))
            let below = spans.filter { $0["parentSpanId"]?.string == id }.compactMap { $0["name"]?.string }.sorted()
            #expect(below == ["COMMIT clawgrant", "seal receipts", "send claw.decisions.v1", "send claw.grants.v1"])
        }
        let decisions = try await Self.headers(of: "claw.decisions.v1", in: playground)
        #expect(decisions.count { $0["ce_traceparent"] != nil } == 3)
        #expect(decisions.contains { $0["ce_tracestate"] == "vendor=7" })
    }
}
