import ClawWire
import DevStack
import GrantChecker
import GrantWorker
import Kafka
import Playground
import Postgres
import Testing

extension ChaosTests {
    /// Repeats, disorder and records that nobody can read.
    @Suite struct DeliveryTests {
        @Test func fiftyfoldDeliveryShuffledAcrossPartitionsIsDeliveryOnce() async throws {
            try await Stage.run { stage in
                let first = try stage.startLocal("one") { $0.limits.batchRecords = 100 }
                let second = try stage.startLocal("two") { $0.limits.batchRecords = 100 }
                try await stage.untilAtWork(["one", "two"])
                var script = Script(stage.playground)
                try script.approve((0..<60).map { "a\($0)" })
                try script.approveRuns((0..<5).map { "r\($0)" })
                try script.refuse((0..<10).map { "d\($0)" })
                try script.activate((0..<10).map { "e\($0)" })
                script.scatter(copies: 50, partitions: 4, seed: 11) { _ in false }
                try await stage.send(script)
                let report = try await stage.check()
                #expect(report.counts.inputRepeats >= 49 * 75)
                try await first.stop()
                try await second.stop()
            }
        }

        @Test func approvalsAndTheirEndsInAnyOrderLeaveNoLiveToken() async throws {
            try await Stage.run { stage in
                let worker = try stage.startLocal("one")
                let other = try stage.startLocal("two")
                try await stage.untilAtWork(["one", "two"])
                var script = Script(stage.playground)
                try script.approveThenEnd((0..<40).map { "x\($0)" })
                script.scatter(copies: 3, partitions: 4, seed: 5) { _ in false }
                try await stage.playground.produce(script.records)
                try await stage.until("everything to be decided") { status in
                    status.recordsCommitted == script.records.count && status.unsealedGroups == 0
                        && status.nextBatchToPublish == status.batches
                }
                let live = try await stage.playground.query(
                    """
                    SELECT count(*)::text, (SELECT count(*) FROM clawgrant.request)::text
                    FROM clawgrant.request WHERE state = 1 AND revoked_at IS NULL
                    """)
                #expect(try live.string(0, 0) == "0")
                #expect(try live.string(0, 1) == "40")
                let report = try await stage.playground.check()
                #expect(report.isPass, "\(report.violations)")
                #expect(report.counts.issued + report.counts.denied == 40)
                #expect(report.counts.revocations == report.counts.issued)
                try await worker.stop()
                try await other.stop()
            }
        }

        @Test func everyPoisonIsOneDeadLetterAndThePartitionMovesOn() async throws {
            try await Stage.run { stage in
                let worker = try stage.startLocal("one")
                var script = Script(stage.playground)
                try script.approve(["before"])
                try script.spoil("x")
                for (topic, value) in Self.poisons {
                    script.poison(
                        ProducerRecord(
                            topic: topic, partition: 0, value: value,
                            headers: [
                                KafkaHeader(
                                    name: "content-type",
                                    value: Array("application/cloudevents+json; charset=UTF-8".utf8))
                            ]))
                }
                for topic in PlaygroundTopic.inputs {
                    script.ignore(ProducerRecord(topic: topic, partition: 0, value: nil))
                }
                try script.approve((0..<20).map { "after\($0)" })
                try await stage.send(script)
                try await stage.check()
                try await worker.stop()
            }
        }

        private static var poisons: [(topic: String, value: [UInt8]?)] {
            let topics = [PlaygroundTopic.approvals, PlaygroundTopic.requests, PlaygroundTopic.entra]
            let deep = [UInt8](repeating: 0x5B, count: 10_000) + [UInt8](repeating: 0x5D, count: 10_000)
            let values: [[UInt8]?] = [
                [], [0], [0xFF, 0xFE, 0x00], deep, Array("{\"a\":1,\"a\":2}".utf8), Array("[]".utf8),
                Array("17".utf8), Array("{\"id\":\"\\u0000\"}".utf8),
                [UInt8](repeating: 0x20, count: 900_000),
                Array("{\"x\":\"".utf8) + [UInt8](repeating: 0x41, count: 900_000) + Array("\"}".utf8),
            ]
            return topics.flatMap { topic in values.map { (topic, $0) } }.filter { topic, value in
                // An audit message of no records is nothing out of the ordinary.
                topic != PlaygroundTopic.entra || value != Array("[]".utf8)
            }
        }

        @Test func whatNobodyApprovesExpiresAndIsSaid() async throws {
            var options = PlaygroundOptions.chaos
            options.shortWaitSeconds = 1
            try await Stage.run(options) { stage in
                let worker = try stage.startLocal("one")
                var script = Script(stage.playground)
                try script.ask((0..<25).map { "n\($0)" })
                try script.approve((0..<25).map { "y\($0)" })
                try await stage.send(script)
                try await stage.check()
                try await worker.stop()
            }
        }

        @Test func aDryRunDecidesAndMintsNothing() async throws {
            try await Stage.run { stage in
                let worker = try stage.startLocal("one") { $0.isDryRun = true }
                var script = Script(stage.playground)
                try script.approve((0..<10).map { "a\($0)" })
                try await stage.playground.produce(script.records)
                try await stage.playground.waitForStatus("ten denials") { $0.denied == 10 && $0.unsealedGroups == 0 }
                try await worker.stop()
                let report = try await stage.playground.check()
                #expect(report.isPass, "\(report.violations)")
                #expect(report.counts.grants == 0)
                #expect(report.counts.denied == 10)
            }
        }
    }
}
