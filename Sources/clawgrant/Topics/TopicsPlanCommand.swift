import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics plan`.
struct TopicsPlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what would bring the broker's topics to what the catalog says.",
        discussion: "It changes nothing. Ends with 0 when there is nothing to do, with 1 when there is.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var replication: ReplicationOptions

    @Flag(name: .customLong("vendor"), help: "Make the topics of vendors' sources too, for a broker of your own.")
    var includesVendors = false

    mutating func run() async throws {
        let file = try source.load()
        let catalog = try TopicCatalog(file)
        let replicas = replication.expected
        let findings = try await KafkaAccess.admin(file) { try await catalog.review($0, replicas: replicas) }
        let plan = TopicPlan(
            findings, replicationFactor: replication.wanted, includesVendors: includesVendors)
        for step in plan.steps { Console.out(step, isJSON: output.isJSON) }
        guard plan.steps.isEmpty else { throw CommandFailure.no }
        if !output.isJSON { Console.out("nothing to do") }
    }
}

extension Console {
    /// Writes a step of a plan.
    static func out(_ step: TopicPlan.Step, isJSON: Bool) {
        if isJSON { out(step.json) } else { out(step.line) }
    }
}

extension TopicPlan.Step {
    /// The step for programs: `action` is `create`, `set` or `by_hand`.
    var json: JSONValue {
        switch self {
        case .create(let topic, let specification):
            [
                "action": "create", "topic": .string(topic.name),
                "partitions": .integer(specification.partitions),
                "replication_factor": .integer(specification.replicationFactor),
                "settings": .object(
                    JSONObject(
                        specification.configuration.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
            ]
        case .set(let topic, let name, let found, let wanted):
            [
                "action": "set", "topic": .string(topic.name), "setting": .string(name), "found": .optional(found),
                "wanted": .string(wanted),
            ]
        case .byHand(let finding):
            [
                "action": "by_hand", "topic": .string(finding.topic.name),
                "severity": .string(finding.severity.rawValue), "kind": .string(finding.code),
                "finding": .string(finding.summary), "remedy": .string(finding.remedy),
            ]
        }
    }

    /// The step for people.
    var line: String {
        switch self {
        case .create(let topic, let specification):
            let settings = specification.configuration.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let partitions = "\(specification.partitions) partition\(specification.partitions == 1 ? "" : "s")"
            return "create   \(topic.name): \(partitions), \(settings.joined(separator: " "))"
        case .set(let topic, let name, let found, let wanted):
            return "set      \(topic.name): \(name)=\(wanted), now \(found ?? "not told") (apply --settings)"
        case .byHand(let finding):
            return "by hand  \(finding.topic.name): \(finding.summary); \(finding.remedy)"
        }
    }
}
