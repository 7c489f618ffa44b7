import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics apply`.
struct TopicsApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make the topics that are missing and report what differs.",
        discussion: "It never deletes a topic and never changes one that exists.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("replication-factor"),
        help: ArgumentHelp("Brokers that keep each partition; -1 for the cluster's default.", valueName: "n"))
    var replicationFactor: Int32 = -1

    @Flag(name: .customLong("vendor"), help: "Make the topics of vendors' sources too, for a broker of your own.")
    var includesVendors = false

    mutating func validate() throws {
        guard replicationFactor == -1 || (1...32_767).contains(replicationFactor) else {
            throw ValidationError("--replication-factor is a number of brokers, or -1")
        }
    }

    mutating func run() async throws {
        let file = try source.load()
        let catalog = try TopicCatalog(file)
        let (made, failed, findings) = try await KafkaAccess.admin(file) { admin in
            let present = try await admin.metadata().topics
            let missing = catalog.entries.filter {
                ($0.isOurs || includesVendors) && present[$0.name]?.partitions.isEmpty ?? true
            }
            let outcomes = try await admin.createTopics(
                missing.map { $0.specification(replicationFactor: replicationFactor) })
            var made: [String] = []
            var failed: [(topic: String, reason: String)] = []
            for (topic, outcome) in outcomes.sorted(by: { $0.key < $1.key }) {
                switch outcome {
                case .done: made.append(topic)
                case .alreadyExists: break
                case .unknownTopic: failed.append((topic, "the broker does not know it"))
                case .failed(let error): failed.append((topic, "\(error)"))
                }
            }
            try await Self.waitForLeaders(of: made, admin)
            let findings = try await catalog.review(admin)
            return (made, failed, findings.filter { finding in !failed.contains { $0.topic == finding.topic.name } })
        }
        if output.isJSON {
            for topic in made { Console.out(["topic": .string(topic), "made": true]) }
            for failure in failed {
                Console.out([
                    "topic": .string(failure.topic), "made": false, "severity": "error",
                    "finding": .string(failure.reason), "remedy": "look at the broker's log",
                ])
            }
            for finding in findings { Console.out(finding.json) }
        } else {
            for topic in made { Console.out("made \(topic)") }
            for failure in failed { Console.out("error: \(failure.topic): it was not made: \(failure.reason)") }
            for finding in findings {
                Console.out(
                    "\(finding.severity.rawValue): \(finding.topic.name): \(finding.summary); \(finding.remedy)")
            }
            if made.isEmpty, failed.isEmpty, findings.isEmpty { Console.out("nothing to do") }
        }
        // What only a vendor can make is reported, and is no failure of this command.
        if !failed.isEmpty || findings.contains(where: { $0.severity == .error && $0.topic.isOurs }) {
            throw CommandFailure.no
        }
    }

    /// A broker answers before its topic can be used; who runs this next wants to use it.
    private static func waitForLeaders(of topics: [String], _ admin: KafkaAdmin) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let present = try await admin.metadata().topics
            let isReady = topics.allSatisfy { name in
                guard let topic = present[name], !topic.partitions.isEmpty else { return false }
                return topic.partitions.allSatisfy { $0.leader != nil }
            }
            if isReady { return }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
