import Foundation

/// What a program that ran to its end left behind.
public struct CommandResult: Sendable, Hashable {
    /// How it ended.
    public let status: ProcessExit
    /// What it wrote to its standard output.
    public let output: String
    /// What it wrote to its standard error.
    public let errors: String
}

/// Runs programs to their end.
public enum Command {
    /// Runs a program and returns what it wrote; an unsuccessful end is for the caller to judge.
    ///
    /// - Parameters:
    ///   - configuration: What to run; its `output` is not used.
    ///   - limit: How long it may take. After that it is killed.
    /// - Throws: What `ManagedProcess` throws at the start, and `deadlineExceeded`.
    public static func run(
        _ configuration: ManagedProcess.Configuration, within limit: Duration = .seconds(60)
    ) async throws -> CommandResult {
        let directory = try TemporaryDirectory(prefix: "claw-run")
        defer { directory.close() }
        var configuration = configuration
        configuration.output = .files(output: directory.path("out"), errors: directory.path("err"))
        let process = try ManagedProcess(configuration)
        let status: ProcessExit
        do {
            status = try await process.waitForExit(within: limit)
        } catch let error as DevStackError {
            let name = configuration.executable
            throw DevStackError(
                error.code, "\(name) was given up: \(error.message) \(LogTail.of(directory.path("err")))")
        }
        return CommandResult(
            status: status, output: text(of: directory.path("out")), errors: text(of: directory.path("err")))
    }

    /// Runs a program that must succeed.
    ///
    /// - Returns: What it wrote to its standard output.
    /// - Throws: As `run`, and `commandFailed` with what it wrote to its standard error.
    @discardableResult
    public static func output(
        of configuration: ManagedProcess.Configuration, within limit: Duration = .seconds(60)
    ) async throws -> String {
        let result = try await run(configuration, within: limit)
        guard result.status.isSuccess else {
            let said = result.errors.isEmpty ? result.output : result.errors
            throw DevStackError(
                .commandFailed,
                "\(configuration.executable) ended with \(result.status): "
                    + said.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return result.output
    }

    private static func text(of path: String) -> String {
        FileText.of(path) ?? ""
    }
}
