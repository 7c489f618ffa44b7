import DevStack
import GrantChecker
import GrantWorker
import Kafka
import Playground
import Postgres
import Testing

extension ChaosTests {
    /// A broker that restarts, and a network that breaks between it and the workers.
    @Suite struct BrokerTests {
        @Test func aRestartOfTheBrokerLosesAndDoublesNothing() async throws {
            try await Stage.run { stage in
                let one = try stage.startLocal("one") { $0.limits.batchRecords = 15 }
                let two = try stage.startLocal("two") { $0.limits.batchRecords = 15 }
                try await stage.untilAtWork(["one", "two"])
                for round in 0..<2 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 200)
                    try await stage.send(script)
                    try await stage.untilDecided(40)
                    try await stage.playground.broker.restart()
                }
                try await stage.check(within: .seconds(90))
                try await one.stop()
                try await two.stop()
            }
        }

        @Test func whatTheBrokerAcknowledgedAndLostIsPublishedAgain() async throws {
            try await Stage.run { stage in
                let first = try stage.startLocal("one")
                var script = Script(stage.playground)
                try script.mix("m", 60)
                try await stage.send(script)
                try await stage.untilSettled()
                try await first.stop()
                let lost = [PlaygroundTopic.grants, PlaygroundTopic.receiptBatches]
                for (topic, outcome) in try await stage.playground.admin.deleteTopics(lost) where !outcome.isDone {
                    Issue.record("\(topic) was not deleted: \(outcome)")
                }
                let again = lost.map {
                    TopicSpecification(
                        name: $0,
                        partitions: $0 == PlaygroundTopic.grants ? stage.playground.options.outputPartitions : 1,
                        replicationFactor: 1)
                }
                for (topic, outcome) in try await stage.playground.admin.createTopics(again) where !outcome.isDone {
                    Issue.record("\(topic) was not created: \(outcome)")
                }
                let second = try stage.startLocal("two")
                var more = Script(stage.playground)
                try more.approve(["after"])
                try await stage.send(more)
                try await stage.check()
                try await second.stop()
            }
        }

        private static func run(_ body: (Stage, KafkaRelay) async throws -> Void) async throws {
            var options = PlaygroundOptions.chaos
            options.broker = .tansu
            options.usesTransactions = false
            // Asked for the end of a partition, Tansu names the second record of its last batch: batches of one it is.
            options.kafkaProperties["batch.num.messages"] = "1"
            try await Stage.run(options) { stage in
                let relay = try #require(stage.playground.broker.relay)
                let worker = try stage.startLocal("one") { $0.limits.batchRecords = 15 }
                try await stage.untilAtWork(["one"])
                do {
                    try await body(stage, relay)
                } catch {
                    try relay.heal()
                    throw error
                }
                try await stage.check(within: .seconds(90))
                try await worker.stop()
            }
        }

        @Test(.enabled(if: AvailableServers.broker(.tansu), "Tansu is missing"))
        func brokenConnectionsLoseAndDoubleNothing() async throws {
            try await Self.run { stage, relay in
                var random = Shuffler(seed: 9)
                for round in 0..<6 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 100)
                    try await stage.send(script)
                    switch round % 3 {
                    case 0: relay.inject(.cutConnections)
                    case 1: relay.inject(.truncate(afterBytes: Int(random.next() % 100_000), .toServer))
                    default: relay.inject(.truncate(afterBytes: Int(random.next() % 20_000), .toClient))
                    }
                    try await stage.untilDecided(20)
                }
                try relay.heal()
            }
        }

        @Test(.enabled(if: AvailableServers.broker(.tansu), "Tansu is missing"))
        func aSilentBrokerKeepsNobodyFromLeaving() async throws {
            try await Self.run { stage, relay in
                let leaver = try stage.startLocal("two") { configuration in
                    configuration.limits.batchRecords = 15
                    configuration.limits.drainTimeout = .seconds(1)
                    configuration.limits.leaseLifetime = .seconds(2)
                }
                try await stage.untilAtWork(["one", "two"])
                var script = Script(stage.playground)
                try script.mix("m", 150)
                try await stage.send(script)
                try await stage.untilDecided(40)
                relay.inject(.blackHole)
                let began = ContinuousClock.now
                try await leaver.stop()
                stage.note("leaving in silence", .now - began)
                try relay.heal()
            }
        }

        @Test(.enabled(if: AvailableServers.broker(.tansu), "Tansu is missing"))
        func delayAndSilenceOnlyCostTime() async throws {
            try await Self.run { stage, relay in
                var script = Script(stage.playground)
                try script.mix("m", 150)
                try await stage.send(script)
                relay.inject(.delay(toServer: .milliseconds(40), toClient: .milliseconds(40)))
                try await stage.untilDecided(40)
                relay.inject(.blackHole)
                // The lease is in the ledger: a broker that says nothing must not cost a worker its partitions.
                let before = try await stage.playground.query("SELECT max(expires_at)::text FROM clawgrant.worker")
                let lease = try before.string(0, 0)
                try await waitUntil(deadline: .seconds(30), description: "heartbeats in the silence") {
                    let beats = try await stage.playground.query(
                        "SELECT max(expires_at) > '\(lease)'::timestamptz + interval '4 s' FROM clawgrant.worker")
                    return try beats.string(0, 0) == "t"
                }
                #expect(try await stage.playground.status().liveWorkers == 1)
                try relay.heal()
            }
        }
    }
}
