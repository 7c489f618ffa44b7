import GrantLedger
import IssuanceRules
public import Kafka

/// Who uses the topics, and for what. `topics/asyncapi.yaml` says the same in `x-access` of each channel.
public enum AccessRole: String, Sendable, Hashable, CaseIterable {
    /// Workers: read the inputs, write the outputs and read their ends back.
    case worker
    /// Whatever follows revocations to judge tokens.
    case verifier
    /// Gateways: verifiers that also sign receipts of model calls.
    case gateway
    /// Job platforms: ask for capabilities, take grants and decisions.
    case requester
    /// What puts approvals into our form, such as the webhook bridge.
    case bridge
    /// People and systems that declare stops and read what became of them.
    case securityOperator = "security-operator"
    /// Reads everything and writes nothing.
    case auditor
    /// Publishes signed WPCs.
    case policyPublisher = "policy-publisher"
    /// Serves the status lists.
    case statusServer = "status-server"
    /// Collects security events.
    case collector
    /// Makes the topics and compares them with the catalog.
    case administrator

    /// What it is, for people.
    public var purpose: String {
        switch self {
        case .worker: "workers"
        case .verifier: "whatever follows revocations to judge tokens"
        case .gateway: "gateways, which judge tokens and sign receipts of model calls"
        case .requester: "job platforms, which ask for capabilities and take grants"
        case .bridge: "what puts approvals into our form"
        case .securityOperator: "who declares stops over the control topic"
        case .auditor: "who reads everything and writes nothing"
        case .policyPublisher: "who publishes signed WPCs"
        case .statusServer: "what serves status lists"
        case .collector: "what collects security events"
        case .administrator: "who makes the topics and compares them with the catalog"
        }
    }

    /// The principal that stands for it where none is named: `User:claw-` and the role.
    public var standardPrincipal: String { "User:claw-\(rawValue)" }
}

/// Something a role must be allowed to do.
public struct AccessRule: Sendable, Hashable {
    /// What it is about.
    public enum Resource: Sendable, Hashable {
        /// A topic.
        case topic(String)
        /// A consumer group.
        case group(String)
        /// Transactional identities that begin so.
        case transactionalIDs(prefix: String)
        /// The cluster.
        case cluster
    }

    /// What it is about.
    public let resource: Resource
    /// What must be allowed, in the order of the names.
    public let operations: [AccessBinding.Operation]

    /// The rule with everything that a broker wants to know.
    public func bindings(for principal: String) -> [AccessBinding] {
        operations.map { operation in
            switch resource {
            case .topic(let name):
                AccessBinding(resourceType: .topic, name: name, principal: principal, operation: operation)
            case .group(let name):
                AccessBinding(resourceType: .group, name: name, principal: principal, operation: operation)
            case .transactionalIDs(let prefix):
                AccessBinding(
                    resourceType: .transactionalID, name: prefix, pattern: .prefixed, principal: principal,
                    operation: operation)
            case .cluster:
                AccessBinding(
                    resourceType: .cluster, name: "kafka-cluster", principal: principal, operation: operation)
            }
        }
    }
}

/// What each role must be allowed to do with the topics of a catalog.
public struct AccessPlan: Sendable, Hashable {
    /// The consumer group that workers commit their offsets to unless the configuration names another.
    public static let standardGroup = "clawgrant"
    /// How the transactional identities of publishers begin.
    public static let transactionalPrefix = "clawgrant-"

    let catalog: TopicCatalog
    private let group: String
    private let usesTransactions: Bool

    /// Plans the access to the topics of a catalog.
    ///
    /// - Parameters:
    ///   - catalog: the topics.
    ///   - group: the workers' consumer group.
    ///   - usesTransactions: whether workers publish in transactions.
    public init(_ catalog: TopicCatalog, group: String = standardGroup, usesTransactions: Bool = true) {
        self.catalog = catalog
        self.group = group
        self.usesTransactions = usesTransactions
    }

    /// What a role must be allowed to do. Whoever may read, write or change a resource may also look at it.
    public func rules(for role: AccessRole) -> [AccessRule] {
        var rules = catalog.entries.compactMap { entry -> AccessRule? in
            let operations = Self.operations(of: role, on: entry)
            return operations.isEmpty ? nil : AccessRule(resource: .topic(entry.name), operations: operations)
        }
        switch role {
        case .worker:
            rules.append(AccessRule(resource: .group(group), operations: [.read]))
            if usesTransactions {
                rules.append(
                    AccessRule(
                        resource: .transactionalIDs(prefix: Self.transactionalPrefix), operations: [.describe, .write]))
            }
        case .administrator:
            rules.append(AccessRule(resource: .cluster, operations: [.create, .describe]))
        case .verifier, .gateway, .requester, .bridge, .securityOperator, .auditor, .policyPublisher, .statusServer,
            .collector:
            break
        }
        return rules
    }

    /// What a role must be allowed to do with a topic; empty when it has no business there.
    public static func operations(
        of role: AccessRole, on entry: TopicCatalog.Entry
    ) -> [AccessBinding.Operation] {
        switch role {
        case .administrator: return entry.isOurs ? [.alterConfigs, .describe, .describeConfigs] : [.describe]
        case .auditor: return [.read]
        case .worker:
            switch entry.role {
            // What is on the topics is the truth about what was published: a publisher reads their ends.
            case .output: return [.read, .write]
            case .statusLists, .securityEvents, .signals: return [.write]
            case .input, .vendor, .control, .gatewayReceipts, .policies: return [.read]
            }
        case .verifier, .gateway:
            switch entry.role {
            case .output(.revocations): return [.read]
            case .gatewayReceipts: return role == .gateway ? [.write] : []
            case .signals: return role == .gateway ? [.read] : []
            case .output, .input, .vendor, .control, .policies, .statusLists, .securityEvents: return []
            }
        case .requester:
            switch entry.role {
            case .input(_, .capabilityRequest): return [.write]
            case .output(.grants), .output(.decisions): return [.read]
            case .output, .input, .vendor, .control, .gatewayReceipts, .policies, .statusLists, .securityEvents,
                .signals:
                return []
            }
        case .bridge:
            switch entry.role {
            case .input(_, .native): return [.write]
            case .input, .output, .vendor, .control, .gatewayReceipts, .policies, .statusLists, .securityEvents,
                .signals:
                return []
            }
        case .securityOperator:
            switch entry.role {
            case .control: return [.write]
            case .output(.controlResults), .output(.revocations), .output(.deadLetters), .output(.findings),
                .securityEvents, .signals:
                return [.read]
            case .output, .input, .vendor, .gatewayReceipts, .policies, .statusLists: return []
            }
        case .policyPublisher: return entry.role == .policies ? [.write] : []
        case .statusServer: return entry.role == .statusLists ? [.read] : []
        case .collector: return entry.role == .securityEvents || entry.role == .signals ? [.read] : []
        }
    }
}
