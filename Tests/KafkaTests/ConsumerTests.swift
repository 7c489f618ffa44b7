import Kafka
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ConsumerTests {
    @Test func everyPartOfARecordArrives() async throws {
        let fixture = try Fixture()
        let sent = [
            ProducerRecord(
                topic: fixture.topic, partition: 0, key: [1, 2, 3], value: [4, 5],
                headers: [
                    KafkaHeader(name: "seq", value: [9]), KafkaHeader(name: "none", value: nil),
                    KafkaHeader(name: "empty", value: []), KafkaHeader(name: "seq", value: [10]),
                ], timestamp: 1_700_000_000_123),
            ProducerRecord(topic: fixture.topic, partition: 0, key: nil, value: [6]),
            ProducerRecord(topic: fixture.topic, partition: 0, key: [], value: []),
            ProducerRecord(topic: fixture.topic, partition: 0, key: [7], value: nil),
        ]
        let producer = try fixture.producer()
        let delivered = try await producer.send(sent)
        #expect(delivered.map(\.topicPartition) == Array(repeating: fixture.partition(), count: 4))
        #expect(delivered.map(\.offset) == [0, 1, 2, 3])

        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        let records = try await consumer.read(4)
        #expect(records.map(\.offset) == [0, 1, 2, 3])
        #expect(records.map(\.key) == sent.map(\.key))
        #expect(records.map(\.value) == sent.map(\.value))
        #expect(records.map(\.headers) == sent.map(\.headers))
        #expect(records[0].timestamp == 1_700_000_000_123)
        #expect(try #require(records[1].timestamp) > 1_700_000_000_123)
        #expect(records.allSatisfy { $0.topicPartition == fixture.partition() })
        await consumer.close(deadline: .seconds(10))
        await producer.close(deadline: .seconds(10))
    }

    @Test(arguments: [0, 1, 499, 500, 999] as [Int64])
    func readingBeginsAtTheGivenOffset(_ offset: Int64) async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(1_000))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): offset])
        let records = try await consumer.read(1_000 - Int(offset))
        #expect(records.map(\.offset) == Array(offset..<1_000))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func theEndIsToldOnceAllRecordsAreDelivered() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(25))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        var count = 0
        var end: Int64?
        while end == nil {
            let batch = try await consumer.next(10)
            #expect(batch.records.count <= 10)
            count += batch.records.count
            end = batch.endsReached[fixture.partition()]
        }
        #expect(count == 25)
        #expect(end == 25)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func anEmptyPartitionTellsItsEndAndThenTimesOut() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): KafkaOffset.beginning])
        let first = try await consumer.next()
        #expect(first.records.isEmpty)
        #expect(first.endsReached == [fixture.partition(): 0])
        let second = try await consumer.next(timeout: .milliseconds(20))
        #expect(second.records.isEmpty)
        #expect(second.endsReached.isEmpty)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func batchesKeepTheirLimits() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(1_000, size: 100))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        var offsets: [Int64] = []
        while offsets.count < 1_000 {
            let batch = try await consumer.next(77, bytes: 5_000, linger: .milliseconds(5))
            #expect(batch.records.count <= 77)
            #expect(batch.bytes <= 5_000)
            #expect(batch.bytes == batch.records.reduce(0) { $0 + $1.size })
            offsets += batch.records.map(\.offset)
        }
        #expect(offsets == Array(0..<1_000))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func theBufferKeepsItsBound() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(2_000, size: 1_000))
        let bound = 64 << 10
        let consumer = try fixture.consumer(bufferBytes: bound)
        try await consumer.assign([fixture.partition(): 0])
        #expect(await eventually { consumer.bufferedBytes >= bound })
        // Full: the thread still serves commands.
        try await consumer.pause([fixture.partition()])
        try await consumer.resume([fixture.partition()])
        let records = try await consumer.read(2_000, atMost: 50)
        #expect(records.map(\.offset) == Array(0..<2_000))
        let largest = records.map(\.size).max() ?? 0
        #expect(consumer.peakBufferedBytes < bound + largest)
        #expect(consumer.bufferedBytes == 0)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func aFullBufferIsDeliveredWithoutLingering() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(200, size: 1_000))
        let consumer = try fixture.consumer(bufferBytes: 10_000)
        try await consumer.assign([fixture.partition(): 0])
        let batch = try await consumer.next(linger: .seconds(3_600), timeout: .seconds(3_600))
        #expect(!batch.records.isEmpty)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func aPositionOutsideTheLogIsTold() async throws {
        let fixture = try Fixture(partitions: 2)
        try await fixture.write(fixture.records(3) + fixture.records(3, partition: 1))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 17, fixture.partition(1): 3])
        let error = await kafkaError {
            while true { _ = try await consumer.next() }
        }
        #expect(error?.topicPartition == fixture.partition())
        #expect(error?.kind == .permanent)
        #expect(error?.code == .positionOutOfRange)
        // The partition goes on from where its owner says.
        try await consumer.seek([fixture.partition(): 1])
        #expect(try await consumer.read(2).map(\.offset) == [1, 2])
        await consumer.close(deadline: .seconds(10))
    }

    @Test func retriableErrorsAreRecoveredFrom() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(100))
        fixture.cluster.pushErrors(.fetch, [.notLeaderForPartition, .requestTimedOut, .transport])
        fixture.cluster.pushErrors(.listOffsets, [.notLeaderForPartition])
        let consumer = try fixture.consumer(["reconnect.backoff.ms": "10"])
        try await consumer.assign([fixture.partition(): KafkaOffset.beginning])
        #expect(try await consumer.read(100).map(\.offset) == Array(0..<100))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func readingSurvivesTheLossOfTheBroker() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(10))
        let log = LogCollector()
        let consumer = try fixture.consumer(
            ["reconnect.backoff.ms": "10", "reconnect.backoff.max.ms": "50"], log: log.log)
        try await consumer.assign([fixture.partition(): 0])
        #expect(try await consumer.read(10).count == 10)
        try fixture.cluster.takeDown(broker: 1)
        #expect(await eventually { log.all.contains { $0.error != nil } })
        try fixture.cluster.bringUp(broker: 1)
        try await fixture.write(fixture.records(5))
        #expect(try await consumer.read(5).map(\.offset) == [10, 11, 12, 13, 14])
        await consumer.close(deadline: .seconds(10))
    }

    @Test func watermarksAndCommittedOffsets() async throws {
        let fixture = try Fixture(partitions: 2)
        try await fixture.write(fixture.records(12))
        let consumer = try fixture.consumer(["group.id": "lag"])
        let marks = try await consumer.watermarks(fixture.partition(), timeout: .seconds(10))
        #expect(marks.low == 0)
        #expect(marks.high == 12)
        try await consumer.assign([fixture.partition(): 0])
        try await consumer.commit([fixture.partition(): 7])
        let both: Set = [fixture.partition(), fixture.partition(1)]
        #expect(try await consumer.committed(both, timeout: .seconds(10)) == [fixture.partition(): 7])
        await consumer.close(deadline: .seconds(10))
    }

    @Test func withoutAGroupNothingIsCommitted() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        try await consumer.commit([fixture.partition(): 7])
        #expect(try await consumer.committed([fixture.partition()], timeout: .seconds(10)).isEmpty)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func statisticsAreKept() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(10))
        let consumer = try fixture.consumer(["statistics.interval.ms": "50"])
        try await consumer.assign([fixture.partition(): 0])
        #expect(try await consumer.read(10).count == 10)
        #expect(await eventually { consumer.statistics?.partitions.first?.highWatermark == 10 })
        let statistics = try #require(consumer.statistics)
        #expect(statistics.receivedRecords >= 10)
        #expect(statistics.brokers.contains { $0.state == "UP" })
        #expect(consumer.statisticsDocument?.first == UInt8(ascii: "{"))
        await consumer.close(deadline: .seconds(10))
    }
}
