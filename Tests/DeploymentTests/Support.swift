import ClawWire
import DevStack
import Foundation
import Playground
import Postgres
import Testing

/// The package, its program and its scripts.
enum Tree {
    /// The package's folder.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A file of the package.
    static func path(_ name: String) -> String { root.appendingPathComponent(name).path }

    /// The text of a file of the package.
    static func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    /// Whether the packages of scripts/deployment-tools.txt are there; where servers are required they must be.
    static let hasTools =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.fileExists(atPath: BrokerTools.find().folder + "/deployment/installed.txt")

    /// The program beside the test's own.
    static let program: String? = BuiltProgram.clawgrant
}

/// A program that was run to its end.
struct Ran {
    let code: Int32
    let output: String
    let errors: String

    /// Both outputs, for messages.
    var all: String { output + errors }

    /// Runs a program with variables beside those of this process.
    @discardableResult
    static func run(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        in directory: String? = nil, within limit: Duration = .seconds(120)
    ) async throws -> Ran {
        var configuration = ManagedProcess.Configuration(executable: executable, arguments: arguments)
        configuration.environment = environment
        if let directory { configuration.workingDirectory = directory }
        let result = try await Command.run(configuration, within: limit)
        guard case .code(let code) = result.status else {
            throw DevStackError(
                .commandFailed, "\(executable) \(arguments) ended with \(result.status): \(result.errors)")
        }
        return Ran(code: code, output: result.output, errors: result.errors)
    }

    /// Runs `clawgrant`.
    static func clawgrant(_ arguments: [String], environment: [String: String] = [:]) async throws -> Ran {
        try await run(try #require(Tree.program), arguments, environment: environment)
    }

    /// Runs a shell command and expects it to succeed.
    @discardableResult
    static func shell(_ command: String, within limit: Duration = .seconds(120)) async throws -> Ran {
        let ran = try await run("/bin/sh", ["-euc", command], within: limit)
        guard ran.code == 0 else { throw DevStackError(.commandFailed, "\(command): \(ran.all)") }
        return ran
    }

    /// Runs one of the project's scripts, with the packages that `./dev` installed for them.
    static func script(
        _ name: String, _ arguments: [String] = [], within limit: Duration = .seconds(120)
    ) async throws -> Ran {
        try await python("scripts/\(name)", arguments, within: limit)
    }

    /// Runs a Python program of the tree, with the same packages.
    static func python(
        _ path: String, _ arguments: [String] = [], within limit: Duration = .seconds(120)
    ) async throws -> Ran {
        let tools = BrokerTools.find().folder
        return try await run(
            "/usr/bin/env", ["python3", Tree.path(path)] + arguments,
            environment: [
                "PYTHONPATH": "\(tools)/deployment:\(tools)/python", "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONIOENCODING": "utf-8", "CLAWGRANT_DEPLOYMENT_TOOLS": "\(tools)/deployment",
            ], in: Tree.root.path, within: limit)
    }
}

/// Runs a test on a playground of its own and shows the workers' logs when it fails.
func withPlayground(
    _ options: PlaygroundOptions = PlaygroundOptions(), _ body: (Playground) async throws -> Void
) async throws {
    let playground = try await Playground.start(options)
    do {
        try await body(playground)
    } catch {
        for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
        await playground.stop()
        throw error
    }
    await playground.stop()
}

extension Playground {
    /// Writes approvals with their requests, which one grant follows each.
    func approve(_ name: String, _ count: Int) async throws {
        let drafts = (0..<count).map { ApprovalDraft("\(name)-\($0)", .reconcile, in: self) }
        try await produce(try ApprovalDraft.records(drafts, signedTogetherBy: keys.batchSigner))
    }

    /// One number from the ledger.
    func number(_ sql: String) async throws -> Int {
        let result = try await query("SELECT (\(sql))::text")
        return try #require(Int(try result.string(0, 0)))
    }
}
