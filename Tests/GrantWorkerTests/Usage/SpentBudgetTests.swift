import ApprovalSources
import ClawWire
import DevStack
import GrantChecker
import GrantLedger
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import Testing

/// Spent budgets where tokens are asked for, with real worker processes. Each test ends with the checker.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"), .serialized,
    .timeLimit(.minutes(4)))
struct SpentBudgetTests {
    private static var options: PlaygroundOptions {
        var options = PlaygroundOptions.chaos
        options.followsUsage = true
        return options
    }

    /// An approval of the plain class that carries a request for another job than its own.
    private static func draft(
        _ name: String, job: String, budget: Budget? = nil, in playground: Playground
    ) -> ApprovalDraft {
        var draft = ApprovalDraft(name, .reconcile, in: playground)
        draft.request?.jobID = JobID(job)
        draft.decision.budget = budget
        return draft
    }

    private static func send(
        _ drafts: [(draft: ApprovalDraft, outcome: WritableKeyPath<Stage.Expectations, Int>)], revoked: Int = 0,
        to stage: Stage
    ) async throws {
        var script = Script(stage.playground)
        for (draft, outcome) in drafts {
            script.records.append(try draft.record(signedBy: stage.playground.keys.eventSigner))
            script.expect(draft)
            script.expectations[keyPath: outcome] += 1
        }
        script.expectations.revoked += revoked
        try await stage.send(script)
    }

    /// What the program prints.
    private static func program(_ arguments: [String], _ worker: PlaygroundWorker) async throws -> JSONValue {
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: try #require(WorkerProgram.path),
                arguments: arguments + ["--config", worker.configurationFile]),
            within: .seconds(60))
        return try JSONReader.parse(result.output)
    }

    @Test func aJobWhoseBudgetIsSpentGetsNoFurtherToken() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            let worker = try playground.startWorker("one")
            try await stage.untilAtWork([worker])
            try await Self.send(
                [(Self.draft("first", job: "job-x", budget: Budget(modelCalls: 2), in: playground), \.issued)],
                revoked: 1, to: stage)
            try await stage.untilSettled()
            let token = try #require(try await UsageStage.grants(stage)["job-x"])
            var gateway = UsageStage(stage)
            try await gateway.send(gateway.receipt("1", token), gateway.receipt("2", token))
            try await gateway.untilRead()
            // Whoever approves it, and whatever the approval allows: the job has used up what it was given. Another job
            // has not.
            try await Self.send(
                [
                    (Self.draft("second", job: "job-x", in: playground), \.denied),
                    (Self.draft("wide", job: "job-x", budget: Budget(modelCalls: 900), in: playground), \.denied),
                    (Self.draft("other", job: "job-y", in: playground), \.issued),
                ], to: stage)
            try await stage.check()
            let story = try await Self.program(["explain", "req-second", "--json"], worker)
            #expect(story["state"]?.string == "denied")
            let reason = try #require(story["reasons"]?.array?.first)
            #expect(reason["code"]?.string == "CAPABILITY_BUDGET_SPENT")
            #expect(reason["detail"]?.string?.contains("has used 2 of 2 model_calls") ?? false)
            #expect(reason["remedy"]?.string?.isEmpty == false)
            let decisions = try await stage.values(of: PlaygroundTopic.decisions).values
            #expect(
                decisions.filter { "\($0)".contains("CAPABILITY_BUDGET_SPENT") }.count == 2,
                "readers of the decisions topic see the code")
        }
    }

    @Test func aGrantInFlightWhenTheLimitIsReachedIsRevokedAtItsNextCall() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            let worker = try playground.startWorker("one")
            try await stage.untilAtWork([worker])
            let budget = Budget(modelCalls: 2)
            try await Self.send(
                [(Self.draft("first", job: "job-x", budget: budget, in: playground), \.issued)], to: stage)
            try await stage.untilSettled()
            let token = try #require(try await UsageStage.grants(stage)["job-x"])
            var gateway = UsageStage(stage)
            try await gateway.send(gateway.receipt("1", token))
            try await gateway.untilRead()
            // The second grant has read what was used and waits to be written.
            let holder = try await PostgresConnection.connect(try PostgresConfiguration(uri: playground.conninfo))
            _ = try await holder.simple("BEGIN; LOCK TABLE clawgrant.approval IN SHARE MODE")
            try await Self.send(
                [(Self.draft("second", job: "job-x", budget: budget, in: playground), \.issued)], revoked: 2, to: stage)
            try await stage.untilHolds(
                "a grant that waits to be written",
                """
                SELECT count(*) > 0 FROM pg_locks
                WHERE NOT granted AND relation = 'clawgrant.approval'::regclass AND mode = 'RowExclusiveLock'
                """)
            try await gateway.send(gateway.receipt("2", token))
            try await stage.untilHolds(
                "the first token to be revoked",
                "SELECT count(*) = 1 FROM clawgrant.request WHERE revoked_reason = 'budget_spent'")
            _ = try await holder.simple("COMMIT")
            await holder.close()
            try await stage.untilSettled()
            try await stage.untilHolds(
                "the second token to be there", "SELECT count(*) = 2 FROM clawgrant.request WHERE state = 1")
            let scopes = try await playground.query(
                "SELECT encode(scope_hash, 'hex') FROM clawgrant.request WHERE request_id = 'req-second'")
            let scope = try #require(Hex.decode(try scopes.string(0, 0)).flatMap { Digest(bytes: $0) })
            try await gateway.send(gateway.receipt("3", UsageStage.Grant(jobID: "job-x", scope: scope)))
            try await gateway.untilRead()
            try await stage.check()
            let rows = try await playground.query(
                "SELECT count(*)::text FROM clawgrant.request WHERE revoked_reason = 'budget_spent'")
            #expect(try rows.string(0, 0) == "2")
        }
    }

    @Test func aRepeatOfAnArchivedDayIsNotCountedAgain() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            let worker = try playground.startWorker("one")
            try await stage.untilAtWork([worker])
            var script = Script(playground)
            script.expectQuarantined(3)
            let draft = Self.draft("first", job: "job-x", in: playground)
            script.records.append(try draft.record(signedBy: playground.keys.eventSigner))
            script.expect(draft)
            script.expectations.issued += 1
            try await stage.send(script)
            try await stage.untilSettled()
            let token = try #require(try await UsageStage.grants(stage)["job-x"])
            var gateway = UsageStage(stage)
            let yesterday = Timestamp.playgroundNow.adding(seconds: -26 * 3_600)
            let old = try gateway.receipt("old", token, at: yesterday)
            let new = try gateway.receipt("new", token)
            try await gateway.send(old, new)
            try await gateway.untilRead()
            _ = try await playground.query(
                "SELECT * FROM clawgrant.archive_before(floor(extract(epoch FROM now()) / 86400)::int)")
            // A repeat, the same name with another payload, one that nobody has seen, and a repeat of today.
            try await gateway.send(
                old, gateway.receipt("old", token, at: yesterday, output: 11),
                gateway.receipt("late", token, at: yesterday), new)
            try await gateway.untilRead()
            let report = try await stage.check()
            #expect(report.counts.gatewayReceipts == 2)
            #expect(try await gateway.usage("job-x")?.usage.modelCalls == 2)
            let letters = try await stage.values(of: PlaygroundTopic.deadLetters).values.compactMap {
                $0["reason"]?.string
            }
            #expect(letters == ["GATEWAY_RECEIPT_TOO_OLD", "GATEWAY_RECEIPT_TOO_OLD", "GATEWAY_RECEIPT_TOO_OLD"])
        }
    }

    @Test func wallTimeEndsTokensAlthoughNothingIsReceived() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            let worker = try playground.startWorker("one")
            try await stage.untilAtWork([worker])
            let budget = Budget(wallTimeSeconds: 6, thresholds: [])
            try await Self.send(
                [
                    (Self.draft("runs", job: "job-x", budget: budget, in: playground), \.issued),
                    // It has made no call: nothing of its time has passed.
                    (Self.draft("idle", job: "job-y", budget: budget, in: playground), \.issued),
                ], revoked: 1, to: stage)
            try await stage.untilSettled()
            let token = try #require(try await UsageStage.grants(stage)["job-x"])
            var gateway = UsageStage(stage)
            try await gateway.send(gateway.receipt("1", token))
            try await stage.untilHolds(
                "the token of job-x to be revoked",
                "SELECT count(*) = 1 FROM clawgrant.request WHERE revoked_reason = 'budget_spent'")
            try await Self.send([(Self.draft("late", job: "job-x", in: playground), \.denied)], to: stage)
            try await stage.check()
            let rows = try await playground.query(
                "SELECT job_id FROM clawgrant.request WHERE revoked_reason = 'budget_spent'")
            #expect(try rows.rowCount == 1 && rows.string(0, 0) == "job-x")
            let marks = try await gateway.findings().filter { $0["budget"] != nil }
            #expect(marks.count == 1)
            #expect(marks.first?["budget"]?["dimension"]?.string == "wall_time_seconds")
            let coverage = try await Self.program(["coverage", "--job", "job-x", "--json"], worker)
            #expect(coverage["budget"]?.array?.map { $0["state"]?.string } == ["reached"])
        }
    }
}
