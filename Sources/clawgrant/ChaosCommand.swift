import ArgumentParser
import Chaos
import Foundation
import Glibc

/// `clawgrant chaos`.
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos", abstract: "Break private workers and servers, and prove that nothing came of it.",
        discussion: """
            Starts a private PostgreSQL, broker and workers of this program; kills, freezes, cuts off and fills up, as a \
            seed says, while requests, stops and revocations go on; then has the checker and fsck read everything. \
            docs/chaos.md explains what is done and the figures. Progress goes to standard error.
            """)

    @Option(help: "How long things go on breaking.")
    var minutes = 10.0

    @Option(help: "The seed of an earlier campaign, to do the same again. Default: a new one, which is told.")
    var seed: UInt64?

    @Option(help: "Worker processes.")
    var workers = 3

    @Option(
        name: .customLong("kills-per-second"),
        help: ArgumentHelp("Kills aimed at, over all workers; their time to start limits them.", valueName: "rate"))
    var killsPerSecond = 2.0

    @Option(
        name: .customLong("episode-minutes"),
        help: ArgumentHelp("How long one ledger and log live until they are checked.", valueName: "minutes"))
    var episodeMinutes = 5.0

    @Option(
        name: .customLong("recovery-limit"),
        help: ArgumentHelp("Longest time after a storm until grants flow, in seconds.", valueName: "seconds"))
    var recoveryLimit = 60

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0.1...10_000).contains(minutes), (1...16).contains(workers), (0.01...100).contains(killsPerSecond),
            (0.1...120).contains(episodeMinutes), (1...3_600).contains(recoveryLimit)
        else {
            throw ValidationError(
                "0.1 to 10000 minutes, 1 to 16 workers, 0.01 to 100 kills a second, episodes of 0.1 to 120 minutes and "
                    + "a limit of 1 to 3600 seconds can be run")
        }
    }

    mutating func run() async throws {
        var shape = ChaosPlan.Shape()
        shape.workers = workers
        shape.killsPerSecond = killsPerSecond
        let seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        var options = ChaosOptions(plan: ChaosPlan(seed: seed, shape: shape))
        options.duration = .seconds(minutes * 60)
        options.episode = .seconds(episodeMinutes * 60)
        options.recoveryLimit = .seconds(recoveryLimit)
        options.progress = { Console.error($0) }
        Console.error("seed \(seed)")
        _ = signal(SIGPIPE, SIG_IGN)
        let campaign = Chaos(options)
        let task = Task { try await campaign.run() }
        let signals = StopSignals { task.cancel() }
        defer { signals.cancel() }
        let report: ChaosReport
        do {
            report = try await task.value
        } catch {
            if task.isCancelled { throw ExitCode(StopSignals.impatientExitCode) }
            throw CommandFailure.negative("the campaign stopped: \(error)")
        }
        if output.isJSON {
            Console.out(report.json)
        } else {
            for line in report.lines { Console.out(Console.plain(line)) }
        }
        if !report.isPass { throw CommandFailure.no }
    }
}
