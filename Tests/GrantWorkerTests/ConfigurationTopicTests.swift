import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Testing

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
            statusListTopic: "claw.status-lists.v1", securityEventTopics: ["claw.siem.ocsf.v1"],
            signalTopics: ["claw.signals.v1"])
    }

    static func topic(
        _ name: String, partitions: Int32, leader: Int32? = 1, replicas: [Int32] = [1], inSync: [Int32]? = nil
    ) -> ClusterMetadata.Topic {
        ClusterMetadata.Topic(
            name: name,
            partitions: (0..<partitions).map {
                ClusterMetadata.Partition(
                    id: $0, leader: leader, replicas: replicas, inSyncReplicas: inSync ?? replicas, error: nil)
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
                "claw.siem.ocsf.v1", "claw.signals.v1", "claw.control.v1", "claw.approvals.decisions.v1",
                "claw.capability.requests.v1",
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
                "notice claw.policies.v1: the broker does not tell max.message.bytes",
            ])
        #expect(findings.allSatisfy { !$0.remedy.isEmpty })
    }

    @Test("Fewer copies than wanted, copies that are behind, and a minimum that cannot be met are found")
    func copies() throws {
        let catalog = try Self.catalog()
        var (topics, settings) = Self.cluster(catalog)
        for name in topics.keys { topics[name] = Self.topic(name, partitions: 1, replicas: [1, 2, 3]) }
        for entry in catalog.entries {
            topics[entry.name] = Self.topic(entry.name, partitions: entry.partitions, replicas: [1, 2, 3])
            settings[entry.name] = entry.settings(replicas: entry.isOurs ? 3 : 0)
        }
        #expect(catalog.findings(topics: topics, settings: settings, replicas: 3).isEmpty)
        topics["claw.grants.v1"] = Self.topic("claw.grants.v1", partitions: 12, replicas: [1])
        topics["claw.decisions.v1"] = Self.topic(
            "claw.decisions.v1", partitions: 12, replicas: [1, 2, 3], inSync: [1, 2])
        topics["claw.revocations.v1"] = Self.topic(
            "claw.revocations.v1", partitions: 1, replicas: [1, 2, 3], inSync: [1])
        settings["claw.findings.v1"]?["min.insync.replicas"] = "1"
        settings["claw.control.v1"]?["min.insync.replicas"] = "4"
        let told = catalog.findings(topics: topics, settings: settings, replicas: 3).map {
            "\($0.severity.rawValue) \($0.topic.name): \($0.summary)"
        }
        #expect(
            told == [
                "warning claw.grants.v1: 1 broker keeps it, 3 should",
                "error claw.grants.v1: the topic is not available: min.insync.replicas is 2, more than the 1 copies that "
                    + "are kept",
                "warning claw.decisions.v1: copies are behind in partition 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
                "error claw.revocations.v1: the topic is not available: fewer copies than min.insync.replicas are up to "
                    + "date in partition 0",
                "warning claw.findings.v1: min.insync.replicas is 1, 2 is wanted",
                "error claw.control.v1: the topic is not available: min.insync.replicas is 4, more than the 3 copies that "
                    + "are kept",
                "warning claw.control.v1: min.insync.replicas is 4, 2 is wanted",
            ])
    }

    @Test("A topic whose settings the broker does not tell is said to be such, not to be right")
    func untold() throws {
        let catalog = try Self.catalog()
        let topics = Self.cluster(catalog).topics
        let findings = catalog.findings(topics: topics, settings: [:])
        #expect(findings.map(\.topic.name) == catalog.entries.map(\.name))
        #expect(findings.allSatisfy { $0.severity == .notice && $0.code == "untold" })
    }

    @Test("A plan makes what is missing, sets what differs, and leaves to people what no tool does without harm")
    func plan() throws {
        let catalog = try Self.catalog()
        var (topics, settings) = Self.cluster(catalog)
        #expect(TopicPlan([], replicationFactor: 1, includesVendors: true).steps.isEmpty)
        topics["claw.grants.v1"] = nil
        topics["insights-logs-auditlogs"] = nil
        topics["claw.control.v1"] = Self.topic("claw.control.v1", partitions: 3)
        topics["claw.decisions.v1"] = Self.topic("claw.decisions.v1", partitions: 6)
        settings["claw.findings.v1"] = ["cleanup.policy": "compact", "retention.ms": "1"]
        let findings = catalog.findings(topics: topics, settings: settings)
        let plan = TopicPlan(findings, replicationFactor: 3, includesVendors: false)
        #expect(plan.creations.map(\.name) == ["claw.grants.v1"])
        #expect(plan.creations.first?.configuration["min.insync.replicas"] == "2")
        #expect(plan.changes == ["claw.findings.v1": ["cleanup.policy": "delete", "retention.ms": "34560000000"]])
        let byHand = plan.steps.compactMap { step in
            if case .byHand(let finding) = step { "\(finding.topic.name) \(finding.code)" } else { nil }
        }
        #expect(byHand == ["claw.control.v1 partitions", "insights-logs-auditlogs missing"])
        let all = TopicPlan(findings, replicationFactor: -1, includesVendors: true)
        #expect(all.creations.map(\.name) == ["claw.grants.v1", "insights-logs-auditlogs"])
    }
}
