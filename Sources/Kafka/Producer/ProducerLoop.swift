import CRdKafka

/// A producer's side of the poll thread: hands records over and collects their delivery reports.
final class ProducerLoop: PollLoop {
    private let client: Client<ProducerLoop>
    private let isTransactional: Bool
    private var topics: [String: TopicHandle] = [:]
    private var batches: [UInt64: OutgoingBatch] = [:]
    /// The batches that librdkafka has not got whole, in the order they came.
    private var outgoing: [OutgoingBatch] = []
    private var nextNumber: UInt64 = 1

    /// A record's tag is its batch's number and its index in the low bits.
    private static let indexBits: UInt64 = 24
    /// The most records of one batch.
    static let maximumRecords = 1 << 24
    /// The most partitions of a broker with records under way: fewer than the five requests that an idempotent producer
    /// may have there, since a group that is handed over slowly is sent in two.
    private static let partitionsPerBroker = 4
    private var window = ProducerLoop.partitionsPerBroker
    /// The most records handed over between two looks at the delivery reports.
    private static let recordsPerTurn = 1_000

    init(_ client: Client<ProducerLoop>, isTransactional: Bool) {
        self.client = client
        self.isTransactional = isTransactional
    }

    func turn() {
        switch handOver() {
        case .everything:
            client.serveMain(self, timeout: .milliseconds(100))
        case .more:
            client.serveMain(self, timeout: .zero)
        case .windowFull:
            client.serveMain(self, timeout: .milliseconds(100))
        case .queueFull:
            // A delivery report makes room and ends the wait.
            client.serveMain(self, timeout: .milliseconds(10))
        }
    }

    func serve(_ event: borrowing ClientEvent) {
        guard event.type == RD_KAFKA_EVENT_DR else { return }
        event.forEachDelivery { report in settle(report) }
    }

    /// The error that killed the client, if one did.
    var fatalError: KafkaError? { client.handle.fatalError(.produce) }

    func finish() {
        for batch in outgoing { batch.refuse(.closed(.produce)) }
        outgoing = []
        unsafe rd_kafka_purge(
            client.handle.raw, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
        // The reports of what was purged come within a moment; what has none by then is abandoned.
        let limit = ContinuousClock.now + .milliseconds(500)
        while unsafe rd_kafka_outq_len(client.handle.raw) > 0, ContinuousClock.now < limit {
            client.serveMain(self, timeout: .milliseconds(10))
        }
        client.serveMain(self, timeout: .zero)
        for batch in batches.values {
            batch.abandon(.closed(.produce))
            batch.answer()
        }
        batches = [:]
        topics = [:]
    }

    /// Takes a call of `send` in.
    func send(
        _ records: [ProducerRecord], _ order: SendingOrder, brokers: Int,
        _ continuation: CheckedContinuation<Result<[DeliveredRecord], KafkaError>, Never>
    ) {
        let batch = OutgoingBatch(number: nextNumber, records: records, order: order, continuation: continuation)
        window = Self.partitionsPerBroker * max(1, brokers)
        nextNumber += 1
        batches[batch.number] = batch
        outgoing.append(batch)
    }

    /// Takes back every record that has not been written; their reports fail.
    func purge() {
        for batch in outgoing {
            batch.refuse(KafkaError(code: .purgedFromQueue, operation: .produce))
            finish(batch)
        }
        outgoing = []
        unsafe rd_kafka_purge(
            client.handle.raw, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    private enum Progress {
        case everything, more, windowFull, queueFull
    }

    private func handOver() -> Progress {
        var budget = Self.recordsPerTurn
        while let batch = outgoing.first {
            while let next = batch.next {
                guard budget > 0 else { return .more }
                guard !batch.startsGroup || hasRoom(for: next.place) else { return .windowFull }
                budget -= 1
                let tag = UInt(batch.number << Self.indexBits | UInt64(next.index))
                switch produce(batch.records[next.index], next.place.partition, tag: tag) {
                case nil:
                    batch.accept()
                case let error? where error.code == .queueFull:
                    return .queueFull
                case let error?:
                    batch.refuse(classify(error))
                }
            }
            outgoing.removeFirst()
            finish(batch)
        }
        return .everything
    }

    private func hasRoom(for place: SendingOrder.Place) -> Bool {
        var open = 0
        for batch in batches.values {
            guard !batch.openPlaces.contains(place) else { return false }
            open += batch.openPlaces.count
        }
        return open < window
    }

    private func produce(_ record: ProducerRecord, _ partition: Int32?, tag: UInt) -> KafkaError? {
        do throws(KafkaError) {
            let topic: TopicHandle
            if let known = topics[record.topic] {
                topic = known
            } else {
                topic = try TopicHandle(client.handle, record.topic)
                topics[record.topic] = topic
            }
            guard let error = topic.produce(record, partition, tag: tag, client.handle) else { return nil }
            return KafkaError(
                code: error.code, kind: error.kind, operation: .produce, detail: error.detail, topic: record.topic,
                partition: record.partition)
        } catch {
            return error
        }
    }

    private func settle(_ report: DeliveryReport) {
        let number = UInt64(report.tag) >> Self.indexBits
        let index = Int(UInt64(report.tag) & (1 << Self.indexBits - 1))
        guard let batch = batches[number], batch.records.indices.contains(index) else { return }
        let topic = batch.records[index].topic
        if report.code.isError {
            let error = KafkaError(
                code: report.code, operation: .produce, topic: topic,
                partition: report.partition >= 0 ? report.partition : batch.records[index].partition)
            batch.fail(index, classify(error), mayHaveBeenWritten: report.mayHaveBeenWritten)
        } else {
            batch.deliver(
                index,
                DeliveredRecord(
                    topicPartition: TopicPartition(topic: topic, partition: report.partition),
                    offset: report.offset >= 0 ? report.offset : nil))
        }
        finish(batch)
    }

    private func finish(_ batch: OutgoingBatch) {
        guard batch.isDone, batches.removeValue(forKey: batch.number) != nil else { return }
        batch.answer()
    }

    /// A record's error as the owner has to take it: fatal when the producer is dead, abortable in a transaction.
    private func classify(_ error: KafkaError) -> KafkaError {
        if let fatal = client.handle.fatalError(.produce) {
            return KafkaError(
                code: fatal.code, kind: .fatal, operation: .produce, detail: fatal.detail, topic: error.topic,
                partition: error.partition)
        }
        return isTransactional ? error.insideTransaction() : error
    }
}
