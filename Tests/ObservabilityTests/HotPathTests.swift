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
        guard let program = BuiltProgram.path("metric-cost") else {
            throw DevStackError(.commandFailed, "metric-cost is not beside the tests")
        }
        return program
    }

    private static func allocations(rounds: Int, of program: String) async throws -> Int {
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: valgrind,
                arguments: ["--tool=memcheck", "--undef-value-errors=no", program, String(rounds)]),
            within: .seconds(240))
        #expect(result.output == "counted\n", "\(result.errors)")
        let text = result.errors
        let match = try #require(text.firstMatch(of: /total heap usage: ([0-9,]+) allocs/), "\(text)")
        return try #require(Int(String(match.1).replacing(",", with: "")))
    }

    @Test(.enabled(if: isThere), .timeLimit(.minutes(8)))
    func countingAllocatesNothing() async throws {
        // Debian's valgrind gives up over the debugging information of today's compilers.
        let directory = try TemporaryDirectory(prefix: "hot-path")
        defer { directory.close() }
        let program = directory.path("metric-cost")
        let stripped = try await Command.run(
            ManagedProcess.Configuration(
                executable: "/usr/bin/strip", arguments: ["--strip-debug", "-o", program, try Self.program()]),
            within: .seconds(60))
        #expect(stripped.errors == "")
        let none = try await Self.allocations(rounds: 0, of: program)
        let many = try await Self.allocations(rounds: 20_000, of: program)
        #expect(many - none < 20, "\(many - none) allocations in 20 000 rounds of counting")
    }
}
