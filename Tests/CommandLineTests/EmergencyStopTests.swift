import ClawWire
import DevStack
import Foundation
import Glibc
import IssuanceRules
import Kafka
import Playground
import Postgres
import Testing

/// The emergency stop as an operator uses it: the program against a playground with a worker.
@Suite(
    "The emergency stop on the command line", .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil),
    .serialized, .timeLimit(.minutes(10)))
struct EmergencyStopTests {
    private static let soc = "soc-1"

    /// Runs a body beside one worker at work.
    func playing(
        _ body: (Playground, PlaygroundWorker) async throws -> Void
    ) async throws {
        var options = PlaygroundOptions()
        // Nothing here is about takeovers: a worker that is starved for a moment is not to look dead.
        options.limits["lease_lifetime_ms"] = 8_000
        let playground = try await Playground.start(options)
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            try await body(playground, worker)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    func approve(
        _ names: [String], _ jobClass: PlaygroundClass = .reconcile, in playground: Playground
    ) async throws {
        try await playground.produce(
            names.map {
                try ApprovalDraft($0, jobClass, in: playground).record(signedBy: playground.keys.eventSigner)
            })
        try await playground.waitUntilSettled(waiting: 0)
    }

    func stop(_ arguments: String, _ worker: PlaygroundWorker) async throws -> ProgramRun {
        try await ProgramRun(
            arguments.split(separator: " ").map(String.init) + ["--reason", "unexpected writes", "--yes", "--json"],
            config: worker.configurationFile)
    }

    /// The tokens on the grants topic, by request.
    private func tokens(_ playground: Playground) async throws -> [String: String] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        let partitions = (0..<playground.options.outputPartitions).map {
            TopicPartition(topic: PlaygroundTopic.grants, partition: $0)
        }
        try await consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, KafkaOffset.beginning) }))
        var found: [String: String] = [:]
        var open = Set(partitions)
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 1 << 24, linger: .zero, timeout: .seconds(5))
            for record in batch.records {
                let grant = try JSONReader.parse(try #require(record.value))
                guard let request = grant["request_id"]?.string, let jwe = grant["delivery"]?["jwe"]?.string else {
                    continue
                }
                found[request] = try SealedToken.open(jwe, privateKey: playground.keys.job).token.exposed
            }
            open.subtract(batch.endsReached.keys)
        }
        await consumer.close(deadline: .seconds(2))
        return found
    }

    @Test("A stop is shown, acknowledged, published and converged; status, tokens, repeats and lifts agree")
    func wholeWay() async throws {
        try await playing { playground, worker in
            try await approve(["a", "b", "c"], in: playground)
            let token = try #require(try await tokens(playground)["req-a"])
            let file = "\(playground.directory)/token-a"
            try NewTokenFile.write(token, to: file)
            let good = try await ProgramRun(["token", "check", file, "--json"], config: worker.configurationFile)
            #expect(good.code == 0, "\(good.output) \(good.errors)")
            #expect(!(good.output + good.errors).contains(token))
            let before = try await ProgramRun(["stop", "status"], config: worker.configurationFile)
            #expect(before.code == 0 && before.output.hasPrefix("NOT STOPPED: no stop holds\n"))

            let line = "stop --job-class ledger_reconcile --by \(Self.soc) --id stop-1 --wait converged"
            let stopped = try await stop(line, worker)
            #expect(stopped.code == 0, "\(stopped.output) \(stopped.errors)")
            let preview = try stopped.step("preview")
            #expect(preview["grants"]?.integer == 3 && preview["live_tokens"]?.integer == 3)
            #expect(preview["is_known"]?.bool == true)
            #expect(preview["warnings"] == .array([]))
            let answer = try stopped.step("acknowledged")
            #expect(answer["result"]?.string == "applied" && answer["control_position"]?.integer == 1)
            #expect(answer["grants_before"]?.integer == 3 && answer["voided_tokens"]?.integer == 3)
            let steps = try ["acknowledged", "published", "converged"].map { try stopped.step($0) }
            let times = steps.compactMap { $0["ms"] }
            #expect(times.count == 3)
            #expect(steps[2]["revoked_tokens"]?.integer == 3)

            let status = try await ProgramRun(["stop", "status"], config: worker.configurationFile)
            #expect(status.output.hasPrefix("PARTLY STOPPED: job_class:ledger_reconcile\n"), "\(status.output)")
            #expect(status.output.contains("stop-1") && status.output.contains(Self.soc))
            let void = try await ProgramRun(["token", "check", file, "--json"], config: worker.configurationFile)
            #expect(void.code == 1)
            #expect(try void.lines.first?["code"]?.string == "TOKEN_REVOKED")
            #expect(!(void.output + void.errors).contains(token))

            let again = try await stop(line, worker)
            #expect(again.code == 0)
            #expect(try again.step("acknowledged")["result"]?.string == "repeated")
            try await lifts(playground, worker)
        }
    }

    /// An activation that somebody approved, as the ledger knows it once a worker has read it.
    private func activate(_ name: String, at time: Timestamp, in playground: Playground) async throws -> ApprovalID {
        let activation = EntraActivation(name, at: time)
        try await playground.produce([activation.message([.requested, .routed, .approved, .completed])])
        try await playground.waitUntilSettled(waiting: 0)
        return activation.approvalID
    }

    private func lifts(_ playground: Playground, _ worker: PlaygroundWorker) async throws {
        let declared = Timestamp.playgroundNow
        let old = try await activate("old", at: declared.adding(seconds: -60), in: playground)
        // As over the topic: a lift of what has not come waits for it. What is shown before says so.
        for result in ["pending", "repeated"] {
            let unknown = try await stop("lift stop-2 --by x --by y --approval \(old) --id lift-2", worker)
            #expect(unknown.code == 0, "\(unknown.errors)")
            let warning = try unknown.step("preview")["warnings"]?.array?.first?.string
            #expect(warning?.contains("these hold: stop-1") == true)
            #expect(try unknown.step("acknowledged")["result"]?.string == result)
        }
        let stale = try await stop("lift stop-1 --by x --by y --approval \(old)", worker)
        #expect(stale.code == 1 && stale.errors.contains("lift_approval_not_fresh"), "\(stale.errors)")
        let own = try await stop("lift stop-1 --by x --by \(Self.soc) --approval \(old)", worker)
        #expect(own.code == 1 && own.errors.contains("lift_by_declarer"))
        #expect(try own.step("preview")["warnings"]?.array?.count == 1)

        // Asked for a second before, approved a second after, active two seconds after the stop.
        try await waitUntil(deadline: .seconds(10), description: "the activation to begin") {
            Timestamp.playgroundNow > declared.adding(seconds: 2)
        }
        let new = try await activate("new", at: declared.adding(seconds: -1), in: playground)
        let lifted = try await stop("lift stop-1 --by x --by y --approval \(new)", worker)
        #expect(lifted.code == 0, "\(lifted.output) \(lifted.errors)")
        let status = try await ProgramRun(["stop", "status", "--json"], config: worker.configurationFile)
        let document = try #require(try status.lines.first)
        #expect(document["stopped"]?.string == "no" && document["is_issuing"]?.bool == true)
        // What was decided before stays dead: that is a restriction that holds.
        let restrictions = document["restrictions"]?.array ?? []
        #expect(restrictions.contains { $0["order"]?.string == "barrier" })
    }

    @Test("Nothing is declared without the typed word, and unknown names are told")
    func confirmation() async throws {
        try await playing { playground, worker in
            let arguments = ["stop", "--job-class", "ledger_reconcil", "--reason", "r", "--wait", "acknowledged"]
            let config = worker.configurationFile
            let nobody = try await ProgramRun(arguments, config: config)
            #expect(nobody.code == 2 && nobody.errors.contains("--yes"))
            let wrong = try await ProgramRun(arguments, typing: "ledger_reconcile", config: config)
            #expect(wrong.code == 1 && wrong.errors.contains("nothing was declared"))
            #expect(wrong.output.contains("the rules know no job class \"ledger_reconcil\""))
            #expect(
                try await playground.query("SELECT count(*)::text FROM clawgrant.control_event").string(0, 0) == "0")
            let right = try await ProgramRun(arguments, typing: "ledger_reconcil", config: config)
            #expect(right.code == 0 && right.output.contains("STOPPED  job_class:ledger_reconcil"), "\(right.output)")
        }
    }

    @Test("What is revoked by token, request or agent is void, and every restriction is declared and ended")
    func otherOperations() async throws {
        try await playing { playground, worker in
            try await approve(["a", "b"], in: playground)
            let token = try #require(try await tokens(playground)["req-a"])
            let hash = TokenHash(Digest(hashing: token)).hex
            for line in ["revoke --token-hash \(hash)", "revoke --request req-b"] {
                let revoked = try await stop(line, worker)
                #expect(revoked.code == 0, "\(revoked.errors)")
                // Asked for without a question, it is declared before anything is counted, and counts by itself.
                #expect(try revoked.lines.first?["step"]?.string == "acknowledged")
                #expect(try revoked.step("acknowledged")["voided_tokens"]?.integer == 1)
                #expect(try revoked.step("preview")["live_tokens"]?.integer == 1)
                #expect(try revoked.step("converged")["revoked_tokens"]?.integer == 1)
            }
            let hashes = ["A", "B"].map { Digest(hashing: $0).b64u }
            let lines = [
                "control disable-elevated --all", "control enable-elevated --all",
                "control require-proxy --job-class prod_deploy", "control release-proxy --job-class prod_deploy",
                "control rotate-policy --job-class prod_deploy --from \(hashes[0]) --to \(hashes[1]) --running revoke",
                "control suspect-key no-such-key --since 2026-01-01", "drill --all",
            ]
            for (index, line) in lines.enumerated() {
                let run = try await stop(line, worker)
                #expect(run.code == 0, "\(line): \(run.errors)")
                let answer = try run.step("acknowledged")
                #expect(answer["result"]?.string == "applied")
                #expect(answer["control_position"]?.integer == Int64(index + 3))
                _ = try run.step("published")
                // A drill goes on to where gateways read.
                #expect(try run.lines.contains { $0["step"]?.string == "seen" } == line.hasPrefix("drill"), "\(line)")
            }
            let idle = try await stop("control enable-elevated --job-class prod_deploy", worker)
            #expect(idle.code == 0)
            #expect(try idle.step("acknowledged")["result"]?.string == "without_effect")
        }
    }

    @Test("Over the topic a signed event is sent, obeyed and answered; one that would not be obeyed is not sent")
    func overTheTopic() async throws {
        try await playing { playground, worker in
            let keys = "\(playground.directory)/keys"
            let drill = try await stop("drill --all --via-topic --sign-key \(keys)/control.pem", worker)
            #expect(drill.code == 0, "\(drill.errors)")
            #expect(try drill.step("published")["answer"]?["result"]?.string == "applied")
            #expect(try drill.step("seen")["control_position"]?.integer == 1)
            let idle = try await stop(
                "control enable-elevated --all --via-topic --sign-key \(keys)/control.pem", worker)
            #expect(try idle.step("published")["answer"]?["result"]?.string == "without_effect")
            let refused = try await stop("drill --all --via-topic --sign-key \(keys)/control-desk.pem", worker)
            #expect(refused.code == 1 && refused.errors.contains("control_operation_not_allowed"))

            let printed = try await stop("stop --job-class prod_deploy --id stop-p --by soc --print", worker)
            let event = "\(playground.directory)/event.json"
            try Data(printed.output.utf8).write(to: URL(fileURLWithPath: event))
            for result in ["applied", "repeated"] {
                let sent = try await ProgramRun(
                    ["control", "send", event, "--sign-key", "\(keys)/control-desk.pem", "--json"],
                    config: worker.configurationFile)
                #expect(sent.code == 0, "\(sent.errors)")
                let answer = try sent.step("published")["answer"]
                #expect(answer?["stop_id"]?.string == "stop-p")
                #expect(answer?["result"]?.string == result)
                #expect(answer?["control_position"]?.integer == 2)
            }
            let status = try await ProgramRun(["stop", "status"], config: worker.configurationFile)
            #expect(status.output.hasPrefix("PARTLY STOPPED: job_class:prod_deploy\n"))
        }
    }

    /// Nothing may stand between a person and a stop.
    @Test("A stop and a drill need no rules, a lift does")
    func aStopNeedsNoRules() async throws {
        try await playing { playground, worker in
            try await approve(["a"], in: playground)
            let rules = "\(playground.directory)/rules.yaml"
            try Data("rules: [".utf8).write(to: URL(fileURLWithPath: rules))
            for line in ["drill --all", "stop --job-class ledger_reconcile --id stop-1"] {
                let run = try await stop(line, worker)
                #expect(run.code == 0, "\(line): \(run.output) \(run.errors)")
                #expect(run.errors.contains(rules) && run.errors.contains("going on without rules"))
                #expect(try run.step("acknowledged")["result"]?.string == "applied")
                _ = try run.step("converged")
            }
            let lift = try await stop("lift stop-1 --by x --by y --approval z", worker)
            #expect(lift.code == 2 && lift.errors.contains(rules))
            let key = "\(playground.directory)/keys/control.pem"
            let sent = try await stop("stop --all --via-topic --sign-key \(key)", worker)
            #expect(sent.code == 0, "\(sent.errors)")
            #expect(try sent.step("acknowledged")["control_position"]?.integer == 3)

            // What is signed is for the workers to judge, what gives back too; what they could not read is not sent.
            let printed = try await stop("control enable-elevated --all --id on-1 --print", worker)
            let path = "\(playground.directory)/event.json"
            func send(_ text: String) async throws -> ProgramRun {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                return try await ProgramRun(
                    ["control", "send", path, "--sign-key", key, "--json"], config: worker.configurationFile)
            }
            let idle = try await send(printed.output)
            #expect(idle.code == 0 && idle.errors.contains("going on without rules"), "\(idle.errors)")
            #expect(try idle.step("published")["answer"]?["result"]?.string == "without_effect")
            let unknown = try await send(printed.output.replacing("enable-elevated", with: "enable-everything"))
            #expect(unknown.code == 1 && unknown.errors.contains("nothing was sent"), "\(unknown.errors)")
        }
    }

    @Test("A stop that is killed at any point is declared once when it is typed again")
    func killed() async throws {
        try await playing { playground, worker in
            let points = ["begun", "locked", "read", "planned", "committing", "committed"].map { "control.\($0)" }
            for (index, point) in points.enumerated() {
                let line = "stop --job-class prod_deploy --id stop-\(index) --json --yes --reason r"
                    .split(separator: " ").map(String.init)
                let dead = try await ProgramRun(line, config: worker.configurationFile, crash: point)
                #expect(dead.code == 128 + SIGKILL, "\(point): \(dead.output) \(dead.errors)")
                let again = try await ProgramRun(line, config: worker.configurationFile)
                #expect(again.code == 0, "\(point): \(again.errors)")
                let answer = try again.step("acknowledged")
                #expect(answer["control_position"]?.integer == Int64(index + 1))
                #expect(answer["result"]?.string == (point == "control.committed" ? "repeated" : "applied"))
                _ = try again.step("converged")
            }
            let tail = try await ProgramRun(
                ["tail", "--from-beginning", "--stream", "control", "--json"], config: worker.configurationFile)
            #expect(try tail.lines.count == points.count, "\(tail.output)")
            let events = try await playground.query("SELECT count(*)::text FROM clawgrant.control_event")
            #expect(try events.string(0, 0) == "\(points.count)")
        }
    }

    @Test("suspect-key refuses the key of the log, which signs no tokens")
    func keyOfTheLog() async throws {
        try await playing { playground, worker in
            let line = "control suspect-key \(playground.keys.log.kid)"
            let key = "\(playground.directory)/keys/control.pem"
            for way in ["", " --via-topic --sign-key \(key)"] {
                let refused = try await stop(line + way, worker)
                #expect(refused.code == 1 && refused.errors.contains("signs no tokens"), "\(refused.errors)")
                #expect(refused.errors.contains("key-ceremony.md"), "\(refused.errors)")
            }
            // A machine that cannot read the keys: the ledger knows what they are for.
            let text = try String(contentsOfFile: worker.configurationFile, encoding: .utf8)
            let elsewhere = "\(playground.directory)/desk.yaml"
            try Data(text.replacing("keys/receipt.pem", with: "keys/nowhere.pem").utf8)
                .write(to: URL(fileURLWithPath: elsewhere))
            let refused = try await ProgramRun(
                line.split(separator: " ").map(String.init) + ["--reason", "r", "--yes"], config: elsewhere)
            #expect(refused.code == 1 && refused.errors.contains("key_signs_no_tokens"), "\(refused.errors)")
            let events = try await playground.query("SELECT count(*)::text FROM clawgrant.control_event")
            #expect(try events.string(0, 0) == "0")
            let drill = try await ProgramRun(
                ["drill", "--all", "--reason", "r", "--yes", "--json"], config: elsewhere)
            #expect(drill.code == 0 && drill.errors.contains("the way to gateways is not measured"), "\(drill.errors)")
            _ = try drill.step("converged")
        }
    }

    @Test("check looks at the control topic and its signers")
    func checks() async throws {
        try await playing { _, worker in
            let check = try await ProgramRun(["check", "--json"], config: worker.configurationFile)
            let control = try check.lines.filter { $0["area"]?.string == "control" }
            #expect(control.contains { $0["finding"]?.string?.contains("2 keys may sign") == true })
            let topics = try check.lines.filter { $0["area"]?.string == "topics" }
            // A playground's broker makes topics without settings: that must be seen.
            #expect(
                topics.contains { $0["finding"]?.string?.hasPrefix("claw.control.v1: cleanup.policy is") == true },
                "\(check.output)")
        }
    }
}

/// Files of mode 0600 with a token.
private enum NewTokenFile {
    static func write(_ token: String, to path: String) throws {
        let isMade = FileManager.default.createFile(
            atPath: path, contents: Data(token.utf8), attributes: [.posixPermissions: 0o600])
        try #require(isMade)
    }
}
