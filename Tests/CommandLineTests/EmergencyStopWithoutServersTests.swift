import ClawWire
import DevStack
import Foundation
import Glibc
import Playground
import Postgres
import Testing

/// Stops while servers are gone, and what a single worker is told by a signal.
extension EmergencyStopTests {
    @Test("It stops with the broker gone, and says what is left with the database gone")
    func withoutServers() async throws {
        try await playing { playground, worker in
            await playground.broker.kill()
            let stopped = try await stop("stop --all --wait acknowledged", worker)
            #expect(stopped.code == 0, "\(stopped.errors)")
            #expect(try stopped.step("acknowledged")["result"]?.string == "applied")
            let status = try await ProgramRun(["stop", "status"], config: worker.configurationFile)
            #expect(status.output.hasPrefix("STOPPED: everything\n"), "\(status.output)")
            let late = try await stop("stop --job-class prod_deploy --timeout 1", worker)
            #expect(late.code == 1 && late.errors.contains("it is in force since control position 2"))

            try await playground.postgres.stop(.immediate)
            let gone = try await stop("stop --all", worker)
            #expect(gone.code == 1)
            #expect(gone.errors.contains("touch ") && gone.errors.contains("kill -USR1"))
            let unknown = try await ProgramRun(["stop", "status"], config: worker.configurationFile)
            #expect(unknown.code == 1 && unknown.errors.contains("what is stopped is not known"))
        }
    }

    @Test("With the broker gone between acknowledgement and publication, a repeat follows the stop to its end")
    func brokerComesBack() async throws {
        try await playing { playground, worker in
            try await approve(["a"], in: playground)
            playground.broker.signal(.stop)
            let line = "stop --job-class ledger_reconcile --id stop-1"
            let stopped = try await stop("\(line) --wait acknowledged", worker)
            #expect(try stopped.step("acknowledged")["result"]?.string == "applied")
            let waiting = try await stop("\(line) --timeout 1", worker)
            #expect(waiting.code == 1 && waiting.errors.contains("nothing moved for 1 s"), "\(waiting.errors)")
            playground.broker.signal(.resume)
            let followed = try await stop(line, worker)
            #expect(followed.code == 0, "\(followed.errors)")
            #expect(try followed.step("acknowledged")["result"]?.string == "repeated")
            _ = try followed.step("published")
            #expect(try followed.step("converged")["revoked_tokens"]?.integer == 1)
        }
    }

    @Test("With the broker gone between publication and convergence, the command says what is known")
    func brokerGoesInBetween() async throws {
        try await playing { playground, worker in
            try await approve(["a"], in: playground)
            // Nothing is revoked one by one until it is let go.
            let holder = try await PostgresConnection.connect(try PostgresConfiguration(uri: playground.conninfo))
            _ = try await holder.simple("BEGIN; LOCK TABLE clawgrant.request IN SHARE MODE")
            let line = "stop --job-class ledger_reconcile --id stop-1"
            async let following = stop("\(line) --timeout 5", worker)
            try await waitUntil(deadline: .seconds(60), description: "the stop to be published") {
                let row = try await playground.query(
                    """
                    SELECT EXISTS (SELECT 1 FROM clawgrant.control_event)
                        AND NOT EXISTS (SELECT 1 FROM clawgrant.unsealed)
                        AND (SELECT min(next_batch) FROM clawgrant.publish_position)
                            = (SELECT max(number) + 1 FROM clawgrant.receipt_batch)
                    """)
                return try row.string(0, 0) == "t"
            }
            try await playground.broker.stop()
            _ = try await holder.simple("COMMIT")
            await holder.close()
            let gone = try await following
            #expect(gone.code == 1, "\(gone.errors)")
            #expect(try gone.step("acknowledged")["voided_tokens"]?.integer == 1)
            _ = try gone.step("published")
            #expect(try !gone.lines.contains { $0["step"]?.string == "converged" })
            #expect(gone.errors.contains("it is in force since control position 1"), "\(gone.errors)")
            #expect(gone.errors.contains("gateways refuse what they cover"), "\(gone.errors)")
            try await playground.broker.start()
            let followed = try await stop("\(line) --timeout 60", worker)
            #expect(followed.code == 0, "\(followed.errors)")
            #expect(try followed.step("acknowledged")["result"]?.string == "repeated")
            #expect(try followed.step("converged")["revoked_tokens"]?.integer == 1)
        }
    }

    @Test("A worker halted while broker and database are gone issues nothing when both are back")
    func haltedWithoutServers() async throws {
        try await playing { playground, worker in
            playground.broker.signal(.stop)
            try await playground.postgres.stop(.immediate)
            let pid = try #require(worker.pid)
            #expect(kill(pid, SIGUSR1) == 0)
            try await waitUntil(deadline: .seconds(20), description: "the worker to say that it is halted") {
                worker.logTail(lines: 400).contains("halted by a signal")
            }
            try await playground.postgres.start()
            playground.broker.signal(.resume)
            try await playground.produce([
                try ApprovalDraft("late", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
            ])
            // It seals and publishes again, and lays down what it is asked to decide.
            let drill = try await stop("drill --all", worker)
            #expect(drill.code == 0, "\(drill.errors)")
            try await waitUntil(deadline: .seconds(60), description: "a batch to be held back") {
                worker.logTail(lines: 400).contains("held back")
            }
            let restart = Timestamp.playgroundNow
            #expect(
                try await playground.query("SELECT count(*)::text FROM clawgrant.request").string(0, 0) == "0")
            try await worker.restart()
            try await playground.waitUntilSettled(waiting: 0)
            let decided = try await playground.query(
                "SELECT (extract(epoch FROM decided_at) * 1000)::bigint FROM clawgrant.request WHERE request_id = 'req-late'"
            )
            #expect(try decided.int64(0, 0) >= restart.milliseconds)
        }
    }

    @Test("A worker that is asked to leave leaves, whoever else is gone")
    func leavesWithoutServers() async throws {
        var options = PlaygroundOptions()
        options.limits["drain_timeout_ms"] = 500
        options.limits["lease_lifetime_ms"] = 3_000
        let playground = try await Playground.start(options)
        let worker = try playground.startWorker("w1")
        try await playground.waitUntilAtWork([worker])
        try await approve(["a"], in: playground)
        try await playground.waitUntilSettled(waiting: 0)
        // As when a machine goes down: all of it at the same moment.
        let pid = try #require(worker.pid)
        #expect(kill(pid, SIGTERM) == 0)
        playground.broker.signal(.kill)
        try await playground.postgres.stop(.immediate)
        try await waitUntil(deadline: .seconds(90), description: "the worker to end") { !worker.isRunning }
        #expect([0, 1].contains { worker.exitStatus == .code($0) }, "\(String(describing: worker.exitStatus))")
        await playground.stop()
    }

    @Test("SIGUSR1 ends no command that runs beside a worker")
    func signalToOthers() async throws {
        try await playing { _, worker in
            let program = try #require(ProgramRun.path)
            let tail = try ManagedProcess(
                .init(executable: program, arguments: ["tail", "--config", worker.configurationFile]))
            let pid = tail.pid
            try await waitUntil(deadline: .seconds(20), description: "the signal to be ignored") {
                let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
                let line = status.split(separator: "\n").first { $0.hasPrefix("SigIgn:") }
                let mask = line.flatMap { UInt64($0.split(separator: "\t").last ?? "", radix: 16) } ?? 0
                return mask & 1 << UInt64(SIGUSR1 - 1) != 0
            }
            await tail.terminate(grace: .zero)
        }
    }

    @Test("SIGUSR1 halts a worker until it is started anew")
    func signal() async throws {
        try await playing { playground, worker in
            let pid = try #require(worker.pid)
            #expect(kill(pid, SIGUSR1) == 0)
            try await waitUntil(deadline: .seconds(20), description: "the worker to say that it is halted") {
                worker.logTail(lines: 200).contains("halted by a signal")
            }
            try await playground.produce([
                try ApprovalDraft("late", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
            ])
            let restart = Timestamp.playgroundNow
            try await worker.restart()
            try await playground.waitUntilSettled(waiting: 0)
            let decided = try await playground.query(
                "SELECT (extract(epoch FROM decided_at) * 1000)::bigint FROM clawgrant.request WHERE request_id = 'req-late'"
            )
            #expect(try decided.int64(0, 0) >= restart.milliseconds)
        }
    }
}
