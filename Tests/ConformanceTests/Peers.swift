import DevStack
import Foundation

/// Programs by others that our documents and records are held against; `./dev test` installs what they need.
enum Peers {
    /// The folder of this target.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    /// The package.
    static let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    /// The document that is the truth about the topics.
    static let document = root.appendingPathComponent("topics/asyncapi.yaml").path
    private static let packages = BrokerTools.find().folder + "/python"

    /// Whether the Python packages are there; where servers are required they must be.
    static let areThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.fileExists(atPath: packages + "/jsonschema")

    /// Runs one of the scripts beside this file.
    static func run(_ script: String, _ arguments: [String]) async throws -> (code: Int32, lines: [String]) {
        var configuration = ManagedProcess.Configuration(
            executable: "/usr/bin/env",
            arguments: [
                "PYTHONPATH=\(packages)", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8", "python3",
                folder.appendingPathComponent("Peers/\(script).py").path,
            ] + arguments)
        configuration.workingDirectory = root.path
        let result = try await Command.run(configuration, within: .seconds(120))
        guard case .code(let code) = result.status, result.errors.isEmpty else {
            throw DevStackError(.commandFailed, "\(script) ended with \(result.status): \(result.errors)")
        }
        return (code, result.output.split(separator: "\n").map(String.init))
    }
}
