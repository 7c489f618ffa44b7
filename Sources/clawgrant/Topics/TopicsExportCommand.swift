import ArgumentParser
import GrantWorker

/// `clawgrant topics export`.
struct TopicsExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print the topics and the access to them in the form of another tool.",
        discussion: """
            strimzi: KafkaTopic and KafkaUser resources. kafka-topics and kafka-acls: a shell script of these programs' \
            commands. Roles without --principal are taken by User:claw-ROLE.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case strimzi
        case kafkaTopics = "kafka-topics"
        case kafkaACLs = "kafka-acls"
    }

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var principals: PrincipalOptions

    @Option(name: .customLong("format"), help: "strimzi, kafka-topics or kafka-acls.")
    var format: Format

    @Option(
        name: .customLong("role"), parsing: .singleValue,
        help: ArgumentHelp("Only the access of this role; may be repeated.", valueName: "role"))
    var roles: [String] = []

    @Flag(name: .customLong("standard"), help: "The standard names; no configuration is read.")
    var usesStandardNames = false

    @Option(
        name: .customLong("replication-factor"),
        help: ArgumentHelp("Brokers that keep each partition; -1 for the cluster's default.", valueName: "n"))
    var replicationFactor: Int32 = 3

    @Flag(name: .customLong("vendor"), help: "The topics of vendors' sources too, for a broker of your own.")
    var includesVendors = false

    @Option(name: .customLong("cluster"), help: "For strimzi: the Kafka resource.")
    var cluster = "claw"

    @Option(name: .customLong("namespace"), help: "For strimzi: the namespace.")
    var namespace: String?

    mutating func validate() throws {
        guard replicationFactor == -1 || (1...32_767).contains(replicationFactor) else {
            throw ValidationError("--replication-factor is a number of brokers, or -1")
        }
        for role in roles where AccessRole(rawValue: role) == nil {
            throw ValidationError(
                "--role \(role): one of \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")) was expected")
        }
    }

    mutating func run() async throws {
        let named = try principals.byRole
        let chosen = roles.isEmpty ? AccessRole.allCases : roles.compactMap { AccessRole(rawValue: $0) }
        let all = Dictionary(
            chosen.map { ($0, named[$0] ?? $0.standardPrincipal) }, uniquingKeysWith: { first, _ in first })
        let catalog: TopicCatalog
        let access: AccessPlan
        if usesStandardNames {
            catalog = .standard
            access = AccessPlan(catalog)
        } else {
            let file = try source.load()
            catalog = try TopicCatalog(file)
            access = AccessPlan(catalog, file)
        }
        let export = TopicExport(
            catalog: catalog, access: access, replicationFactor: replicationFactor, principals: all,
            includesVendors: includesVendors)
        Console.out(String(try text(export).dropLast()))
    }

    private func text(_ export: TopicExport) throws -> String {
        switch format {
        case .kafkaTopics: return export.topicCommands
        case .kafkaACLs: return export.accessCommands
        case .strimzi:
            do {
                return try export.strimzi(cluster: cluster, namespace: namespace)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
    }
}
