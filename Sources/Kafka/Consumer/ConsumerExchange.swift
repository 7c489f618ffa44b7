import Primitives

/// What passes between a consumer's poll thread and its reader: records one way, room for more the other.
final class ConsumerExchange: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What a reader asks for.
    struct Request {
        let limits: BatchBuffer.Limits
        let linger: Duration
        let deadline: Instant
    }

    /// What the poll thread is to do next.
    enum Plan: Equatable {
        /// Fetch, until this many more bytes are held.
        case fetch(room: Int, until: Instant?)
        /// Fetch nothing; the buffer is full.
        case hold(until: Instant?)
    }

    private struct Waiter {
        let number: UInt64
        let request: Request
        let continuation: CheckedContinuation<ConsumedBatch, any Error>
    }

    private struct Answer {
        let continuation: CheckedContinuation<ConsumedBatch, any Error>
        let result: Result<ConsumedBatch, any Error>

        func give() { continuation.resume(with: result) }
    }

    private struct State {
        var buffer: BatchBuffer
        var generation: UInt64 = 0
        var errors: [KafkaError] = []
        /// Set when no record can follow: the client was closed, or it is dead.
        var ending: KafkaError?
        var waiter: Waiter?
        var nextNumber: UInt64 = 0

        /// What the waiting reader gets now, if anything.
        mutating func answer(at now: Instant) -> Answer? {
            guard let waiter, let result = result(for: waiter.request, at: now) else { return nil }
            self.waiter = nil
            return Answer(continuation: waiter.continuation, result: result)
        }

        private mutating func result(for request: Request, at now: Instant) -> Result<ConsumedBatch, any Error>? {
            if !errors.isEmpty { return .failure(errors.removeFirst()) }
            if let ending { return .failure(ending) }
            let lingered = buffer.oldestArrival.map { now >= $0 + request.linger } ?? false
            let onlyAnEnd = buffer.count == 0 && buffer.hasEndToTell
            guard lingered || onlyAnEnd || buffer.satisfies(request.limits) || now >= request.deadline else {
                return nil
            }
            return .success(buffer.cut(request.limits, generation: generation))
        }

        var nextInstant: Instant? {
            guard let request = waiter?.request else { return nil }
            guard let arrival = buffer.oldestArrival else { return request.deadline }
            return min(request.deadline, arrival + request.linger)
        }
    }

    private let state: Lock<State>

    init(capacity: Int) { state = Lock(State(buffer: BatchBuffer(capacity: capacity))) }

    var bufferedBytes: Int { state.withLock { $0.buffer.bytes } }
    var peakBufferedBytes: Int { state.withLock { $0.buffer.peakBytes } }
    var generation: UInt64 { state.withLock { $0.generation } }

    /// Waits for a batch. `wake` is called when the poll thread has to look at the request.
    func next(_ request: Request, wake: @Sendable () -> Void) async throws -> ConsumedBatch {
        try Task.checkCancellation()
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                begin(Waiter(number: number, request: request, continuation: continuation), wake: wake)
            }
        } onCancel: {
            cancel(number)
        }
    }

    private func begin(_ waiter: Waiter, wake: () -> Void) {
        let (answer, wasFull) = state.withLock { state -> (Answer?, Bool) in
            guard state.waiter == nil else {
                let error = KafkaError(
                    code: .conflict, kind: .permanent, operation: .consume,
                    detail: "another call of nextBatch is waiting; a consumer has one reader")
                return (Answer(continuation: waiter.continuation, result: .failure(error)), false)
            }
            let wasFull = state.buffer.isFull
            state.waiter = waiter
            return (state.answer(at: .now), wasFull)
        }
        if answer == nil || wasFull { wake() }
        answer?.give()
        // A cancellation that came before the waiter was in place found nothing to cancel.
        if answer == nil, Task.isCancelled { cancel(waiter.number) }
    }

    private func cancel(_ number: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard let waiter = state.waiter, waiter.number == number else { return nil }
            state.waiter = nil
            return waiter
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }

    /// Gives the reader what is due and says what to do next. Only for the poll thread, as is all that follows.
    func settle(at now: Instant) -> Plan {
        let (answer, plan) = state.withLock { state -> (Answer?, Plan) in
            let answer = state.answer(at: now)
            let next = state.nextInstant
            let room = state.buffer.capacity - state.buffer.bytes
            return (answer, room > 0 ? .fetch(room: room, until: next) : .hold(until: next))
        }
        answer?.give()
        return plan
    }

    /// Adds what one round of fetching brought.
    func add(_ records: [ConsumedRecord], bytes: Int, at now: Instant) {
        state.withLock { $0.buffer.append(records, bytes: bytes, at: now) }
    }

    /// Notes the end of a partition, behind what was added so far.
    func markEnd(of partition: TopicPartition, at offset: Int64) {
        state.withLock { $0.buffer.markEnd(of: partition, at: offset) }
    }

    /// Has the reader's next call throw. Of a repeated error one is kept.
    func fail(_ error: KafkaError) {
        state.withLock { state in
            if !state.errors.contains(error) { state.errors.append(error) }
        }
    }

    /// Has this and every later call of the reader throw. Anyone may call it; the first error stays.
    func end(_ error: KafkaError) {
        let answer = state.withLock { state -> Answer? in
            if state.ending == nil { state.ending = error }
            return state.answer(at: .now)
        }
        answer?.give()
    }

    /// Drops what is held of partitions that left the assignment, and begins a new generation.
    func changeAssignment(dropping isDropped: (TopicPartition) -> Bool) -> UInt64 {
        state.withLock { state in
            state.buffer.drop(where: isDropped)
            state.errors.removeAll { error in error.topicPartition.map(isDropped) ?? false }
            state.generation += 1
            return state.generation
        }
    }
}
