public import ClawWire
public import GrantLedger
public import IssuanceRules
public import Kafka

/// Every topic that a worker reads or writes, with the settings it should have.
///
/// Names come from the configuration and the issuance rules; the rest is that of `topics/asyncapi.yaml`, the truth about
/// every topic. It is repeated here so that the program needs no file, and a test keeps both equal. `docs/topics.md`
/// gives the reasons.
public struct TopicCatalog: Sendable, Hashable {
    /// What a topic is for.
    public enum Role: Sendable, Hashable {
        /// Written by the worker.
        case output(OutputStream)
        /// Read by the worker, in a form of our own: approvals or requests.
        case input(SourceName, SourceRule.Kind)
        /// Read by the worker; a vendor's system makes and fills it.
        case vendor(SourceName, SourceRule.Kind)
        /// Read by the worker: signed control events.
        case control
        /// Read by the worker: signed gateway receipts.
        case gatewayReceipts
        /// Signed WPCs, keyed by policy hash.
        case policies
        /// Written by the worker: signed status lists.
        case statusLists
        /// Written by the worker: receipts as security events.
        case securityEvents
        /// Written by the worker: revocations as Security Event Tokens.
        case signals

        /// A word for lists and JSON: `output`, `input`, `vendor`, `control`, `gateway-receipts`, `policies`,
        /// `status-lists`, `security-events` or `signals`.
        public var name: String {
            switch self {
            case .output: "output"
            case .input: "input"
            case .vendor: "vendor"
            case .control: "control"
            case .gatewayReceipts: "gateway-receipts"
            case .policies: "policies"
            case .statusLists: "status-lists"
            case .securityEvents: "security-events"
            case .signals: "signals"
            }
        }
    }

    /// One topic.
    public struct Entry: Sendable, Hashable {
        /// The name.
        public let name: String
        /// What it is for.
        public let role: Role
        /// What its records are keyed by.
        public let key: String
        /// Partitions of a new topic.
        public let partitions: Int32
        /// Whether the number of partitions is part of the contract, not only a proposal.
        public let isPartitionCountFixed: Bool
        /// Settings, by the names of the Kafka documentation.
        public let settings: [String: String]
        /// One sentence for people.
        public let purpose: String

        /// Whether `clawgrant topics apply` makes it: vendors make their own.
        public var isOurs: Bool { if case .vendor = role { false } else { true } }

        /// The topic as the broker is asked for it.
        ///
        /// - Parameter replicationFactor: brokers that keep each partition; -1 for the cluster's default.
        public func specification(replicationFactor: Int32 = -1) -> TopicSpecification {
            TopicSpecification(
                name: name, partitions: partitions, replicationFactor: replicationFactor,
                configuration: settings(replicas: Int(replicationFactor)))
        }

        /// The settings of a topic that so many brokers keep. With three copies one may be lost without losing what was
        /// acknowledged; fewer leave no such choice.
        public func settings(replicas: Int) -> [String: String] {
            guard replicas >= TopicCatalog.replicas else { return settings }
            return settings.merging(["min.insync.replicas": "2"]) { _, wanted in wanted }
        }
    }

    /// The topics: outputs first, then the control topic, then inputs by name.
    public private(set) var entries: [Entry]

    /// The catalog of a configuration.
    ///
    /// - Parameters:
    ///   - outputs: names of the output topics.
    ///   - rules: the issuance rules, which name the input topics.
    ///   - controlTopic: the topic of control events, when there is one.
    ///   - policyTopic: the topic of signed WPCs, when there is one.
    ///   - gatewayTopic: the topic of gateway receipts, when there is one.
    ///   - statusListTopic: the topic of status lists, when there is one.
    ///   - securityEventTopics: the topics of security events.
    ///   - signalTopics: the topics of Security Event Tokens.
    public init(
        outputs: WorkerConfiguration.OutputTopics, rules: RuleSet?, controlTopic: String?, policyTopic: String?,
        gatewayTopic: String? = nil, statusListTopic: String? = nil, securityEventTopics: [String] = [],
        signalTopics: [String] = []
    ) {
        var entries = OutputStream.allCases.map { Self.output($0, named: outputs.name($0)) }
        if let statusListTopic { entries.append(Self.statusLists(statusListTopic)) }
        entries += Set(securityEventTopics).sorted().map { Self.securityEvents($0) }
        entries += Set(signalTopics).sorted().map { Self.signals($0) }
        if let controlTopic { entries.append(Self.control(controlTopic)) }
        var inputs: [Entry] = []
        for source in (rules?.sources ?? [:]).values {
            for topic in source.topics { inputs.append(Self.input((source.name, source.kind), topic)) }
        }
        if let policyTopic { inputs.append(Self.policies(policyTopic)) }
        if let gatewayTopic { inputs.append(Self.gatewayReceipts(gatewayTopic)) }
        entries += inputs.sorted { $0.name < $1.name }
        self.entries = entries
    }

    /// The catalog with every topic under its standard name, for tools that have no configuration at hand.
    public static let standard: TopicCatalog = {
        var catalog = TopicCatalog(
            outputs: WorkerConfiguration.OutputTopics(), rules: nil, controlTopic: "claw.control.v1",
            policyTopic: "claw.policies.v1", gatewayTopic: "claw.gateway-receipts.v1",
            statusListTopic: "claw.status-lists.v1",
            securityEventTopics: [SecurityEventSettings.KafkaTopic.standardName],
            signalTopics: [SignalTopicSettings.standardName])
        let sources: [(name: SourceName, kind: SourceRule.Kind, topic: String)] = [
            (SourceName("approvals"), .native, "claw.approvals.decisions.v1"),
            (SourceName("requests"), .capabilityRequest, "claw.capability.requests.v1"),
            (SourceName("entra"), .entraAudit, "insights-logs-auditlogs"),
        ]
        let inputs = sources.map { input(($0.name, $0.kind), $0.topic) }
        let firstInput = catalog.entries.firstIndex { $0.role == .gatewayReceipts || $0.role == .policies } ?? 0
        catalog.entries =
            catalog.entries[..<firstInput]
            + (catalog.entries[firstInput...] + inputs).sorted { $0.name < $1.name }
        return catalog
    }()

    /// The topic of a name.
    public func entry(named name: String) -> Entry? { entries.first { $0.name == name } }

    // MARK: Settings

    /// How many brokers should keep each partition, where there are as many.
    public static let replicas = 3

    private static let day: Int64 = 86_400_000
    /// Room for a batch of receipts at the most that is read, with Kafka's framing.
    private static let messageBytes = "1048588"

    private static func delete(days: Int64) -> [String: String] {
        [
            "cleanup.policy": "delete", "retention.ms": String(days * day), "max.message.bytes": messageBytes,
        ]
    }

    private static let compact = [
        "cleanup.policy": "compact", "retention.ms": "-1", "min.compaction.lag.ms": String(day),
        "max.message.bytes": messageBytes,
    ]

    private static func output(_ stream: OutputStream, named name: String) -> Entry {
        switch stream {
        case .grants:
            Entry(
                name: name, role: .output(stream), key: "job id", partitions: 12, isPartitionCountFixed: false,
                settings: delete(days: 7),
                purpose: "Tokens, sealed to the job's key or by reference, each with its proof")
        case .decisions:
            Entry(
                name: name, role: .output(stream), key: "request id", partitions: 12, isPartitionCountFixed: false,
                settings: delete(days: 90), purpose: "Every outcome with its reasons")
        case .revocations:
            Entry(
                name: name, role: .output(stream), key: "token hash, cut-off or head", partitions: 1,
                isPartitionCountFixed: true, settings: compact,
                purpose: "Revoked tokens and cut-offs; gateways rebuild their state by reading it whole")
        case .receiptBatches:
            Entry(
                name: name, role: .output(stream), key: "log id", partitions: 1, isPartitionCountFixed: true,
                settings: delete(days: 400), purpose: "Sealed batches of receipts in one order")
        case .deadLetters:
            Entry(
                name: name, role: .output(stream), key: "origin", partitions: 3, isPartitionCountFixed: false,
                settings: delete(days: 30), purpose: "What could not be understood, with reason, origin and hash")
        case .controlResults:
            Entry(
                name: name, role: .output(stream), key: "stop or event id", partitions: 1,
                isPartitionCountFixed: true, settings: delete(days: 400),
                purpose: "What became of control events: acknowledgements, with the line they drew")
        case .findings:
            Entry(
                name: name, role: .output(stream), key: "job id, or what it is about", partitions: 3,
                isPartitionCountFixed: false, settings: delete(days: 400),
                purpose: "Use that is not as granted, and marks that budgets have come to")
        }
    }

    private static func input(_ source: (name: SourceName, kind: SourceRule.Kind), _ topic: String) -> Entry {
        switch source.kind {
        case .native:
            Entry(
                name: topic, role: .input(source.name, source.kind), key: "approval id", partitions: 12,
                isPartitionCountFixed: false, settings: delete(days: 30),
                purpose: "Approval events of source \(source.name)")
        case .capabilityRequest:
            Entry(
                name: topic, role: .input(source.name, source.kind), key: "request id", partitions: 12,
                isPartitionCountFixed: false, settings: delete(days: 30),
                purpose: "Capability requests of source \(source.name)")
        case .entraAudit:
            Entry(
                name: topic, role: .vendor(source.name, source.kind), key: "none", partitions: 4,
                isPartitionCountFixed: false, settings: ["cleanup.policy": "delete"],
                purpose: "Audit records of source \(source.name), as the vendor delivers them")
        case .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack, .sharedSignals:
            Entry(
                name: topic, role: .vendor(source.name, source.kind), key: "none", partitions: 4,
                isPartitionCountFixed: false, settings: ["cleanup.policy": "delete"],
                purpose: "Records of source \(source.name), as the vendor or a connector delivers them")
        case .azureActivity:
            Entry(
                name: topic, role: .vendor(source.name, source.kind), key: "none", partitions: 4,
                isPartitionCountFixed: false, settings: ["cleanup.policy": "delete"],
                purpose: "Activity log records of source \(source.name), as the vendor delivers them")
        case .graph, .entitlementManagement:
            Entry(
                name: topic, role: .vendor(source.name, source.kind), key: "request id", partitions: 4,
                isPartitionCountFixed: false, settings: ["cleanup.policy": "delete"],
                purpose: "Objects of source \(source.name), as a poller or a workflow writes them")
        }
    }

    private static func control(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .control, key: "scope, operation and id", partitions: 1, isPartitionCountFixed: true,
            settings: compact, purpose: "Signed control events: stops, lifts, revocations and the like")
    }

    private static func statusLists(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .statusLists, key: "address", partitions: 1, isPartitionCountFixed: true,
            settings: ["cleanup.policy": "compact", "retention.ms": "-1", "max.message.bytes": messageBytes],
            purpose: "Signed Token Status Lists, for whoever serves them to verifiers")
    }

    private static func securityEvents(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .securityEvents, key: "what ties events together: stop, approval, request or job id",
            partitions: 6, isPartitionCountFixed: false, settings: delete(days: 7),
            purpose: "Receipts as security events, for whoever collects them")
    }

    private static func signals(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .signals, key: "jti of the revoked token, or its hash", partitions: 3,
            isPartitionCountFixed: false, settings: delete(days: 7),
            purpose: "Revocations as Security Event Tokens, for systems that know Shared Signals")
    }

    private static func gatewayReceipts(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .gatewayReceipts, key: "run id", partitions: 12, isPartitionCountFixed: false,
            settings: delete(days: 400), purpose: "Gateways' signed receipts of model calls")
    }

    private static func policies(_ topic: String) -> Entry {
        Entry(
            name: topic, role: .policies, key: "policy hash", partitions: 1, isPartitionCountFixed: false,
            settings: [
                "cleanup.policy": "compact", "retention.ms": "-1", "max.message.bytes": messageBytes,
            ], purpose: "Signed WPCs")
    }
}
