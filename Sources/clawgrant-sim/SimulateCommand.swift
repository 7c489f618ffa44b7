import ArgumentParser
import ClawWire
import Glibc
import Simulation

/// Runs simulated worlds from seeds and says what they came to.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clawgrant-sim",
        abstract: "Run the worker's own code in simulated worlds, from seeds, with faults at every step.",
        discussion: """
            Each seed is one schedule: workers, a ledger, a broker, people and misfortune, with every step chosen by the
            seed. What is left behind is checked by the checker of `clawgrant fsck`. Exit code 1 says that a schedule
            broke a property; the line names its seed, and --replay SEED --trace shows it step by step.
            """)

    @Option(help: "Schedules to run.")
    var seeds: UInt64 = 100
    @Option(help: "The first seed.")
    var first: UInt64 = 1
    @Option(help: "Run for so many minutes instead, from the first seed on.")
    var minutes: Double?
    @Option(help: "Workers in each world; left to the seed when it is not given.")
    var workers: Int?
    @Option(help: "Events of each world; left to the seed when it is not given.")
    var size: Int?
    @Option(
        help:
            "Kinds of faults, comma-separated, `none` or `all`: \(FaultKind.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var faults = "all"
    @Option(help: "Run one seed alone.")
    var replay: UInt64?
    @Flag(help: "Print every step.")
    var trace = false
    @Option(
        help: """
            Crash at named points of a small world instead: `single` or `pairs`; or `takeover`: sleep there while a \
            replica takes over that lacks the last commits.
            """)
    var crashPoints: CrashPointMode?
    @Flag(help: "Count every exchange with the simulated servers, and every statement, among the points.")
    var everyStatement = false
    @Option(help: "The points to crash at, comma-separated; all when it is not given.")
    var points = ""
    @Flag(help: "List the points, with how often a small world comes to them.")
    var listPoints = false
    @Option(help: "Mistakes that the simulated ledger makes, comma-separated; for seeing that they are found.")
    var bugs = ""
    @Flag(help: "Stop at the first schedule that breaks a property.")
    var stopAtFirst = false
    @Flag(help: "Print the summary as JSON.")
    var json = false

    enum CrashPointMode: String, ExpressibleByArgument, CaseIterable {
        case single, pairs, takeover
    }

    func run() throws {
        let campaign = Campaign(simulator: try Simulator(), base: try plan())
        if listPoints {
            let points = try campaign.points(everyStatement: everyStatement)
            for (point, count) in points.sorted(by: { $0.key < $1.key }) { print("\(point) \(count)") }
            return
        }
        let summary: CampaignSummary
        let deadline = minutes.map { ContinuousClock.now + .seconds($0 * 60) }
        switch crashPoints {
        case .single, .pairs:
            summary = try campaign.crashes(
                pairs: crashPoints == .pairs, everyStatement: everyStatement, chosen: names(points),
                until: deadline, report: show)
        case .takeover:
            summary = try campaign.takeovers(
                everyStatement: everyStatement, chosen: names(points), until: deadline, report: show)
        case nil:
            let first = replay ?? first
            let last = replay ?? (deadline == nil ? first + max(1, seeds) - 1 : .max)
            summary = try campaign.seeds(first...last, until: deadline, stopAtFirst: stopAtFirst, report: show)
        }
        print(json ? JSONWriter.text(summary.json) : summary.text)
        if summary.violated > 0 { throw ExitCode(1) }
    }

    private func show(_ report: RunReport, _ name: String) {
        if trace { for line in report.trace { print(line) } }
        if trace || replay != nil { print("\(name): trace digest \(String(report.digest, radix: 16))") }
        for violation in report.violations { print("\(name): \(violation)") }
        // A campaign of hours shows what it finds when it finds it.
        if !report.violations.isEmpty { fflush(nil) }
    }

    private func plan() throws -> RunPlan {
        var plan = RunPlan(seed: first)
        plan.workers = workers
        plan.size = size
        plan.keepsTrace = trace
        plan.bugs = try Set(names(bugs).map { try Self.value($0, PlantedBug.self, "a planted bug") })
        switch faults {
        case "all": break
        case "none": plan.faults = []
        default: plan.faults = try Set(names(faults).map { try Self.value($0, FaultKind.self, "a kind of fault") })
        }
        return plan
    }

    private func names(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    private static func value<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ type: Value.Type, _ what: String
    ) throws -> Value {
        guard let value = Value(rawValue: name) else {
            let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\"\(name)\" is not \(what); there are \(known)")
        }
        return value
    }
}
