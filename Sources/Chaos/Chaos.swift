import DevStack
import Foundation
import GrantChecker
import Playground

/// Real processes, broken on purpose for as long as is wanted: workers that are killed, frozen and started again, a
/// database and a broker that restart and cannot be reached, full disks and missing keys, while requests, stops and
/// revocations go on. What is left in the end is read by two checkers.
public struct Chaos: Sendable {
    private let options: ChaosOptions

    /// Prepares a campaign.
    public init(_ options: ChaosOptions) { self.options = options }

    /// Runs it. It ends at the first episode with violations, whose directory is kept.
    ///
    /// - Throws: what is missing on this machine, or broke that nobody meant to break; `CancellationError`. Nothing is
    ///   left running then.
    public func run() async throws -> ChaosReport {
        let began = ContinuousClock.now
        let (plan, notes) = await Self.possible(options.plan)
        var report = ChaosReport(seed: plan.seed)
        report.notes = notes
        let end = began + options.duration
        var next = 0
        repeat {
            let arena = try await Arena.start(options, usesDisks: notes.isEmpty)
            do {
                try await run(plan, on: arena, from: &next, until: end, &report)
            } catch {
                let directory = arena.playground.directory
                await Task { await arena.stop(keeping: !(error is CancellationError)) }.value
                guard !(error is CancellationError) else { throw error }
                throw DevStackError(
                    .commandFailed,
                    "The campaign with seed \(plan.seed) broke off in \(directory), which is kept: \(error)")
            }
            if !report.isPass { report.artefacts = arena.playground.directory }
            await arena.stop(keeping: !report.isPass)
            report.elapsed = .now - began
        } while report.isPass && ContinuousClock.now < end && next < options.mostStorms ?? .max
        return report
    }

    /// The plan without what cannot be done on this machine, and a note on each kind left out.
    private static func possible(_ plan: ChaosPlan) async -> (ChaosPlan, notes: [String]) {
        guard plan.shape.kinds.contains(where: \.needsSmallDisk), !(await SmallDisk.isAllowed()) else {
            return (plan, [])
        }
        var shape = plan.shape
        shape.kinds.removeAll(where: \.needsSmallDisk)
        let left = plan.shape.kinds.filter(\.needsSmallDisk).map(\.rawValue).joined(separator: ", ")
        return (
            ChaosPlan(seed: plan.seed, shape: shape), ["\(left): this process may not mount a file system (root may)"]
        )
    }

    private func run(
        _ plan: ChaosPlan, on arena: Arena, from next: inout Int, until end: ContinuousClock.Instant,
        _ report: inout ChaosReport
    ) async throws {
        let episode = Episode(arena: arena, options: options)
        let turn = min(end, .now + options.episode)
        try await arena.playground.waitUntilAtWork(arena.tracks.map(\.worker), within: options.drainLimit)
        repeat {
            let storm = plan.storm(next)
            next += 1
            let recovery = try await episode.pass(storm)
            if let recovery { report.recoveries.append(recovery) }
            let counts = arena.tally.counts + report.counts
            options.progress(
                "storm \(storm.number): \(storm.faults.map(\.kind.rawValue).joined(separator: ", ")); grants flow after "
                    + "\(recovery.map(ChaosReport.seconds) ?? "never"); \(counts.kills) kills so far")
        } while arena.tally.violations.isEmpty && ContinuousClock.now < turn && next < options.mostStorms ?? .max
        let checked = try await episode.finish()
        report.episodes += 1
        report.take(arena.tally.counts, checked)
        for violation in arena.tally.violations { report.violate(violation) }
        options.progress(
            "episode \(report.episodes): \(checked.grants) grants, \(checked.stops) stops, "
                + "\(arena.tally.violations.count) violations")
    }
}

extension ChaosReport {
    /// Adds an episode.
    mutating func take(_ done: Counts, _ checked: CheckReport.Counts) {
        var counts = done
        counts.inputRecords = checked.inputRecords
        counts.inputRepeats = checked.inputRepeats
        counts.decisions = checked.issued + checked.denied + checked.expired
        counts.grants = checked.grants
        counts.revocations = checked.revocations
        counts.stops = checked.stops
        counts.deadLetters = checked.quarantined
        counts.receipts = checked.receipts
        counts.outputRepeats = checked.repeats
        self.counts = self.counts + counts
    }
}
