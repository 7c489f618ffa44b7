import ApprovalSources
import ArgumentParser
import DevStack
import Foundation
import Glibc
import GrantDemo
import IssuanceRules
import Playground

/// `clawgrant demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show the whole path from approval to token on private servers.",
        discussion: """
            Starts a PostgreSQL and a broker of its own, plays approvals of Entra PIM and of a workflow, kills a worker \
            and checks that the totals add up. Takes about half a minute and leaves nothing behind. With --source it plays \
            the records of one approval system instead, and says what was decided and why.
            """)

    @OptionGroup var output: OutputOptions

    @Flag(name: .customLong("keep"), help: "Leave everything running until Ctrl-C.")
    var keepsRunning = false

    @Option(help: ArgumentHelp("Play one source alone: \(SourceKind.names).", valueName: "name"))
    var source: String?

    private var kind: SourceConfiguration.Kind? {
        get throws {
            guard let source else { return nil }
            guard let kind = try SourceKind.parse(source) else {
                throw CommandFailure.usage("\(source) is no source to play; known are \(SourceKind.names)")
            }
            return kind
        }
    }

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
        options.source = try kind
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
