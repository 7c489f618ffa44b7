import DevStack
import Foundation
import Testing

/// Our readers before others' of the same formats; `scripts/fuzz_differential.py` says what is compared and what is meant to
/// differ.
struct DifferentialTests {
    private static let packages = ["python", "python-http"].map { BrokerTools.find().folder + "/" + $0 }
    private static let areThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.fileExists(atPath: packages[0] + "/rfc8785")
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The program beside this test.
    private static func program() throws -> String {
        guard let program = BuiltProgram.path("clawgrant-verdicts") else {
            throw DevStackError(.commandFailed, "clawgrant-verdicts is not beside the tests")
        }
        return program
    }

    @Test(
        .enabled(if: areThere, "the Python packages are missing: ./dev test installs them"), .timeLimit(.minutes(5)))
    func ourReadersAgreeWithOthers() async throws {
        var configuration = ManagedProcess.Configuration(
            executable: "/usr/bin/env",
            arguments: [
                "PYTHONPATH=\(Self.packages.joined(separator: ":"))", "PYTHONDONTWRITEBYTECODE=1",
                "PYTHONIOENCODING=utf-8", "python3", "scripts/fuzz_differential.py", "--program", try Self.program(),
                "--count", "400",
            ])
        configuration.workingDirectory = Self.root.path
        let result = try await Command.run(configuration, within: .seconds(240))
        #expect(result.status == .code(0), "\(result.output)\(result.errors)")
        // The peers without compiled parts are everywhere.
        for kind in ["json", "json-last", "json5", "base58", "base64url", "timestamp", "form"] {
            #expect(result.output.contains("\(kind): 400 inputs"), "\(result.output)")
        }
    }
}
