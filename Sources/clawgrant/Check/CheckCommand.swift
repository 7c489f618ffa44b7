import ArgumentParser
import ClawWire
import GrantWorker
import IssuanceRules

/// `clawgrant check`: everything a worker needs, looked at before it starts.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look at everything a worker needs and say what to do about each finding.",
        discussion: """
            Configuration, rules, keys and secrets, WPC sources, the ways to stop, the HTTP surface, sinks of security \
            events, broker, topics and their settings, database, schema, \
            privileges and clocks, and whether the ledger holds all that its topics show. Nothing is changed. With --json, \
            one finding a line and a last line {"summary":…}.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Flag(name: .customLong("offline"), help: "Leave out what needs the broker, the database or the network.")
    var isOffline = false

    mutating func run() async throws {
        var counts: [CheckFinding.Severity: Int] = [:]
        let isJSON = output.isJSON
        func tell(_ findings: [CheckFinding]) {
            for finding in findings {
                counts[finding.severity, default: 0] += 1
                if isJSON { Console.out(finding.json) } else { Console.out(finding.line) }
            }
        }
        let file: ConfigurationFile
        do {
            file = try source.load()
            tell([.ok("configuration", "\(source.effectivePath) is well formed")])
        } catch let error as ConfigurationFileError {
            tell(error.problems.map { .error("configuration", "\(error.path): \($0)", "correct the setting") })
            try finish(counts)
            return
        }
        let rules = LocalChecks.rules(file)
        tell(rules.findings)
        tell(LocalChecks.keys(file))
        tell(LocalChecks.secrets(file))
        if let set = rules.rules {
            tell(await PolicyChecks.findings(file, set, isOffline: isOffline))
            tell(ControlChecks.findings(file, set))
        }
        tell(await HTTPChecks.findings(file))
        tell(await SinkChecks.findings(file, isOffline: isOffline))
        if !isOffline {
            tell(await BrokerChecks.findings(file, rules.rules))
            tell(await DatabaseChecks.findings(file))
            tell(await LineageChecks.findings(file))
        }
        try finish(counts)
    }

    private func finish(_ counts: [CheckFinding.Severity: Int]) throws {
        func count(_ severity: CheckFinding.Severity) -> Int { counts[severity] ?? 0 }
        if output.isJSON {
            Console.out([
                "summary": [
                    "ok": .integer(count(.ok)), "notices": .integer(count(.notice)),
                    "warnings": .integer(count(.warning)), "errors": .integer(count(.error)),
                ]
            ])
        } else {
            Console.out(
                "\(count(.error)) errors, \(count(.warning)) warnings, \(count(.notice)) notices, \(count(.ok)) ok")
        }
        if count(.error) + count(.warning) > 0 { throw CommandFailure.no }
    }
}
