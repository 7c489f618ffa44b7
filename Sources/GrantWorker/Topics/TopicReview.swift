public import Kafka

/// A difference between a topic as it is and as the catalog wants it.
public struct TopicFinding: Sendable, Hashable {
    /// What differs.
    public enum Kind: Sendable, Hashable {
        /// There is no such topic.
        case missing
        /// The broker reports an error for it, or a partition has no leader.
        case unavailable(String)
        /// It has another number of partitions.
        case partitions(found: Int, wanted: Int32)
        /// A setting has another value.
        case setting(name: String, found: String?, wanted: String)
    }

    /// How much it matters.
    public enum Severity: String, Sendable, Hashable {
        /// The worker cannot do its work, or loses what it must keep.
        case error
        /// It works, and something that is relied upon is not so.
        case warning
        /// Worth knowing.
        case notice
    }

    /// The topic.
    public let topic: TopicCatalog.Entry
    /// What differs.
    public let kind: Kind

    /// How much it matters.
    public var severity: Severity {
        switch kind {
        case .missing, .unavailable: .error
        case .partitions: topic.isPartitionCountFixed ? .error : .notice
        case .setting(let name, let found, let wanted):
            switch name {
            case "cleanup.policy": topic.isOurs ? .error : .warning
            case "retention.ms", "max.message.bytes": Self.isLess(found, than: wanted) ? .warning : .notice
            default: .notice
            }
        }
    }

    /// What is so, for people.
    public var summary: String {
        switch kind {
        case .missing: "the topic does not exist"
        case .unavailable(let detail): "the topic is not available: \(detail)"
        case .partitions(let found, let wanted):
            "it has \(Self.partitions(found)), \(wanted) are \(topic.isPartitionCountFixed ? "needed" : "proposed")"
        case .setting(let name, let found, let wanted): "\(name) is \(found ?? "not told"), \(wanted) is wanted"
        }
    }

    /// What to do about it, for people.
    public var remedy: String {
        switch kind {
        case .missing:
            topic.isOurs
                ? "run `clawgrant topics apply`"
                : "let the vendor's system make it, correct the name in the rules, or run "
                    + "`clawgrant topics apply --vendor`"
        case .unavailable: "look at the broker's state; nothing is read or written until it is back"
        case .partitions:
            topic.isPartitionCountFixed
                ? "make a new topic with \(Self.partitions(Int(topic.partitions))) and name it in the configuration: "
                    + "Kafka cannot take partitions away"
                : "nothing, unless more workers are to share it; a change moves keys to other partitions"
        case .setting(let name, _, let wanted):
            "set it with the broker's own tool: \(name)=\(wanted); apply never changes a topic that exists"
        }
    }

    private static func partitions(_ count: Int) -> String { "\(count) partition\(count == 1 ? "" : "s")" }

    /// Compares retention times and sizes; `-1` is without end.
    private static func isLess(_ found: String?, than wanted: String) -> Bool {
        guard let found = found.flatMap({ Int64($0) }), let wanted = Int64(wanted) else { return true }
        if found == -1 { return false }
        return wanted == -1 || found < wanted
    }
}

extension TopicCatalog {
    /// What differs between the catalog and a cluster.
    ///
    /// - Parameters:
    ///   - topics: the cluster's topics, by name.
    ///   - settings: their settings, by topic and name; topics whose settings could not be read are left out.
    public func findings(
        topics: [String: ClusterMetadata.Topic], settings: [String: [String: String]]
    ) -> [TopicFinding] {
        var findings: [TopicFinding] = []
        for entry in entries {
            guard let topic = topics[entry.name], !topic.partitions.isEmpty else {
                findings.append(TopicFinding(topic: entry, kind: .missing))
                continue
            }
            if let error = topic.error {
                findings.append(TopicFinding(topic: entry, kind: .unavailable("\(error)")))
                continue
            }
            let leaderless = topic.partitions.filter { $0.leader == nil }.map { String($0.id) }
            if !leaderless.isEmpty {
                findings.append(
                    TopicFinding(
                        topic: entry,
                        kind: .unavailable("no leader for partition \(leaderless.joined(separator: ", "))")))
            }
            if entry.isOurs, topic.partitions.count != Int(entry.partitions) {
                findings.append(
                    TopicFinding(
                        topic: entry, kind: .partitions(found: topic.partitions.count, wanted: entry.partitions)))
            }
            guard let found = settings[entry.name] else { continue }
            for (name, wanted) in entry.settings.sorted(by: { $0.key < $1.key }) where !same(found[name], wanted) {
                // A broker that does not know a setting cannot be asked for it.
                guard found[name] != nil || name == "cleanup.policy" else { continue }
                findings.append(
                    TopicFinding(topic: entry, kind: .setting(name: name, found: found[name], wanted: wanted)))
            }
        }
        return findings
    }

    /// Lists such as `compact,delete` have no order.
    private func same(_ found: String?, _ wanted: String) -> Bool {
        guard let found else { return false }
        func parts(_ text: String) -> Set<String> {
            Set(text.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) })
        }
        return parts(found) == parts(wanted)
    }
}
