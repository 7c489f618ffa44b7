import ClawWire
import DevStack
import GrantChecker
import GrantLedger
import GrantVerifier
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Playground
import Postgres
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

        @Test func whatIsOverIsForgottenOnTheTopic() async throws {
            try await Stage.run(.stops) { stage in
                _ = try stage.startLocal("one") { $0.limits.revocationGrace = .seconds(1) }
                try await stage.untilAtWork(["one"])
                let playground = stage.playground
                var script = Script(playground)
                var job: JobID?
                for name in ["a", "b"] {
                    var draft = ApprovalDraft(name, .reconcile, in: playground)
                    draft.request?.ttlSeconds = 15
                    if name == "a" { job = draft.request?.jobID }
                    try script.add(draft, .issued, in: playground)
                }
                script.expectRevoked(1)
                try await stage.send(script)
                let scope = StopScope(kind: .job, value: try #require(job).rawValue)
                try await stage.until("two tokens") { $0.issued == 2 }
                #expect(try await stage.apply(.revoke(.init(scope: scope)), id: "revoke").position == 1)
                try await stage.untilSwept()
                let cutoff = try #require(CutoffScope(.job, scope.value))
                let hash = try await playground.query(
                    "SELECT encode(token_hash, 'hex') FROM clawgrant.request WHERE revoked_at IS NOT NULL"
                ).string(0, 0)
                let keys = [hash, RevocationKey.cutoff(cutoff).description]
                let before = try await stage.read(PlaygroundTopic.revocations)
                #expect(keys.allSatisfy { key in before.contains { $0.key == key && $0.value != nil } })
                try await stage.untilHolds(
                    "the ends of both",
                    """
                    SELECT NOT EXISTS (SELECT 1 FROM clawgrant.cutoff WHERE ended_at IS NULL)
                        AND (SELECT request_id FROM clawgrant.revocation_end) <> ''
                        AND (SELECT min(next_batch) FROM clawgrant.publish_position)
                            = (SELECT max(number) + 1 FROM clawgrant.receipt_batch)
                    """)
                let after = try await stage.read(PlaygroundTopic.revocations)
                for key in keys { #expect(after.last { $0.key == key }?.value == nil) }
                let report = try await stage.check()
                #expect(report.counts.tombstones == 2)
                let follower = RevocationFollower(
                    kafka: playground.clientConfiguration,
                    settings: RevocationFollower.Settings(
                        topic: PlaygroundTopic.revocations, logID: playground.logID, logKeys: [playground.keys.log]))
                let task = Task { try await follower.run() }
                let state = try await follower.state { $0.isComplete && $0.live.tokens == 0 && $0.live.cutoffs == 0 }
                task.cancel()
                #expect(state.head?.live == RevocationHead.Live(tokens: 0, cutoffs: 0))
            }
        }

        @Test func statusListsTellRevokedTokens() async throws {
            try await Stage.run(.stops) { stage in
                let playground = stage.playground
                let base = "https://status.northquay.example/lists"
                _ = try await playground.admin.createTopics([
                    TopicSpecification(name: "claw.status-lists.v1", partitions: 1, replicationFactor: 1)
                ])
                _ = try stage.startLocal("one") {
                    $0.statusLists = WorkerConfiguration.StatusLists(uriBase: base)
                    $0.statusLists?.interval = .milliseconds(500)
                }
                try await stage.untilAtWork(["one"])
                var script = Script(playground)
                for name in ["a", "b"] {
                    try script.add(ApprovalDraft(name, .reconcile, in: playground), .issued, in: playground)
                }
                script.expectRevoked(1)
                try await stage.send(script)
                try await stage.untilSettled()
                let revoked = ControlOperation.revoke(.init(scope: StopScope(kind: .request, value: "req-a")))
                #expect(try await stage.apply(revoked, id: "revoke").position == 1)
                try await stage.untilSwept()
                let rows = try await playground.query(
                    """
                    SELECT request_id, encode(token_hash, 'hex'), extract(epoch FROM expires_at)::bigint::text
                    FROM clawgrant.request ORDER BY request_id
                    """)
                try await waitUntil(deadline: .seconds(30), description: "a list that tells") {
                    var told: [StatusList.Status] = []
                    let lists = try await stage.texts(of: "claw.status-lists.v1")
                    for row in 0..<rows.rowCount {
                        let hash = try #require(Digest(hex: try rows.string(row, 1)))
                        let expiry = Timestamp(seconds: Int64(try rows.string(row, 2)) ?? 0)
                        let place = StatusPlace(token: hash, expiry: expiry)
                        let uri = StatusPlace.uri(base: base, list: place.list)
                        guard let text = lists[uri] else { return false }
                        let token = try StatusListToken(
                            verifying: text, uri: uri, keys: AcceptedKeys(signing: [playground.keys.log]),
                            now: .playgroundNow)
                        #expect(token.isFresh(at: .playgroundNow))
                        told.append(try token.list.status(at: place.index))
                    }
                    return told == [.invalid, .valid]
                }
                try await stage.check()
            }
        }

        /// A stop voids by its cut-off at once; until its tokens are revoked one by one, a list would call them valid.
        @Test func noStatusListIsSignedWhileTokensAreStillRevoked() async throws {
            try await Stage.run(.stops) { stage in
                let playground = stage.playground
                let worker = try playground.startWorker("one")
                try await stage.untilAtWork([worker])
                var script = Script(playground)
                try script.add(ApprovalDraft("a", .reconcile, in: playground), .issued, in: playground)
                script.expectRevoked(1)
                try await stage.send(script)
                try await stage.untilSettled()
                let rows = try await playground.query(
                    "SELECT encode(token_hash, 'hex'), extract(epoch FROM expires_at)::bigint::text FROM clawgrant.request"
                )
                let place = StatusPlace(
                    token: try #require(Digest(hex: try rows.string(0, 0))),
                    expiry: Timestamp(seconds: Int64(try rows.string(0, 1)) ?? 0))
                let key = LoadedKey(
                    KeyConfiguration(purpose: .receipt, location: .file("receipt.pem")),
                    signer: try #require(SeedSigner(seed: [UInt8](repeating: 7, count: 32))))
                let keys = try KeyRing([key], required: [.receipt], at: .playgroundNow)
                var configuration = try PostgresConfiguration(uri: playground.conninfo)
                PostgresLedger.configure(&configuration, worker: WorkerID("lists"))
                let pool = PostgresPool(configuration)
                let ledger = PostgresLedger(pool: pool, configuration: configuration)
                let maker = StatusListMaker(
                    ledger: ledger, keys: keys, uriBase: "https://status.northquay.example", timeToLive: 30)
                func status() async throws -> StatusList.Status? {
                    try await maker.lists(at: .playgroundNow).first { $0.number == place.list }?.list.list
                        .status(at: place.index)
                }
                #expect(try await status() == .valid)
                let holder = try await stage.block("request")
                _ = try await stage.apply(
                    .stop(.init(stopID: "stop", scope: .everything, revokesLive: true)), id: "stop")
                let reason = await #expect(throws: StatusListMaker.Withheld.self) { try await status() }
                #expect(reason?.position == 1)
                _ = try await holder.simple("COMMIT")
                await holder.close()
                try await stage.untilSwept()
                #expect(try await status() == .invalid)
                await ledger.close()
                await pool.shutdown()
                try await stage.check()
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
