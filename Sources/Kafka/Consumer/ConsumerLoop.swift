import CRdKafka

/// A consumer's side of the poll thread: the assignment and the fetching.
final class ConsumerLoop: PollLoop {
    typealias Instant = ContinuousClock.Instant

    /// An assigned partition. `expected` is the least offset its next record may have.
    private struct Track {
        let topicPartition: TopicPartition
        var expected: Int64
    }

    /// A partition as librdkafka's messages name it.
    private struct Key: Hashable {
        let topicIdentity: UInt
        let partition: Int32
    }

    private let client: Client<ConsumerLoop>
    private let exchange: ConsumerExchange
    private var tracks: [Track] = []
    private var indices: [Key: Int] = [:]
    private var commits: [UInt: CheckedContinuation<KafkaError?, Never>] = [:]
    private var nextCommit: UInt = 1

    /// The longest wait of a round, so that the other queue is served often enough.
    private static let longestWait = Duration.milliseconds(100)
    /// The most messages of a round.
    private static let roundOfMessages = 500

    init(_ client: Client<ConsumerLoop>, _ exchange: ConsumerExchange) {
        self.client = client
        self.exchange = exchange
    }

    func turn() {
        client.serveMain(self, timeout: .zero)
        let now = Instant.now
        switch exchange.settle(at: now) {
        case .fetch(let room, let until):
            fetch(room: room, wait: wait(until: until, from: now))
        case .hold(let until):
            client.serveMain(self, timeout: wait(until: until, from: now))
        }
    }

    func serve(_ event: borrowing ClientEvent) {
        guard event.type == RD_KAFKA_EVENT_OFFSET_COMMIT,
            let continuation = commits.removeValue(forKey: event.tag)
        else { return }
        let error = event.code.isError ? KafkaError(code: event.code, operation: .commit) : nil
        continuation.resume(returning: error)
    }

    func finish() {
        exchange.end(.closed(.consume))
        for continuation in commits.values { continuation.resume(returning: .closed(.commit)) }
        commits = [:]
    }

    private func wait(until instant: Instant?, from now: Instant) -> Duration {
        guard let instant else { return Self.longestWait }
        return max(.zero, min(Self.longestWait, now.duration(to: instant)))
    }

    private func fetch(room: Int, wait: Duration) {
        var records: [ConsumedRecord] = []
        var bytes = 0
        var wait = wait
        for _ in 0..<Self.roundOfMessages {
            guard bytes < room, let message = client.handle.pollConsumer(wait) else { break }
            wait = .zero
            guard let index = index(of: message) else {
                if message.code.isError { reportUnassigned(message) }
                continue
            }
            if message.code.isError {
                // The end stands behind the records fetched before it.
                exchange.add(records, bytes: bytes, at: .now)
                records = []
                serveCondition(message, tracks[index].topicPartition)
                if bytes > 0 { return }
                continue
            }
            guard message.offset >= tracks[index].expected else { continue }
            tracks[index].expected = message.offset + 1
            let record = message.makeRecord(tracks[index].topicPartition)
            bytes += record.size
            records.append(record)
        }
        if !records.isEmpty { exchange.add(records, bytes: bytes, at: .now) }
    }

    /// Where in `tracks` a message's partition is; nil for one that is not assigned, whose messages are left-overs.
    private func index(of message: borrowing FetchedMessage) -> Int? {
        let key = Key(topicIdentity: message.topicIdentity, partition: message.partition)
        if let index = indices[key] { return index }
        guard let topic = message.topicName else { return nil }
        let topicPartition = TopicPartition(topic: topic, partition: message.partition)
        guard let index = tracks.firstIndex(where: { $0.topicPartition == topicPartition }) else { return nil }
        // The address names the topic as long as the assignment stands: the assignment keeps the topic object alive.
        indices[key] = index
        return index
    }

    private func serveCondition(_ message: borrowing FetchedMessage, _ partition: TopicPartition) {
        if message.code == .partitionEnd {
            exchange.markEnd(of: partition, at: message.offset)
            return
        }
        let error = KafkaError(
            code: message.code, operation: .consume, detail: message.errorText, topic: partition.topic,
            partition: partition.partition)
        pass(error)
    }

    private func reportUnassigned(_ message: borrowing FetchedMessage) {
        guard message.code != .partitionEnd else { return }
        let error = KafkaError(
            code: message.code, operation: .consume, detail: message.errorText, topic: message.topicName)
        // Only errors of the group coordinator, which serves no purpose but the lag indicator, and of partitions that
        // have left the assignment come here.
        if error.isFatal { pass(error) } else { client.report(error) }
    }

    /// librdkafka goes on by itself after a retriable error; the reader hears of the others.
    private func pass(_ error: KafkaError) {
        switch error.kind {
        case .retriable:
            client.report(error)
        case .permanent, .abortable:
            exchange.fail(error)
        case .fatal:
            exchange.end(client.handle.fatalError(.consume) ?? error)
        }
    }
}

// MARK: - The assignment

extension ConsumerLoop {
    func assign(_ positions: [TopicPartition: Int64]) -> Result<UInt64, KafkaError> {
        let list = PartitionList(positions)
        // librdkafka copies the list.
        let code = unsafe list.withRaw { list in KafkaError.Code(unsafe rd_kafka_assign(client.handle.raw, list)) }
        guard !code.isError else { return .failure(KafkaError(code: code, operation: .assign)) }
        tracks = positions.map { Track(topicPartition: $0.key, expected: $0.value) }
        indices = [:]
        return .success(exchange.changeAssignment { _ in true })
    }

    func add(_ positions: [TopicPartition: Int64]) -> Result<UInt64, KafkaError> {
        guard !positions.isEmpty else { return .success(exchange.generation) }
        if let error = addToLibrary(positions) { return .failure(error) }
        tracks += positions.map { Track(topicPartition: $0.key, expected: $0.value) }
        indices = [:]
        return .success(exchange.changeAssignment { _ in false })
    }

    func remove(_ partitions: Set<TopicPartition>) -> Result<UInt64, KafkaError> {
        let assigned = partitions.intersection(tracks.map(\.topicPartition))
        guard !assigned.isEmpty else { return .success(exchange.generation) }
        if let error = removeFromLibrary(assigned) { return .failure(error) }
        tracks.removeAll { assigned.contains($0.topicPartition) }
        indices = [:]
        return .success(exchange.changeAssignment(dropping: assigned.contains))
    }

    /// Moves assigned partitions: out of the assignment and in again, which throws away everything fetched. The seek of
    /// this release of librdkafka takes its timeout for microseconds and does not restart a partition that failed.
    func seek(_ positions: [TopicPartition: Int64]) -> Result<UInt64, KafkaError> {
        let assigned = Set(tracks.map(\.topicPartition))
        if let stranger = positions.keys.filter({ !assigned.contains($0) }).min() {
            return .failure(
                KafkaError(
                    code: .state, kind: .permanent, operation: .assign, detail: "the partition is not assigned",
                    topic: stranger.topic, partition: stranger.partition))
        }
        return remove(Set(positions.keys)).flatMap { _ in add(positions) }
    }

    func setPaused(_ isPaused: Bool, _ partitions: Set<TopicPartition>) -> Result<Void, KafkaError> {
        let list = PartitionList(partitions)
        let code = unsafe list.withRaw { list in
            unsafe isPaused
                ? rd_kafka_pause_partitions(client.handle.raw, list)
                : rd_kafka_resume_partitions(client.handle.raw, list)
        }
        if let error = list.firstError(.assign) { return .failure(error) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return .failure(KafkaError(code: KafkaError.Code(code), operation: .assign))
        }
        return .success(())
    }

    private func addToLibrary(_ positions: [TopicPartition: Int64]) -> KafkaError? {
        let list = PartitionList(positions)
        // librdkafka copies the list; the error object is freed by `error(owning:)`.
        let object = unsafe list.withRaw { list in unsafe rd_kafka_incremental_assign(client.handle.raw, list) }
        return unsafe client.handle.error(owning: object, .assign)
    }

    private func removeFromLibrary(_ partitions: Set<TopicPartition>) -> KafkaError? {
        let list = PartitionList(partitions)
        // librdkafka copies the list; the error object is freed by `error(owning:)`.
        let object = unsafe list.withRaw { list in unsafe rd_kafka_incremental_unassign(client.handle.raw, list) }
        return unsafe client.handle.error(owning: object, .assign)
    }
}

// MARK: - Commits

extension ConsumerLoop {
    func commit(_ offsets: [TopicPartition: Int64], _ continuation: CheckedContinuation<KafkaError?, Never>) {
        let list = PartitionList(offsets)
        let number = nextCommit
        nextCommit += 1
        // librdkafka copies the list. The number travels in the place of a pointer and comes back with the result.
        let code = unsafe list.withRaw { list in
            KafkaError.Code(
                unsafe rd_kafka_commit_queue(
                    client.handle.raw, list, client.handle.mainQueue, nil, UnsafeMutableRawPointer(bitPattern: number)))
        }
        if code.isError {
            continuation.resume(returning: KafkaError(code: code, operation: .commit))
        } else {
            commits[number] = continuation
        }
    }
}
