/// The records a consumer holds for its reader, bounded in bytes. A value: no clock, no lock, no librdkafka.
struct BatchBuffer {
    typealias Instant = ContinuousClock.Instant

    /// How large a batch may be.
    struct Limits {
        let records: Int
        let bytes: Int
    }

    private struct End {
        let offset: Int64
        /// The number of records appended before the end was seen; they are delivered first.
        var after: UInt64
    }

    /// The bound: no record is taken in once this many bytes are held.
    let capacity: Int
    /// The sum of the sizes of the records held.
    private(set) var bytes = 0
    /// The largest value `bytes` has had.
    private(set) var peakBytes = 0
    /// When the oldest record held came in, or a little later.
    private(set) var oldestArrival: Instant?

    private var records: [ConsumedRecord] = []
    private var head = 0
    private var appended: UInt64 = 0
    private var ends: [TopicPartition: End] = [:]
    private var latestArrival: Instant?

    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { records.count - head }
    var isFull: Bool { bytes >= capacity }
    /// Whether there is an end to tell, all records before it having been delivered.
    var hasEndToTell: Bool { ends.values.contains { $0.after <= delivered } }

    private var delivered: UInt64 { appended - UInt64(count) }

    /// Takes records in, `bytes` in sum.
    mutating func append(_ new: [ConsumedRecord], bytes newBytes: Int, at now: Instant) {
        guard !new.isEmpty else { return }
        if count == 0 { oldestArrival = now }
        latestArrival = now
        records.append(contentsOf: new)
        appended += UInt64(new.count)
        bytes += newBytes
        peakBytes = max(peakBytes, bytes)
    }

    /// Notes that a partition's end was reached behind the records taken in so far.
    mutating func markEnd(of partition: TopicPartition, at offset: Int64) {
        ends[partition] = End(offset: offset, after: appended)
    }

    /// Whether a batch of the largest size allowed can be cut, or nothing more can be taken in.
    func satisfies(_ limits: Limits) -> Bool {
        count > 0 && (count >= limits.records || bytes >= limits.bytes || isFull)
    }

    /// Cuts a batch off the front: as many records as the limits allow, but at least one if there is one.
    mutating func cut(_ limits: Limits, generation: UInt64) -> ConsumedBatch {
        var end = head
        var cutBytes = 0
        while end < records.count, end - head < max(1, limits.records) {
            let size = records[end].size
            if end > head, cutBytes + size > limits.bytes { break }
            cutBytes += size
            end += 1
        }
        let cut: [ConsumedRecord]
        if head == 0, end == records.count {
            cut = records
            records = []
        } else {
            cut = Array(records[head..<end])
            head = end
            // Delivered records are let go of once they are half of the array, so that each moves at most once.
            if head * 2 >= records.count {
                records.removeFirst(head)
                head = 0
            }
        }
        bytes -= cutBytes
        oldestArrival = count == 0 ? nil : latestArrival
        return ConsumedBatch(
            records: cut, bytes: cutBytes, endsReached: takeEnds(), generation: generation)
    }

    /// Drops every record and end of the partitions for which `isDropped` holds.
    mutating func drop(where isDropped: (TopicPartition) -> Bool) {
        let kept = records[head...].filter { !isDropped($0.topicPartition) }
        records = Array(kept)
        head = 0
        bytes = records.reduce(0) { $0 + $1.size }
        if records.isEmpty { oldestArrival = nil }
        ends = ends.filter { !isDropped($0.key) }
        // Which records stood before an end is no longer known, so all that are left are delivered before it.
        for partition in ends.keys { ends[partition]?.after = appended }
    }

    private mutating func takeEnds() -> [TopicPartition: Int64] {
        guard !ends.isEmpty else { return [:] }
        let delivered = self.delivered
        let told = ends.filter { $0.value.after <= delivered }
        for partition in told.keys { ends[partition] = nil }
        return told.mapValues(\.offset)
    }
}
