import Kafka

/// The catalog and the access to it in the forms of other tools.
public struct TopicExport: Sendable {
    /// The topics.
    public let catalog: TopicCatalog
    /// What each role needs.
    public let access: AccessPlan
    /// Brokers that keep each partition; -1 for the cluster's default.
    public let replicationFactor: Int32
    /// Who takes which role, in the order of the roles; the others are left out.
    public let principals: [(role: AccessRole, principal: String)]
    /// Whether topics that vendors' systems make are in it.
    public let includesVendors: Bool

    /// Prepares an export.
    public init(
        catalog: TopicCatalog, access: AccessPlan, replicationFactor: Int32,
        principals: [AccessRole: String], includesVendors: Bool
    ) {
        self.catalog = catalog
        self.access = access
        self.replicationFactor = replicationFactor
        self.principals = AccessRole.allCases.compactMap { role in principals[role].map { (role, $0) } }
        self.includesVendors = includesVendors
    }

    private var topics: [(entry: TopicCatalog.Entry, specification: TopicSpecification)] {
        catalog.entries.filter { $0.isOurs || includesVendors }.map {
            ($0, $0.specification(replicationFactor: replicationFactor))
        }
    }

    // MARK: Commands

    /// A shell script of `kafka-topics.sh` commands that make what is missing; `BOOTSTRAP` names the brokers.
    public var topicCommands: String {
        var text = Self.preamble("kafka-topics.sh", "Makes the topics that are missing; what exists stays as it is.")
        for (entry, specification) in topics {
            text += "\n# \(entry.purpose). Key: \(entry.key).\n"
            var words = [
                "topics", "--create", "--if-not-exists", "--topic", Self.shell(entry.name), "--partitions",
                "\(specification.partitions)",
            ]
            if replicationFactor != -1 { words += ["--replication-factor", "\(replicationFactor)"] }
            for (name, value) in specification.configuration.sorted(by: { $0.key < $1.key }) {
                words += ["--config", Self.shell("\(name)=\(value)")]
            }
            text += words.joined(separator: " ") + "\n"
        }
        return text
    }

    /// A shell script of `kafka-acls.sh` commands that allow each role what it needs; `BOOTSTRAP` names the brokers.
    public var accessCommands: String {
        var text = Self.preamble("kafka-acls.sh", "Allows each role what it needs, and nothing else.")
        for (role, principal) in principals {
            text += "\n# \(role.rawValue): \(role.purpose)\n"
            for rule in access.rules(for: role) {
                var words = ["acls", "--add", "--allow-principal", Self.shell(principal)]
                for operation in rule.operations { words += ["--operation", operation.rawValue] }
                switch rule.resource {
                case .topic(let name): words += ["--topic", Self.shell(name)]
                case .group(let name): words += ["--group", Self.shell(name)]
                case .transactionalIDs(let prefix):
                    words += ["--resource-pattern-type", "prefixed", "--transactional-id", Self.shell(prefix)]
                case .cluster: words.append("--cluster")
                }
                text += words.joined(separator: " ") + "\n"
            }
        }
        return text
    }

    private static func preamble(_ program: String, _ purpose: String) -> String {
        let function = program == "kafka-acls.sh" ? "acls" : "topics"
        return """
            #!/bin/sh
            # \(purpose) Set BOOTSTRAP to the brokers, and CLIENT to a file of client properties where they are needed.
            set -eu
            : "${BOOTSTRAP:?}"
            \(function)() { \(program) --bootstrap-server "$BOOTSTRAP" ${CLIENT:+--command-config "$CLIENT"} "$@"; }

            """
    }

    /// A word of a shell command.
    static func shell(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
