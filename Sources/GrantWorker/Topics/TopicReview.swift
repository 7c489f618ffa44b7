public import Kafka

/// A difference between a topic as it is and as the catalog wants it.
public struct TopicFinding: Sendable, Hashable {
    /// What differs.
    public enum Kind: Sendable, Hashable {
        /// There is no such topic.
        case missing
        /// The broker reports an error for it, a partition has no leader, or nothing can be written.
        case unavailable(String)
        /// It has another number of partitions.
        case partitions(found: Int, wanted: Int32)
        /// Some partitions are kept by fewer brokers; the fewest and the number wanted.
        case replication(found: Int, wanted: Int)
        /// Copies that are kept are not up to date, in these partitions.
        case outOfSync([Int32])
        /// A setting has another value.
        case setting(name: String, found: String?, wanted: String)
        /// The broker does not tell these settings, so that nothing can be said of them.
        case untold([String])
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

    /// Whether `clawgrant topics apply --settings` sets it right.
    public var isSettable: Bool { if case .setting = kind { topic.isOurs } else { false } }

    /// How much it matters.
    public var severity: Severity {
        switch kind {
        case .missing, .unavailable: .error
        case .partitions: topic.isPartitionCountFixed ? .error : .notice
        case .replication, .outOfSync: .warning
        case .untold: .notice
        case .setting(let name, let found, let wanted):
            switch name {
            case "cleanup.policy": topic.isOurs ? .error : .warning
            case "min.insync.replicas": .warning
            case "retention.ms", "max.message.bytes", "min.compaction.lag.ms":
                Self.isLess(found, than: wanted) ? .warning : .notice
            default: .notice
            }
        }
    }

    /// A word for programs: `missing`, `unavailable`, `partitions`, `replication`, `out_of_sync`, `setting` or `untold`.
    public var code: String {
        switch kind {
        case .missing: "missing"
        case .unavailable: "unavailable"
        case .partitions: "partitions"
        case .replication: "replication"
        case .outOfSync: "out_of_sync"
        case .setting: "setting"
        case .untold: "untold"
        }
    }

    /// What is so, for people.
    public var summary: String {
        switch kind {
        case .missing: "the topic does not exist"
        case .unavailable(let detail): "the topic is not available: \(detail)"
        case .partitions(let found, let wanted):
            "it has \(Self.count(found, "partition")), \(wanted) are "
                + (topic.isPartitionCountFixed ? "needed" : "proposed")
        case .replication(let found, let wanted):
            "\(Self.count(found, "broker")) keep\(found == 1 ? "s" : "") it, \(wanted) should"
        case .outOfSync(let partitions):
            "copies are behind in partition \(partitions.map(String.init).joined(separator: ", "))"
        case .setting(let name, let found, let wanted): "\(name) is \(found ?? "not told"), \(wanted) is wanted"
        case .untold(let names): "the broker does not tell \(names.joined(separator: ", "))"
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
                ? "make a new topic with \(Self.count(Int(topic.partitions), "partition")) and name it in the "
                    + "configuration: Kafka cannot take partitions away"
                : "nothing, unless more workers are to share it; a change moves keys to other partitions"
        case .replication:
            "give it more copies with kafka-reassign-partitions: with one fewer lost, acknowledged records are gone"
        case .outOfSync: "look at the brokers that are behind; one more lost, and records may be lost or refused"
        case .setting(let name, _, let wanted):
            topic.isOurs
                ? "run `clawgrant topics apply --settings`, or set \(name)=\(wanted) with the broker's own tool"
                : "set it with the vendor's or the broker's own tool: \(name)=\(wanted)"
        case .untold: "compare with the broker's own tool; docs/topics.md has the values"
        }
    }

    private static func count(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }

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
    ///   - replicas: brokers that should keep each partition; `nil` does not ask.
    public func findings(
        topics: [String: ClusterMetadata.Topic], settings: [String: [String: String]], replicas: Int? = nil
    ) -> [TopicFinding] {
        entries.flatMap { entry in
            kinds(entry, topics[entry.name], settings[entry.name], replicas: replicas).map {
                TopicFinding(topic: entry, kind: $0)
            }
        }
    }

    private func kinds(
        _ entry: Entry, _ topic: ClusterMetadata.Topic?, _ settings: [String: String]?, replicas: Int?
    ) -> [TopicFinding.Kind] {
        guard let topic, !topic.partitions.isEmpty else { return [.missing] }
        if let error = topic.error { return [.unavailable("\(error)")] }
        var kinds: [TopicFinding.Kind] = []
        let leaderless = topic.partitions.filter { $0.leader == nil }.map { String($0.id) }
        if !leaderless.isEmpty {
            kinds.append(.unavailable("no leader for partition \(leaderless.joined(separator: ", "))"))
        }
        if entry.isOurs, topic.partitions.count != Int(entry.partitions) {
            kinds.append(.partitions(found: topic.partitions.count, wanted: entry.partitions))
        }
        let copies = topic.partitions.map(\.replicas.count).min() ?? 0
        if let replicas, entry.isOurs, copies < replicas { kinds.append(.replication(found: copies, wanted: replicas)) }
        kinds += inSync(topic, copies: copies, minimum: settings?["min.insync.replicas"].flatMap { Int($0) })
        guard let settings else {
            return kinds + [.untold(entry.settings.keys.sorted())]
        }
        var untold: [String] = []
        for (name, wanted) in entry.settings(replicas: entry.isOurs ? copies : 0).sorted(by: { $0.key < $1.key }) {
            guard let found = settings[name] else {
                untold.append(name)
                continue
            }
            if !same(found, wanted) { kinds.append(.setting(name: name, found: found, wanted: wanted)) }
        }
        return untold.isEmpty ? kinds : kinds + [.untold(untold)]
    }

    /// What copies that are behind, or a minimum that cannot be met, do to the topic.
    private func inSync(_ topic: ClusterMetadata.Topic, copies: Int, minimum: Int?) -> [TopicFinding.Kind] {
        if let minimum, minimum > copies {
            return [.unavailable("min.insync.replicas is \(minimum), more than the \(copies) copies that are kept")]
        }
        let short = topic.partitions.filter { $0.inSyncReplicas.count < minimum ?? 1 }
        guard short.isEmpty else {
            return [
                .unavailable(
                    "fewer copies than min.insync.replicas are up to date in partition "
                        + short.map { String($0.id) }.joined(separator: ", "))
            ]
        }
        let behind = topic.partitions.filter { $0.inSyncReplicas.count < $0.replicas.count }.map(\.id)
        return behind.isEmpty ? [] : [.outOfSync(behind)]
    }

    /// Lists such as `compact,delete` have no order.
    private func same(_ found: String, _ wanted: String) -> Bool {
        func parts(_ text: String) -> Set<String> {
            Set(text.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) })
        }
        return parts(found) == parts(wanted)
    }
}
