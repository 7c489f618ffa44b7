/// The records of one call of `KafkaProducer.send` and what became of each. Lives on the poll thread.
final class OutgoingBatch {
    let number: UInt64
    let records: [ProducerRecord]
    private let continuation: CheckedContinuation<Result<[DeliveredRecord], KafkaError>, Never>
    private var delivered: [DeliveredRecord?]
    private let order: SendingOrder
    /// The records in librdkafka's hands.
    private var inFlight = 0
    /// The group of each record.
    private var groupOf: [Int32]
    /// The records of each group that are not settled.
    private var unsettled: [Int]
    private var group = 0
    /// The place in the order of the next record to hand to librdkafka.
    private var position = 0
    private var failure: KafkaError?
    /// Where groups go of which some records are handed over and not all settled.
    private(set) var openPlaces: Set<SendingOrder.Place> = []

    init(
        number: UInt64, records: [ProducerRecord], order: SendingOrder,
        continuation: CheckedContinuation<Result<[DeliveredRecord], KafkaError>, Never>
    ) {
        self.number = number
        self.records = records
        self.order = order
        self.continuation = continuation
        delivered = Array(repeating: nil, count: records.count)
        groupOf = Array(repeating: 0, count: records.count)
        unsettled = order.groups.map(\.range.count)
        for (number, group) in order.groups.enumerated() {
            for index in order.indices[group.range] { groupOf[index] = Int32(number) }
        }
    }

    /// The next record to hand to librdkafka, with its partition; `nil` when it gets no further one.
    var next: (index: Int, place: SendingOrder.Place)? {
        isHandedOver ? nil : (order.indices[position], order.groups[group].place)
    }
    /// Whether the next record is the first of its group.
    var startsGroup: Bool { group < order.groups.count && position == order.groups[group].range.lowerBound }

    /// Whether librdkafka gets no further record: all have been handed over, or one was refused.
    var isHandedOver: Bool { position == records.count || failure != nil }
    /// Whether nothing is left to wait for.
    var isDone: Bool { isHandedOver && inFlight == 0 }

    /// librdkafka took the record at `next`.
    func accept() {
        openPlaces.insert(order.groups[group].place)
        inFlight += 1
        position += 1
        if position == order.groups[group].range.upperBound { group += 1 }
    }

    /// librdkafka did not take the record at `next`; those behind it are not tried.
    func refuse(_ error: KafkaError) {
        let index = position < order.indices.count ? order.indices[position] : 0
        note(error.with(recordIndex: index, mayHaveBeenWritten: false))
    }

    /// A record was written.
    func deliver(_ index: Int, _ record: DeliveredRecord) {
        settle(index)
        delivered[index] = record
    }

    /// A record was handed over and not written, or perhaps written.
    func fail(_ index: Int, _ error: KafkaError, mayHaveBeenWritten: Bool) {
        settle(index)
        note(error.with(recordIndex: index, mayHaveBeenWritten: mayHaveBeenWritten))
    }

    private func settle(_ index: Int) {
        inFlight -= 1
        let group = Int(groupOf[index])
        unsettled[group] -= 1
        if unsettled[group] == 0 { openPlaces.remove(order.groups[group].place) }
    }

    /// Gives up on what is still in librdkafka's hands.
    func abandon(_ error: KafkaError) {
        let mayHaveBeenWritten = inFlight > 0
        inFlight = 0
        let index = delivered.firstIndex { $0 == nil } ?? 0
        if failure == nil { note(error.with(recordIndex: index, mayHaveBeenWritten: mayHaveBeenWritten)) }
    }

    /// Answers the call.
    func answer() {
        if let failure {
            continuation.resume(returning: .failure(failure))
        } else {
            continuation.resume(returning: .success(delivered.compactMap { $0 }))
        }
    }

    /// Keeps the failure of the earliest record; one that says the client is dead outweighs the others.
    private func note(_ error: KafkaError) {
        guard let failure else {
            self.failure = error
            return
        }
        if failure.isFatal != error.isFatal {
            if error.isFatal { self.failure = error }
        } else if (error.recordIndex ?? 0) < (failure.recordIndex ?? 0) {
            self.failure = error
        }
    }
}
