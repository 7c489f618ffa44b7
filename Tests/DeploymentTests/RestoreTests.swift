import ClawWire
import DevStack
import Foundation
import GrantChecker
import IssuanceRules
import Kafka
import Playground
import Postgres
import Testing

/// The drills of docs/backup.md, with a real PostgreSQL: a ledger is lost and restored, and what was published meanwhile
/// is never issued again.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .serialized, .timeLimit(.minutes(10)))
struct RestoreTests {
    /// What a worker says that refuses to run.
    private static let refusal = "the topics hold what this ledger does not"

    private static func fsck(_ config: String, _ environment: [String: String] = [:]) async throws -> JSONValue {
        let ran = try await Ran.clawgrant(
            ["fsck", "--config", config, "--ledger", "--settled", "--limit", "1000", "--json"],
            environment: environment)
        guard let report = try? JSONReader.parse(ran.output) else {
            throw DevStackError(.commandFailed, "fsck: \(ran.all)")
        }
        return report
    }

    private static func codes(_ report: JSONValue) -> [String: Int] {
        (report["findings"]?.array ?? []).reduce(into: [:]) { $0[$1["code"]?.string ?? "", default: 0] += 1 }
    }

    /// Where each output topic ends.
    private static func ends(_ playground: Playground) async throws -> [TopicPartition: Int64] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        var ends: [TopicPartition: Int64] = [:]
        for topic in PlaygroundTopic.outputs {
            for partition in 0..<(PlaygroundTopic.ordered.contains(topic) ? 1 : playground.options.outputPartitions) {
                let place = TopicPartition(topic: topic, partition: partition)
                ends[place] = try await consumer.watermarks(place, timeout: .seconds(10)).high
            }
        }
        _ = await consumer.close(deadline: .seconds(2))
        return ends
    }

    /// Folder of PostgreSQL's own programs.
    private static func postgresProgram(_ name: String) throws -> String {
        let named = ProcessInfo.processInfo.environment["CLAWGRANT_POSTGRES_BIN"].map { [$0] } ?? []
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
        let folders = named + versions.sorted(by: >).map { "\(root)/\($0)/bin" } + ["/usr/bin"]
        return try #require(
            folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) })
    }

    // MARK: Base backup and WAL

    /// Puts the base backup in the server's place and lets it recover to a target.
    private func restore(
        _ playground: Playground, base: String, archive: String, _ target: [String: String]
    ) async throws {
        try await playground.postgres.stop(.immediate)
        let data = "\(playground.postgres.directory)/data"
        let settings = target.merging(["restore_command": "cp \(archive)/%f %p", "recovery_target_timeline": "1"]) {
            wanted, _ in wanted
        }
        let lines = settings.map { "\($0.key) = '\($0.value)'" }.joined(separator: "\n")
        try await Ran.shell(
            """
            owner=$(stat -c %u:%g \(data))
            rm -rf \(data)
            cp -R \(base) \(data)
            cat >>\(data)/postgresql.auto.conf <<'END'
            \(lines)
            END
            touch \(data)/recovery.signal
            chown -R $owner \(data)
            chmod 700 \(data)
            """)
        try await playground.postgres.start()
        try await waitUntil(deadline: .seconds(60), description: "the end of the recovery") {
            try await playground.postgres.execute("SELECT pg_is_in_recovery()") == "f"
        }
    }

    /// Serves the HTTP surface in a process of its own; `said` waits until its log has a text.
    private static func serve(
        _ config: String, into log: String
    ) throws -> (process: ManagedProcess, said: @Sendable (String) async throws -> Void) {
        var serving = ManagedProcess.Configuration(
            executable: try #require(Tree.program), arguments: ["serve", "--config", config])
        serving.output = .file(log)
        let process = try ManagedProcess(serving)
        return (
            process,
            { text in
                try await waitUntil(deadline: .seconds(60), description: "\(log) to say \(text)") {
                    try String(contentsOfFile: log, encoding: .utf8).contains(text)
                }
            }
        )
    }

    @Test func aLedgerRestoredToAnEarlierInstantIssuesNothing() async throws {
        let home = try TemporaryDirectory(prefix: "claw-pitr")
        defer { home.close() }
        let archive = home.path("archive")
        try await Ran.shell("mkdir \(archive) && chmod 755 \(home.path) && chmod 777 \(archive)")
        let base = home.path("base")
        var options = PlaygroundOptions()
        options.databaseSettings = [
            "archive_mode": "on",
            "archive_command":
                "test ! -f \(archive)/%f && cp %p \(archive)/%f.part && mv \(archive)/%f.part \(archive)/%f",
            "wal_level": "replica", "recovery_target_action": "promote",
        ]
        options.workerSections = "http: {listen: {port: 0}, issuer: \"http://127.0.0.1:8480\"}"
        try await withPlayground(options) { playground in
            let worker = try playground.startWorker("one")
            try await playground.waitUntilAtWork([worker])
            try await playground.approve("a", 30)
            try await playground.waitUntilSettled(waiting: 0)
            try await Ran.shell(
                "\(try Self.postgresProgram("pg_basebackup")) -d '\(playground.postgres.conninfo())' "
                    + "-D \(base) -X none -c fast --no-manifest")
            try await playground.approve("b", 10)
            try await playground.waitUntilSettled(waiting: 0)
            _ = try await playground.query("SELECT pg_create_restore_point('before')")
            let kept = try await playground.number("SELECT count(*) FROM clawgrant.receipt_batch")
            try await playground.approve("c", 20)
            try await playground.waitUntilSettled(waiting: 0)
            let all = try await playground.number("SELECT count(*) FROM clawgrant.receipt_batch")
            #expect(all > kept)
            let segment = try await playground.query("SELECT pg_walfile_name(pg_switch_wal())").string(0, 0)
            try await waitUntil(deadline: .seconds(30), description: "the end of the log to be archived") {
                FileManager.default.fileExists(atPath: "\(archive)/\(segment)")
            }

            let serving = try Self.serve(worker.configurationFile, into: home.path("serve.log"))
            try await serving.said("the HTTP surface is served")
            #expect(serving.process.isRunning)

            // The worker runs on while the database is taken from it and comes back as it was.
            try await restore(
                playground, base: base, archive: archive, ["recovery_target_name": "before"])
            try await waitUntil(deadline: .seconds(60), description: "the worker to refuse") { worker.exitedByItself }
            #expect(worker.logTail(lines: 200).contains(Self.refusal))
            // One that comes later refuses as well.
            let later = try playground.startWorker("two")
            try await waitUntil(deadline: .seconds(60), description: "another worker to refuse") {
                later.exitedByItself
            }
            #expect(later.logTail().contains(Self.refusal))
            // So does the process that only serves, and one that begins.
            #expect(try await serving.process.waitForExit(within: .seconds(60)) == .code(1))
            try await serving.said(Self.refusal)
            let beginning = try Self.serve(worker.configurationFile, into: home.path("serve-2.log"))
            #expect(try await beginning.process.waitForExit(within: .seconds(60)) == .code(1))
            try await beginning.said(Self.refusal)
            let issued = "SELECT count(*) FROM clawgrant.request WHERE state = 1"
            #expect(try await playground.number(issued) == 40)
            #expect(try await playground.number("SELECT count(*) FROM clawgrant.receipt_batch") == kept)
            let check = try await Ran.clawgrant(["check", "--config", worker.configurationFile])
            #expect(check.code == 1)
            #expect(check.output.contains(Self.refusal), "\(check.all)")

            // The second reader names exactly the tail.
            let report = try await Self.fsck(worker.configurationFile)
            let found = Self.codes(report)
            #expect(found["ledger.batch_missing"] == all - kept, "\(found)")
            #expect(found["ledger.receipt_without_request"] == 20, "\(found)")
            #expect(found.keys.allSatisfy { $0.hasPrefix("ledger.") }, "\(found)")

            // With the rest of the WAL nothing is missing, and the worker goes on.
            try await restore(playground, base: base, archive: archive, [:])
            #expect(try await playground.number(issued) == 60)
            try worker.start()
            try await playground.waitUntilAtWork([worker])
            try await playground.approve("d", 5)
            try await playground.waitUntilSettled(waiting: 0)
            #expect(try await playground.number(issued) == 65)
            let mended = try await Self.fsck(worker.configurationFile)
            #expect(mended["findings"] == [], "\(JSONWriter.text(mended))")
            let checked = try await playground.check()
            #expect(checked.violations.map(\.description) == [])
        }
    }

    @Test func aLedgerOfAnotherHistoryIsRefused() async throws {
        try await withPlayground { playground in
            let worker = try playground.startWorker("one")
            try await playground.waitUntilAtWork([worker])
            try await playground.approve("a", 5)
            try await playground.declare(
                .drill(ControlOperation.Drill(drillID: "drill-1", scope: StopScope(kind: .all, value: nil))),
                id: "drill-1", by: [PlaygroundCast.ruth])
            try await playground.waitForStatus("the drill to be published") {
                $0.unsealedGroups == 0 && $0.batches > 0 && $0.nextBatchToPublish == $0.batches
            }
            try await playground.waitForHead(controlPosition: 1)
            try await playground.waitUntilSettled(waiting: 0)
            await worker.stop()
            func check() async throws -> String {
                try await Ran.clawgrant(["check", "--config", worker.configurationFile]).output
            }
            #expect(try await check().contains("it holds everything that its topics show"))

            // The heads on the topic speak of a control event that such a ledger would not know.
            _ = try await playground.query("UPDATE clawgrant.control_state SET control_position = 0")
            let forgetful = try await check()
            #expect(forgetful.contains("speaks of control position 1, and the ledger's is 0"), "\(forgetful)")
            _ = try await playground.query("UPDATE clawgrant.control_state SET control_position = 1")

            // The same number, other content: a ledger that went on by itself.
            _ = try await playground.query(
                "ALTER TABLE clawgrant.receipt_batch DISABLE TRIGGER ALL; UPDATE clawgrant.receipt_batch "
                    + "SET header_hash = sha256('another') WHERE number = (SELECT max(number) FROM clawgrant.receipt_batch)"
            )
            let forked = try await check()
            #expect(forked.contains("the ledger has another batch of that number"), "\(forked)")
            let later = try playground.startWorker("two")
            try await waitUntil(deadline: .seconds(60), description: "a worker to refuse") { later.exitedByItself }
            #expect(later.logTail().contains(Self.refusal))
        }
    }

    // MARK: Dump and successor

    /// Settings of the successor: a database, a log and output topics of its own.
    private static func successor(_ playground: Playground) -> [String: String] {
        var environment = [
            "CLAWGRANT_DATABASE_CONNINFO": playground.postgres.conninfo(database: "successor"),
            "CLAWGRANT_LOG_ID": "northquay.example/clawgrant-2",
        ]
        for (setting, topic) in [
            "GRANTS": PlaygroundTopic.grants, "DECISIONS": PlaygroundTopic.decisions,
            "REVOCATIONS": PlaygroundTopic.revocations, "RECEIPT_BATCHES": PlaygroundTopic.receiptBatches,
            "DEAD_LETTERS": PlaygroundTopic.deadLetters, "CONTROL_RESULTS": PlaygroundTopic.controlResults,
            "FINDINGS": PlaygroundTopic.findings,
        ] {
            environment["CLAWGRANT_TOPICS_\(setting)"] = topic + ".s2"
        }
        return environment
    }

    @Test func aLostTailIsClosedBySuccession() async throws {
        try await withPlayground { playground in
            let worker = try playground.startWorker("one")
            try await playground.waitUntilAtWork([worker])
            try await playground.approve("a", 20)
            try await playground.waitUntilSettled(waiting: 0)
            let dump = "\(playground.directory)/ledger.dump"
            try await Ran.shell(
                "\(try Self.postgresProgram("pg_dump")) -Fc -d '\(playground.conninfo)' -f \(dump)")
            try await playground.approve("b", 15)
            try await playground.waitUntilSettled(waiting: 0)
            await worker.stop()
            let published = try await Self.ends(playground)

            try await playground.postgres.dropDatabase(Playground.database)
            try await playground.postgres.createDatabase(Playground.database)
            try await Ran.shell(
                "\(try Self.postgresProgram("pg_restore")) --exit-on-error -d '\(playground.conninfo)' \(dump)")
            let config = worker.configurationFile
            let found = Self.codes(try await Self.fsck(config))
            #expect(found["ledger.receipt_without_request"] == 15, "\(found)")
            let refused = try playground.startWorker("two")
            try await waitUntil(deadline: .seconds(60), description: "the worker to refuse") { refused.exitedByItself }
            #expect(refused.logTail().contains(Self.refusal))

            try await succeed(playground, config)
            #expect(try await Self.ends(playground) == published, "the closed log took no record more")
        }
    }

    /// Opens a successor as docs/backup.md tells, and holds it to what is promised there.
    private func succeed(_ playground: Playground, _ config: String) async throws {
        let environment = Self.successor(playground)
        func command(_ arguments: [String]) async throws -> Ran {
            let ran = try await Ran.clawgrant(arguments + ["--config", config], environment: environment)
            #expect(ran.code == 0, "\(arguments): \(ran.all)")
            return ran
        }
        try await playground.postgres.createDatabase("successor")
        _ = try await command(["ledger", "migrate"])
        _ = try await command(["topics", "apply", "--settings"])
        // Before anything can be issued.
        _ = try await command([
            "stop", "--all", "--reason", "The ledger's tail is lost", "--id", "stop-succession", "--by",
            "operator-1", "--wait", "acknowledged", "--yes",
        ])
        var run = ManagedProcess.Configuration(
            executable: try #require(Tree.program), arguments: ["run", "--config", config])
        run.environment = environment
        run.output = .file("\(playground.directory)/successor.log")
        let worker = try ManagedProcess(run)
        do {
            func states() async throws -> String {
                try await playground.postgres.execute(
                    "SELECT string_agg(state || ':' || n, ' ' ORDER BY state) FROM "
                        + "(SELECT state, count(*) AS n FROM clawgrant.request GROUP BY state) s",
                    database: "successor")
            }
            try await waitUntil(deadline: .seconds(90), description: "everything of before to be refused") {
                try await states() == "2:35"
            }
            let lifted = try await command([
                "lift", "stop-succession", "--by", "operator-2", "--by", "operator-3", "--policy-hash",
                try #require(playground.policies[.agentRun]).b64u, "--reason", "The successor is checked", "--yes",
            ])
            Attachment.record(lifted.output, named: "lift.txt")
            try await playground.approve("c", 3)
            try await waitUntil(deadline: .seconds(90), description: "new approvals to be granted") {
                try await states() == "1:3 2:35"
            }
            try await waitUntil(deadline: .seconds(60), description: "the successor to be published") {
                try await playground.postgres.execute(
                    "SELECT (SELECT count(*) FROM clawgrant.unsealed) = 0 AND (SELECT min(next_batch) FROM "
                        + "clawgrant.publish_position) > (SELECT max(number) FROM clawgrant.receipt_batch)",
                    database: "successor") == "t"
            }
        } catch {
            let log = try? String(contentsOfFile: "\(playground.directory)/successor.log", encoding: .utf8)
            Issue.record("successor: \(log?.suffix(4_000) ?? "")")
            worker.signal(.kill)
            await worker.terminate(grace: .zero)
            throw error
        }
        await worker.terminate(grace: .seconds(20))
        let report = try await Self.fsck(config, environment)
        #expect(report["findings"] == [], "\(JSONWriter.text(report))")
        #expect(report["kinds"]?["grant.issued"]?.integer == 3)
    }
}
