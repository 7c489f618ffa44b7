import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics`: the topics and their settings.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "List, make and check the topics.",
        subcommands: [TopicsListCommand.self, TopicsApplyCommand.self, TopicsCheckCommand.self])
}

extension TopicCatalog {
    /// The catalog of a configuration and the rules it names.
    init(_ file: ConfigurationFile) throws {
        let rules = try file.rules()
        self.init(
            outputs: file.worker.outputs, rules: rules, controlTopic: file.worker.control.topic,
            policyTopic: file.worker.policySources(rules).topic, gatewayTopic: file.worker.gatewayReceipts.topic,
            statusListTopic: file.worker.statusLists?.topic)
    }

    /// What differs on the cluster.
    func review(_ admin: KafkaAdmin) async throws -> [TopicFinding] {
        let present = try await admin.metadata().topics
        let names = entries.map(\.name).filter { !(present[$0]?.partitions.isEmpty ?? true) }
        let settings = try await admin.describeTopicConfiguration(names)
        return findings(topics: present, settings: settings)
    }
}

extension TopicFinding {
    /// The finding for programs.
    var json: JSONValue {
        [
            "topic": .string(topic.name), "severity": .string(severity.rawValue), "finding": .string(summary),
            "remedy": .string(remedy),
        ]
    }
}

/// `clawgrant topics list`.
struct TopicsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the topics that this configuration and its rules need.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let catalog = try TopicCatalog(try source.load())
        if output.isJSON {
            for entry in catalog.entries {
                Console.out([
                    "topic": .string(entry.name), "role": .string(entry.role.name), "key": .string(entry.key),
                    "partitions": .integer(entry.partitions),
                    "settings": .object(
                        JSONObject(entry.settings.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
                    "purpose": .string(entry.purpose),
                ])
            }
            return
        }
        var rows = [["TOPIC", "ROLE", "KEY", "PARTITIONS", "SETTINGS"]]
        for entry in catalog.entries {
            let settings = entry.settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            rows.append([
                entry.name, entry.role.name, entry.key, "\(entry.partitions)", settings.joined(separator: " "),
            ])
        }
        for line in Console.table(rows) { Console.out(line) }
    }
}

/// `clawgrant topics check`.
struct TopicsCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare the broker's topics with the catalog.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let file = try source.load()
        let catalog = try TopicCatalog(file)
        let findings = try await KafkaAccess.admin(file) { try await catalog.review($0) }
        if output.isJSON {
            for finding in findings { Console.out(finding.json) }
        } else if findings.isEmpty {
            Console.out("\(catalog.entries.count) topics are as they should be")
        } else {
            for finding in findings {
                Console.out(
                    "\(finding.severity.rawValue): \(finding.topic.name): \(finding.summary); \(finding.remedy)")
            }
        }
        if findings.contains(where: { $0.severity != .notice }) { throw CommandFailure.no }
    }
}
