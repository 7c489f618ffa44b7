import DevStack
import Foundation

/// A program that was run to its end.
struct Ran {
    let code: Int32
    /// Standard output, then standard error.
    let output: String

    /// The program beside the test's own.
    static let program: String? = BuiltProgram.clawgrant

    static func run(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], in directory: String? = nil,
        within limit: Duration = .seconds(120)
    ) async throws -> Ran {
        var configuration = ManagedProcess.Configuration(executable: executable, arguments: arguments)
        configuration.environment = environment
        if let directory { configuration.workingDirectory = directory }
        let result = try await Command.run(configuration, within: limit)
        guard case .code(let code) = result.status else {
            throw DevStackError(.commandFailed, "\(executable) ended with \(result.status): \(result.errors)")
        }
        return Ran(code: code, output: result.output + result.errors)
    }

    /// Runs one of the scripts of `scripts`.
    static func script(_ name: String) async throws -> Ran {
        try await run("/usr/bin/env", ["python3", Tree.url("scripts/\(name)").path], in: Tree.root.path)
    }
}
