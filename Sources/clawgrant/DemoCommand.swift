import ArgumentParser
import DevStack
import Foundation
import Glibc
import GrantDemo
import Playground

/// `clawgrant demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show the whole path from approval to token on private servers.",
        discussion: """
            Starts a PostgreSQL and a broker of its own, plays approvals of Entra PIM and of a workflow, kills a worker \
            and checks that the totals add up. Takes about half a minute and leaves nothing behind.
            """)

    @OptionGroup var output: OutputOptions

    @Flag(name: .customLong("keep"), help: "Leave everything running until Ctrl-C.")
    var keepsRunning = false

    mutating func run() async throws {
        let style: DemoPrinter.Style =
            output.isJSON ? .objects : Console.hasColours ? .terminal : .lines
        let printer = DemoPrinter(style) { text in
            // A reader that has gone away is no reason to stop half way.
            try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        }
        _ = signal(SIGPIPE, SIG_IGN)
        var options = Demo.Options()
        options.keepsRunning = keepsRunning
        let demo = Demo(options) { printer.print($0) }
        let task = Task { () async throws -> Bool in
            var isPass = false
            try await demo.run { summary in
                printer.print(summary)
                isPass = summary.isPass
            }
            return isPass
        }
        let signals = StopSignals { task.cancel() }
        defer { signals.cancel() }
        let isPass: Bool
        do {
            isPass = try await task.value
        } catch is CancellationError {
            if keepsRunning { return }
            throw ExitCode(StopSignals.impatientExitCode)
        } catch {
            if task.isCancelled { throw ExitCode(StopSignals.impatientExitCode) }
            throw CommandFailure.negative("the demonstration stopped: \(error)")
        }
        guard isPass else { throw CommandFailure.no }
    }
}
