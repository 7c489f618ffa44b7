import Testing

@testable import Kafka

/// The buffer between the poll thread and the reader, as a value.
struct BatchBufferTests {
    private let left = TopicPartition(topic: "approvals", partition: 0)
    private let right = TopicPartition(topic: "approvals", partition: 1)
    private let everything = BatchBuffer.Limits(records: 1_000, bytes: 1 << 20)

    private func record(_ partition: TopicPartition, _ offset: Int64, bytes: Int = 36) -> ConsumedRecord {
        ConsumedRecord(topicPartition: partition, offset: offset, value: Array(repeating: 7, count: bytes))
    }

    private func filled(_ records: [ConsumedRecord], capacity: Int = 1 << 20) -> BatchBuffer {
        var buffer = BatchBuffer(capacity: capacity)
        buffer.append(records, bytes: records.reduce(0) { $0 + $1.size }, at: .now)
        return buffer
    }

    @Test func sizeCountsEveryPart() {
        let record = ConsumedRecord(
            topicPartition: left, offset: 0, key: [1, 2], value: [3, 4, 5],
            headers: [KafkaHeader(name: "seq", value: [1]), KafkaHeader(name: "é", value: nil)])
        #expect(record.size == ConsumedRecord.overhead + 2 + 3 + 3 + 1 + 2)
        #expect(ConsumedRecord(topicPartition: left, offset: 0).size == ConsumedRecord.overhead)
    }

    @Test(arguments: [1, 2, 3, 7, 10, 11])
    func batchesKeepTheOrderAndTheLimit(_ most: Int) {
        var buffer = filled((0..<10).map { record(left, $0) })
        var offsets: [Int64] = []
        while buffer.count > 0 {
            let batch = buffer.cut(BatchBuffer.Limits(records: most, bytes: 1 << 20), generation: 3)
            #expect(batch.records.count <= most)
            #expect(batch.bytes == batch.records.count * 100)
            #expect(batch.generation == 3)
            offsets += batch.records.map(\.offset)
        }
        #expect(offsets == Array(0..<10))
        #expect(buffer.bytes == 0)
        #expect(buffer.oldestArrival == nil)
    }

    @Test func limitInBytesYieldsToTheFirstRecord() {
        var buffer = filled([record(left, 0, bytes: 936), record(left, 1), record(left, 2)])
        let small = BatchBuffer.Limits(records: 10, bytes: 250)
        #expect(buffer.cut(small, generation: 0).records.map(\.offset) == [0])
        #expect(buffer.cut(small, generation: 0).records.map(\.offset) == [1, 2])
    }

    @Test func recordsOfDroppedPartitionsAreGone() {
        var buffer = filled([record(left, 0), record(right, 0), record(left, 1), record(right, 1)])
        _ = buffer.cut(BatchBuffer.Limits(records: 1, bytes: 1 << 20), generation: 0)
        buffer.markEnd(of: right, at: 2)
        buffer.drop { $0 == right }
        #expect(buffer.bytes == 100)
        let batch = buffer.cut(everything, generation: 0)
        #expect(batch.records.map(\.offset) == [1])
        #expect(batch.endsReached.isEmpty)
    }

    @Test func anEndIsToldWithTheLastRecordBeforeIt() {
        var buffer = filled([record(left, 0), record(left, 1)])
        buffer.markEnd(of: left, at: 2)
        buffer.append([record(right, 0)], bytes: 100, at: .now)
        let one = BatchBuffer.Limits(records: 1, bytes: 1 << 20)
        #expect(buffer.cut(one, generation: 0).endsReached.isEmpty)
        #expect(buffer.cut(one, generation: 0).endsReached == [left: 2])
        #expect(buffer.cut(one, generation: 0).endsReached.isEmpty)
    }

    @Test func anEndOutlivesTheDropOfOtherPartitions() {
        var buffer = filled([record(left, 0), record(right, 0)])
        buffer.markEnd(of: left, at: 1)
        buffer.drop { $0 == right }
        #expect(!buffer.hasEndToTell)
        #expect(buffer.cut(everything, generation: 0).endsReached == [left: 1])
    }

    @Test func fullAtItsCapacity() {
        var buffer = filled([record(left, 0), record(left, 1)], capacity: 200)
        #expect(buffer.isFull)
        #expect(buffer.satisfies(everything))
        _ = buffer.cut(BatchBuffer.Limits(records: 1, bytes: 1 << 20), generation: 0)
        #expect(!buffer.isFull)
        #expect(buffer.peakBytes == 200)
    }
}
