import DevStack
import Foundation
import GrantLedger
import GrantWorker
import Kafka
import Testing
import Yams

@Suite("The catalog in the forms of other tools")
struct TopicExportTests {
    private func export(
        _ catalog: TopicCatalog = .standard, replicas: Int32 = 3, principals: [AccessRole: String]? = nil,
        includesVendors: Bool = false
    ) -> TopicExport {
        TopicExport(
            catalog: catalog, access: AccessPlan(catalog), replicationFactor: replicas,
            principals: principals
                ?? Dictionary(uniqueKeysWithValues: AccessRole.allCases.map { ($0, $0.standardPrincipal) }),
            includesVendors: includesVendors)
    }

    @Test("Strimzi: one resource for each topic and user, which says what the catalog says")
    func strimzi() throws {
        let documents = Array(try compose_all(yaml: try export().strimzi(cluster: "claw", namespace: "kafka")))
        let topics = documents.filter { $0["kind"]?.string == "KafkaTopic" }
        let entries = TopicCatalog.standard.entries.filter(\.isOurs)
        #expect(topics.map { $0["metadata"]?["name"]?.string } == entries.map(\.name))
        for (document, entry) in zip(topics, entries) {
            #expect(document["apiVersion"]?.string == "kafka.strimzi.io/v1")
            #expect(document["metadata"]?["labels"]?["strimzi.io/cluster"]?.string == "claw")
            #expect(document["metadata"]?["namespace"]?.string == "kafka")
            #expect(document["spec"]?["topicName"] == nil)
            #expect(document["spec"]?["partitions"]?.int == Int(entry.partitions))
            #expect(document["spec"]?["replicas"]?.int == 3)
            let configuration = Dictionary(
                uniqueKeysWithValues: (document["spec"]?["config"]?.mapping ?? [:]).map {
                    ($0.key.string ?? "", $0.value.scalar?.string ?? "")
                })
            #expect(configuration == entry.settings(replicas: 3), "\(entry.name)")
        }
        let users = documents.filter { $0["kind"]?.string == "KafkaUser" }
        #expect(users.map { $0["metadata"]?["name"]?.string } == AccessRole.allCases.map { "claw-\($0.rawValue)" })
        let worker = try #require(users.first?["spec"]?["authorization"]?["acls"]?.sequence)
        #expect(worker.count == AccessPlan(.standard).rules(for: .worker).count)
        let identities = worker.first { $0["resource"]?["type"]?.string == "transactionalId" }
        #expect(identities?["resource"]?["patternType"]?.string == "prefix")
        #expect(identities?["operations"]?.sequence?.compactMap(\.string) == ["Describe", "Write"])
    }

    @Test("Strimzi: names that Kubernetes does not take are kept as topicName, and no two collide")
    func strimziNames() throws {
        var outputs = WorkerConfiguration.OutputTopics()
        outputs.names[.grants] = "Claw_Grants"
        outputs.names[.decisions] = "claw-grants"
        outputs.names[.findings] = "___"
        outputs.names[.deadLetters] = "1e3"
        let catalog = TopicCatalog(outputs: outputs, rules: nil, controlTopic: nil, policyTopic: nil)
        let text = try export(catalog, replicas: -1, principals: [:]).strimzi(cluster: "true")
        let documents = Array(try compose_all(yaml: text))
        let names = try documents.map { try #require($0["metadata"]?["name"]?.string) }
        #expect(Set(names).count == documents.count)
        let kubernetes = /[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/
        #expect(names.allSatisfy { $0.wholeMatch(of: kubernetes) != nil }, "\(names)")
        #expect(documents[0]["spec"]?["topicName"]?.string == "Claw_Grants")
        #expect(documents[0]["spec"]?["replicas"] == nil)
        #expect(documents[4]["metadata"]?["name"]?.scalar?.string == "1e3")
        #expect(documents[4]["metadata"]?["name"]?.tag == Tag(.str))
        #expect(documents[0]["metadata"]?["labels"]?["strimzi.io/cluster"]?.tag == Tag(.str))
    }

    @Test("Strimzi: roles of one principal are one user; a principal that is no user's name is refused")
    func strimziUsers() throws {
        let principals: [AccessRole: String] = [.verifier: "User:CN=gateway", .gateway: "User:gateway"]
        let documents = Array(try compose_all(yaml: try export(principals: principals).strimzi(cluster: "claw")))
        let users = documents.filter { $0["kind"]?.string == "KafkaUser" }
        #expect(users.map { $0["metadata"]?["name"]?.string } == ["gateway"])
        #expect(users.first?["spec"]?["authorization"]?["acls"]?.sequence?.count == 3)
        #expect(throws: TopicExport.StrimziError.self) {
            try export(principals: [.worker: "User:CN=worker,O=Harborline"]).strimzi(cluster: "claw")
        }
    }

    /// Runs a script with programs that print the words they are given, one a line, between marks.
    private func run(_ script: String, _ program: String) async throws -> [[String]] {
        let home = try TemporaryDirectory(prefix: "claw-export")
        defer { home.close() }
        let stub = home.path(program)
        try "#!/bin/sh\necho BEGIN\nfor word; do printf '%s\\n' \"$word\"; done\n"
            .write(toFile: stub, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: stub)
        try script.write(toFile: home.path("script"), atomically: true, encoding: .utf8)
        let output = try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "/usr/bin/env",
                arguments: [
                    "PATH=\(home.path):/usr/bin:/bin", "BOOTSTRAP=b:9092", "CLIENT=client.properties", "/bin/sh",
                    home.path("script"),
                ]))
        return output.split(separator: "\n").split(separator: "BEGIN").map { $0.map(String.init) }
    }

    @Test("kafka-topics: the script makes every topic with its settings")
    func topicCommands() async throws {
        let calls = try await run(export(includesVendors: true).topicCommands, "kafka-topics.sh")
        #expect(calls.count == TopicCatalog.standard.entries.count)
        for (call, entry) in zip(calls, TopicCatalog.standard.entries) {
            let specification = entry.specification(replicationFactor: 3)
            var wanted = [
                "--bootstrap-server", "b:9092", "--command-config", "client.properties", "--create", "--if-not-exists",
                "--topic", entry.name, "--partitions", "\(entry.partitions)", "--replication-factor", "3",
            ]
            for (name, value) in specification.configuration.sorted(by: { $0.key < $1.key }) {
                wanted += ["--config", "\(name)=\(value)"]
            }
            #expect(call == wanted)
        }
    }

    @Test("kafka-acls: the script allows every role what it needs, whatever the principal is called")
    func accessCommands() async throws {
        let principal = "User:CN=it's a \"worker\",O=Harborline $HOME"
        let calls = try await run(
            export(principals: [.worker: principal, .verifier: "User:gw"]).accessCommands, "kafka-acls.sh")
        let rules = AccessPlan(.standard).rules(for: .worker) + AccessPlan(.standard).rules(for: .verifier)
        #expect(calls.count == rules.count)
        #expect(calls.dropLast().allSatisfy { $0.contains(principal) })
        #expect(
            calls.last == [
                "--bootstrap-server", "b:9092", "--command-config", "client.properties", "--add", "--allow-principal",
                "User:gw", "--operation", "Read", "--topic", "claw.revocations.v1",
            ])
        let identities = try #require(calls.first { $0.contains("--transactional-id") })
        #expect(identities.suffix(4) == ["--resource-pattern-type", "prefixed", "--transactional-id", "clawgrant-"])
    }
}
