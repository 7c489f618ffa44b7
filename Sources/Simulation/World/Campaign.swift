public import ClawWire
import CrashPoints

/// What many runs came to.
public struct CampaignSummary: Sendable {
    /// Schedules run.
    public private(set) var schedules = 0
    /// Schedules that broke a property.
    public private(set) var violated = 0
    /// Seeds, or crash points, of the first of them.
    public private(set) var failures: [String] = []
    /// Requests that came to an outcome.
    public private(set) var decisions = 0
    /// Tokens granted.
    public private(set) var grants = 0
    /// Control events applied.
    public private(set) var controlEvents = 0
    /// What went wrong, by its kind.
    public private(set) var strikes: [FaultKind: Int] = [:]
    /// Simulated seconds.
    public private(set) var simulatedSeconds = 0.0
    /// Jobs that the scheduler ran.
    public private(set) var steps = 0
    /// Seconds that it took.
    public internal(set) var seconds = 0.0
    private static let mostFailures = 20

    mutating func add(_ report: RunReport, _ name: String) {
        schedules += 1
        decisions += report.decisions
        grants += report.grants
        controlEvents += report.controlEvents
        strikes.merge(report.strikes) { $0 + $1 }
        simulatedSeconds += Double(report.simulated) / 1e9
        steps += report.steps
        guard !report.violations.isEmpty else { return }
        violated += 1
        if failures.count < Self.mostFailures { failures.append(name) }
    }

    /// For people, on one line.
    public var text: String {
        let kinds = strikes.sorted { $0.key.rawValue < $1.key.rawValue }
        let faults = kinds.map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", ")
        let broken = failures.isEmpty ? "" : ": \(failures.joined(separator: ", "))"
        return """
            \(schedules) schedules, \(decisions) decisions, \(grants) grants, \(controlEvents) control events, \
            \(Int(simulatedSeconds)) simulated seconds, \(steps) steps in \(Int(seconds)) s; faults: \(faults); \
            \(violated) broke a property\(broken)
            """
    }

    private var faults: JSONObject {
        var faults = JSONObject()
        for (kind, count) in strikes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            faults[kind.rawValue] = .integer(count)
        }
        return faults
    }

    /// For machines.
    public var json: JSONValue {
        [
            "schedules": .integer(schedules), "decisions": .integer(decisions), "grants": .integer(grants),
            "control_events": .integer(controlEvents), "faults": .object(faults),
            "simulated_seconds": .integer(Int64(simulatedSeconds)), "steps": .integer(steps),
            "seconds": .integer(Int64(seconds)), "violated": .integer(violated),
            "failures": .array(failures.map { .string($0) }),
        ]
    }
}

/// Many runs, one after the other.
public struct Campaign: Sendable {
    private let simulator: Simulator
    private let base: RunPlan

    /// Plans runs that differ by their seeds or their crashes.
    ///
    /// - Parameters:
    ///   - simulator: runs them.
    ///   - base: what they have in common.
    public init(simulator: Simulator, base: RunPlan) {
        self.simulator = simulator
        self.base = base
    }

    /// Runs a range of seeds.
    ///
    /// - Parameters:
    ///   - deadline: when to run no more.
    ///   - stopAtFirst: whether the first run that breaks a property is the last.
    ///   - report: told of every run, with its name.
    /// - Throws: what keeps a world from being made.
    public func seeds(
        _ range: ClosedRange<UInt64>, until deadline: ContinuousClock.Instant? = nil, stopAtFirst: Bool = false,
        report: (RunReport, String) -> Void = { _, _ in }
    ) throws -> CampaignSummary {
        var summary = CampaignSummary()
        let start = ContinuousClock.now
        for seed in range {
            if let deadline, ContinuousClock.now >= deadline { break }
            var plan = base
            plan.seed = seed
            let run = try simulator.run(plan)
            summary.add(run, "seed \(seed)")
            report(run, "seed \(seed)")
            if stopAtFirst, !run.violations.isEmpty { break }
        }
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    /// The first small world that comes to every named point.
    private static let completeSeed: UInt64 = 2

    /// The small world in which crashes are planned: something of everything, two workers, nothing by chance.
    private var small: RunPlan {
        var plan = base
        plan.seed = base.seed &+ Self.completeSeed
        plan.workers = plan.workers ?? 2
        plan.size = plan.size ?? 12
        plan.crashes = []
        return plan
    }

    /// The points that the small world comes to, and how often.
    ///
    /// - Parameters:
    ///   - everyStatement: whether the statements and exchanges of the simulated servers count beside the points that
    ///     are named in the code.
    ///   - comparing: whether the workers hold the ledger against its topics.
    /// - Throws: what keeps a world from being made.
    public func points(everyStatement: Bool, comparing: Bool = false) throws -> [String: Int] {
        let named = Set(CrashPoint.allCases.map(\.rawValue))
        var plan = small
        plan.hasTakeover = comparing
        return try simulator.run(plan).visits.filter { everyStatement || named.contains($0.key) }
    }

    private func visits(_ chosen: [String], everyStatement: Bool, comparing: Bool = false) throws -> [String: Int] {
        let visits = try points(everyStatement: everyStatement, comparing: comparing)
        if let stray = chosen.first(where: { visits[$0] == nil }) {
            throw SimulationError("the small world does not come to \"\(stray)\"; --list-points tells where it comes")
        }
        return chosen.isEmpty ? visits : visits.filter { chosen.contains($0.key) }
    }

    /// The first time that somebody comes to a point, the second, the last, and one between: what comes first is seldom
    /// what matters.
    private static func occurrences(_ count: Int) -> [Int] {
        Set([1, 2, (count + 1) / 2, count]).sorted().filter { $0 <= count }
    }

    /// Runs the small world with what is planned at points.
    private func run(
        _ planned: [PlannedCrash], _ takeover: PlannedTakeover? = nil, into summary: inout CampaignSummary,
        _ report: (RunReport, String) -> Void
    ) throws {
        var plan = small
        plan.crashes = planned
        plan.takeover = takeover
        plan.hasTakeover = takeover != nil
        let run = try simulator.run(plan)
        var name = planned.map { "\($0.point)#\($0.occurrence)" }.joined(separator: ", ")
        if let takeover { name += ", asleep for \(takeover.sleep / 1_000_000) ms, \(takeover.lost) commits lost" }
        guard run.strikes[takeover == nil ? .crash : .lag] ?? 0 > 0 else {
            throw SimulationError("nothing happened at \(name)")
        }
        summary.add(run, name)
        report(run, name)
    }

    /// Crashes the worker that comes to each point, or to each pair of points one after the other.
    ///
    /// - Parameters:
    ///   - pairs: whether a second worker, or the same after its return, crashes at a second point.
    ///   - everyStatement: see ``points(everyStatement:comparing:)``.
    ///   - chosen: the points to take; all when it is empty.
    ///   - deadline: when to run no more.
    ///   - report: told of every run, with its name.
    /// - Throws: what keeps a world from being made; ``SimulationError`` when a crash did not happen.
    public func crashes(
        pairs: Bool, everyStatement: Bool, chosen: [String] = [], until deadline: ContinuousClock.Instant? = nil,
        report: (RunReport, String) -> Void = { _, _ in }
    ) throws -> CampaignSummary {
        var summary = CampaignSummary()
        let start = ContinuousClock.now
        let visits = try visits(chosen, everyStatement: everyStatement)
        let points = visits.keys.sorted()
        for point in points {
            let plans =
                pairs
                ? points.map { [PlannedCrash(point: point, occurrence: 1), PlannedCrash(point: $0, occurrence: 1)] }
                : Self.occurrences(visits[point] ?? 1).map { [PlannedCrash(point: point, occurrence: $0)] }
            for plan in plans {
                if let deadline, ContinuousClock.now >= deadline { break }
                try run(plan, into: &summary, report)
            }
        }
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    /// Has the worker that comes to each point sleep while a replica takes over that lacks the last commits: for shorter
    /// than a lease and for longer, with one commit gone and with several.
    ///
    /// - Parameters:
    ///   - everyStatement: see ``points(everyStatement:comparing:)``.
    ///   - chosen: the points to take; all when it is empty.
    ///   - deadline: when to run no more.
    ///   - report: told of every run, with its name.
    /// - Throws: what keeps a world from being made; ``SimulationError`` when nothing took over.
    public func takeovers(
        everyStatement: Bool, chosen: [String] = [], until deadline: ContinuousClock.Instant? = nil,
        report: (RunReport, String) -> Void = { _, _ in }
    ) throws -> CampaignSummary {
        var summary = CampaignSummary()
        let start = ContinuousClock.now
        let visits = try visits(chosen, everyStatement: everyStatement, comparing: true)
        for (point, count) in visits.sorted(by: { $0.key < $1.key }) {
            for occurrence in Self.occurrences(count) {
                for lost in [1, 6] {
                    for sleep: Int64 in [300_000_000, 6_000_000_000] {
                        if let deadline, ContinuousClock.now >= deadline { break }
                        try run(
                            [PlannedCrash(point: point, occurrence: occurrence)],
                            PlannedTakeover(lost: lost, sleep: sleep), into: &summary, report)
                    }
                }
            }
        }
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }
}
