import ClawWire
import DevStack
import Foundation
import GrantWorker
import Kafka
import Testing

/// `clawgrant topics` against a live broker: what is missing, what differs, what is set right again.
@Suite(
    "Topics on the command line", .enabled(if: ProgramRun.path != nil), .serialized, .timeLimit(.minutes(5)))
struct TopicsTests {
    /// A broker with nothing on it and a configuration that names it.
    private static func on(
        _ kind: PrivateBroker.Kind, _ body: (String, KafkaAdmin) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-topics")
        defer { home.close() }
        let broker = try PrivateBroker(kind, directory: home.path("broker"), tools: BrokerTools.find())
        try await broker.start()
        do {
            let config = home.path("clawgrant.yaml")
            try configuration(broker.bootstrapServers).write(toFile: config, atomically: true, encoding: .utf8)
            try rules.write(toFile: home.path("rules.yaml"), atomically: true, encoding: .utf8)
            var properties = KafkaConfiguration([:])
            properties["bootstrap.servers"] = broker.bootstrapServers
            let admin = try KafkaAdmin(configuration: properties)
            do {
                try await body(config, admin)
            } catch {
                await admin.close(deadline: .seconds(2))
                throw error
            }
            await admin.close(deadline: .seconds(2))
        } catch {
            await broker.kill()
            throw error
        }
        await broker.kill()
    }

    private static func configuration(_ servers: String) -> String {
        """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka: {properties: {bootstrap.servers: "\(servers)"}}
        database: {conninfo: "host=/nowhere dbname=clawgrant"}
        keys:
          - {purpose: token, file: keys/token.pem, state: active}
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml
        control: {topic: claw.control.v1}
        """
    }

    private static let rules = """
        rules_version: "1"
        sources:
          approvals:
            kind: native
            topics: [claw.approvals.decisions.v1]
            authenticity: topic
            allow_topic_authenticity: true
            may_approve: [run]
        job_classes:
          run:
            binding: reference
            audience: [clawproxy.com]
            scopes: {allow: ["proxy:call"]}
            max_ttl: 1h
            approvals: {all_of: [{any: true, count: 1}]}
        """

    private static func run(_ line: String, _ config: String) async throws -> ProgramRun {
        try await ProgramRun(line.split(separator: " ").map(String.init), config: config)
    }

    /// The findings of a check that matter, as `kind topic setting`.
    private static func told(_ run: ProgramRun) throws -> [String] {
        try run.lines.filter { $0["severity"]?.string != "notice" }.map { line in
            [line["kind"]?.string, line["topic"]?.string, line["setting"]?.string].compactMap { $0 }
                .joined(separator: " ")
        }
    }

    @Test(
        "An empty broker is planned, filled and found to be right; every drift is found, and settings are set right",
        .enabled(if: BrokerTools.find().has(.noida)))
    func drift() async throws {
        try await Self.on(.noida) { config, admin in
            let plan = try await Self.run("topics plan --json", config)
            #expect(plan.code == 1, "\(plan.errors)")
            let names = try plan.lines.compactMap { $0["topic"]?.string }
            #expect(names.count == 9)
            #expect(try plan.lines.allSatisfy { $0["action"]?.string == "create" })
            let missing = try await Self.run("topics check --json", config)
            #expect(missing.code == 1)
            #expect(try Self.told(missing) == names.map { "missing \($0)" })

            let made = try await Self.run("topics apply", config)
            #expect(made.code == 0, "\(made.output) \(made.errors)")
            #expect(made.output.split(separator: "\n").filter { $0.hasPrefix("made ") }.count == 9)
            let clean = try await Self.run("topics check --json", config)
            #expect(clean.code == 0, "\(clean.output)")
            #expect(try Self.told(clean) == [])
            #expect(try await Self.run("topics plan", config).code == 0)

            // Drift: other settings, other numbers of partitions, a topic that is gone.
            _ = try await admin.alterConfiguration([
                "claw.revocations.v1": ["cleanup.policy": "delete"],
                "claw.decisions.v1": ["retention.ms": "60000"],
                "claw.grants.v1": ["max.message.bytes": "1000"],
            ])
            _ = try await admin.deleteTopics(["claw.findings.v1", "claw.control.v1"])
            _ = try await admin.createTopics([TopicSpecification(name: "claw.control.v1", partitions: 3)])
            _ = try await admin.createPartitions(["claw.dead-letters.v1": 6])
            let found = try await Self.run("topics check --json", config)
            #expect(found.code == 1)
            let drift = Set(try Self.told(found))
            #expect(
                drift.isSuperset(of: [
                    "setting claw.revocations.v1 cleanup.policy", "setting claw.decisions.v1 retention.ms",
                    "setting claw.grants.v1 max.message.bytes", "missing claw.findings.v1",
                    "partitions claw.control.v1",
                ]), "\(found.output)")
            #expect(
                try found.lines.contains {
                    $0["topic"] == "claw.dead-letters.v1" && $0["kind"] == "partitions" && $0["severity"] == "notice"
                })

            let steps = try await Self.run("topics plan --json", config)
            #expect(steps.code == 1)
            let actions = Set(try steps.lines.map { "\($0["action"]?.string ?? "") \($0["topic"]?.string ?? "")" })
            #expect(
                actions.isSuperset(of: [
                    "create claw.findings.v1", "set claw.revocations.v1", "set claw.decisions.v1",
                    "set claw.grants.v1", "by_hand claw.control.v1",
                ]))
            // Without --settings nothing that exists is changed.
            #expect(try await Self.run("topics apply", config).code == 1)
            let still = Set(try Self.told(try await Self.run("topics check --json", config)))
            #expect(still.contains("setting claw.revocations.v1 cleanup.policy"))
            #expect(!still.contains("missing claw.findings.v1"))
            let set = try await Self.run("topics apply --settings --json", config)
            #expect(set.code == 1, "the control topic still has three partitions")
            let left = Set(try Self.told(try await Self.run("topics check --json", config)))
            #expect(!left.contains { $0.hasPrefix("setting claw.revocations.v1") }, "\(left)")
            #expect(!left.contains("setting claw.decisions.v1 retention.ms"))
            #expect(left.contains("partitions claw.control.v1"))
        }
    }

    @Test(
        "More copies than the broker has are asked for in vain, and said so",
        .enabled(if: BrokerTools.find().has(.noida)))
    func copies() async throws {
        try await Self.on(.noida) { config, _ in
            #expect(try await Self.run("topics apply", config).code == 0)
            let found = try await Self.run("topics check --json --replication-factor 3", config)
            #expect(found.code == 1)
            #expect(Set(try Self.told(found).map { $0.prefix { $0 != " " } }) == ["replication"])
        }
    }

    @Test("A broker that keeps no access rules is said to keep none", arguments: [PrivateBroker.Kind.noida, .tansu])
    func noAccessRules(_ kind: PrivateBroker.Kind) async throws {
        guard BrokerTools.find().has(kind) else { return }
        try await Self.on(kind) { config, _ in
            #expect(try await Self.run("topics apply", config).code == 0)
            let found = try await Self.run("topics check --json --principal worker=User:claw-worker", config)
            #expect(found.code == 1, "\(found.output) \(found.errors)")
            #expect(try Self.told(found) == ["access_none"])
            let unasked = try await Self.run("topics check", config)
            #expect(unasked.code == 0)
            #expect(unasked.errors.contains("access was not looked at"))
        }
    }

    @Test("A broker that cannot be reached is no clean check")
    func unreachable() async throws {
        let home = try TemporaryDirectory(prefix: "claw-topics")
        defer { home.close() }
        let config = home.path("clawgrant.yaml")
        try Self.configuration("127.0.0.1:1").write(toFile: config, atomically: true, encoding: .utf8)
        try Self.rules.write(toFile: home.path("rules.yaml"), atomically: true, encoding: .utf8)
        let run = try await Self.run("topics check", config)
        #expect(run.code == 1)
        #expect(run.errors.contains("127.0.0.1:1"))
    }
}

/// `clawgrant policy openclaw` as an operator uses it.
@Suite("OpenClaw on the command line", .enabled(if: ProgramRun.path != nil))
struct PolicyCommandTests {
    private static let wpc = """
        {"wpc_version": "1", "policy": {"job_class": "run", "tool_policy": {"allow": ["read", "http"],
        "deny": ["exec_host", "docker_socket", "filesystem_mount_rw_outside_workspace"], "require_sandbox": true}}}
        """

    private func folder() throws -> TemporaryDirectory {
        let home = try TemporaryDirectory(prefix: "claw-openclaw")
        try Self.wpc.write(toFile: home.path("wpc.json"), atomically: true, encoding: .utf8)
        return home
    }

    @Test("An export checks clean, a weakened one does not, a broken one cannot be checked")
    func exportAndCheck() async throws {
        let home = try folder()
        defer { home.close() }
        let export = try await ProgramRun([
            "policy", "openclaw", "export", "--wpc", home.path("wpc.json"), "--agent", "main",
        ])
        #expect(export.code == 0, "\(export.errors)")
        let file = home.path("openclaw.json")
        func check(_ text: String, _ more: String...) async throws -> ProgramRun {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            return try await ProgramRun(["policy", "openclaw", "check", file, "--wpc", home.path("wpc.json")] + more)
        }
        let clean = try await check(export.output)
        #expect(clean.code == 0, "\(clean.output)")
        let weak = try await check(export.output.replacing("\"enabled\": false", with: "\"enabled\": true"), "--json")
        #expect(weak.code == 1)
        #expect(
            Set(try weak.lines.compactMap { $0["path"]?.string }) == [
                "/tools/elevated/enabled", "/agents/entries/main/tools/elevated/enabled",
            ])
        let sarif = try await check(export.output.replacing("\"all\"", with: "\"off\""), "--sarif")
        #expect(sarif.code == 1)
        #expect(try sarif.lines.first?["runs"]?.array?.first?["results"]?.array?.count == 2)
        #expect(try await check("{tools: ").code == 2)
        // A mount is judged by where its link leads.
        try FileManager.default.createSymbolicLink(
            atPath: home.path("source"), withDestinationPath: "/run/docker.sock")
        let linked = try await check(
            export.output.replacing("\"binds\": []", with: "\"binds\": [\"\(home.path("source")):/s:ro\"]"), "--json")
        #expect(linked.code == 1)
        #expect(try linked.lines.contains { $0["code"] == "docker_socket" })
    }

    @Test("A WPC of another hash, or with a name that OpenClaw does not have, is refused")
    func refused() async throws {
        let home = try folder()
        defer { home.close() }
        let other = try await ProgramRun([
            "policy", "openclaw", "export", "--wpc", home.path("wpc.json"), "--policy-hash",
            "GIDqteKPwe8t06-5d1iADSBzBAIhP_VwEKtRsm_V_g8",
        ])
        #expect(other.code == 1)
        try Self.wpc.replacing("\"http\"", with: "\"http_get\"")
            .write(toFile: home.path("wpc.json"), atomically: true, encoding: .utf8)
        let unmapped = try await ProgramRun(["policy", "openclaw", "export", "--wpc", home.path("wpc.json")])
        #expect(unmapped.code == 2)
        #expect(unmapped.errors.contains("http_get"))
        #expect(unmapped.output.isEmpty)
    }
}
