import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics`: the topics and their settings.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "List, make and check the topics and the access to them.",
        subcommands: [
            TopicsListCommand.self, TopicsPlanCommand.self, TopicsApplyCommand.self, TopicsCheckCommand.self,
            TopicsExportCommand.self,
        ])
}

extension TopicCatalog {
    /// The catalog of a configuration and the rules it names.
    init(_ file: ConfigurationFile) throws {
        let rules = try file.rules()
        self.init(
            outputs: file.worker.outputs, rules: rules, controlTopic: file.worker.control.topic,
            policyTopic: file.worker.policySources(rules).topic, gatewayTopic: file.worker.gatewayReceipts.topic,
            statusListTopic: file.worker.statusLists?.topic,
            securityEventTopics: file.worker.securityEvents?.topics ?? [],
            signalTopics: file.worker.securityEvents?.signalTopics ?? [])
    }

    /// What differs on the cluster.
    ///
    /// - Parameter replicas: brokers that should keep each partition; without it three, or as many as there are.
    func review(_ admin: KafkaAdmin, replicas: Int? = nil) async throws -> [TopicFinding] {
        let cluster = try await admin.metadata()
        let names = entries.map(\.name).filter { !(cluster.topics[$0]?.partitions.isEmpty ?? true) }
        var settings: [String: [String: String]] = [:]
        do {
            settings = try await admin.describeTopicConfiguration(names)
        } catch {
            guard error.kind == .permanent else { throw error }
            // One topic whose settings may not be read fails the question about all of them.
            for name in names {
                settings.merge((try? await admin.describeTopicConfiguration([name])) ?? [:]) { first, _ in first }
            }
        }
        return findings(
            topics: cluster.topics, settings: settings,
            replicas: replicas ?? min(TopicCatalog.replicas, cluster.brokers.count))
    }
}

extension AccessPlan {
    /// The access that a configuration needs.
    init(_ catalog: TopicCatalog, _ file: ConfigurationFile) {
        self.init(
            catalog, group: file.worker.kafka["group.id"] ?? AccessPlan.standardGroup,
            usesTransactions: file.worker.usesTransactions)
    }
}

extension TopicFinding {
    /// The finding for programs.
    var json: JSONValue {
        var object: JSONObject = [
            "topic": .string(topic.name), "severity": .string(severity.rawValue), "kind": .string(code),
            "finding": .string(summary), "remedy": .string(remedy),
        ]
        if case .setting(let name, let found, let wanted) = kind {
            object["setting"] = .string(name)
            object["found"] = .optional(found)
            object["wanted"] = .string(wanted)
        }
        return .object(object)
    }

    /// The finding for people.
    var line: String { "\(severity.rawValue): \(topic.name): \(summary); \(remedy)" }
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
