import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Testing
import Yams

@testable import Kafka

@Suite("The catalog of topics")
struct ConfigurationTopicTests {
    static func rules() throws -> RuleSet {
        try RuleSet(
            yaml: """
                rules_version: "1"
                sources:
                  entra:
                    kind: entra_audit
                    topics: [insights-logs-auditlogs]
                    authenticity: topic
                    allow_topic_authenticity: true
                    tenants: [8f1c6f2e-6b1a-4a57-9f0e-0d2b6a5c7e11]
                    may_approve: [run]
                  approvals:
                    kind: native
                    topics: [claw.approvals.decisions.v1]
                    authenticity: topic
                    allow_topic_authenticity: true
                    may_approve: [run]
                  requests:
                    kind: capability_request
                    topics: [claw.capability.requests.v1]
                    authenticity: topic
                    allow_topic_authenticity: true
                job_classes:
                  run:
                    binding: reference
                    audience: [clawproxy.com]
                    scopes: {allow: ["proxy:call"]}
                    max_ttl: 1h
                    approvals: {all_of: [{any: true, count: 1}]}
                """)
    }

    static func catalog() throws -> TopicCatalog {
        TopicCatalog(
            outputs: WorkerConfiguration.OutputTopics(), rules: try rules(), controlTopic: "claw.control.v1",
            policyTopic: "claw.policies.v1", gatewayTopic: "claw.gateway-receipts.v1",
            statusListTopic: "claw.status-lists.v1")
    }

    static func topic(_ name: String, partitions: Int32, leader: Int32? = 1) -> ClusterMetadata.Topic {
        ClusterMetadata.Topic(
            name: name,
            partitions: (0..<partitions).map {
                ClusterMetadata.Partition(id: $0, leader: leader, replicas: [1], inSyncReplicas: [1], error: nil)
            }, error: nil)
    }

    /// A cluster that is as the catalog wants it.
    static func cluster(
        _ catalog: TopicCatalog
    ) -> (topics: [String: ClusterMetadata.Topic], settings: [String: [String: String]]) {
        (
            Dictionary(
                uniqueKeysWithValues: catalog.entries.map { ($0.name, topic($0.name, partitions: $0.partitions)) }),
            Dictionary(uniqueKeysWithValues: catalog.entries.map { ($0.name, $0.settings) })
        )
    }

    @Test("It holds every output stream, every topic of the rules and the topic of WPCs, once each")
    func entries() throws {
        let catalog = try Self.catalog()
        #expect(
            catalog.entries.map(\.name) == [
                "claw.grants.v1", "claw.decisions.v1", "claw.revocations.v1", "claw.receipts.batches.v1",
                "claw.dead-letters.v1", "claw.control-results.v1", "claw.findings.v1", "claw.status-lists.v1",
                "claw.control.v1", "claw.approvals.decisions.v1", "claw.capability.requests.v1",
                "claw.gateway-receipts.v1", "claw.policies.v1", "insights-logs-auditlogs",
            ])
        #expect(catalog.entries.filter { !$0.isOurs }.map(\.name) == ["insights-logs-auditlogs"])
        #expect(catalog.entry(named: "claw.receipts.batches.v1")?.partitions == 1)
        #expect(catalog.entry(named: "claw.revocations.v1")?.settings["cleanup.policy"] == "compact")
    }

    @Test("Approvals are never compacted: two approvers of one approval share its key")
    func approvalsAreKept() throws {
        #expect(try Self.catalog().entry(named: "claw.approvals.decisions.v1")?.settings["cleanup.policy"] == "delete")
    }

    @Test("What is in one order has one partition, and a control topic with more is an error")
    func oneOrder() throws {
        let catalog = try Self.catalog()
        for name in ["claw.control.v1", "claw.control-results.v1", "claw.revocations.v1"] {
            let entry = try #require(catalog.entry(named: name))
            #expect(entry.partitions == 1 && entry.isPartitionCountFixed)
        }
        var (topics, settings) = Self.cluster(catalog)
        topics["claw.control.v1"] = Self.topic("claw.control.v1", partitions: 3)
        settings["claw.control.v1"]?["cleanup.policy"] = "delete"
        let findings = catalog.findings(topics: topics, settings: settings)
        #expect(findings.map(\.severity) == [.error, .error])
        #expect(findings.map(\.topic.role) == [.control, .control])
    }

    @Test("Topics with three copies demand two in sync")
    func replicas() throws {
        let entry = try #require(try Self.catalog().entry(named: "claw.grants.v1"))
        #expect(entry.specification().configuration["min.insync.replicas"] == nil)
        #expect(entry.specification(replicationFactor: 3).configuration["min.insync.replicas"] == "2")
        #expect(entry.specification(replicationFactor: 3).replicationFactor == 3)
    }

    @Test("A cluster that is as it should be has no findings")
    func noFindings() throws {
        let catalog = try Self.catalog()
        let (topics, settings) = Self.cluster(catalog)
        #expect(catalog.findings(topics: topics, settings: settings).isEmpty)
    }

    @Test("What is missing, leaderless, divided otherwise or set otherwise is found, with its weight")
    func findings() throws {
        let catalog = try Self.catalog()
        var (topics, settings) = Self.cluster(catalog)
        topics["claw.grants.v1"] = nil
        topics["claw.receipts.batches.v1"] = Self.topic("claw.receipts.batches.v1", partitions: 2)
        topics["claw.decisions.v1"] = Self.topic("claw.decisions.v1", partitions: 6)
        topics["claw.dead-letters.v1"] = Self.topic("claw.dead-letters.v1", partitions: 3, leader: nil)
        topics["insights-logs-auditlogs"] = Self.topic("insights-logs-auditlogs", partitions: 32)
        settings["claw.revocations.v1"]?["cleanup.policy"] = "delete"
        settings["claw.approvals.decisions.v1"]?["retention.ms"] = "1000"
        settings["claw.capability.requests.v1"]?["retention.ms"] = "-1"
        settings["claw.policies.v1"]?["max.message.bytes"] = nil
        let findings = catalog.findings(topics: topics, settings: settings)
        let told = findings.map { "\($0.severity.rawValue) \($0.topic.name): \($0.summary)" }
        #expect(
            told == [
                "error claw.grants.v1: the topic does not exist",
                "notice claw.decisions.v1: it has 6 partitions, 12 are proposed",
                "error claw.revocations.v1: cleanup.policy is delete, compact is wanted",
                "error claw.receipts.batches.v1: it has 2 partitions, 1 are needed",
                "error claw.dead-letters.v1: the topic is not available: no leader for partition 0, 1, 2",
                "warning claw.approvals.decisions.v1: retention.ms is 1000, 2592000000 is wanted",
                "notice claw.capability.requests.v1: retention.ms is -1, 2592000000 is wanted",
            ])
        #expect(findings.allSatisfy { !$0.remedy.isEmpty })
    }

    @Test("topics/settings.yaml is the catalog with the standard names")
    func settingsFile() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("topics/settings.yaml"), encoding: .utf8)
        var described: [String: Node] = [:]
        for document in try compose_all(yaml: text) {
            let name = try #require(document["metadata"]?["name"]?.string)
            #expect(document["kind"]?.string == "KafkaTopic")
            described[name] = document["spec"]
        }
        let entries = try Self.catalog().entries.filter(\.isOurs)
        #expect(Set(described.keys) == Set(entries.map(\.name)))
        for entry in entries {
            let spec = try #require(described[entry.name])
            #expect(spec["partitions"]?.int == Int(entry.partitions))
            let replicas = try #require(spec["replicas"]?.int)
            let wanted = entry.specification(replicationFactor: Int32(replicas)).configuration
            let found = Dictionary(
                uniqueKeysWithValues: (spec["config"]?.mapping ?? [:]).map {
                    ($0.key.string ?? "", $0.value.scalar?.string ?? "")
                })
            #expect(found == wanted, "\(entry.name)")
        }
    }
}
