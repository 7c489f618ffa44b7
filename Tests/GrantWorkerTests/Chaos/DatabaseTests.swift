import DevStack
import GrantChecker
import GrantWorker
import Playground
import Postgres
import Testing

extension ChaosTests {
    /// A database that restarts, and a network that loses what it says.
    @Suite struct DatabaseTests {
        @Test func aRestartInMidBatchLosesAndDoublesNothing() async throws {
            try await Stage.run { stage in
                let one = try stage.startLocal("one") { $0.limits.batchRecords = 15 }
                let two = try stage.startLocal("two") { $0.limits.batchRecords = 15 }
                try await stage.untilAtWork(["one", "two"])
                for round in 0..<3 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 200)
                    try await stage.send(script)
                    try await stage.untilDecided(30 + 20 * round)
                    try await stage.playground.postgres.restart(.immediate)
                }
                try await stage.check()
                try await one.stop()
                try await two.stop()
            }
        }

        /// The worker's own database route: a relay in front of the server's port.
        private static func run(_ body: (Stage, TCPRelay, LocalWorker) async throws -> Void) async throws {
            var options = PlaygroundOptions.chaos
            options.databaseListensOnLoopback = true
            try await Stage.run(options) { stage in
                let relay = try TCPRelay(to: stage.playground.postgres.port)
                defer { relay.close() }
                let conninfo = stage.playground.postgres.conninfo(
                    database: Playground.database, route: .loopback(port: relay.port))
                let worker = try stage.startLocal("one") { configuration in
                    configuration.database = try PostgresConfiguration(uri: conninfo)
                    configuration.limits.batchRecords = 20
                    configuration.limits.leaseLifetime = .seconds(5)
                }
                try await stage.untilAtWork(["one"])
                try await body(stage, relay, worker)
            }
        }

        @Test func aLostCommitReplyIsResolvedByReadingBack() async throws {
            try await Self.run { stage, relay, worker in
                for round in 0..<2 {
                    // The worker's writes wait for this lock with their COMMIT behind them: the loss falls on its reply.
                    let holder = try await PostgresConnection.connect(
                        try PostgresConfiguration(uri: stage.playground.conninfo))
                    _ = try await holder.simple("BEGIN; LOCK TABLE clawgrant.effect_group IN SHARE MODE")
                    let before = try await stage.playground.status().recordsCommitted
                    var script = Script(stage.playground)
                    try script.approve((0..<15).map { "c\(round)-\($0)" })
                    try await stage.send(script)
                    try await waitUntil(deadline: .seconds(20), description: "a write that waits") {
                        let waiting = try await stage.playground.query(
                            "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'")
                        return try waiting.string(0, 0) != "0"
                    }
                    relay.inject(.dropReplies)
                    _ = try await holder.simple("COMMIT")
                    await holder.close()
                    try await stage.until("the commit that nobody hears of") { $0.recordsCommitted > before }
                    try relay.heal()
                }
                try await stage.check()
                try await worker.stop()
            }
        }

        @Test func connectionsThatBreakAtAnyMomentLoseAndDoubleNothing() async throws {
            try await Self.run { stage, relay, worker in
                var random = Shuffler(seed: 3)
                for round in 0..<8 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 80)
                    try await stage.send(script)
                    switch round % 4 {
                    case 0: relay.inject(.cutConnections)
                    case 1: relay.inject(.truncate(afterBytes: Int(random.next() % 200_000), .toServer))
                    case 2: relay.inject(.truncate(afterBytes: Int(random.next() % 20_000), .toClient))
                    default:
                        relay.inject(.delay(toServer: .milliseconds(5), toClient: .milliseconds(5)))
                        try await stage.untilDecided(20)
                        try relay.heal()
                    }
                    try await stage.untilDecided(20)
                }
                try relay.heal()
                try await stage.check()
                try await worker.stop()
            }
        }

        @Test func aDatabaseThatIsGoneStopsNobodyFromLeaving() async throws {
            try await Stage.run { stage in
                let worker = try stage.startLocal("one") { $0.limits.drainTimeout = .seconds(1) }
                try await stage.untilAtWork(["one"])
                try await stage.playground.postgres.stop(.immediate)
                var script = Script(stage.playground)
                try script.approve((0..<5).map { "a\($0)" })
                try await stage.send(script)
                // How it ends without its database is its own affair; that it ends is not.
                _ = try? await worker.stop()
                try await stage.playground.postgres.start()
                let heir = try stage.startLocal("two")
                try await stage.check()
                try await heir.stop()
            }
        }
    }
}
