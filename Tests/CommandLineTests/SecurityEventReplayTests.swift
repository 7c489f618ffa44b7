import ClawWire
import DevStack
import Kafka
import Playground
import Testing

/// `siem replay` on a ledger that a worker filled.
@Suite(
    "Security events on the command line", .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil),
    .serialized, .timeLimit(.minutes(5)))
struct SecurityEventReplayTests {
    @Test("Every receipt is told once, in order, without a token, and the same again")
    func replay() async throws {
        var options = PlaygroundOptions()
        options.workerSections = "security_events: {sinks: [{name: disk, kind: file, path: events.ndjson}]}"
        let playground = try await Playground.start(options)
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            try await playground.produce([
                try ApprovalDraft("one", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner),
                try ApprovalDraft("plain", .sandbox, in: playground).record(signedBy: playground.keys.eventSigner),
                try ApprovalDraft("no", .agentRun, in: playground).denied().record(
                    signedBy: playground.keys.eventSigner),
                try BrokenRecord.allCases[0].record("broken", in: playground),
            ])
            try await playground.waitForStatus("two tokens to be issued", within: .seconds(60)) {
                $0.issued == 2 && $0.waiting == 0
            }
            try await playground.waitUntilSettled(waiting: 0)
            try await check(worker.configurationFile)
            try await checkStatus(worker.configurationFile)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func checkStatus(_ config: String) async throws {
        var status: JSONValue = .null
        try await waitUntil(
            deadline: .seconds(60), description: "the file to have everything", interval: .milliseconds(200)
        ) {
            status = try await ProgramRun(["siem", "status", "--json"], config: config).lines.first ?? .null
            return status["sinks"]?.array?.first?["waiting"]?.integer == 0
        }
        let sink = try #require(status["sinks"]?.array?.first)
        #expect(sink["name"] == "disk" && sink["configured"] == true && sink["failures"]?.integer == 0)
        #expect(sink["next"]?.integer == status["log_end"]?.integer)
        let table = try await ProgramRun(["siem", "status"], config: config)
        #expect(table.code == 0, "\(table.errors)")
        #expect(table.output.contains("SINK") && table.output.contains("disk  ok"))
    }

    private func check(_ config: String) async throws {
        let run = try await ProgramRun(["siem", "replay", "--tenant", "northquay"], config: config)
        #expect(run.code == 0, "\(run.errors)")
        let events = try run.lines
        #expect(events.compactMap { $0["metadata"]?["sequence"]?.integer } == (0..<Int64(events.count)).map { $0 })
        let codes = events.compactMap { $0["metadata"]?["event_code"]?.string }
        #expect(codes.count { $0 == "grant.issued" } == 2)
        #expect(codes.contains("decision.denied"))
        #expect(codes.contains("decision.quarantined"))
        #expect(events.allSatisfy { $0["metadata"]?["tenant_uid"] == "northquay" })
        for format in ["ocsf", "ecs", "cef", "syslog", "syslog-cef"] {
            let lines = try await ProgramRun(["siem", "replay", "--format", format], config: config).output
                .split(separator: "\n")
            #expect(lines.count >= events.count)
            // Whatever is a token in compact form begins like this.
            #expect(!lines.contains { $0.contains("eyJ") })
        }
        let part = try await ProgramRun(["siem", "replay", "--from", "1", "--to", "2"], config: config)
        #expect(try part.lines.compactMap { $0["metadata"]?["sequence"]?.integer } == [1, 2])
        let beyond = try await ProgramRun(["siem", "replay", "--from", "1000000"], config: config)
        #expect(beyond.code == 0 && beyond.output.isEmpty)
        let wrong = try await ProgramRun(["siem", "replay", "--format", "xml"], config: config)
        #expect(wrong.code == 2 && wrong.errors.contains("none of ocsf, ecs, cef, syslog, syslog-cef"))
    }
}
