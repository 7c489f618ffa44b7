public import ArgumentParser
public import GrantBench

/// `clawgrant bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine.",
        discussion: """
            Starts a private PostgreSQL and broker, measures the limits alone and then the whole way from approval to \
            grant with worker processes, and checks every record that was published. docs/benchmarks.md explains the \
            figures. Progress goes to standard error.
            """)

    @Flag(name: .customLong("quick"), help: "Shorter and rougher; leaves out the large ledgers and backlogs.")
    var isQuick = false

    @Option(
        name: .customLong("only"),
        help: ArgumentHelp(
            "Measure this alone; may be given several times.",
            discussion: "One of \(BenchSection.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var only: [BenchSection] = []

    @Option(name: .customLong("workers"), help: "Worker processes.")
    var workers = 2

    @Option(name: .customLong("lanes"), help: "Decide lanes of each worker.")
    var lanes = 2

    @Option(
        name: .customLong("events-per-signature"), help: "Events under one signature where they are signed in batches.")
    var eventsPerSignature = 256

    @Option(
        name: .customLong("rate"),
        help: ArgumentHelp(
            "Measure times at this many approvals a second; may be given several times.", valueName: "per second"))
    var rates: [Int] = []

    @Option(
        name: .customLong("rows"),
        help: ArgumentHelp(
            "Decisions that the ledger holds beforehand where its size is measured; may be given several times.",
            valueName: "count"))
    var rows: [Int] = []

    @Option(
        name: .customLong("soak-minutes"), help: "How long a soak lasts, which is measured only when it is asked for.")
    var soakMinutes = 60

    @Option(
        name: .customLong("stops"),
        help: "Stops in quick succession at full load: 100 in a quick run, 2000 in a full one; 0 leaves that part out.")
    var stops: Int?

    @Option(
        name: .customLong("stop-tokens"),
        help: "Live tokens of the scope with very many: 20000 in a quick run, a million in a full one.")
    var stopTokens: Int?

    @Option(name: .customLong("stop-workers"), help: "Worker processes where stops are measured.")
    var stopWorkers = 3

    @Option(name: .customLong("stop-lanes"), help: "Decide lanes of each worker where stops are measured.")
    var stopLanes = 1

    @Flag(name: .customLong("keep"), help: "Keep the servers' directories, with their logs.")
    var isKeeping = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...64).contains(workers), (1...16).contains(lanes), (1...65_536).contains(eventsPerSignature) else {
            throw ValidationError("1 to 64 workers, 1 to 16 lanes and 1 to 65536 events per signature can be measured")
        }
        guard rates.allSatisfy((1...100_000).contains) else {
            throw ValidationError("times are measured at 1 to 100000 approvals a second")
        }
        guard rows.allSatisfy((1...100_000_000).contains), (1...10_080).contains(soakMinutes) else {
            throw ValidationError("ledgers of 1 to 100000000 decisions and soaks of 1 minute to a week can be measured")
        }
        guard (1...64).contains(stopWorkers), (1...16).contains(stopLanes), (0...1_000_000).contains(stops ?? 1),
            (1...10_000_000).contains(stopTokens ?? 1)
        else {
            throw ValidationError(
                "1 to 64 workers, 1 to 16 lanes, to 1000000 stops and 1 to 10000000 tokens can be measured")
        }
    }

    mutating func run() async throws {
        var options = BenchOptions()
        options.isQuick = isQuick
        options.only = only.isEmpty ? nil : Set(only)
        options.workers = workers
        options.lanes = lanes
        options.eventsPerSignature = eventsPerSignature
        options.rates = rates.isEmpty ? nil : rates
        options.rows = rows.isEmpty ? nil : rows
        options.soakMinutes = soakMinutes
        options.stopWorkers = stopWorkers
        options.stopLanes = stopLanes
        options.stops = stops
        options.stopTokens = stopTokens
        options.keepsDirectories = isKeeping
        options.progress = { Console.error($0) }
        let report = await Bench(options).run()
        if output.isJSON { Console.out(report.json) } else { Console.out(report.text) }
        if let failure = report.failure { throw failure }
    }
}

extension BenchSection: ExpressibleByArgument {}
