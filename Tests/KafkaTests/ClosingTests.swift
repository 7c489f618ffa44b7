import Kafka
import Testing

/// Closing, cancelling and being let go of.
@Suite(.timeLimit(.minutes(2)))
struct ClosingTests {
    @Test func closingAnswersTheWaitingReader() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): KafkaOffset.end])
        _ = try await consumer.next()
        let reader = Task { try await consumer.next(timeout: .seconds(3_600)) }
        #expect(await consumer.close(deadline: .seconds(30)))
        let error = await kafkaError { _ = try await reader.value }
        #expect(error?.isClosed == true)
        #expect(error?.operation == .consume)
    }

    @Test func everyCallOnAClosedConsumerSaysSo() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer(["group.id": "lag"])
        #expect(await consumer.close(deadline: .seconds(30)))
        #expect(await consumer.close(deadline: .seconds(30)))
        let partition = fixture.partition()
        #expect(await kafkaError { _ = try await consumer.next() }?.isClosed == true)
        #expect(await kafkaError { try await consumer.add([partition: 0]) }?.isClosed == true)
        #expect(await kafkaError { try await consumer.commit([partition: 0]) }?.isClosed == true)
        #expect(
            await kafkaError { _ = try await consumer.watermarks(partition, timeout: .seconds(1)) }?.isClosed == true)
    }

    @Test func closingKeepsItsDeadline() async throws {
        let fixture = try Fixture()
        // No broker answers the lookup, which the closing thread has to wait for.
        let nowhere = KafkaConfiguration(["bootstrap.servers": "127.0.0.1:1"])
        let consumer = try KafkaConsumer(configuration: nowhere)
        let lookup = Task { try await consumer.watermarks(fixture.partition(), timeout: .seconds(5)) }
        let reader = Task { try await consumer.next(timeout: .seconds(3_600)) }
        while !lookup.isCancelled, consumer.generation == 0 {
            // Any call that went through the thread shows that it runs.
            try await consumer.assign([:])
        }
        let finished = await consumer.close(deadline: .milliseconds(1))
        #expect(await kafkaError { _ = try await reader.value }?.isClosed == true)
        #expect(await kafkaError { _ = try await lookup.value } != nil)
        if !finished { #expect(await consumer.close(deadline: .seconds(60))) }
    }

    @Test func cancellingTheReaderLosesNothing() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        _ = try await consumer.next()
        let reader = Task { try await consumer.next(timeout: .seconds(3_600)) }
        reader.cancel()
        await #expect(throws: CancellationError.self) { _ = try await reader.value }
        try await fixture.write(fixture.records(20))
        #expect(try await consumer.read(20).map(\.offset) == Array(0..<20))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func cancellingAtAnyMomentLosesNothing() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(2_000))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        var offsets: [Int64] = []
        while offsets.count < 2_000 {
            let reader = Task { try await consumer.next(10, linger: .milliseconds(1)) }
            if offsets.count % 3 == 0 { await Task.yield() }
            reader.cancel()
            do { offsets += try await reader.value.records.map(\.offset) } catch is CancellationError {}
            offsets += try await consumer.next(7, timeout: .milliseconds(20)).records.map(\.offset)
        }
        #expect(offsets == Array(0..<2_000))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func aConsumerHasOneReader() async throws {
        let fixture = try Fixture()
        let consumer = try fixture.consumer()
        let results = await withTaskGroup(of: KafkaError?.self) { group in
            for _ in 0..<2 {
                group.addTask { await kafkaError { _ = try await consumer.next(timeout: .seconds(3_600)) } }
            }
            let first = await group.next() ?? nil
            await consumer.close(deadline: .seconds(10))
            let second = await group.next() ?? nil
            return [first, second]
        }
        #expect(results[0]?.code == .conflict)
        #expect(results[1]?.isClosed == true)
    }

    @Test func closingAProducerAnswersItsSenders() async throws {
        let fixture = try Fixture()
        let producer = try fixture.producer()
        try await producer.send(fixture.records(1))
        try fixture.cluster.takeDown(broker: 1)
        let sender = Task { try await producer.send(fixture.records(10)) }
        // A call behind the sender's on the same thread shows that its records have been handed over.
        _ = try await producer.fatalError()
        #expect(await producer.close(deadline: .seconds(30)))
        let error = await kafkaError { _ = try await sender.value }
        #expect(error?.recordIndex == 0)
        #expect(await kafkaError { try await producer.send(fixture.records(1)) }?.isClosed == true)
    }

    @Test func clientsThatAreLetGoOfCloseThemselves() async throws {
        let fixture = try Fixture()
        weak var client: AnyObject?
        do {
            let consumer = try fixture.consumer()
            try await consumer.assign([fixture.partition(): 0])
            client = consumer
        }
        #expect(await eventually { client == nil })
    }
}
