import DevStack
import Foundation

/// Programs by others; `./dev test` installs them where it can.
enum Peers {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    /// The package.
    static let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    /// The description of the surface.
    static let document = root.appendingPathComponent("topics/openapi.yaml").path
    private static let packages = BrokerTools.find().folder + "/python-http"

    /// Whether the Python packages are there; where servers are required they must be.
    static let areThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.fileExists(atPath: packages + "/installed.txt")

    struct Result {
        let code: Int32
        let output: String
        let errors: String
    }

    /// Runs Python.
    static func python(
        _ arguments: [String], in directory: String? = nil, within limit: Duration = .seconds(180),
        hooks: String? = nil
    ) async throws -> Result {
        var configuration = ManagedProcess.Configuration(
            executable: "/usr/bin/env",
            arguments: [
                "PYTHONPATH=\(packages)", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8", "NO_COLOR=1",
            ] + (hooks.map { ["SCHEMATHESIS_HOOKS=\($0)"] } ?? []) + ["python3"] + arguments)
        configuration.workingDirectory = directory ?? root.path
        let result = try await Command.run(configuration, within: limit)
        guard case .code(let code) = result.status else {
            throw DevStackError(.commandFailed, "python3 \(arguments.prefix(3)) ended with \(result.status)")
        }
        return Result(code: code, output: result.output, errors: result.errors)
    }

    /// Runs one of the scripts beside this file.
    static func script(_ name: String, _ arguments: [String]) async throws -> Result {
        try await python([folder.appendingPathComponent("Peers/\(name).py").path] + arguments)
    }
}
