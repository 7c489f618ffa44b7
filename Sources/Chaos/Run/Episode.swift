import ClawWire
import DevStack
import Foundation
import GrantChecker
import Playground
import Postgres

/// The life of one Clawgrant in a campaign: storms, each with the calm behind it, and the end, at which everything it left
/// is read.
struct Episode: Sendable {
    let arena: Arena
    let options: ChaosOptions

    // MARK: Storms

    /// Lets a storm pass.
    ///
    /// - Returns: How long it took afterwards until grants flowed again; `nil` when they did not in time, which is noted
    ///   as a violation.
    func pass(_ storm: Storm) async throws -> Duration? {
        arena.journal.write("storm \(storm.number): \(storm.faults.map(\.kind.rawValue).joined(separator: ", "))")
        let start = ContinuousClock.now
        let runner = FaultRunner(arena: arena)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (track, actions) in zip(arena.tracks, storm.workers) {
                group.addTask {
                    try await track.perform(actions, from: start)
                    try await track.supervise(until: start + .milliseconds(storm.length))
                }
            }
            for fault in storm.faults { group.addTask { try await runner.run(fault, from: start) } }
            for burst in storm.bursts {
                group.addTask {
                    try await Task.sleep(until: start + .milliseconds(burst.at))
                    try await arena.load.send(burst)
                }
            }
            try await group.waitForAll()
        }
        arena.tally.count { $0.storms += 1 }
        return try await recover(from: storm)
    }

    /// Sends approvals that nothing stands against, and waits until they are granted and published.
    private func recover(from storm: Storm) async throws -> Duration? {
        let began = ContinuousClock.now
        let name = "probe-\(storm.number)"
        let requests = try await arena.load.probe(name, count: Int(arena.playground.options.inputPartitions))
        let names = requests.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        var lastBatch: Int?
        let isBack = try await wait(within: options.recoveryLimit) {
            let row = try await arena.playground.query(
                """
                SELECT (SELECT count(*) FROM clawgrant.request WHERE request_id IN (\(names)) AND state = 1)::text,
                    (SELECT count(*) FROM clawgrant.unsealed)::text,
                    (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch)::text,
                    (SELECT min(next_batch) FROM clawgrant.publish_position)::text
                """)
            if lastBatch == nil, try row.string(0, 0) == "\(requests.count)", try row.string(0, 1) == "0" {
                lastBatch = Int(try row.string(0, 2))
            }
            guard let lastBatch, let published = Int(try row.string(0, 3)) else { return false }
            return published >= lastBatch
        }
        let time = ContinuousClock.now - began
        arena.journal.write("grants flow after \(ChaosReport.seconds(time)): \(isBack)")
        guard !isBack else { return time }
        let state = (try? await arena.playground.status()).map { "\($0)" } ?? "the ledger does not answer"
        arena.tally.violate(
            "storm \(storm.number): no grants within \(ChaosReport.seconds(options.recoveryLimit)) after its end; \(state)"
        )
        return nil
    }

    /// Waits for a condition while workers are kept running; a ledger that does not answer has not met it.
    private func wait(within limit: Duration, _ condition: () async throws -> Bool) async throws
        -> Bool
    {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if (try? await condition()) == true { return true }
            try Task.checkCancellation()
            for track in arena.tracks { try await track.supervise(until: .now) }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    // MARK: The end

    /// Stops everything once more under load, waits for the end of all work, and has both checkers read what is left.
    func finish() async throws -> CheckReport.Counts {
        arena.journal.write("the end begins")
        try await arena.load.send(Burst(at: 0, count: 20, copies: 2, choice: 1))
        try await arena.load.stopEverything()
        try await arena.load.send(Burst(at: 0, count: 20, copies: 2, choice: 2))
        try await drain()
        for track in arena.tracks { await track.leave() }
        let counts = try await check()
        if let fault = SinkFile.fault(in: arena.securityEvents, count: counts.receipts) {
            arena.tally.violate("file of security events: \(fault)")
        }
        try await examine()
        arena.journal.write("checked: \(arena.tally.violations.count) violations")
        return counts
    }

    private func drain() async throws {
        let playground = arena.playground
        let isSettled = try await wait(within: options.drainLimit) {
            let status = try await playground.status()
            guard status.unsealedGroups == 0, status.nextBatchToPublish == status.batches, status.waiting == 0,
                try await playground.recordsSent() == status.recordsCommitted
            else { return false }
            let runs = try await playground.query(
                """
                SELECT NOT EXISTS (SELECT 1 FROM clawgrant.revocation_run WHERE finished_at IS NULL)
                    AND NOT EXISTS (SELECT 1 FROM clawgrant.unsealed)
                    AND (SELECT min(next_batch) FROM clawgrant.publish_position)
                        = (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch)
                    AND (SELECT min(next_position) FROM clawgrant.security_event_sink)
                        = (SELECT coalesce(max(last_position) + 1, 0) FROM clawgrant.receipt_batch)
                """)
            return try runs.string(0, 0) == "t"
        }
        guard !isSettled else { return }
        let state = (try? await playground.status()).map { "\($0)" } ?? "the ledger does not answer"
        arena.tally.violate(
            "work was left \(ChaosReport.seconds(options.drainLimit)) after the last fault: "
                + "\(arena.load.delivered.records) records were sent; \(state)")
    }

    /// The checker that shares no code with the worker but the formats.
    private func check() async throws -> CheckReport.Counts {
        let delivered = arena.load.delivered
        var plan = try arena.playground.checkPlan()
        plan.deliveredRequests = delivered.requests
        plan.deliveredApprovals = delivered.approvals
        plan.opensEvery = 5
        let report = try await GrantChecker.check(plan)
        for violation in report.violations { arena.tally.violate("checker: \(violation)") }
        if report.counts.inputRecords < delivered.records {
            arena.tally.violate(
                "\(delivered.records) records were sent and \(report.counts.inputRecords) are on the input topics")
        }
        return report.counts
    }

    /// `clawgrant fsck`, as an operator runs it.
    private func examine() async throws {
        guard let configuration = arena.tracks.first?.worker.configurationFile else { return }
        let program = try arena.playground.workerProgram()
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: program,
                arguments: ["fsck", "check", "--config", configuration, "--ledger", "--settled", "--json"]),
            within: .seconds(300))
        switch result.status {
        case .code(0): break
        case .code(1):
            let report = try? JSONReader.parse(result.output)
            let findings = report?["findings"]?.array ?? []
            for finding in findings { arena.tally.violate("fsck: \(JSONWriter.text(finding))") }
            if findings.isEmpty { arena.tally.violate("fsck: \(result.output.prefix(2_000))") }
        case .code, .signal: arena.tally.violate("fsck could not check, \(result.status): \(result.errors)")
        }
    }
}
