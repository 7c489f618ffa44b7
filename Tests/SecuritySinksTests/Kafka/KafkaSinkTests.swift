import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantWorker
import Kafka
import Logging
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// The topic, read by a real rsyslog and by our own consumer.
@Suite(
    "Security events on a topic",
    .enabled(if: AvailableServers.broker(.noida), "noida-db is missing: ./dev test installs it"), .serialized,
    .timeLimit(.minutes(4)))
struct KafkaSinkTests {
    private static let topic = SecurityEventSettings.KafkaTopic.standardName

    private func sink(
        _ servers: String, properties: [String: String] = [:], headers: [String: String] = [:]
    ) -> KafkaSink {
        var settings = SecurityEventSettings.KafkaTopic()
        settings.headers = headers
        settings.maximumEvents = 25
        var configuration = KafkaConfiguration(properties)
        configuration["bootstrap.servers"] = servers
        return KafkaSink(
            name: "kafka", settings, timeout: .seconds(10),
            SinkSurroundings(
                kafka: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    private func withBroker(_ body: (PrivateBroker) async throws -> Void) async throws {
        let home = try TemporaryDirectory(prefix: "claw-siem-kafka")
        let broker = try PrivateBroker(.noida, directory: home.path("broker"))
        try await broker.start()
        do {
            let admin = try KafkaAdmin(
                configuration: KafkaConfiguration(["bootstrap.servers": broker.bootstrapServers]))
            _ = try await admin.createTopics([
                TopicSpecification(name: Self.topic, partitions: 3, replicationFactor: 1)
            ])
            _ = await admin.close(deadline: .seconds(2))
            try await body(broker)
            await broker.kill()
        } catch {
            await broker.kill()
            throw error
        }
    }

    private func records(_ broker: PrivateBroker, count: Int) async throws -> [ConsumedRecord] {
        let consumer = try KafkaConsumer(
            configuration: KafkaConfiguration(["bootstrap.servers": broker.bootstrapServers]))
        try await consumer.assign(
            Dictionary(
                uniqueKeysWithValues: (0..<3).map {
                    (TopicPartition(topic: Self.topic, partition: $0), KafkaOffset.beginning)
                }))
        var records: [ConsumedRecord] = []
        var idle = 0
        while records.count < count, idle < 30 {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
            records += batch.records
            idle = batch.records.isEmpty ? idle + 1 : 0
        }
        await consumer.close(deadline: .seconds(2))
        return records
    }

    @Test("Records have their key, their number, their kind and the site's headers")
    func headers() async throws {
        try await withBroker { broker in
            let log = try PaperLog(receipts: 60)
            let sink = sink(broker.bootstrapServers, headers: ["splunk.header.index": "claw"])
            try await DriverBench(log: log).drive([sink], until: "60 events") { log.sink("kafka")?.next == 60 }
            let records = try await records(broker, count: 60)
            await sink.close()
            func header(_ name: String, _ record: ConsumedRecord) -> String? {
                record.headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(records.compactMap { header("claw_seq", $0).flatMap { Int64($0) } }.sorted() == Array(0..<60))
            for record in records {
                let event = try JSONReader.parse(try #require(record.value))
                #expect(event["metadata"]?["sequence"]?.integer.map(String.init) == header("claw_seq", record))
                #expect(
                    event["metadata"]?["correlation_uid"]?.string
                        == record.key.map { String(decoding: $0, as: UTF8.self) }
                )
                #expect(header("claw_kind", record) == "grant.issued")
                #expect(header("claw_stream", record) == "security-events")
                #expect(header("content-type", record) == "application/json")
                #expect(header("splunk.header.index", record) == "claw")
            }
        }
    }

    @Test("An event that is too long for the topic is left out with a finding, the others arrive")
    func tooLong() async throws {
        try await withBroker { broker in
            let log = try PaperLog(receipts: 10)
            let wide = AuthorityExtent(
                scope: (0..<2_000).map { "proxy:call:\($0)" }, actions: [], audience: [], ttlSeconds: 600)
            let long = Receipt(
                content: .decisionDenied(Receipt.Refusal(asked: wide, needed: [], rule: "rule")),
                subject: Samples.subject(10), provenance: Samples.provenance(10), reasons: [],
                occurredAt: Samples.noon)
            try log.append([long])
            try log.append((11..<20).map { Samples.grant($0) })
            let sink = sink(broker.bootstrapServers, properties: ["message.max.bytes": "15000"])
            try await DriverBench(log: log).drive([sink], until: "all but one") {
                log.sink("kafka")?.next == log.end && log.end == 21
            }
            await sink.close()
            #expect(log.sink("kafka")?.skipped == 1)
            #expect(try log.findings.map(\.finding.code) == ["SECURITY_EVENTS_SKIPPED"])
            let records = try await records(broker, count: 20)
            let numbers = try EventNumbers.ocsf(records.map { String(decoding: $0.value ?? [], as: UTF8.self) })
            #expect(Set(numbers) == Set(0..<21).subtracting([10]))
        }
    }

    @Test("A broker that is not there is waited for, and told of")
    func away() async throws {
        let port = try FreePort.next()
        let log = try PaperLog(receipts: 3)
        let away = sink("127.0.0.1:\(port)", properties: ["socket.connection.setup.timeout.ms": "1000"])
        var bench = DriverBench(log: log)
        bench.patience.deliveryTimeout = .milliseconds(500)
        bench.patience.failuresBeforeFinding = 1
        try await bench.drive([away], until: "the finding") { try !log.findings.isEmpty }
        await away.close()
        #expect(log.sink("kafka")?.next == 0)
        try await withBroker { broker in
            let sink = sink(broker.bootstrapServers)
            try await DriverBench(log: log).drive([sink], until: "everything") {
                log.sink("kafka")?.next == log.end && log.end == 5
            }
            await sink.close()
            #expect(try log.findings.map(\.finding.code) == ["SECURITY_SINK_FAILING", "SECURITY_SINK_RECOVERED"])
        }
    }

    /// What rsyslog wrote, by the schema that others publish: the script that holds our renderings against it.
    private static func validate(_ lines: [String]) async throws {
        let packages = BrokerTools.find().folder + "/python"
        guard FileManager.default.fileExists(atPath: packages + "/ocsf_json_schema") else {
            #expect(
                ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] != "1",
                "the Python packages are missing: ./dev test installs them")
            return
        }
        let home = try TemporaryDirectory(prefix: "claw-rsyslog-ocsf")
        defer { home.close() }
        try lines.joined(separator: "\n").write(toFile: home.path("lines"), atomically: true, encoding: .utf8)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("ConformanceTests/Peers/ocsf.py").path
        let ran = try await Command.run(
            ManagedProcess.Configuration(
                executable: "/usr/bin/env",
                arguments: [
                    "PYTHONPATH=\(packages)", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8", "python3", script,
                    OCSF.version, home.path("lines"),
                ]), within: .seconds(120))
        #expect(ran.status == .code(0), "\(ran.output.suffix(4_000)) \(ran.errors.suffix(1_000))")
        #expect(ran.output.hasSuffix("\(lines.count) events, 0 faults\n"), "\(ran.output.suffix(200))")
    }

    @Test(
        "rsyslog reads every event from the topic into a file, byte for byte",
        .enabled(if: Rsyslog.isThere, "rsyslog is not installed: ./dev test installs it"))
    func rsyslog() async throws {
        try await withBroker { broker in
            let rsyslog = try Rsyslog(.kafka(topic: Self.topic, servers: broker.bootstrapServers))
            let process = try await rsyslog.start()
            let log = try PaperLog(receipts: 150)
            try log.append(Canaries.$plantsTokens.withValue(true) { Canaries.receipts })
            let sink = sink(broker.bootstrapServers)
            try await DriverBench(log: log).drive([sink], until: "every event in the file") {
                Set(rsyslog.lines).count >= Int(log.end)
            }
            await sink.close()
            _ = process.signal(.kill)
            let lines = rsyslog.lines
            #expect(Set(try EventNumbers.ocsf(lines)) == Set(0..<log.end))
            #expect(!rsyslog.output.contains(Canaries.bearer))
            let producer = EventProducer(version: "1", logID: Samples.logID, workerID: PaperLog.lease.owner)
            let batches = try await log.batches(from: 0, limit: 1_000)
            let expected = try batches.flatMap { try SecurityEvent.events(of: $0, by: producer) }
                .map(SecurityEventFormat.ocsf.line)
            #expect(Set(lines) == Set(expected))
            try await Self.validate(lines)
        }
    }
}
