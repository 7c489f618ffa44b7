import ApprovalSources
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
    /// Clocks that are an hour wrong, and put right again, while workers issue and others stop and revoke. Real
    /// processes with real steps of their clocks.
    @Suite(.enabled(if: AvailableServers.fakeClock, "libfaketime is not installed"))
    struct ClockTests {
        private static let hour: Duration = .seconds(3_600)

        /// A directory for clocks that servers of other users may read.
        private static func withClock(
            _ body: (FakeClock) async throws -> Void
        ) async throws {
            let directory = try TemporaryDirectory(prefix: "claw-clock")
            defer {
                directory.close()
                FakeClock.removeRemains()
            }
            try await body(try FakeClock(file: directory.path("offset")))
        }

        private static func approvals(_ name: String, _ count: Int, on stage: Stage) throws -> Script {
            var script = Script(stage.playground)
            try script.approve((0..<count).map { "\(name)-\($0)" })
            return script
        }

        /// Waits until the database goes by the clock as it was set.
        private static func untilDatabase(isAhead seconds: Int, on stage: Stage) async throws {
            let real = Timestamp.playgroundNow.seconds
            try await stage.untilHolds(
                "the database's clock to be \(seconds) s ahead",
                "SELECT abs(extract(epoch FROM clock_timestamp()) - \(real + Int64(seconds))) < 600")
        }

        private static func text(_ sql: String, on stage: Stage) async throws -> String {
            try await stage.playground.query(sql).string(0, 0)
        }

        private static func untilHeldBack(_ worker: PlaygroundWorker) async throws {
            let why = "nothing is issued: the clock of the database"
            let seen = worker.log
            let before = occurrences(of: why, in: seen)
            try await waitUntil(deadline: .seconds(30), description: "\(worker.name) to say: \(why)") {
                occurrences(of: why, in: seen) > before
            }
        }

        private static func occurrences(of text: String, in file: String) -> Int {
            let data = FileManager.default.contents(atPath: file) ?? Data()
            return String(decoding: data, as: UTF8.self).components(separatedBy: text).count - 1
        }

        /// No token was ever dated by a clock that was wrong, and none lives longer than an hour of real time.
        private static func expectTrueDates(since start: Timestamp, on stage: Stage) async throws {
            let end = Timestamp.playgroundNow
            let wrong = try await text(
                """
                SELECT count(*)::text FROM clawgrant.request WHERE token_hash IS NOT NULL AND NOT (
                    extract(epoch FROM issued_at) BETWEEN \(start.seconds - 60) AND \(end.seconds + 60)
                    AND extract(epoch FROM expires_at) <= \(end.seconds + 60 + 3600))
                """, on: stage)
            #expect(wrong == "0", "tokens were dated by a clock that was wrong")
        }

        /// The ledger's clock goes an hour forward and an hour back, twice, while approvals come. Nothing is issued
        /// while it is wrong; every stop, revocation and lift of privilege takes hold all the same, and none is taken
        /// back when the clock is put right.
        @Test func aLedgerWhoseClockIsSetStopsAllTheSame() async throws {
            try await Self.withClock { clock in
                var options = PlaygroundOptions.stops
                options.databaseClock = clock
                try await Stage.run(options) { stage in
                    let start = Timestamp.playgroundNow
                    let playground = stage.playground
                    let workers = try ["one", "two"].map { try playground.startWorker($0) }
                    try await stage.untilAtWork(workers)
                    try await stage.send(try Self.approvals("before", 40, on: stage))
                    try await stage.untilSettled()
                    var position = 0
                    var agents: [CutoffScope] = []
                    for (round, seconds) in [3_600, 0, -3_600, 0].enumerated() {
                        try clock.set(ahead: .seconds(seconds))
                        try await Self.untilDatabase(isAhead: seconds, on: stage)
                        let issued = try await Self.text(
                            "SELECT count(*)::text FROM clawgrant.request WHERE token_hash IS NOT NULL", on: stage)
                        try await stage.send(try Self.approvals("round-\(round)", 40, on: stage))
                        if seconds != 0 { try await Self.untilHeldBack(workers[0]) }
                        // One from the topic, one straight to the ledger, one token by its hash alone.
                        let agent = "did:web:agent-\(round).northquay.example"
                        try await stage.stop(
                            "stop-\(round)", StopScope(kind: .agent, value: agent), revokesLive: true)
                        agents.append(try #require(CutoffScope(.agent, agent)))
                        try await stage.untilPosition(position + 1)
                        let job = try await stage.apply(
                            .revoke(.init(scope: StopScope(kind: .job, value: "job-before-\(round)"))),
                            id: "job-\(round)")
                        #expect(job.result == .applied)
                        agents.append(try #require(CutoffScope(.job, "job-before-\(round)")))
                        let named = "req-before-\(10 + round)"
                        let hash = try await Self.text(
                            "SELECT encode(token_hash, 'hex') FROM clawgrant.request WHERE request_id = '\(named)'",
                            on: stage)
                        try await playground.declare(
                            .revoke(.init(scope: StopScope(kind: .token, value: hash))), id: "hash-\(round)",
                            by: [PlaygroundCast.ruth])
                        position += 3
                        try await stage.untilPosition(position)
                        try await stage.untilHolds(
                            "the token that was named to be revoked",
                            "SELECT revoked_at IS NOT NULL FROM clawgrant.request WHERE request_id = '\(named)'")
                        if seconds != 0 {
                            let now = try await Self.text(
                                "SELECT count(*)::text FROM clawgrant.request WHERE token_hash IS NOT NULL", on: stage)
                            #expect(now == issued, "a token was issued while the clock was wrong")
                        } else {
                            try await stage.untilSettled()
                        }
                    }
                    var revoked = Script(playground)
                    revoked.expectRevoked(8)
                    try await stage.send(revoked)
                    let report = try await stage.check(within: .seconds(120))
                    #expect(report.counts.issued == 200 && report.counts.stops == 4)
                    try await Self.expectTrueDates(since: start, on: stage)
                    try await stage.expectReaderAgrees(cutoffs: agents)
                }
            }
        }

        /// A stop by a clock that is then put right, and its lift: what it voided stays void. After a clock that was
        /// ahead, authority is fresh again only when time has caught up with it.
        @Test(arguments: [3_600, -3_600])
        func aStopByAClockThatIsSetAfterwardsVoidsWhatItVoided(ahead seconds: Int) async throws {
            try await Self.withClock { clock in
                var options = PlaygroundOptions.stops
                options.databaseClock = clock
                try await Stage.run(options) { stage in
                    let playground = stage.playground
                    let worker = try playground.startWorker("one")
                    try await stage.untilAtWork([worker])
                    try await stage.send(try Self.approvals("before", 30, on: stage))
                    try await stage.untilSettled()
                    try clock.set(ahead: .seconds(seconds))
                    try await Self.untilDatabase(isAhead: seconds, on: stage)
                    let scope = StopScope(kind: .jobClass, value: PlaygroundClass.reconcile.rawValue)
                    let stop = try await stage.apply(
                        .stop(.init(stopID: "s", scope: scope, revokesLive: true)), id: "s")
                    #expect(stop.result == .applied && stop.grantsBefore == 30)
                    // No cut-off spares a token that the stop precedes, whatever the clock says.
                    let newest = try await Self.text(
                        "SELECT max(extract(epoch FROM issued_at))::int8::text FROM clawgrant.request", on: stage)
                    let instant = try #require(stop.cutoffs.first?.notIssuedBefore.seconds)
                    #expect(instant > Int64(newest) ?? .max)
                    try clock.set(ahead: .zero)
                    try await Self.untilDatabase(isAhead: 0, on: stage)
                    var during = try Self.approvals("during", 30, on: stage)
                    during.expectations.issued = 0
                    during.expectations.denied = 30
                    // To a clock that is ahead they had expired: the cut-off alone voids them.
                    during.expectRevoked(seconds > 0 ? 0 : 30)
                    try await stage.send(during)
                    var script = Script(playground)
                    let authority = ApprovalDraft("authority", .agentRun, in: playground)
                    try script.add(authority, .issued, in: playground)
                    try await stage.send(script)
                    try await stage.untilSettled()
                    try await stage.lift("s", on: authority.decision.approvalID)
                    try await stage.untilPosition(2)
                    var after = Script(playground)
                    try after.add(
                        ApprovalDraft("after", .reconcile, in: playground), seconds > 0 ? .denied : .issued,
                        in: playground)
                    try await stage.send(after)
                    let report = try await stage.check(within: .seconds(120))
                    #expect(report.counts.stops == 1)
                    if seconds > 0 {
                        #expect(try await stage.decisions()["req-after"] == "HUMAN_APPROVAL_REAPPROVAL_REQUIRED")
                    }
                    try await stage.expectReaderAgrees(cutoffs: [
                        try #require(CutoffScope(.jobClass, scope.value ?? ""))
                    ])
                }
            }
        }

        /// The ledger's clock goes back by less than what workers take for wrong: tokens are issued and revoked as
        /// ever, and no head of revocations is dated before the one before it, by whichever publisher.
        @Test func headsOfRevocationsNeverGoBack() async throws {
            try await Self.withClock { clock in
                var options = PlaygroundOptions.stops
                options.databaseClock = clock
                try await Stage.run(options) { stage in
                    let worker = try stage.playground.startWorker("one")
                    try await stage.untilAtWork([worker])
                    try await stage.send(try Self.approvals("before", 20, on: stage))
                    try await stage.untilSettled()
                    func heads() async throws -> [Timestamp] {
                        try await stage.read(PlaygroundTopic.revocations).filter { $0.key == "head" }.compactMap {
                            $0.value?["as_of"]?.string.flatMap { Timestamp(rfc3339: $0) }
                        }
                    }
                    try await waitUntil(deadline: .seconds(60), description: "a head") { try await !heads().isEmpty }
                    let set = Timestamp.playgroundNow.seconds
                    try clock.set(ahead: .seconds(-30))
                    try await stage.untilHolds(
                        "the database's clock to be half a minute behind",
                        "SELECT extract(epoch FROM clock_timestamp()) < \(set) - 15")
                    try await stage.send(try Self.approvals("behind", 20, on: stage))
                    try await stage.untilSettled()
                    // The next publisher knows the head only from the topic.
                    try await worker.restart()
                    try await stage.send(try Self.approvals("restarted", 20, on: stage))
                    try await stage.untilSettled()
                    let behind = try await heads()
                    #expect(behind == behind.sorted(), "a head was dated back")
                    try clock.set(ahead: .zero)
                    try await waitUntil(deadline: .seconds(60), description: "heads to go on") {
                        let newest = try await heads().last
                        return newest.map { $0 > behind.last ?? Timestamp(seconds: set) } ?? false
                    }
                    let all = try await heads()
                    #expect(all == all.sorted())
                    let report = try await stage.check(within: .seconds(120))
                    #expect(report.counts.issued == 60)
                }
            }
        }

        /// One of two workers has a clock that is an hour wrong: it issues nothing and sends nothing to the dead
        /// letters, and its share waits until its clock is put right. Stops reach it all the same. It is started anew
        /// then, as the runbook says: librdkafka waits by the clock on the wall.
        @Test(arguments: [3_600, -3_600])
        func aWorkerWhoseClockIsWrongIssuesNothing(ahead seconds: Int) async throws {
            try await Self.withClock { clock in
                try await Stage.run(.stops) { stage in
                    let start = Timestamp.playgroundNow
                    let workers = [
                        try stage.playground.startWorker("right"),
                        try stage.playground.startWorker("wrong", clock: clock),
                    ]
                    try await stage.untilAtWork(workers)
                    try clock.set(ahead: .seconds(seconds))
                    var script = try Self.approvals("wrong", 200, on: stage)
                    let partitions = stage.playground.options.inputPartitions
                    script.scatter(copies: 1, partitions: partitions, seed: 11) { _ in false }
                    try await stage.send(script)
                    try await Self.untilHeldBack(workers[1])
                    try await stage.stop(
                        "s", StopScope(kind: .agent, value: "did:web:agent.northquay.example"), revokesLive: true)
                    try await stage.untilPosition(1)
                    #expect(try await stage.playground.status().recordsCommitted < 200)
                    try clock.set(ahead: .zero)
                    try await workers[1].restart()
                    let report = try await stage.check(within: .seconds(120))
                    #expect(report.counts.issued == 200 && report.counts.quarantined == 0)
                    try await Self.expectTrueDates(since: start, on: stage)
                    try await stage.expectReaderAgrees(
                        cutoffs: [try #require(CutoffScope(.agent, "did:web:agent.northquay.example"))])
                }
            }
        }
    }
}
