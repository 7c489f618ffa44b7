import ClawWire
import DevStack
import GrantChecker
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import ReceiptLog
import Testing

extension StopTests {
    /// What the log and the topics say when nothing happens, and when something happens again.
    @Suite struct EvidenceTests {
        @Test func anIdleLogBeats() async throws {
            var options = PlaygroundOptions.stops
            options.limits["log_heartbeat_ms"] = 300
            try await Stage.run(options) { stage in
                let workers = try ["one", "two"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                var script = Script(stage.playground)
                try script.add(ApprovalDraft("a", .reconcile, in: stage.playground), .issued, in: stage.playground)
                try await stage.send(script)
                try await stage.untilSettled()
                let sealed = try await stage.playground.status().batches
                try await stage.until("three heartbeats") { $0.batches >= sealed + 3 }
                // Another takes the log up where a frozen sealer left it.
                let sealer = try await stage.holder(of: .sealer, among: workers)
                sealer.freeze()
                let frozen = try await stage.playground.status().batches
                try await stage.until("heartbeats of the other worker") { $0.batches >= frozen + 3 }
                sealer.thaw()
                let report = try await stage.check()
                #expect(report.counts.heartbeats >= 5)
                #expect(report.counts.receipts > report.counts.heartbeats)
            }
        }

        @Test func aRepeatOnTheTopicIsAnswered() async throws {
            try await Stage.run(.stops) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                let now = Timestamp.playgroundNow
                for _ in 0..<3 { try await stage.stop("stop-1", .jobClass(.reconcile), at: now) }
                try await stage.playground.declare(
                    .enableElevated(.everywhere), id: "on", by: [PlaygroundCast.ruth])
                try await stage.playground.declare(
                    .drill(.init(drillID: "drill", scope: .everything)), id: "drill", by: [PlaygroundCast.ruth])
                try await stage.untilPosition(2)
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                let results = try await stage.records(of: PlaygroundTopic.controlResults)
                let told = results.map { [$0["stop_id"]?.string, $0["result"]?.string] }
                #expect(told.filter { $0 == ["stop-1", "applied"] }.count == 1)
                #expect(told.filter { $0 == ["stop-1", "repeated"] }.count == 2)
                let repeats = results.filter { $0["result"]?.string == "repeated" }
                #expect(repeats.map { $0["control_position"]?.integer } == [1, 1])
                #expect(repeats.map { $0["record"]?["offset"]?.integer } == [1, 2])
                #expect(told.contains { $0[1] == "without_effect" })
            }
        }
    }
}
