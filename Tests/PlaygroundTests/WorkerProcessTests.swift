import ClawWire
import DevStack
import Foundation
import GrantChecker
import Kafka
import Playground
import Postgres
import Testing

/// Worker processes that die, freeze and leave, while approvals come in shuffled and several times over.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .serialized, .timeLimit(.minutes(10)))
struct WorkerProcessTests {
    /// Approvals, each delivered several times, in any order, over all partitions.
    private func stream(
        _ name: String, _ count: Int, copies: Int, in playground: Playground
    ) throws -> [ProducerRecord] {
        var records: [ProducerRecord] = []
        for start in stride(from: 0, to: count, by: 50) {
            let drafts = (start..<min(count, start + 50)).map {
                ApprovalDraft("\(name)-\($0)", .reconcile, in: playground)
            }
            records += try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
        }
        var all: [ProducerRecord] = []
        for copy in 0..<copies {
            all += records.enumerated().map { index, record in
                var record = record
                record.partition = Int32((index + copy) % Int(playground.options.inputPartitions))
                return record
            }
        }
        return all.shuffled()
    }

    private func run(
        _ options: PlaygroundOptions = PlaygroundOptions(), _ body: (Playground) async throws -> Void
    ) async throws {
        let playground = try await Playground.start(options)
        do {
            try await body(playground)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func expectEverythingInOrder(_ playground: Playground, issued: Int) async throws {
        try await playground.waitUntilSettled(waiting: 0, within: .seconds(90))
        let report = try await playground.check()
        #expect(report.violations.map(\.description) == [])
        #expect(report.counts.issued == issued)
        #expect(report.counts.tokensOpened == issued)
    }

    @Test func survivesAKilledSealer() async throws {
        try await run { playground in
            let workers = try ["w1", "w2"].map { try playground.startWorker($0) }
            try await playground.waitUntilAtWork(workers)
            let records = try stream("kill", 200, copies: 5, in: playground)
            try await playground.produce(Array(records[..<500]))
            try await playground.waitForStatus("some decisions") { $0.issued > 10 }
            let sealer = try await playground.status().sealer
            let victim = try #require(workers.first { $0.isNamed(sealer) })
            await victim.kill()
            try await playground.produce(Array(records[500...]))
            try await playground.waitUntilAtWork(workers.filter { $0.name != victim.name })
            try await expectEverythingInOrder(playground, issued: 200)
        }
    }

    @Test func fencesAFrozenWorker() async throws {
        try await run { playground in
            let workers = try ["w1", "w2"].map { try playground.startWorker($0) }
            try await playground.waitUntilAtWork(workers)
            let records = try stream("freeze", 200, copies: 3, in: playground)
            try await playground.produce(Array(records[..<300]))
            try await playground.waitForStatus("some decisions") { $0.issued > 10 }
            let sealer = try await playground.status().sealer
            let frozen = try #require(workers.first { $0.isNamed(sealer) })
            frozen.freeze()
            try await playground.produce(Array(records[300...]))
            try await playground.waitUntilAtWork(workers.filter { $0.name != frozen.name })
            frozen.thaw()
            try await playground.waitUntilAtWork(workers)
            try await expectEverythingInOrder(playground, issued: 200)
        }
    }

    @Test func rolesStayWithWhoeverStartsFirst() async throws {
        var options = PlaygroundOptions()
        // Nobody is taken for dead while this runs.
        options.limits["lease_lifetime_ms"] = 60_000
        try await run(options) { playground in
            let workers = try ["w1", "w2", "w3"].map { try playground.startWorker($0) }
            try await playground.waitUntilAtWork(workers)
            let claims = try await playground.query("SELECT max(lease_epoch)::text FROM clawgrant.role_lease")
            #expect(try claims.string(0, 0) == "1", "a role changed hands, although nobody left")
        }
    }

    @Test func takesOverFromItsEarlierStart() async throws {
        let room = try TemporaryDirectory(prefix: "claw-metrics")
        defer { room.close() }
        let metrics = room.path("clawgrant.prom")
        var options = PlaygroundOptions()
        // Whoever waited for the leases of the dead would wait longer than this test does.
        options.limits["lease_lifetime_ms"] = 600_000
        options.workerSections = "metrics: {textfile: \(metrics), interval_s: 1}"
        try await run(options) { playground in
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            await worker.kill()
            try worker.startAgain()
            try await playground.produce(try stream("again", 50, copies: 2, in: playground))
            try await expectEverythingInOrder(playground, issued: 50)
            try await waitUntil(deadline: .seconds(60), description: "the metric of what was ended") {
                try String(contentsOfFile: metrics, encoding: .utf8).contains("clawgrant_predecessors_ended_total 1\n")
            }
        }
    }

    @Test func handsOverWhenItLeaves() async throws {
        try await run { playground in
            let first = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([first])
            let records = try stream("leave", 200, copies: 2, in: playground)
            try await playground.produce(Array(records[..<200]))
            let second = try playground.startWorker("w2")
            try await playground.waitUntilAtWork([first, second])
            try await playground.produce(Array(records[200...]))
            #expect(await first.stop()?.isSuccess == true)
            try await playground.waitUntilAtWork([second])
            try await expectEverythingInOrder(playground, issued: 200)
        }
    }
}
