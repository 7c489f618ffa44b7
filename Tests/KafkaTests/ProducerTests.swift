import Kafka
import Primitives
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ProducerTests {
    @Test func aLargeBatchIsWrittenInOrder() async throws {
        let fixture = try Fixture(partitions: 2)
        let producer = try fixture.producer()
        let records = fixture.records(5_000, size: 20) + fixture.records(5_000, size: 20, partition: 1)
        let delivered = try await producer.send(records)
        #expect(delivered.count == 10_000)
        #expect(delivered.prefix(5_000).map(\.offset) == Array(0..<5_000))
        #expect(delivered.suffix(5_000).map(\.topicPartition.partition).allSatisfy { $0 == 1 })
        #expect(try await producer.send([]).isEmpty)
        await producer.close(deadline: .seconds(10))
    }

    @Test func aFullQueueIsWaitedFor() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer(["queue.buffering.max.messages": "10"])
        let delivered = try await producer.send(fixture.records(500))
        #expect(delivered.map(\.offset) == Array(0..<500))
        await producer.close(deadline: .seconds(10))
    }

    @Test func concurrentSendersGetTheirOwnAnswers() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer()
        let offsets = try await withThrowingTaskGroup(of: [Int64?].self) { group in
            for _ in 0..<20 {
                group.addTask { try await producer.send(fixture.records(50)).map(\.offset) }
            }
            return try await group.reduce(into: [Int64?]()) { $0 += $1 }
        }
        #expect(offsets.compactMap { $0 }.sorted() == Array(0..<1_000))
        await producer.close(deadline: .seconds(10))
    }

    @Test func withoutAPartitionTheKeyDecides() async throws {
        let fixture = try Fixture(partitions: 4)
        let producer = try fixture.producer()
        let records = (0..<40).map { number in
            ProducerRecord(topic: fixture.topic, key: Array("job-\(number % 5)".utf8), value: [1])
        }
        let delivered = try await producer.send(records)
        for key in 0..<5 {
            let partitions = stride(from: key, to: 40, by: 5).map { delivered[$0].topicPartition.partition }
            #expect(Set(partitions).count == 1)
        }
        await producer.close(deadline: .seconds(10))
    }

    @Test(arguments: [
        [KafkaError.Code.notLeaderForPartition, .notLeaderForPartition], [.notEnoughReplicas], [.requestTimedOut],
        [.transport, .transport],
    ])
    func retriableErrorsAreRecoveredFrom(_ codes: [KafkaError.Code]) async throws {
        let fixture = try Fixture()
        // One request at a time: unlike a broker, the mock takes records whose predecessors it has just refused.
        let producer = try fixture.producer([
            "retry.backoff.ms": "10", "reconnect.backoff.ms": "10", "max.in.flight.requests.per.connection": "1",
        ])
        try await producer.send(fixture.records(1))
        fixture.cluster.pushErrors(.produce, codes)
        try await producer.send(fixture.records(99))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        #expect(try await consumer.read(100).map(\.offset) == Array(0..<100))
        await consumer.close(deadline: .seconds(10))
        await producer.close(deadline: .seconds(10))
    }

    @Test func theFirstRecordThatFailedIsTold() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer()
        var records = fixture.records(5)
        records[3].value = Array(repeating: 0, count: 2_000_000)
        let error = await kafkaError { try await producer.send(records) }
        #expect(error?.recordIndex == 3)
        #expect(error?.code == .messageTooLarge)
        #expect(error?.kind == .permanent)
        #expect(error?.mayHaveBeenWritten == false)
        #expect(error?.topic == fixture.topic)
        // Those before it were written, those after it were not tried.
        #expect(try await producer.send(fixture.records(1)).map(\.offset) == [3])
        await producer.close(deadline: .seconds(10))
    }

    @Test func anUnknownPartitionIsPermanent() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer()
        try await producer.send(fixture.records(1))
        let error = await kafkaError { try await producer.send(fixture.records(2, partition: 9)) }
        #expect(error?.code == .unknownPartition)
        #expect(error?.kind == .permanent)
        #expect(error?.recordIndex == 0)
        await producer.close(deadline: .seconds(10))
    }

    @Test func recordsThatTimeOutAreRetriable() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer(["message.timeout.ms": "300", "enable.idempotence": "false"])
        try await producer.send(fixture.records(1))
        try fixture.cluster.takeDown(broker: 1)
        let error = await kafkaError { try await producer.send(fixture.records(2)) }
        #expect(error?.code == .messageTimedOut)
        #expect(error?.kind == .retriable)
        await producer.close(deadline: .seconds(10))
    }

    @Test func aFatalErrorSaysThatTheProducerIsDead() async throws {
        let fixture = try Fixture()
        let log = LogCollector()
        let producer = try fixture.producer(log: log.log)
        try await producer.send(fixture.records(1))
        #expect(try await producer.fatalError() == nil)
        fixture.cluster.pushErrors(.produce, [.outOfOrderSequenceNumber])
        let error = await kafkaError { try await producer.send(fixture.records(3)) }
        #expect(error?.isFatal == true)
        #expect(error?.recordIndex == 0)
        #expect(error?.code == .outOfOrderSequenceNumber)
        let later = await kafkaError { try await producer.send(fixture.records(1)) }
        #expect(later?.isFatal == true)
        #expect(try await producer.fatalError()?.isFatal == true)
        #expect(await eventually { log.all.contains { $0.error?.isFatal == true } })
        #expect(await producer.close(deadline: .seconds(30)))

        let replacement = try fixture.producer()
        try await replacement.send(fixture.records(3))
        await replacement.close(deadline: .seconds(10))
    }

    @Test func purgeTakesRecordsBack() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer(["enable.idempotence": "false"])
        try await producer.send(fixture.records(1))
        try fixture.cluster.takeDown(broker: 1)
        let isAnswered = Lock(false)
        let sender = Task {
            defer { isAnswered.withLock { $0 = true } }
            try await producer.send(fixture.records(3))
        }
        // The first purge may come before the records do.
        while !isAnswered.withLock({ $0 }) { try await producer.purge() }
        let error = await kafkaError { _ = try await sender.value }
        #expect([.purgedFromQueue, .purgedInFlight].contains(error?.code))
        await producer.close(deadline: .seconds(10))
    }

    @Test func flushTimesOutWhileRecordsWait() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer()
        try await producer.send(fixture.records(1))
        try await producer.flush(timeout: .seconds(10))
        try fixture.cluster.takeDown(broker: 1)
        async let sent = producer.send(fixture.records(1))
        _ = try await producer.fatalError()
        var error: KafkaError?
        while error == nil { error = await kafkaError { try await producer.flush(timeout: .milliseconds(10)) } }
        #expect(error?.code == .timedOut)
        #expect(error?.isRetriable == true)
        try fixture.cluster.bringUp(broker: 1)
        _ = try await sent
        await producer.close(deadline: .seconds(10))
    }
}
