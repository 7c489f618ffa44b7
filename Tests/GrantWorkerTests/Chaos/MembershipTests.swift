import DevStack
import Foundation
import GrantChecker
import GrantWorker
import Kafka
import Playground
import Postgres
import Testing

extension ChaosTests {
    /// Workers that come, go, die and return from the dead.
    @Suite struct MembershipTests {
        private static var small: PlaygroundOptions {
            var options = PlaygroundOptions.chaos
            options.limits["batch_records"] = 15
            return options
        }

        /// It could decide, and nothing of it would ever be published.
        @Test func aWorkerWhosePublisherCannotBeMadeDoesNotStart() async throws {
            try await Stage.run { stage in
                let worker = try stage.startLocal("one") {
                    $0.kafka["queue.buffering.backpressure.threshold"] = "1000"
                }
                let failure = try #require(await worker.failure())
                #expect("\(failure)".contains("queue.buffering.backpressure.threshold"), "\(failure)")
            }
        }

        @Test func workersJoinAndLeaveUnderLoad() async throws {
            try await Stage.run { stage in
                let clock = ContinuousClock()
                func start(_ id: String) throws -> LocalWorker {
                    try stage.startLocal(id) { $0.limits.batchRecords = 15 }
                }
                let one = try start("one")
                try await stage.untilAtWork(["one"])
                var script = Script(stage.playground)
                try script.mix("m", 500)
                try await stage.send(script)
                var began = clock.now
                let two = try start("two")
                try await stage.untilAtWork(["one", "two"])
                stage.note("second worker at work", clock.now - began)
                began = clock.now
                let three = try start("three")
                try await stage.untilAtWork(["one", "two", "three"])
                stage.note("third worker at work", clock.now - began)
                began = clock.now
                try await one.stop()
                stage.note("a worker's leaving", clock.now - began)
                try await stage.untilAtWork(["two", "three"])
                stage.note("hand-over after leaving", clock.now - began)
                var more = Script(stage.playground)
                try more.mix("n", 200)
                try await stage.send(more)
                try await stage.untilDecided(50)
                try await three.stop()
                try await stage.untilAtWork(["two"])
                try await stage.check()
                try await two.stop()
            }
        }

        @Test func aGracefulStopLeavesNothingBehind() async throws {
            try await Stage.run { stage in
                let one = try stage.startLocal("one") { $0.limits.batchRecords = 15 }
                try await stage.untilAtWork(["one"])
                var script = Script(stage.playground)
                try script.mix("m", 300)
                try await stage.send(script)
                try await stage.untilDecided(60)
                try await one.stop()
                let status = try await stage.playground.status()
                #expect(status.unsealedGroups == 0)
                #expect(status.nextBatchToPublish == status.batches)
                #expect(status.liveWorkers == 0)
                #expect(status.partitionsHeld.isEmpty)
                let two = try stage.startLocal("two")
                try await stage.check()
                try await two.stop()
            }
        }

        @Test(.enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"))
        func killedWorkersAreReplacedAndNothingIsLostOrDoubled() async throws {
            try await Stage.run(Self.small) { stage in
                var random = Shuffler(seed: 23)
                let workers = try ["one", "two", "three"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                for round in 0..<5 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 200)
                    try await stage.send(script)
                    try await stage.untilDecided(1 + Int(random.next() % 120))
                    let victim = workers[Int(random.next() % 3)]
                    await victim.kill()
                    let died = ContinuousClock.now
                    try await stage.untilAtWork(workers.filter { $0.name != victim.name })
                    stage.note("takeover after SIGKILL \(round)", .now - died)
                    try victim.start()
                }
                try await stage.check()
            }
        }

        /// Its leases would last for a minute.
        @Test(.enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"))
        func aWorkerThatIsStartedAgainTakesOverFromItself() async throws {
            var options = Self.small
            options.limits["lease_lifetime_ms"] = 60_000
            try await Stage.run(options) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                for round in 0..<3 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 100)
                    try await stage.send(script)
                    try await stage.untilDecided(20)
                    let dead = try await stage.playground.status().partitionsHeld.keys.sorted()
                    await worker.kill()
                    let died = ContinuousClock.now
                    try worker.startAgain()
                    try await stage.until("the next start to hold every partition", within: .seconds(30)) { status in
                        status.partitionsHeld.count == 1 && status.partitionsHeld.keys.sorted() != dead
                    }
                    stage.note("start again after SIGKILL \(round)", .now - died)
                }
                try await stage.check()
            }
        }

        /// Two processes were given one name by mistake: they share the work as two do that have names of their own.
        @Test(.enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"))
        func workersOfOneNameTakeNothingFromEachOther() async throws {
            var options = Self.small
            options.limits["lease_lifetime_ms"] = 60_000
            try await Stage.run(options) { stage in
                let one = try stage.playground.startWorker("one")
                try await stage.untilAtWork([one])
                let first = try await stage.playground.status().partitionsHeld.keys.sorted()
                let twin = try stage.playground.startWorker("twin", configuredName: "one.1")
                try await stage.until("two to share the partitions", within: .seconds(60)) { status in
                    status.partitionsHeld.count == 2 && status.partitionsHeld.keys.contains { first.contains($0) }
                }
                var script = Script(stage.playground)
                try script.mix("m", 200)
                try await stage.send(script)
                try await stage.check()
                for process in [one, twin] {
                    let log = FileManager.default.contents(atPath: process.log) ?? Data()
                    #expect(!String(decoding: log, as: UTF8.self).contains("predecessors_ended"))
                }
            }
        }

        @Test(.enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"))
        func aWorkerThatReturnsFromTheDeadIsFenced() async throws {
            try await Stage.run(Self.small) { stage in
                var random = Shuffler(seed: 31)
                let workers = try ["one", "two"].map { try stage.playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                for round in 0..<4 {
                    var script = Script(stage.playground)
                    try script.mix("m\(round)", 200)
                    try await stage.send(script)
                    try await stage.untilDecided(1 + Int(random.next() % 120))
                    let victim = workers[round % 2]
                    let other = workers[1 - round % 2]
                    victim.freeze()
                    let froze = ContinuousClock.now
                    try await stage.untilAtWork([other])
                    stage.note("takeover after SIGSTOP \(round)", .now - froze)
                    if round.isMultiple(of: 2) { try await stage.untilDecided(20) }
                    victim.thaw()
                    try await stage.untilAtWork(workers)
                    #expect(victim.isRunning)
                }
                try await stage.check()
            }
        }

        @Test(.enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"))
        func aTermSignalDrainsAndEndsWithSuccess() async throws {
            try await Stage.run(Self.small) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                var script = Script(stage.playground)
                try script.mix("m", 200)
                try await stage.send(script)
                try await stage.untilDecided(40)
                let exit = await worker.stop()
                #expect(exit?.isSuccess == true)
                let status = try await stage.playground.status()
                #expect(status.unsealedGroups == 0)
                #expect(status.nextBatchToPublish == status.batches)
                try worker.start()
                try await stage.check()
            }
        }
    }
}
