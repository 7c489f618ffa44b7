import ClawWire
import Kafka

extension TopicExport {
    /// Why something has no Strimzi form.
    public struct StrimziError: Error, Hashable, CustomStringConvertible {
        /// What it is, and what to do.
        public let description: String
    }

    /// Strimzi resources: a `KafkaTopic` for each topic and a `KafkaUser` for each principal.
    ///
    /// - Parameters:
    ///   - cluster: the Kafka resource that they belong to.
    ///   - namespace: their namespace; `nil` leaves it out.
    /// - Throws: ``StrimziError`` when a principal has no name that Kubernetes takes.
    public func strimzi(cluster: String, namespace: String? = nil) throws(StrimziError) -> String {
        var documents: [String] = []
        for entry in catalog.entries where entry.isOurs || includesVendors {
            documents.append(topic(entry, cluster, namespace))
        }
        for group in try users() { documents.append(try user(group.name, group.roles, cluster, namespace)) }
        return documents.map { "---\n\($0)" }.joined()
    }

    private func head(
        _ kind: String, _ name: String, _ cluster: String, _ namespace: String?, comment: String
    ) -> String {
        var text = """
            # \(comment)
            apiVersion: kafka.strimzi.io/v1
            kind: \(kind)
            metadata:
              name: \(YAMLText.scalar(name))
              labels: {strimzi.io/cluster: \(YAMLText.scalar(cluster))}

            """
        if let namespace { text += "  namespace: \(YAMLText.scalar(namespace))\n" }
        return text + "spec:\n"
    }

    private func topic(_ entry: TopicCatalog.Entry, _ cluster: String, _ namespace: String?) -> String {
        let specification = entry.specification(replicationFactor: replicationFactor)
        let name = KubernetesName.of(topic: entry.name)
        var text = head("KafkaTopic", name, cluster, namespace, comment: "\(entry.purpose). Key: \(entry.key).")
        if name != entry.name { text += "  topicName: \(YAMLText.scalar(entry.name))\n" }
        text += "  partitions: \(specification.partitions)\n"
        if replicationFactor != -1 { text += "  replicas: \(replicationFactor)\n" }
        text += "  config:\n"
        for (name, value) in specification.configuration.sorted(by: { $0.key < $1.key }) {
            text += "    \(name): \(Int64(value).map(String.init) ?? YAMLText.scalar(value))\n"
        }
        return text
    }

    /// The principals by their names, each with the roles that it takes.
    private func users() throws(StrimziError) -> [(name: String, roles: [AccessRole])] {
        var users: [(name: String, roles: [AccessRole])] = []
        for (role, principal) in principals {
            var name = principal.hasPrefix("User:") ? String(principal.dropFirst(5)) : principal
            if name.hasPrefix("CN=") { name = String(name.dropFirst(3)) }
            guard KubernetesName.isValid(name) else {
                throw StrimziError(
                    description: "the principal \(principal) of the role \(role.rawValue) is no name of a KafkaUser; "
                        + "Strimzi makes principals of users' names: lower-case letters, digits, - and .")
            }
            if let index = users.firstIndex(where: { $0.name == name }) {
                users[index].roles.append(role)
            } else {
                users.append((name, [role]))
            }
        }
        return users
    }

    private func user(
        _ name: String, _ roles: [AccessRole], _ cluster: String, _ namespace: String?
    ) throws(StrimziError) -> String {
        var text = head(
            "KafkaUser", name, cluster, namespace, comment: roles.map(\.purpose).joined(separator: "; "))
        text += """
              authentication:
                type: tls
              authorization:
                type: simple
                acls:

            """
        var rules: [AccessRule] = []
        for rule in roles.flatMap({ access.rules(for: $0) }) where !rules.contains(rule) { rules.append(rule) }
        for rule in rules {
            let operations = rule.operations.map(\.rawValue).joined(separator: ", ")
            let resource =
                switch rule.resource {
                case .topic(let name): "{type: topic, name: \(YAMLText.scalar(name)), patternType: literal}"
                case .group(let name): "{type: group, name: \(YAMLText.scalar(name)), patternType: literal}"
                case .transactionalIDs(let prefix):
                    "{type: transactionalId, name: \(YAMLText.scalar(prefix)), patternType: prefix}"
                case .cluster: "{type: cluster}"
                }
            text += "      - {resource: \(resource), operations: [\(operations)]}\n"
        }
        return text
    }
}

/// Names of Kubernetes resources (RFC 1123 subdomains).
enum KubernetesName {
    static func isValid(_ name: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        return (1...253).contains(name.utf8.count)
            && name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
                guard let first = label.first, let last = label.last else { return false }
                return isWord(first) && isWord(last) && label.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
            }
    }

    /// The topic's own name where it is one; else what is left of it, with a part of its hash so that no two collide.
    static func of(topic: String) -> String {
        guard !isValid(topic) else { return topic }
        let kept = topic.lowercased().utf8.map { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) ? byte : UInt8(ascii: "-")
        }
        let words = String(decoding: kept, as: UTF8.self).split(separator: "-").joined(separator: "-")
        return "\(words.prefix(200))---\(Digest(hashing: topic).hex.prefix(12))".trimmingHyphens
    }
}

extension String {
    /// Names of topics without a single letter or digit leave nothing but the hash.
    fileprivate var trimmingHyphens: String { String(drop { $0 == "-" }) }
}

/// Scalars of YAML.
enum YAMLText {
    private static let words: Set = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]

    /// The text as a plain scalar where that can mean nothing else, quoted otherwise.
    static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                index > 0
            default: false
            }
        }
        guard isPlain, !text.isEmpty, !words.contains(text.lowercased()) else {
            return JSONWriter.text(.string(text))
        }
        return text
    }
}
