import DevStack
import GrantLedger
import GrantWorker
import Logging
import Primitives
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Drives sinks over a log in memory.
struct DriverBench: Sendable {
    let log: PaperLog
    var heartbeat: Duration?
    var start = SinkStart.position(0)
    var patience = SecurityEventSettings.Patience()
    /// Longest wait for what is expected.
    var limit: Duration = .seconds(60)

    init(log: PaperLog) {
        self.log = log
        patience.shortestWait = .milliseconds(1)
        patience.longestWait = .milliseconds(5)
        patience.failuresBeforeFinding = 3
    }

    /// Drives sinks until a condition holds.
    func drive(
        _ sinks: [any SecurityEventSink], until description: String,
        _ condition: @escaping @Sendable () async throws -> Bool
    ) async throws {
        let stopped = Lock(false)
        let stop: @Sendable () -> Bool = { stopped.withLock { $0 } }
        let reader = EventReader(
            ledger: log,
            producer: EventProducer(version: "1", logID: Samples.logID, workerID: PaperLog.lease.owner),
            pollInterval: .milliseconds(1), maximumBytes: 1 << 20)
        let parts = StreamParts(
            ledger: log, reader: reader, lease: PaperLog.lease, pollInterval: .milliseconds(1),
            heartbeats: HeartbeatPacer(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let starts = Dictionary(sinks.map { ($0.name, start) }) { first, _ in first }
        let positions = try await log.openSinks(starts, under: PaperLog.lease)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sink in sinks {
                var settings = SecurityEventSettings.Sink(name: sink.name, kind: .kafka(.init()))
                settings.heartbeatInterval = heartbeat
                settings.patience = patience
                let position = try #require(positions[sink.name])
                group.addTask { [settings] in
                    var driver = SinkDriver(sink, settings, at: position, parts)
                    try await driver.run(until: stop)
                }
            }
            do {
                try await waitUntil(deadline: limit, description: description, condition: condition)
            } catch {
                group.cancelAll()
                throw error
            }
            stopped.withLock { $0 = true }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }
}
