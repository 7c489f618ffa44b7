import ArgumentParser
import Glibc
import Observability

/// The command line.
@main
struct Clawgrant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clawgrant",
        abstract: "Turns human approvals into job-scoped tokens, and tokens into evidence.",
        discussion: """
            Exit codes: 0 done or yes, 1 findings, a negative answer or something that could not be done, 2 a wrong \
            command line or configuration, 70 a defect. docs/cli.md has an example of every command.
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Worker",
                subcommands: [
                    RunCommand.self, ServeCommand.self, ReadyCommand.self, CheckCommand.self, BridgeCommand.self,
                ]),
            CommandGroup(
                name: "Emergency",
                subcommands: [
                    StopCommand.self, LiftCommand.self, RevokeCommand.self, DrillCommand.self, ControlCommand.self,
                ]),
            CommandGroup(
                name: "Setting up", subcommands: [KeysCommand.self, TopicsCommand.self, LedgerCommand.self]),
            CommandGroup(
                name: "Rules and sources",
                subcommands: [
                    RulesCommand.self, SourceCommand.self, PolicyCommand.self, ExplainCommand.self,
                ]),
            CommandGroup(
                name: "Records",
                subcommands: [
                    RequestCommand.self, ApproveCommand.self, TokenCommand.self, BatchCommand.self,
                    CheckpointCommand.self, ProofCommand.self, TailCommand.self, CoverageCommand.self,
                    SIEMCommand.self, FsckCommand.self, DeadLetterCommand.self,
                ]),
            CommandGroup(
                name: "More",
                subcommands: [DemoCommand.self, BenchCommand.self, ChaosCommand.self, CompletionsCommand.self]),
        ])

    static func main() async { Glibc.exit(await CommandRunner.run(Array(CommandLine.arguments.dropFirst()))) }
}

/// The program's version.
enum Version {
    static let text = BuildVersion.text
}
