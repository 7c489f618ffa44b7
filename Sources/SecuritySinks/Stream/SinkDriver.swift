import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import Logging
import Observability
import Postgres
import ReceiptLog
import SecurityEvents

/// What the drivers of a stream have in common.
struct StreamParts: Sendable {
    let ledger: any SecurityEventLedger
    let reader: EventReader
    let lease: RoleLease
    let pollInterval: Duration
    let heartbeats: HeartbeatPacer
    let logger: Logger
}

/// Drives one sink: takes events in order, sends them, and moves the position behind what the sink has.
struct SinkDriver {
    /// Longest time that a sink's wish to be left alone is heeded.
    private static let longestRetryAfter: Duration = .seconds(3_600)

    private let sink: any SecurityEventSink
    private let settings: SecurityEventSettings.Sink
    private let parts: StreamParts
    private let metrics: StreamMetrics
    private let logger: Logger
    private var course: SinkCourse
    /// Rendered events from the cursor on.
    private var pending: [RenderedEvent] = []
    /// Why events that the sink refuses are refused.
    private var refusal = ""
    private var lastNews = ContinuousClock.now

    init(
        _ sink: any SecurityEventSink, _ settings: SecurityEventSettings.Sink, at position: SinkPosition,
        _ parts: StreamParts
    ) {
        self.sink = sink
        self.settings = settings
        self.parts = parts
        metrics = StreamMetrics(sink: sink.name)
        course = SinkCourse(position, repeated: sink.replayedEvents)
        var logger = parts.logger
        logger[metadataKey: "sink"] = "\(sink.name)"
        self.logger = logger
    }

    /// Works until stopped.
    ///
    /// - Throws: `CancellationError`; ``LedgerError`` when the role is another's or the ledger cannot be worked with.
    mutating func run(until stop: @Sendable () -> Bool) async throws {
        while !stop() {
            try Task.checkCancellation()
            do {
                if try await step(stop) { continue }
                try await beat()
                try await wait(parts.pollInterval, stop)
            } catch let error as LedgerError where error.isRetriable && error.code != .outcomeUnknown {
                logger.log(.sinkLedgerUnread, metadata: ["error": "\(error)"])
                try await wait(settings.patience.shortestWait, stop)
            }
        }
    }

    /// One delivery, or what stands in its place; false when there is nothing to do.
    private mutating func step(_ stop: @Sendable () -> Bool) async throws -> Bool {
        do {
            try await fill()
        } catch let error as LedgerError {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch let error where pending.isEmpty {
            // A receipt that does not read is for people to look at, and no reason to leave it out.
            let failure = SinkFailure(
                .misconfigured, "the receipts from \(course.cursor) on do not read with this build: \(error)")
            try await failed(failure, stop)
            return true
        } catch {
            // What stands before it goes first.
        }
        if let unread = course.unread {
            try await settle(
                .skipped(to: unread.upperBound), .skipped(unread, reason: "their receipts are archived"), stop)
            metrics.skipped(unread.count)
            return true
        }
        guard !pending.isEmpty else { return false }
        let sizes = pending.lazy.map(\.bytes.count)
        switch course.move(over: sizes, maximumEvents: sink.maximumEvents, maximumBytes: sink.maximumBytes) {
        case .leaveOut(let count): try await leaveOut(count, stop)
        case .send(let count):
            let chunk = Array(pending.prefix(count))
            let start = ContinuousClock.now
            do {
                try await deliver(chunk)
                try await delivered(count, in: .now - start, stop)
            } catch let failure as SinkFailure {
                try Task.checkCancellation()
                try await settle(failure, chunk, stop)
            }
        }
        await measure()
        return true
    }

    // MARK: Taking events

    /// Renders what follows until a delivery is full or the log ends.
    private mutating func fill() async throws {
        var bytes = pending.reduce(0) { $0 + $1.bytes.count }
        while pending.count < sink.maximumEvents, bytes < sink.maximumBytes {
            let next = course.cursor + Int64(pending.count)
            guard let batch = try await parts.reader.batch(holding: next) else { return }
            guard let events = batch.events else {
                guard pending.isEmpty else { return }
                course.passOver(to: batch.range.upperBound)
                continue
            }
            // What could not be read is told of before anything behind it is sent.
            guard course.unread == nil else { return }
            for event in events.dropFirst(Int(next - batch.range.lowerBound)) {
                let rendered = RenderedEvent(event, bytes: sink.rendered(event))
                pending.append(rendered)
                bytes += rendered.bytes.count
                guard pending.count < sink.maximumEvents, bytes < sink.maximumBytes else { return }
            }
        }
    }

    // MARK: Sending

    private func deliver(_ events: [RenderedEvent]) async throws {
        let (sink, timeout) = (sink, settings.patience.deliveryTimeout)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sink.deliver(events) }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw SinkFailure(.retry(after: nil), "no delivery within \(timeout)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private mutating func delivered(
        _ count: Int, in time: Duration, _ stop: @Sendable () -> Bool
    ) async throws {
        pending.removeFirst(count)
        lastNews = .now
        metrics.delivered(count, in: time)
        let (wasReported, failures) = (course.isReported, course.failures)
        guard let step = course.delivered(count) else { return }
        try await settle(step, wasReported ? .recovered(next: max(course.position, course.cursor)) : nil, stop)
        if failures > 0 {
            logger.log(
                .sinkRecovered, metadata: ["failures": "\(failures)", "next": "\(course.position)"])
        }
    }

    private mutating func settle(
        _ failure: SinkFailure, _ chunk: [RenderedEvent], _ stop: @Sendable () -> Bool
    ) async throws {
        if case .skip(let numbers) = failure.remedy, let good = course.refuse(numbers, ofNext: chunk.count) {
            refusal = failure.text
            if good > 0 { try await delivered(good, in: .zero, stop) }
            return
        }
        try await failed(failure, stop)
    }

    private mutating func leaveOut(_ count: Int, _ stop: @Sendable () -> Bool) async throws {
        let range = course.cursor..<(course.cursor + Int64(count))
        pending.removeFirst(count)
        guard let step = course.leftOut(count) else { return }
        logger.log(
            .sinkEventsLeftOut,
            metadata: ["first": "\(range.lowerBound)", "count": "\(count)", "why": .outside(refusal)])
        try await settle(step, .skipped(range, reason: refusal), stop)
        metrics.skipped(count)
    }

    /// Writes a failure down, tells of it when it has lasted, and waits.
    private mutating func failed(_ failure: SinkFailure, _ stop: @Sendable () -> Bool) async throws {
        metrics.failed()
        let attempts = course.failures + 1
        let isMisconfigured = failure.remedy == .misconfigured
        let isNews =
            !course.isReported && (isMisconfigured || attempts >= settings.patience.failuresBeforeFinding)
        logger.log(
            .sinkDeliveryFailed, at: isNews ? .error : .warning,
            metadata: ["attempts": "\(attempts)", "reason": .outside(failure.text)])
        let before = course.cursor
        try await settle(
            .failed(failure.text, isReported: isNews),
            isNews ? .failing(attempts: attempts, next: course.position, reason: failure.text) : nil, stop)
        if course.cursor != before { pending = [] }
        await measure()
        try await wait(pause(after: failure, attempts), stop)
    }

    /// Doubling waits, shortened at random; what the sink asked for, if that is longer.
    private func pause(after failure: SinkFailure, _ attempts: Int32) -> Duration {
        let patience = settings.patience
        switch failure.remedy {
        case .misconfigured: return patience.longestWait
        case .retry(after: .some(.zero)) where attempts == 1: return .zero
        case .retry(let wish):
            let backoff = Backoff(initial: patience.shortestWait, maximum: patience.longestWait)
                .delay(afterFailures: Int(attempts), jitter: .random(in: 0..<1))
            return max(backoff, min(wish ?? .zero, Self.longestRetryAfter))
        case .skip:
            return patience.longestWait
        }
    }

    // MARK: The ledger

    /// Writes a step down, with the finding that goes with it, however long the ledger is away: what was delivered must
    /// not be forgotten before it is written.
    private mutating func settle(
        _ step: SinkStep, _ finding: SinkFinding?, _ stop: @Sendable () -> Bool
    ) async throws {
        let (name, worker) = (sink.name, parts.lease.owner)
        var effects: (@Sendable (Timestamp) throws -> [Effect])?
        if let finding { effects = { now in [try finding.effect(about: name, by: worker, at: now)] } }
        while true {
            do {
                try await parts.ledger.record(
                    step, of: name, at: course.position, under: parts.lease, leaving: effects)
                course.settled(step)
                return
            } catch let error as LedgerError where error.isRetriable && error.code != .outcomeUnknown {
                guard !stop() else { throw CancellationError() }
                logger.log(.sinkPositionUnwritten, metadata: ["error": "\(error)"])
                try await wait(settings.patience.shortestWait, stop)
            }
        }
    }

    /// Lets the log give a sign of life when the sink has had no news for its interval.
    private mutating func beat() async throws {
        await measure()
        guard let interval = settings.heartbeatInterval, .now - lastNews >= interval, parts.heartbeats.isDue(interval)
        else { return }
        let worker = parts.lease.owner
        try await parts.ledger.leave(
            { now in [try StreamHeartbeat.effect(by: worker, at: now)] }, under: parts.lease)
    }

    private func measure() async {
        let end = await parts.reader.end
        var behind = Duration.zero
        if course.position < end, let batch = try? await parts.reader.batch(holding: course.position) {
            behind = .seconds(Date().timeIntervalSince1970 - Double(batch.sealedAt.milliseconds) / 1_000)
        }
        metrics.stands(
            at: course.position, behind: end - course.position, for: behind, isFailing: course.failures > 0)
    }

    /// Waits, but not beyond the end of the work.
    private func wait(_ time: Duration, _ stop: @Sendable () -> Bool) async throws {
        let end = ContinuousClock.now + time
        while !stop() {
            let rest = end - .now
            guard rest > .zero else { return }
            try await Task.sleep(for: min(rest, .milliseconds(100)))
        }
    }
}
