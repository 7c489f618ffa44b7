/// The records of one call of `KafkaProducer.send` and what became of each. Lives on the poll thread.
final class OutgoingBatch {
    let number: UInt64
    let records: [ProducerRecord]
    private let continuation: CheckedContinuation<Result<[DeliveredRecord], KafkaError>, Never>
    private var delivered: [DeliveredRecord?]
    /// The records in librdkafka's hands.
    private var inFlight = 0
    /// The next record to hand to librdkafka.
    private(set) var next = 0
    private var failure: KafkaError?

    init(
        number: UInt64, records: [ProducerRecord],
        continuation: CheckedContinuation<Result<[DeliveredRecord], KafkaError>, Never>
    ) {
        self.number = number
        self.records = records
        self.continuation = continuation
        delivered = Array(repeating: nil, count: records.count)
    }

    /// Whether librdkafka gets no further record: all have been handed over, or one was refused.
    var isHandedOver: Bool { next == records.count || failure != nil }
    /// Whether nothing is left to wait for.
    var isDone: Bool { isHandedOver && inFlight == 0 }

    /// librdkafka took the record at `next`.
    func accept() {
        next += 1
        inFlight += 1
    }

    /// librdkafka did not take the record at `next`; those behind it are not tried.
    func refuse(_ error: KafkaError) {
        note(error.with(recordIndex: next, mayHaveBeenWritten: false))
    }

    /// A record was written.
    func deliver(_ index: Int, _ record: DeliveredRecord) {
        inFlight -= 1
        delivered[index] = record
    }

    /// A record was handed over and not written, or perhaps written.
    func fail(_ index: Int, _ error: KafkaError, mayHaveBeenWritten: Bool) {
        inFlight -= 1
        note(error.with(recordIndex: index, mayHaveBeenWritten: mayHaveBeenWritten))
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
