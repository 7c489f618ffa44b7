import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics apply`.
struct TopicsApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make the topics that are missing and report what differs.",
        discussion: """
            It never deletes a topic, never changes a number of partitions, and changes settings only with --settings.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var replication: ReplicationOptions

    @Flag(name: .customLong("vendor"), help: "Make the topics of vendors' sources too, for a broker of your own.")
    var includesVendors = false

    @Flag(name: .customLong("settings"), help: "Set what differs on topics that exist, vendors' excepted.")
    var changesSettings = false

    /// What was done, what was not, and what is left.
    private struct Outcome: Sendable {
        var made: [String] = []
        var changed: [String] = []
        var failed: [(topic: String, reason: String)] = []
        var findings: [TopicFinding] = []
    }

    mutating func run() async throws {
        let file = try source.load()
        let catalog = try TopicCatalog(file)
        let replication = replication
        let includesVendors = includesVendors
        let changesSettings = changesSettings
        let outcome = try await KafkaAccess.admin(file) { admin in
            let plan = TopicPlan(
                try await catalog.review(admin, replicas: replication.expected),
                replicationFactor: replication.wanted, includesVendors: includesVendors)
            var outcome = Outcome()
            (outcome.made, outcome.failed) = Self.sorted(try await admin.createTopics(plan.creations), "made")
            if changesSettings {
                let (changed, failed) = Self.sorted(try await admin.alterConfiguration(plan.changes), "changed")
                outcome.changed = changed
                outcome.failed += failed
            }
            try await Self.waitForLeaders(of: outcome.made, admin)
            let failures = outcome.failed
            outcome.findings = try await catalog.review(admin, replicas: replication.expected).filter { finding in
                !failures.contains { $0.topic == finding.topic.name }
            }
            return outcome
        }
        report(outcome)
        // What only a vendor can make is reported, and is no failure of this command.
        if !outcome.failed.isEmpty || outcome.findings.contains(where: { $0.severity == .error && $0.topic.isOurs }) {
            throw CommandFailure.no
        }
    }

    private func report(_ outcome: Outcome) {
        if output.isJSON {
            for topic in outcome.made { Console.out(["topic": .string(topic), "made": true]) }
            for topic in outcome.changed { Console.out(["topic": .string(topic), "changed": true]) }
            for failure in outcome.failed {
                Console.out([
                    "topic": .string(failure.topic), "made": false, "severity": "error",
                    "finding": .string(failure.reason), "remedy": "look at the broker's log",
                ])
            }
            for finding in outcome.findings { Console.out(finding.json) }
            return
        }
        for topic in outcome.made { Console.out("made \(topic)") }
        for topic in outcome.changed { Console.out("changed the settings of \(topic)") }
        for failure in outcome.failed { Console.out("error: \(failure.topic): \(failure.reason)") }
        for finding in outcome.findings { Console.out(finding.line) }
        if outcome.made.isEmpty, outcome.changed.isEmpty, outcome.failed.isEmpty, outcome.findings.isEmpty {
            Console.out("nothing to do")
        }
    }

    private static func sorted(
        _ outcomes: [String: TopicOutcome], _ verb: String
    ) -> (done: [String], failed: [(topic: String, reason: String)]) {
        var done: [String] = []
        var failed: [(topic: String, reason: String)] = []
        for (topic, outcome) in outcomes.sorted(by: { $0.key < $1.key }) {
            switch outcome {
            case .done: done.append(topic)
            case .alreadyExists: break
            case .unknownTopic: failed.append((topic, "it was not \(verb): the broker does not know it"))
            case .failed(let error): failed.append((topic, "it was not \(verb): \(error)"))
            }
        }
        return (done, failed)
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
