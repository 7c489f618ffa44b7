import ArgumentParser
import Simulation

/// Runs simulated worlds from seeds and says what they came to.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clawgrant-sim")
    @Option var seeds: UInt64 = 100
    @Option var first: UInt64 = 1
    @Flag var trace = false

    func run() throws {
        let simulator = try Simulator()
        var decisions = 0
        let start = ContinuousClock.now
        for seed in first..<(first + seeds) {
            var plan = RunPlan(seed: seed)
            plan.keepsTrace = trace
            let report = try simulator.run(plan)
            decisions += report.decisions
            if trace { for line in report.trace { print(line) } }
            for violation in report.violations { print("seed \(seed): \(violation)") }
        }
        print("\(seeds) schedules, \(decisions) decisions, \(ContinuousClock.now - start)")
    }
}

SimulateCommand.main()
