import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantLedger
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import ReceiptLog
import Testing

extension StopTests {
    /// Stops while grants are being made, by workers that die and sleep: minutes, so they run when they are asked for, with
    /// `./dev test --chaos`.
    @Suite(.enabled(if: ProcessInfo.processInfo.environment["CLAWGRANT_CHAOS"] == "1", "runs with ./dev test --chaos"))
    struct LineTests {
        private static func approvals(_ name: String, _ count: Int, in playground: Playground) throws -> Script {
            var script = Script(playground)
            try script.approve((0..<count).map { "\(name)-\($0)" })
            return script
        }

        @Test func aStopUnderLoadIsALine() async throws {
            try await Stage.run(.stops) { stage in
                let workers = try ["one", "two", "three"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                let rounds = 4
                for round in 0..<rounds {
                    try await stage.send(try Self.approvals("m\(round)", 400, in: stage.playground))
                    try await stage.untilDecided(30 + 40 * round)
                    try await stage.playground.declare(
                        .drill(.init(drillID: "drill-\(round)", scope: .everything)), id: "drill-\(round)",
                        by: [PlaygroundCast.ruth])
                }
                try await stage.untilDecided(20)
                try await stage.stop("stop-1", .jobClass(.reconcile), revokesLive: true)
                try await stage.send(try Self.approvals("late", 100, in: stage.playground))
                let report = try await stage.audit(within: .seconds(120))
                #expect(report.counts.issued + report.counts.denied == 400 * rounds + 100)
                #expect(report.counts.denied >= 100)
                #expect(report.counts.issued > 0)
                #expect(report.counts.stops == 1)
                #expect(report.counts.revocations == report.counts.issued)
                let results = try await stage.values(of: PlaygroundTopic.controlResults)
                #expect(results["stop-1"]?["grants_before"]?.integer == Int64(report.counts.issued))
                #expect(results["stop-1"]?["voided_tokens"]?.integer == Int64(report.counts.issued))
                try await stage.expectReaderAgrees(
                    cutoffs: [try #require(CutoffScope(.jobClass, PlaygroundClass.reconcile.rawValue))])
            }
        }

        /// The worker sleeps between what its transaction has read and what it is to write. It takes the stop lock last, so
        /// that a stop waits for nothing of its; and when it wakes, what it has read is not true any more. Its lease lasts a
        /// minute: nobody takes its work meanwhile. (Of one that had the lock, the tests of the ledger tell.)
        @Test func aFrozenWorkerNeitherDelaysAStopNorCommitsWhenItWakes() async throws {
            var options = PlaygroundOptions.stops
            options.limits["lease_lifetime_ms"] = 60_000
            try await Stage.run(options) { stage in
                let workers = try ["one", "two"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                let reader = try await stage.holder(of: .control, among: workers)
                let victim = try #require(workers.first { $0.name != reader.name })
                let holder = try await stage.block("event")
                var script = try Self.approvals("m", 60, in: stage.playground)
                script.scatter(copies: 1, partitions: 4, seed: 7) { _ in false }
                try await stage.send(script)
                func sessions(_ state: String) async throws -> Bool {
                    let rows = try await stage.playground.query(
                        """
                        SELECT a.application_name FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
                        WHERE l.locktype = 'relation' AND l.relation = 'clawgrant.event'::regclass AND \(state)
                        """)
                    return try (0..<rows.rowCount).contains { victim.isNamed(try rows.string($0, 0)) }
                }
                try await waitUntil(deadline: .seconds(30), description: "a transaction of the victim's that waits") {
                    try await sessions("a.wait_event_type = 'Lock'")
                }
                victim.freeze()
                _ = try await holder.simple("COMMIT")
                await holder.close()
                try await waitUntil(deadline: .seconds(30), description: "the victim's transaction to be idle") {
                    try await sessions("a.state = 'idle in transaction'")
                }
                let declared = ContinuousClock.now
                try await stage.stop("stop-1")
                try await stage.untilPosition(1)
                stage.note("a stop behind a frozen worker", .now - declared)
                // The stop ended nobody, and waited for nobody's end: the transaction is open, unless its own bound is over.
                let isOpen = try await sessions("a.state = 'idle in transaction'")
                let log = FileManager.default.contents(atPath: stage.playground.postgres.log) ?? Data()
                let said = String(decoding: log, as: UTF8.self)
                #expect(isOpen || said.contains("idle-in-transaction timeout"))
                #expect(!said.contains("terminating connection due to administrator command"))
                victim.thaw()
                let report = try await stage.audit(within: .seconds(90))
                #expect(victim.isRunning)
                #expect(report.counts.issued + report.counts.denied == 60)
                #expect(report.counts.denied > 0)
                let result = try await stage.values(of: PlaygroundTopic.controlResults)["stop-1"]
                #expect(result?["grants_before"]?.integer == Int64(report.counts.issued))
            }
        }

        /// Dies with the event unread; with it read and the transaction's writes on their way; with it committed.
        @Test func aKilledReaderOfTheControlTopicLosesNoStopAndDoublesNone() async throws {
            try await Stage.run(.stops) { stage in
                let workers = try ["one", "two", "three"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                let tables = [nil, "control_event", "control_order", "control_state", "effect_group", nil]
                for (step, table) in tables.enumerated() {
                    try await stage.send(try Self.approvals("m\(step)", 60, in: stage.playground))
                    let reader = try await stage.holder(of: .control, among: workers)
                    let scope = StopScope(kind: .agent, value: "did:web:agent-\(step).northquay.example")
                    if let table {
                        let holder = try await stage.block(table)
                        try await stage.stop("stop-\(step)", scope, revokesLive: true)
                        try await stage.untilHolds(
                            "the stop to write \(table)",
                            """
                            SELECT EXISTS (
                                SELECT 1 FROM pg_locks l JOIN pg_locks w ON w.pid = l.pid
                                WHERE l.locktype = 'advisory' AND l.objid = 8603000 AND l.mode = 'ExclusiveLock'
                                    AND l.granted AND w.locktype = 'relation' AND NOT w.granted)
                            """)
                        await reader.kill()
                        _ = try await holder.simple("COMMIT")
                        await holder.close()
                    } else if step == 0 {
                        reader.freeze()
                        try await stage.stop("stop-\(step)", scope, revokesLive: true)
                        await reader.kill()
                    } else {
                        try await stage.stop("stop-\(step)", scope, revokesLive: true)
                        try await stage.untilPosition(step + 1)
                        await reader.kill()
                    }
                    try await stage.untilPosition(step + 1)
                    try reader.start()
                    try await stage.untilAtWork(workers)
                }
                let report = try await stage.check(within: .seconds(90))
                #expect(report.counts.stops == tables.count)
                try await stage.expectReaderAgrees(
                    cutoffs: try tables.indices.map {
                        try #require(CutoffScope(.agent, "did:web:agent-\($0).northquay.example"))
                    })
            }
        }

        @Test func aSealerThatDiesAfterAStopLeavesItToAnother() async throws {
            try await Stage.run(.stops) { stage in
                let workers = try ["one", "two"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                try await stage.send(try Self.approvals("m", 40, in: stage.playground))
                try await stage.untilSettled()
                let sealer = try await stage.holder(of: .sealer, among: workers)
                sealer.freeze()
                let answer = try await stage.apply(
                    .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true)), id: "stop-1")
                #expect(answer.result == .applied)
                #expect(answer.position == 1)
                #expect(answer.grantsBefore == 40)
                #expect(answer.voidedTokens == 40)
                await sealer.kill()
                var rest = Script(stage.playground)
                rest.expectRevoked(40)
                try rest.add(ApprovalDraft("late", .reconcile, in: stage.playground), .denied, in: stage.playground)
                try await stage.send(rest)
                try await stage.check(within: .seconds(90))
                let results = try await stage.values(of: PlaygroundTopic.controlResults)
                #expect(results["stop-1"]?["grants_before"]?.integer == 40)
                try await stage.expectReaderAgrees(cutoffs: [.all])
            }
        }

        @Test func aDatabaseThatRestartsAroundAStopLosesNothing() async throws {
            try await Stage.run(.stops) { stage in
                let workers = try ["one", "two"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                for round in 0..<3 {
                    try await stage.send(try Self.approvals("m\(round)", 150, in: stage.playground))
                    try await stage.untilDecided(20)
                    let scope =
                        round == 2
                        ? StopScope.everything
                        : StopScope(kind: .agent, value: "did:web:agent-\(round).northquay.example")
                    try await stage.stop("stop-\(round)", scope, revokesLive: round == 2)
                    if round == 1 { try await stage.untilPosition(2) }
                    try await stage.playground.postgres.restart(.immediate)
                    try await stage.untilPosition(round + 1)
                }
                let report = try await stage.audit(within: .seconds(120))
                #expect(report.counts.issued + report.counts.denied == 450)
                #expect(report.counts.stops == 3)
                #expect(report.counts.revocations == report.counts.issued)
                try await stage.expectReaderAgrees(cutoffs: [.all])
            }
        }
    }
}
