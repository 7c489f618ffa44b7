public import Kafka

/// What would bring a cluster to what the catalog says.
public struct TopicPlan: Sendable, Hashable {
    /// One step.
    public enum Step: Sendable, Hashable {
        /// Make a topic.
        case create(TopicCatalog.Entry, TopicSpecification)
        /// Give a setting of a topic another value.
        case set(TopicCatalog.Entry, name: String, found: String?, wanted: String)
        /// Something that no tool does without harm, or that somebody else has to do.
        case byHand(TopicFinding)
    }

    /// The steps, in the catalog's order.
    public let steps: [Step]

    /// Plans what the findings of a cluster ask for.
    ///
    /// - Parameters:
    ///   - findings: what differs.
    ///   - replicationFactor: brokers that keep each partition of a new topic; -1 for the cluster's default.
    ///   - includesVendors: whether topics of vendors' systems are made too.
    public init(_ findings: [TopicFinding], replicationFactor: Int32, includesVendors: Bool) {
        steps = findings.compactMap { finding in
            switch finding.kind {
            case .missing where finding.topic.isOurs || includesVendors:
                .create(finding.topic, finding.topic.specification(replicationFactor: replicationFactor))
            case .setting(let name, let found, let wanted) where finding.isSettable:
                .set(finding.topic, name: name, found: found, wanted: wanted)
            case .missing, .setting, .unavailable, .replication, .outOfSync: .byHand(finding)
            case .partitions: finding.severity == .error ? .byHand(finding) : nil
            case .untold: nil
            }
        }
    }

    /// The topics to make.
    public var creations: [TopicSpecification] {
        steps.compactMap { if case .create(_, let specification) = $0 { specification } else { nil } }
    }

    /// The settings to change, by topic and name.
    public var changes: [String: [String: String?]] {
        var changes: [String: [String: String?]] = [:]
        for step in steps {
            guard case .set(let topic, let name, _, let wanted) = step else { continue }
            changes[topic.name, default: [:]][name] = .some(wanted)
        }
        return changes
    }
}
