import Kafka
import Testing

@Suite(.timeLimit(.minutes(2)))
struct AssignmentTests {
    @Test func partitionsComeAndGo() async throws {
        let fixture = try Fixture(partitions: 3)
        for partition: Int32 in 0..<3 { try await fixture.write(fixture.records(100, partition: partition)) }
        let consumer = try fixture.consumer()
        let first = try await consumer.add([fixture.partition(0): 0])
        let second = try await consumer.add([fixture.partition(1): 50])
        #expect(second > first)
        let records = try await consumer.read(150)
        #expect(records.filter { $0.topicPartition.partition == 0 }.map(\.offset) == Array(0..<100))
        #expect(records.filter { $0.topicPartition.partition == 1 }.map(\.offset) == Array(50..<100))
        let third = try await consumer.remove([fixture.partition(0), fixture.partition(2)])
        #expect(third > second)
        try await consumer.add([fixture.partition(2): 90])
        try await fixture.write(fixture.records(5, partition: 0) + fixture.records(5, partition: 1))
        let later = try await consumer.read(15)
        #expect(Set(later.map(\.topicPartition.partition)) == [1, 2])
        #expect(later.filter { $0.topicPartition.partition == 1 }.map(\.offset) == Array(100..<105))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func nothingOfARemovedPartitionIsDelivered() async throws {
        let fixture = try Fixture(partitions: 2)
        try await fixture.write(fixture.records(3_000, size: 200) + fixture.records(3_000, size: 200, partition: 1))
        let consumer = try fixture.consumer(bufferBytes: 300_000)
        try await consumer.assign([fixture.partition(0): 0, fixture.partition(1): 0])
        #expect(await eventually { consumer.bufferedBytes >= 300_000 })
        let generation = try await consumer.remove([fixture.partition(0)])
        var offsets: [Int64] = []
        while offsets.count < 3_000 {
            let batch = try await consumer.next(500)
            #expect(batch.generation == generation)
            #expect(batch.records.allSatisfy { $0.topicPartition == fixture.partition(1) })
            #expect(batch.endsReached[fixture.partition(0)] == nil)
            offsets += batch.records.map(\.offset)
        }
        #expect(offsets == Array(0..<3_000))
        await consumer.close(deadline: .seconds(10))
    }

    @Test func aPartitionComesBackExactlyWhereItsOwnerSays() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(2_000, size: 100))
        let consumer = try fixture.consumer(bufferBytes: 50_000)
        try await consumer.add([fixture.partition(): 0])
        // Each round finds records of the earlier one in both buffers.
        for start: Int64 in [1_000, 10, 1_500, 0, 500] {
            #expect(await eventually { consumer.bufferedBytes > 0 })
            try await consumer.remove([fixture.partition()])
            #expect(consumer.bufferedBytes == 0)
            try await consumer.add([fixture.partition(): start])
            let batch = try await consumer.next(5)
            #expect(batch.records.first?.offset == start)
            #expect(batch.generation == consumer.generation)
        }
        await consumer.close(deadline: .seconds(10))
    }

    @Test func seekMovesAndForgets() async throws {
        let fixture = try Fixture()
        try await fixture.write(fixture.records(1_000))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        #expect(try await consumer.next(10).records.first?.offset == 0)
        try await consumer.seek([fixture.partition(): 700])
        #expect(try await consumer.read(300).map(\.offset) == Array(700..<1_000))
        try await consumer.seek([fixture.partition(): 2])
        #expect(try await consumer.next(1).records.map(\.offset) == [2])
        await consumer.close(deadline: .seconds(10))
    }

    @Test func assignReplacesEverything() async throws {
        let fixture = try Fixture(partitions: 2)
        try await fixture.write(fixture.records(500) + fixture.records(500, partition: 1))
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(0): 0])
        #expect(await eventually { consumer.bufferedBytes > 0 })
        try await consumer.assign([fixture.partition(1): 400])
        let records = try await consumer.read(100)
        #expect(records.map(\.offset) == Array(400..<500))
        #expect(records.allSatisfy { $0.topicPartition == fixture.partition(1) })
        try await consumer.assign([:])
        #expect(try await consumer.next(timeout: .milliseconds(20)).records.isEmpty)
        await consumer.close(deadline: .seconds(10))
    }

    @Test func pausedPartitionsRestAndGoOn() async throws {
        let fixture = try Fixture(partitions: 2)
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(0): 0, fixture.partition(1): 0])
        var ends: Set<TopicPartition> = []
        while ends.count < 2 { ends.formUnion(try await consumer.next().endsReached.keys) }
        try await consumer.pause([fixture.partition(0)])
        try await fixture.write(fixture.records(50) + fixture.records(50, partition: 1))
        let other = try await consumer.read(50)
        #expect(other.allSatisfy { $0.topicPartition == fixture.partition(1) })
        try await consumer.resume([fixture.partition(0)])
        let rest = try await consumer.read(50)
        #expect(rest.map(\.offset) == Array(0..<50))
        #expect(rest.allSatisfy { $0.topicPartition == fixture.partition(0) })
        await consumer.close(deadline: .seconds(10))
    }

    @Test func contradictionsAreRefused() async throws {
        let fixture = try Fixture(partitions: 2)
        let consumer = try fixture.consumer()
        try await consumer.add([fixture.partition(): 0])
        let twice = await kafkaError { try await consumer.add([fixture.partition(): 0]) }
        #expect(twice?.code == .conflict)
        #expect(twice?.operation == .assign)
        let stranger = await kafkaError { try await consumer.seek([fixture.partition(1): 0]) }
        #expect(stranger?.code == .state)
        #expect(stranger?.topicPartition == fixture.partition(1))
        let before = consumer.generation
        try await consumer.remove([fixture.partition(1)])
        #expect(consumer.generation == before)
        await consumer.close(deadline: .seconds(10))
    }
}
