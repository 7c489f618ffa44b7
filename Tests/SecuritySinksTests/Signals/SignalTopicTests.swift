import ApprovalSources
import ClawWire
import GrantWorker
import Kafka
import SecurityEvents
import SecuritySinks
import TestSupport
import Testing

@Suite struct SignalTopicTests {
    private static func sink(_ cluster: MockKafkaCluster, _ bench: SignalBench) -> SignalTopicSink {
        SignalTopicSink(
            name: "signals", SignalTopicSettings(parties: SignalBench.parties),
            kafka: KafkaConfiguration([
                "bootstrap.servers": cluster.bootstrapServers, "linger.ms": "0", "allow.auto.create.topics": "false",
            ]), timeout: .seconds(60), keys: bench.ring
        ) { Samples.noon }
    }

    private static func records(_ cluster: MockKafkaCluster, _ count: Int) async throws -> [ConsumedRecord] {
        let consumer = try KafkaConsumer(
            configuration: KafkaConfiguration([
                "bootstrap.servers": cluster.bootstrapServers, "group.id": "test", "fetch.wait.max.ms": "10",
            ]))
        _ = try await consumer.assign([TopicPartition(topic: "claw.signals.v1", partition: 0): 0])
        var found: [ConsumedRecord] = []
        while found.count < count {
            found += try await consumer.nextBatch(
                maximumRecords: 100, maximumBytes: 1 << 20, linger: .zero, timeout: .seconds(1)
            ).records
        }
        _ = await consumer.close(deadline: .seconds(5))
        return found
    }

    @Test func everyRevocationIsARecordWithItsTokenAsData() async throws {
        let bench = try SignalBench()
        let cluster = try MockKafkaCluster()
        try cluster.createTopic("claw.signals.v1", partitions: 1)
        var run = SinkRun()
        let sink = Self.sink(cluster, bench)
        try await run.drive(sink, SignalBench.mixed(30))
        // A sink that was closed opens again, and a repeat is the same record.
        #expect(await failure(of: sink, [SignalBench.mixed(1)[0]]) == nil)
        await sink.close()
        #expect(run.failures.isEmpty)
        let records = try await Self.records(cluster, 11)
        #expect(records.count == 11)
        #expect(
            records.prefix(10).map { String(decoding: $0.key ?? [], as: UTF8.self) }
                == stride(from: 0, to: 30, by: 3).map { "jti-\($0)" })
        #expect(records[10].value == records[0].value)
        func header(_ record: ConsumedRecord, _ name: String) -> String? {
            record.headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
        for record in records {
            #expect(header(record, "content-type") == "application/secevent+jwt")
            #expect(header(record, "ce_specversion") == "1.0")
            #expect(header(record, "ce_type") == "com.clawbureau.signal.session-revoked.v1")
            let compact = String(decoding: record.value ?? [], as: UTF8.self)
            let parts = compact.split(separator: ".").map(String.init)
            let claims = try JSONReader.parse(try #require(Base64URL.decode(parts[1])))
            #expect(header(record, "ce_id") == claims["jti"]?.string)
            #expect(header(record, "ce_source") == claims["iss"]?.string)
            #expect(header(record, "ce_time").flatMap { Timestamp(rfc3339: $0) }?.seconds == claims["iat"]?.integer)
            #expect(
                bench.key.isValidSignature(
                    try #require(Base64URL.decode(parts[2])), for: Array("\(parts[0]).\(parts[1])".utf8)))
        }
    }

    @Test func aTopicThatMayNotBeWrittenIsMisconfigured() async throws {
        let bench = try SignalBench()
        let cluster = try MockKafkaCluster()
        try cluster.createTopic("claw.signals.v1", partitions: 1)
        let sink = Self.sink(cluster, bench)
        cluster.pushErrors(.produce, [.topicAuthorizationFailed])
        let refused = try #require(await failure(of: sink, [SignalBench.revocation(0)]))
        #expect(refused.remedy == .misconfigured)
        #expect(refused.description.contains("clawgrant topics apply"))
        #expect(await failure(of: sink, [SignalBench.revocation(0)]) == nil)
        await sink.close()
    }
}
