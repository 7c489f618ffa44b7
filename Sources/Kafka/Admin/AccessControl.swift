import CRdKafka

/// A rule of the broker's access control: who may, or may not, do what with which resources (KIP-11, KIP-290).
public struct AccessBinding: Sendable, Hashable {
    /// What a rule is about.
    public enum ResourceType: String, Sendable, Hashable, CaseIterable {
        /// Topics.
        case topic
        /// Consumer groups.
        case group
        /// Identities of transactional producers.
        case transactionalID = "transactional-id"
        /// The cluster itself.
        case cluster
        /// A type that this version does not know.
        case other
    }

    /// How a rule names resources.
    public enum Pattern: String, Sendable, Hashable, CaseIterable {
        /// By the whole name; `*` stands for every name.
        case literal
        /// By the beginning of the name.
        case prefixed
        /// In a way that this version does not know.
        case other
    }

    /// What a rule allows or forbids.
    public enum Operation: String, Sendable, Hashable, CaseIterable {
        /// Every operation.
        case all = "All"
        /// Reading records, or as a member of a group.
        case read = "Read"
        /// Writing records.
        case write = "Write"
        /// Making topics.
        case create = "Create"
        /// Deleting.
        case delete = "Delete"
        /// Changing.
        case alter = "Alter"
        /// Looking at a resource.
        case describe = "Describe"
        /// Requests between brokers.
        case clusterAction = "ClusterAction"
        /// Reading settings.
        case describeConfigs = "DescribeConfigs"
        /// Changing settings.
        case alterConfigs = "AlterConfigs"
        /// Writing with the idempotent producer.
        case idempotentWrite = "IdempotentWrite"
        /// An operation that this version does not know.
        case other = "Other"
    }

    /// What it is about.
    public var resourceType: ResourceType
    /// The name, or its beginning; `kafka-cluster` for the cluster.
    public var name: String
    /// How ``name`` is meant.
    public var pattern: Pattern
    /// Who, for example `User:claw-worker`; `User:*` is everybody.
    public var principal: String
    /// From which address; `*` is from everywhere.
    public var host: String
    /// What.
    public var operation: Operation
    /// False for a rule that forbids; such a rule beats all that allow.
    public var isAllowed: Bool

    /// Makes a rule.
    public init(
        resourceType: ResourceType, name: String, pattern: Pattern = .literal, principal: String, host: String = "*",
        operation: Operation, isAllowed: Bool = true
    ) {
        self.resourceType = resourceType
        self.name = name
        self.pattern = pattern
        self.principal = principal
        self.host = host
        self.operation = operation
        self.isAllowed = isAllowed
    }
}

extension KafkaAdmin {
    /// Reads all rules of the broker's access control.
    ///
    /// - Throws: `KafkaError` when the broker keeps no rules, does not know the request, or does not tell this client.
    public func accessBindings(timeout: Duration = .seconds(10)) async throws(KafkaError) -> [AccessBinding] {
        try await client.callBroker(.describeAccess) { handle in describeAccess(handle, timeout: timeout) }
    }
}

/// Reads all rules. Waits for a broker.
private func describeAccess(_ handle: ClientHandle, timeout: Duration) -> Result<[AccessBinding], KafkaError> {
    let request: AdminRequest
    do throws(KafkaError) {
        request = try AdminRequest(handle, RD_KAFKA_ADMIN_OP_DESCRIBEACLS, .describeAccess, timeout: timeout)
    } catch {
        return .failure(error)
    }
    let (filter, text) = unsafe withErrorText { buffer, size in
        unsafe rd_kafka_AclBindingFilter_new(
            RD_KAFKA_RESOURCE_ANY, nil, RD_KAFKA_RESOURCE_PATTERN_ANY, nil, nil, RD_KAFKA_ACL_OPERATION_ANY,
            RD_KAFKA_ACL_PERMISSION_TYPE_ANY, buffer, size)
    }
    guard let filter = unsafe filter else {
        return .failure(KafkaError(code: .invalidArgument, operation: .describeAccess, detail: text))
    }
    // The request copies the filter.
    defer { unsafe rd_kafka_AclBinding_destroy(filter) }
    return unsafe request.run { client, options, queue in
        unsafe rd_kafka_DescribeAcls(client, filter, options, queue)
    } read: { event in
        var count = 0
        let answer = unsafe rd_kafka_event_DescribeAcls_result(event)
        let rules = unsafe rd_kafka_DescribeAcls_result_acls(answer, &count)
        var bindings: [AccessBinding] = []
        for index in 0..<count {
            guard let rule = unsafe rules?[index] else { continue }
            unsafe bindings.append(AccessBinding(rule))
        }
        return bindings
    }
}

extension AccessBinding {
    /// Copies what librdkafka lends.
    fileprivate init(_ raw: OpaquePointer) {
        func text(_ pointer: UnsafePointer<CChar>?) -> String {
            unsafe pointer.map { unsafe String(cString: $0) } ?? ""
        }
        self.init(
            resourceType: ResourceType(unsafe rd_kafka_AclBinding_restype(raw)),
            name: unsafe text(rd_kafka_AclBinding_name(raw)),
            pattern: Pattern(unsafe rd_kafka_AclBinding_resource_pattern_type(raw)),
            principal: unsafe text(rd_kafka_AclBinding_principal(raw)),
            host: unsafe text(rd_kafka_AclBinding_host(raw)),
            operation: Operation(unsafe rd_kafka_AclBinding_operation(raw)),
            isAllowed: (unsafe rd_kafka_AclBinding_permission_type(raw)) == RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW)
    }
}

extension AccessBinding.ResourceType {
    /// The wire's numbers (org.apache.kafka.common.resource.ResourceType); librdkafka names only some of them.
    fileprivate init(_ raw: rd_kafka_ResourceType_t) {
        self =
            switch Int(raw.rawValue) {
            case 2: .topic
            case 3: .group
            case 4: .cluster
            case 5: .transactionalID
            default: .other
            }
    }
}

extension AccessBinding.Pattern {
    fileprivate init(_ raw: rd_kafka_ResourcePatternType_t) {
        self =
            switch raw {
            case RD_KAFKA_RESOURCE_PATTERN_LITERAL: .literal
            case RD_KAFKA_RESOURCE_PATTERN_PREFIXED: .prefixed
            default: .other
            }
    }
}

extension AccessBinding.Operation {
    fileprivate init(_ raw: rd_kafka_AclOperation_t) {
        self =
            switch raw {
            case RD_KAFKA_ACL_OPERATION_ALL: .all
            case RD_KAFKA_ACL_OPERATION_READ: .read
            case RD_KAFKA_ACL_OPERATION_WRITE: .write
            case RD_KAFKA_ACL_OPERATION_CREATE: .create
            case RD_KAFKA_ACL_OPERATION_DELETE: .delete
            case RD_KAFKA_ACL_OPERATION_ALTER: .alter
            case RD_KAFKA_ACL_OPERATION_DESCRIBE: .describe
            case RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION: .clusterAction
            case RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS: .describeConfigs
            case RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS: .alterConfigs
            case RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE: .idempotentWrite
            default: .other
            }
    }
}
