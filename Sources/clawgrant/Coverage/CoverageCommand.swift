import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules

/// `clawgrant coverage`: what jobs have used, by the gateways' receipts.
struct CoverageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coverage", abstract: "Say what jobs have used, what their budgets are and what was found.",
        discussion: """
            Reads the ledger. A job with a token and no receipt is listed too: it made no call, or its calls did not go \
            through a gateway. docs/budgets.md explains budgets and findings.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("One job.", valueName: "job-id"))
    var job: String?

    @Option(
        name: .customLong("job-class"),
        help: ArgumentHelp("The jobs of a class, the newest first.", valueName: "class"))
    var jobClass: String?

    @Option(help: "Most jobs of a class.")
    var limit = 100

    mutating func validate() throws {
        guard (job != nil) != (jobClass != nil) else { throw ValidationError("give --job or --job-class") }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is from 1 to 10000") }
    }

    mutating func run() async throws {
        let file = try source.load()
        let rules = try file.rules()
        let scope: CoverageScope = job.map { .job(JobID($0)) } ?? .jobClass(JobClass(jobClass ?? ""))
        let limit = Int64(limit)
        let jobs = try await LedgerAccess.ledger(file) { try await $0.coverage(of: scope, limit: limit) }
        if let job, jobs.isEmpty {
            throw CommandFailure.negative(
                "the ledger has no token of the job \(Console.plain(job)); check its id with `clawgrant tail`")
        }
        for (index, coverage) in jobs.enumerated() {
            let view = CoverageView(coverage, rules: rules, now: Clock.now)
            if output.isJSON {
                Console.out(view.json)
            } else {
                if index > 0 { Console.out("") }
                for line in view.lines { Console.out(line) }
            }
        }
    }
}
