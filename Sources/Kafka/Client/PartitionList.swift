import CRdKafka

/// Owns an `rd_kafka_topic_partition_list_t`.
@safe struct PartitionList: ~Copyable {
    /// One line of the list, after a call has filled it in.
    struct Entry {
        let topicPartition: TopicPartition
        let offset: Int64
        let code: KafkaError.Code
    }

    // Safe: the pointer is lent to calls that copy the list or fill it in before they return.
    private let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Makes a list of partitions with an offset each, in order.
    init(_ offsets: [TopicPartition: Int64]) {
        unsafe raw = rd_kafka_topic_partition_list_new(Int32(clamping: offsets.count))
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            // The line belongs to the list.
            if let line = unsafe rd_kafka_topic_partition_list_add(raw, partition.topic, partition.partition) {
                unsafe line.pointee.offset = offset
            }
        }
    }

    /// Makes a list of partitions without offsets.
    init(_ partitions: some Sequence<TopicPartition>) {
        self.init(Dictionary(partitions.map { ($0, invalidOffset) }, uniquingKeysWith: { first, _ in first }))
    }

    deinit {
        unsafe rd_kafka_topic_partition_list_destroy(raw)
    }

    /// Lends the list to a call that does not keep it.
    func withRaw<Result>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Result) -> Result {
        unsafe body(raw)
    }

    /// The lines as they are now.
    func entries() -> [Entry] {
        var entries: [Entry] = []
        for index in 0..<Int(unsafe raw.pointee.cnt) {
            let line = unsafe raw.pointee.elems[index]
            guard let topic = unsafe line.topic else { continue }
            entries.append(
                Entry(
                    topicPartition: TopicPartition(
                        topic: unsafe String(cString: topic), partition: unsafe line.partition),
                    offset: unsafe line.offset, code: KafkaError.Code(unsafe line.err)))
        }
        return entries
    }

    /// The first line that carries an error, as an error.
    func firstError(_ operation: KafkaError.Operation) -> KafkaError? {
        entries().first { $0.code.isError }.map { entry in
            KafkaError(
                code: entry.code, operation: operation, topic: entry.topicPartition.topic,
                partition: entry.topicPartition.partition)
        }
    }
}

/// `RD_KAFKA_OFFSET_INVALID`: no offset.
let invalidOffset: Int64 = -1001
