import CRdKafka

/// The order in which the records of one call are handed to librdkafka: in groups, each as much of one partition as fits
/// one request, in turns over the partitions. The records of a partition keep their order.
///
/// librdkafka's thread for a broker spins, with a processor for itself, for as long as records wait that it may not send
/// yet: those of a partition beyond the request that is under way, and those of any partition beyond the five requests
/// that an idempotent producer may have. So of each partition a single group is handed over, of a few partitions, and
/// the others wait here.
struct SendingOrder: Sendable {
    /// A topic's partition; `nil` when librdkafka chooses one for each record.
    struct Place: Hashable, Sendable {
        let topic: String
        let partition: Int32?
    }

    /// Records that are handed over together.
    struct Group: Sendable {
        /// Where they go.
        let place: Place
        /// Where the group lies in ``indices``.
        let range: Range<Int>
    }

    /// Indices of the records.
    private(set) var indices: [Int] = []
    /// The groups in order.
    private(set) var groups: [Group] = []

    /// Orders records.
    ///
    /// - Parameters:
    ///   - partitions: the number of partitions of a topic; a topic that is not named has its partitions chosen by
    ///     librdkafka.
    ///   - maximumBytes: most bytes of a group; a record that is larger is a group by itself.
    ///   - maximumRecords: most records of a group.
    init(_ records: [ProducerRecord], partitions: [String: Int32], maximumBytes: Int, maximumRecords: Int) {
        var lanes: [Place: Int] = [:]
        var members: [(place: Place, groups: [[Int]], bytes: Int)] = []
        for (index, record) in records.enumerated() {
            let place = Place(
                topic: record.topic,
                partition: record.partition ?? Self.partition(of: record.key, among: partitions[record.topic]))
            let size = Self.size(of: record)
            let lane: Int
            if let known = lanes[place] {
                lane = known
            } else {
                lane = members.count
                lanes[place] = lane
                members.append((place, [], .max))
            }
            let last = members[lane].groups.endIndex - 1
            if last < 0 || members[lane].bytes > maximumBytes - size
                || members[lane].groups[last].count >= maximumRecords
            {
                members[lane].groups.append([index])
                members[lane].bytes = size
            } else {
                members[lane].groups[last].append(index)
                members[lane].bytes += size
            }
        }
        indices.reserveCapacity(records.count)
        for turn in 0..<(members.map(\.groups.count).max() ?? 0) {
            for member in members where turn < member.groups.count {
                let start = indices.count
                indices += member.groups[turn]
                groups.append(Group(place: member.place, range: start..<indices.count))
            }
        }
    }

    /// At least the bytes that a record takes in a request.
    private static func size(of record: ProducerRecord) -> Int {
        record.headers.reduce(64 + (record.key?.count ?? 0) + (record.value?.count ?? 0)) {
            $0 + 8 + $1.name.utf8.count + ($1.value?.count ?? 0)
        }
    }

    /// The partition that librdkafka's standard partitioner, `consistent_random`, chooses for a key; `nil` where that is
    /// left to chance.
    static func partition(of key: [UInt8]?, among count: Int32?) -> Int32? {
        guard let key, !key.isEmpty, let count, count > 0 else { return nil }
        return unsafe key.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Int32 in
            // It looks at the key alone.
            unsafe rd_kafka_msg_partitioner_consistent(nil, bytes.baseAddress, bytes.count, count, nil, nil)
        }
    }
}
