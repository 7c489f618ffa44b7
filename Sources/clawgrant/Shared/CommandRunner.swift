import ArgumentParser
import ClawWire
import Foundation
import Glibc
import GrantWorker

/// Parses, runs, and turns every way to fail into one exit code and one message.
enum CommandRunner {
    /// Runs the command that the arguments name.
    ///
    /// - Returns: the exit code.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try await Clawgrant.asyncParseAsRoot(arguments)
            // Whoever halts all workers of a machine by name hits what runs beside them, too: a surface or a bridge must
            // not end of it. A worker that has not come to listen yet ends, and so issues nothing.
            if !(command is RunCommand) { _ = signal(SIGUSR1, SIG_IGN) }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error, isJSON: arguments.contains("--json"))
        }
    }

    private static func report(_ error: any Error, isJSON: Bool) -> Int32 {
        let failure: CommandFailure
        switch error {
        case let known as CommandFailure: failure = known
        case is CleanExit:
            Console.out(Clawgrant.fullMessage(for: error))
            return 0
        case let code as ExitCode: return code.rawValue
        case let faults as ConfigurationFileError: failure = .usage("\(faults)")
        case let fault as ConfigurationError: failure = .usage("\(fault)")
        default:
            // Everything the parser throws has a code of its own; all else is an error of an operation.
            let code = Clawgrant.exitCode(for: error)
            if code == .success {
                Console.out(Clawgrant.fullMessage(for: error))
                return 0
            }
            if code == .validationFailure {
                if isJSON {
                    failure = .usage(Clawgrant.message(for: error))
                } else {
                    Console.error(Clawgrant.fullMessage(for: error))
                    return CommandFailure.Kind.usage.rawValue
                }
            } else {
                failure = .negative("\(error)")
            }
        }
        if !failure.message.isEmpty {
            if isJSON {
                Console.error(
                    JSONWriter.text([
                        "error": ["exit_code": .integer(failure.kind.rawValue), "message": .string(failure.message)]
                    ]))
            } else {
                Console.error("clawgrant: \(failure.message)")
            }
        }
        return failure.kind.rawValue
    }
}

/// An end that is not a success.
struct CommandFailure: Error, CustomStringConvertible {
    /// The exit code.
    enum Kind: Int32 {
        /// Findings, a negative answer, or an operation that failed.
        case negative = 1
        /// A wrong command line, configuration or input file.
        case usage = 2
        /// A defect of the program.
        case defect = 70
    }

    let kind: Kind
    /// What happened, to which input; empty when the output has said it.
    let finding: String
    /// What to do; empty when the finding says it.
    let remedy: String

    /// What happened, to which input, what to do.
    var message: String { remedy.isEmpty ? finding : "\(finding); \(remedy)" }

    var description: String { message }

    static func negative(_ finding: String, remedy: String = "") -> CommandFailure {
        CommandFailure(kind: .negative, finding: finding, remedy: remedy)
    }

    static func usage(_ finding: String) -> CommandFailure {
        CommandFailure(kind: .usage, finding: finding, remedy: "")
    }

    static func defect(_ finding: String) -> CommandFailure {
        CommandFailure(kind: .defect, finding: finding, remedy: "")
    }

    /// The answer is no, and the output has said so.
    static let no = CommandFailure(kind: .negative, finding: "", remedy: "")
}
