import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import Postgres
import Testing

/// Watched sources against real workers, a real PostgreSQL and a broker. Each test ends with the checker.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(4)))
struct HealthTests {
    /// Has a source of the playground's rules watched.
    private static func watch(_ playground: Playground, after line: String, _ members: String) throws {
        let file = URL(fileURLWithPath: "\(playground.directory)/rules.yaml")
        let rules = try String(contentsOf: file, encoding: .utf8)
        let watched = rules.replacing("\(line)\n", with: "\(line)\n    \(members)\n")
        #expect(watched != rules)
        try Data(watched.utf8).write(to: file)
    }

    private static func isRaised(_ code: String) -> String {
        "SELECT coalesce(bool_or(encode(body, 'escape') LIKE '%\(code)%'), false) FROM clawgrant.effect_group"
    }

    @Test func aSilentSourceStopsIssuingAndResumes() async throws {
        try await Stage.run { stage in
            let playground = stage.playground
            try Self.watch(
                playground, after: "      [identity_app_admin, prod_db_maintenance, identity_user_admin]",
                "max_source_silence: 8s")
            let worker = try stage.startLocal("one")
            try await stage.untilAtWork(["one"])
            let activation = EntraActivation("one", at: .playgroundNow.adding(seconds: -60))
            try await playground.produce([activation.message([.requested, .routed, .approved, .completed])])
            try await stage.untilHolds(
                "the source to be heard and then to be silent",
                """
                SELECT coalesce(clock_timestamp() - seen_at > interval '9 seconds', false)
                FROM clawgrant.source_health WHERE source = 'entra-pim'
                """)
            try await stage.untilHolds("the silence to be reported", Self.isRaised("SOURCE_SILENT"))
            var request = RequestDraft("quiet", .appAdmin, in: playground, at: .playgroundNow)
            request.approvalID = activation.approvalID
            try await playground.produce([try request.record(signedBy: playground.keys.requestSigner)])
            try await stage.untilHolds(
                "the request to be held", "SELECT count(*) = 1 FROM clawgrant.request WHERE state = 0")
            // Another source being heard changes nothing.
            try await playground.produce([
                try ApprovalDraft("other", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
            ])
            try await stage.until("the other source's grant") { $0.issued == 1 && $0.waiting == 1 }
            // Any record will do; this one is somebody else's business.
            try await playground.produce([EntraActivation("two", at: .playgroundNow).message([.requested])])
            try await stage.until("the request to be issued") { $0.issued == 2 && $0.waiting == 0 }
            try await playground.waitUntilSettled(waiting: 0)
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            try await worker.stop()
        }
    }

    @Test func workersShareALimitAndABurstIsReportedOnce() async throws {
        try await Stage.run { stage in
            let playground = stage.playground
            try Self.watch(
                playground,
                after: "    may_approve: [enterprise_agent_run, prod_deploy, ledger_reconcile, dev_sandbox]",
                "health: {max_grants: {count: 3, per: 4s}, anomalies: {per: 10m, burst: 5}}")
            let one = try stage.startLocal("one")
            let two = try stage.startLocal("two")
            try await stage.untilAtWork(["one", "two"])
            try await playground.produce(
                try (0..<8).map {
                    try ApprovalDraft("r\($0)", .reconcile, in: playground).record(
                        signedBy: playground.keys.eventSigner)
                })
            try await stage.until("all of them to be issued in their turn") { $0.issued == 8 && $0.waiting == 0 }
            try await playground.waitUntilSettled(waiting: 0)
            let most = try await playground.query(
                """
                SELECT max(n)::text FROM (SELECT (SELECT count(*) FROM clawgrant.request b
                    WHERE b.issued_at >= a.issued_at AND b.issued_at < a.issued_at + interval '4 seconds') AS n
                    FROM clawgrant.request a WHERE a.state = 1) windows
                """)
            #expect(Int(try most.string(0, 0)) ?? 99 <= 3)
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            let findings = try await stage.findings()
            #expect(findings.filter { $0 == "APPROVAL_BURST" }.count == 1)
            #expect(findings.contains("SOURCE_LIMIT_REACHED"))
            try await one.stop()
            try await two.stop()
        }
    }
}

extension Stage {
    /// Codes of the findings on their topic.
    fileprivate func findings() async throws -> [String] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        let partitions = (0..<playground.options.outputPartitions).map {
            TopicPartition(topic: PlaygroundTopic.findings, partition: $0)
        }
        try await consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, KafkaOffset.beginning) }))
        var codes: [String] = []
        var open = Set(partitions)
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 1 << 24, linger: .zero, timeout: .seconds(5))
            for record in batch.records {
                if let code = try JSONReader.parse(record.value ?? [])["code"]?.string { codes.append(code) }
            }
            open.subtract(batch.endsReached.keys)
        }
        await consumer.close(deadline: .seconds(2))
        return codes
    }
}
