import DevStack
import Foundation
import Testing

/// What counting costs, counted in allocations and not in time.
struct HotPathTests {
    private static let valgrind = "/usr/bin/valgrind"
    private static let isThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.isExecutableFile(atPath: valgrind)

    /// The program beside this test.
    private static func program() throws -> String {
        var folder = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        for _ in 0..<5 {
            folder.deleteLastPathComponent()
            let program = folder.appendingPathComponent("metric-cost").path
            if FileManager.default.isExecutableFile(atPath: program) { return program }
        }
        throw DevStackError(.commandFailed, "metric-cost is not beside the tests")
    }

    private static func allocations(rounds: Int) async throws -> Int {
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: valgrind,
                arguments: ["--tool=memcheck", "--undef-value-errors=no", try program(), String(rounds)]),
            within: .seconds(240))
        #expect(result.output == "counted\n", "\(result.errors)")
        let text = result.errors
        let match = try #require(text.firstMatch(of: /total heap usage: ([0-9,]+) allocs/), "\(text)")
        return try #require(Int(String(match.1).replacing(",", with: "")))
    }

    @Test(.enabled(if: isThere), .timeLimit(.minutes(8)))
    func countingAllocatesNothing() async throws {
        let none = try await Self.allocations(rounds: 0)
        let many = try await Self.allocations(rounds: 20_000)
        #expect(many - none < 20, "\(many - none) allocations in 20 000 rounds of counting")
    }
}
