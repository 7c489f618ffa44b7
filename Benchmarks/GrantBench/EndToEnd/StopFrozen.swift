import ClawWire
import IssuanceRules
import Playground
import Postgres

/// Stops while one worker is frozen in the middle of a batch: its transaction is open and keeps what it has locked.
struct StopFrozen {
    /// Attempts to freeze a worker in a transaction.
    private static let attempts = 2_000
    let playground: Playground
    let desk: StopDesk

    /// Declares so many stops.
    func run(_ count: Int) async throws -> [BenchRow] {
        var times: [Double] = []
        for number in 0..<count {
            let worker = try await freezeOne()
            defer { worker.thaw() }
            let scope = StopScope(kind: .agent, value: "did:web:agents.northquay.example:frozen-\(number)")
            times.append(try await desk.stop("frozen-\(number)", scope, revokesLive: true).milliseconds)
            worker.thaw()
            // The worker finds its session ended, opens another, and goes on.
            try await Task.sleep(for: .milliseconds(500))
            guard worker.isRunning else {
                throw BenchError("\(worker.name) ended by itself; the end of its log:\n\(worker.logTail())")
            }
        }
        return Spread(times).figures("stop.frozen")
    }

    private func freezeOne() async throws -> PlaygroundWorker {
        for _ in 0..<Self.attempts {
            guard let worker = playground.workers.randomElement() else { break }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...30)), tolerance: .zero)
            worker.freeze()
            do {
                if try await isDeciding(worker) {
                    // What it had sent before may still be carried out: only what stays is held by a frozen one.
                    try await Task.sleep(for: .milliseconds(20))
                    if try await isDeciding(worker) { return worker }
                }
            } catch {
                worker.thaw()
                throw error
            }
            worker.thaw()
        }
        throw BenchError("no worker could be frozen within a transaction: there is no load")
    }

    /// Whether a transaction of the worker has advanced input offsets and is open.
    private func isDeciding(_ worker: PlaygroundWorker) async throws -> Bool {
        let rows = try await playground.query(
            """
            SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'relation' AND l.relation = 'clawgrant.input_partition'::regclass
                AND l.mode = 'RowExclusiveLock' AND l.granted
            """)
        for row in 0..<rows.rowCount where worker.isNamed(try rows.string(row, 0)) { return true }
        return false
    }
}
