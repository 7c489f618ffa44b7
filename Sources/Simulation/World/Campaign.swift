public import ClawWire

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
    /// Crashes and pauses.
    public private(set) var misfortunes = 0
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
        misfortunes += report.misfortunes
        simulatedSeconds += Double(report.simulated) / 1e9
        steps += report.steps
        guard !report.violations.isEmpty else { return }
        violated += 1
        if failures.count < Self.mostFailures { failures.append(name) }
    }

    /// For people, on one line.
    public var text: String {
        "\(schedules) schedules, \(decisions) decisions, \(grants) grants, \(controlEvents) control events, "
            + "\(misfortunes) crashes and pauses, \(Int(simulatedSeconds)) simulated seconds, \(steps) steps in "
            + "\(Int(seconds)) s; \(violated) broke a property"
            + (failures.isEmpty ? "" : ": \(failures.joined(separator: ", "))")
    }

    /// For machines.
    public var json: JSONValue {
        [
            "schedules": .integer(schedules), "decisions": .integer(decisions), "grants": .integer(grants),
            "control_events": .integer(controlEvents), "crashes_and_pauses": .integer(misfortunes),
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

    /// The small world in which crashes are planned.
    private var small: RunPlan {
        var plan = base
        plan.workers = plan.workers ?? 2
        plan.size = plan.size ?? 12
        plan.crashes = []
        return plan
    }

    /// The named points of the small world, in the order of their names.
    ///
    /// - Throws: what keeps a world from being made.
    public func points() throws -> [String] { try simulator.run(small).visits.keys.sorted() }

    /// Crashes the worker that comes first to each point, or to each pair of points one after the other.
    ///
    /// - Throws: what keeps a world from being made.
    public func crashes(pairs: Bool, report: (RunReport, String) -> Void) throws -> CampaignSummary {
        var summary = CampaignSummary()
        let start = ContinuousClock.now
        let visits = try simulator.run(small).visits
        let points = visits.keys.sorted()
        func crash(_ planned: [PlannedCrash]) throws {
            var plan = small
            plan.crashes = planned
            let run = try simulator.run(plan)
            let name = planned.map { "\($0.point)#\($0.occurrence)" }.joined(separator: ", ")
            summary.add(run, name)
            report(run, name)
        }
        for point in points {
            if pairs {
                for second in points {
                    try crash([PlannedCrash(point: point, occurrence: 1), PlannedCrash(point: second, occurrence: 1)])
                }
            } else {
                // The first time, the last, and one between: what comes first is seldom what matters.
                let count = visits[point] ?? 1
                for occurrence in Set([1, 2, (count + 1) / 2, count]).sorted() where occurrence <= count {
                    try crash([PlannedCrash(point: point, occurrence: occurrence)])
                }
            }
        }
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }
}
