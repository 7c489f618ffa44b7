import ClawWire
import DevStack
import Foundation
import Testing

/// The program, run to its end as an operator runs it.
struct ProgramRun {
    /// Exit code.
    let code: Int32
    /// Standard output.
    let output: String
    /// Standard error.
    let errors: String

    /// The program beside the test's own.
    static let path: String? = BuiltProgram.clawgrant

    /// Runs a command; what is to be typed comes through a pipe.
    ///
    /// - Parameter crash: Where the program is to kill itself; its code is then 128 and the signal, as shells say it.
    init(
        _ arguments: [String], typing text: String? = nil, config: String? = nil, crash: String? = nil
    ) async throws {
        let program = try #require(Self.path)
        var all = arguments
        if let config { all += ["--config", config] }
        var configuration = ManagedProcess.Configuration(executable: program, arguments: all)
        if let text {
            configuration = ManagedProcess.Configuration(
                executable: "/bin/sh", arguments: ["-c", "printf '%s\\n' \"$0\" | \"$@\"", text, program] + all)
        }
        if let crash { configuration.environment["CLAWGRANT_CRASH_AT"] = crash }
        let result = try await Command.run(configuration, within: .seconds(120))
        switch result.status {
        case .code(let code): self.code = code
        case .signal(let number) where crash != nil: code = 128 + number
        case .signal:
            throw DevStackError(.commandFailed, "\(arguments) ended with \(result.status): \(result.errors)")
        }
        output = result.output
        errors = result.errors
    }

    /// The lines of the output as JSON.
    var lines: [JSONValue] {
        get throws { try output.split(separator: "\n").map { try JSONReader.parse(String($0)) } }
    }

    /// The line of a step.
    func step(_ name: String) throws -> JSONValue {
        try #require(try lines.first { $0["step"]?.string == name }, "no step \(name) in \(output) \(errors)")
    }
}
