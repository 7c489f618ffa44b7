/// Who receives a connection's notifications. Each mutation returns what to do after the lock is released.
struct NotificationListeners {
    typealias Received = Result<PostgresNotification?, PostgresError>

    /// Notifications that are kept for a stream or a waiter that is slow; the oldest are dropped beyond it.
    static let capacity = 1_024

    private struct Waiter {
        let id: UInt64
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Received, Never>
    }

    private var streams: [String: [UInt64: AsyncStream<PostgresNotification>.Continuation]] = [:]
    private var waiters: [Waiter] = []
    private var kept: [PostgresNotification] = []
    private var cancelledEarly: Set<UInt64> = []

    /// When the thread must look for waits that are over.
    var nextDeadline: ContinuousClock.Instant? { waiters.compactMap(\.deadline).min() }

    mutating func add(_ continuation: AsyncStream<PostgresNotification>.Continuation, id: UInt64, channel: String) {
        streams[channel, default: [:]][id] = continuation
    }

    mutating func removeStream(id: UInt64, channel: String) {
        streams[channel]?[id] = nil
        if streams[channel]?.isEmpty == true { streams[channel] = nil }
    }

    /// Gives a kept notification at once, or queues the waiter.
    mutating func wait(
        id: UInt64, until deadline: ContinuousClock.Instant?, _ continuation: CheckedContinuation<Received, Never>
    ) -> (() -> Void)? {
        if cancelledEarly.contains(id) { return { continuation.resume(returning: .failure(Self.cancelled)) } }
        if !kept.isEmpty {
            let first = kept.removeFirst()
            return { continuation.resume(returning: .success(first)) }
        }
        waiters.append(Waiter(id: id, deadline: deadline, continuation: continuation))
        return nil
    }

    private static let cancelled = PostgresError(.cancelled, "the task was cancelled while waiting for a notification")

    mutating func cancelWait(id: UInt64) -> () -> Void {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else {
            cancelledEarly.insert(id)
            return {}
        }
        let waiter = waiters.remove(at: index)
        return { waiter.continuation.resume(returning: .failure(Self.cancelled)) }
    }

    mutating func forgetWait(id: UInt64) { cancelledEarly.remove(id) }

    /// To every stream of the channel; where there is none, to the longest waiter, or kept for the next.
    mutating func deliver(_ notification: PostgresNotification) -> () -> Void {
        if let listening = streams[notification.channel]?.values {
            let continuations = Array(listening)
            return { for continuation in continuations { continuation.yield(notification) } }
        }
        guard waiters.isEmpty else {
            let waiter = waiters.removeFirst()
            return { waiter.continuation.resume(returning: .success(notification)) }
        }
        if kept.count == Self.capacity { kept.removeFirst() }
        kept.append(notification)
        return {}
    }

    mutating func expire(now: ContinuousClock.Instant) -> () -> Void {
        let over = waiters.filter { waiter in waiter.deadline.map { $0 <= now } ?? false }
        guard !over.isEmpty else { return {} }
        let ids = Set(over.map(\.id))
        waiters.removeAll { ids.contains($0.id) }
        return { for waiter in over { waiter.continuation.resume(returning: .success(nil)) } }
    }

    /// Ends every stream and wait.
    mutating func close() -> (PostgresError) -> Void {
        let continuations = streams.values.flatMap(\.values)
        let waiting = waiters
        streams = [:]
        waiters = []
        return { error in
            for continuation in continuations { continuation.finish() }
            for waiter in waiting { waiter.continuation.resume(returning: .failure(error)) }
        }
    }
}
