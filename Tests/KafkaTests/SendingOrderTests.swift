import Testing

@testable import Kafka

struct SendingOrderTests {
    private func record(_ topic: String, _ key: String?, partition: Int32? = nil) -> ProducerRecord {
        ProducerRecord(topic: topic, partition: partition, key: key.map { Array($0.utf8) }, value: [1])
    }

    private func order(
        _ records: [ProducerRecord], _ partitions: [String: Int32] = [:], bytes: Int = 900_000, count: Int = 10_000
    ) -> SendingOrder {
        SendingOrder(records, partitions: partitions, maximumBytes: bytes, maximumRecords: count)
    }

    @Test func recordsOfAPartitionStandTogetherInTheirOrder() {
        let records = [
            record("a", nil, partition: 0), record("b", nil, partition: 0), record("a", nil, partition: 1),
            record("a", nil, partition: 0), record("b", nil, partition: 0),
        ]
        let order = order(records)
        #expect(order.indices == [0, 3, 1, 4, 2])
        #expect(order.groups.map(\.range) == [0..<2, 2..<4, 4..<5])
        #expect(order.groups.map(\.place.partition) == [0, 0, 1])
    }

    @Test func whatFitsNoRequestComesInTheNextTurn() {
        let records = (0..<6).map { record("a", nil, partition: $0 < 5 ? 0 : 1) }
        #expect(order(records, count: 2).indices == [0, 1, 5, 2, 3, 4])
        #expect(order(records, count: 2).groups.map(\.range.count) == [2, 1, 2, 1])
        // One byte of value and 64 around it.
        #expect(order(records, bytes: 130).groups.map(\.range.count) == [2, 1, 2, 1])
        #expect(order(records, bytes: 1).groups.count == 6)
    }

    @Test(arguments: [1, 7, 1_000]) func everyRecordIsSentOnceAndInOrder(_ count: Int) {
        let records = (0..<500).map { record("t\($0 % 3)", "job-\($0 % 37)") }
        let order = order(records, ["t0": 6, "t1": 4], count: count)
        #expect(order.indices.sorted() == Array(0..<500))
        #expect(order.groups.flatMap { Array($0.range) } == Array(0..<500))
        var last: [SendingOrder.Place: Int] = [:]
        for group in order.groups {
            for index in order.indices[group.range] {
                #expect(records[index].topic == group.place.topic)
                #expect(last[group.place] ?? -1 < index)
                last[group.place] = index
            }
        }
    }

    @Test func withoutKeyOrPartitionsTheChoiceIsNotOurs() {
        #expect(SendingOrder.partition(of: nil, among: 4) == nil)
        #expect(SendingOrder.partition(of: [], among: 4) == nil)
        #expect(SendingOrder.partition(of: [1], among: nil) == nil)
        #expect(SendingOrder.partition(of: [1], among: 1) == 0)
    }

    /// Keys that were written before must be found on the partition they were on: CRC-32 of the key, whose check value
    /// for "123456789" is 0xCBF43926.
    @Test func aKeyKeepsItsPartition() {
        #expect(SendingOrder.partition(of: Array("123456789".utf8), among: 1_000_003) == Int32(0xCBF4_3926 % 1_000_003))
    }

    @Test func aPlaceIsOpenUntilItsGroupIsSettled() async {
        let records = (0..<40).map { record("t", nil, partition: Int32($0 % 8)) }
        let order = order(records)
        _ = await withCheckedContinuation { continuation in
            let batch = OutgoingBatch(number: 1, records: records, order: order, continuation: continuation)
            #expect(batch.startsGroup)
            for _ in 0..<10 { batch.accept() }
            #expect(Set(batch.openPlaces.map(\.partition)) == [0, 1])
            #expect(batch.startsGroup)
            #expect(batch.next?.place.partition == 2)
            batch.accept()
            #expect(!batch.startsGroup)
            for index in order.indices[0..<5] {
                batch.deliver(
                    index, DeliveredRecord(topicPartition: TopicPartition(topic: "t", partition: 0), offset: 0))
            }
            #expect(Set(batch.openPlaces.map(\.partition)) == [1, 2])
            #expect(!batch.isDone)
            batch.refuse(KafkaError(code: .purgedFromQueue, operation: .produce))
            #expect(batch.next == nil)
            batch.abandon(.closed(.produce))
            batch.answer()
        }
    }
}
