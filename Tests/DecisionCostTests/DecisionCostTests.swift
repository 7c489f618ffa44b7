import DevStack
import Foundation
import Testing

/// What one decision costs a worker, counted in instructions and allocations and not in time: the pure parts from a record
/// to what is published, and from that what the keys alone demand.
struct DecisionCostTests {
    private static let valgrind = "/usr/bin/valgrind"
    private static let isThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"
        || FileManager.default.isExecutableFile(atPath: valgrind)
    private static let approvals = 16

    // A few percent above what was counted in a debug build, in which the tests run: 7 422 000 and 2 343; 490 and 70 of an
    // entry. A release build stays far below. What comes in over them has to be worth it; then they are raised.
    private static let mostInstructions = 7_640_000
    private static let mostAllocations = 2_480
    private static let mostOfAnActivation = 515
    private static let mostOfNoise = 75

    /// The program, without its debugging information: Debian's valgrind gives up over that of today's compilers.
    private static func program(in directory: TemporaryDirectory) async throws -> String {
        guard let program = BuiltProgram.path("decision-cost") else {
            throw DevStackError(.commandFailed, "decision-cost is not beside the tests")
        }
        let stripped = directory.path("decision-cost")
        _ = try await Command.run(
            ManagedProcess.Configuration(
                executable: "/usr/bin/strip", arguments: ["--strip-debug", "-o", stripped, program]),
            within: .seconds(60))
        return stripped
    }

    /// Runs the program under a tool of valgrind's and finds a number in what the tool says of the run.
    private static func count(
        _ number: Regex<(Substring, Substring)>, _ tool: [String], _ program: String, _ arguments: [String],
        of amount: Int = approvals, says answer: String
    ) async throws -> Int {
        // With the same seed every run fills its dictionaries in the same order.
        var configuration = ManagedProcess.Configuration(
            executable: valgrind, arguments: tool + [program, String(amount)] + arguments)
        configuration.environment = ["SWIFT_DETERMINISTIC_HASHING": "1"]
        let result = try await Command.run(configuration, within: .seconds(240))
        #expect(result.output == "\(answer)\n", "\(result.errors)")
        let match = try #require(result.errors.firstMatch(of: number), "\(result.errors)")
        return try #require(Int(String(match.1).replacing(",", with: "")))
    }

    @Test(.enabled(if: isThere, "valgrind is not installed; `./dev test` installs it"), .timeLimit(.minutes(8)))
    func instructionsOfADecisionAreBounded() async throws {
        let directory = try TemporaryDirectory(prefix: "decision-cost")
        defer { directory.close() }
        let program = try await Self.program(in: directory)
        @Sendable func instructions(_ arguments: String..., says answer: String) async throws -> Int {
            try await Self.count(
                /Collected : ([0-9]+)/, ["--tool=callgrind", "--callgrind-out-file=/dev/null"], program, arguments,
                says: answer)
        }
        // The first round meets types for the first time, and makes caches.
        async let one = instructions("1", says: "decided")
        async let three = instructions("3", says: "decided")
        async let noKeys = instructions("0", "keys", says: "used")
        async let keys = instructions("2", "keys", says: "used")
        let all = (try await three - one) / (2 * Self.approvals)
        let ofKeys = (try await keys - noKeys) / (2 * Self.approvals)
        #expect(ofKeys > 100_000, "two signatures and a key agreement were not made: \(ofKeys) instructions")
        #expect(
            all - ofKeys < Self.mostInstructions,
            "a decision takes \(all - ofKeys) instructions beside the \(ofKeys) of two signatures and a sealing")
    }

    @Test(.enabled(if: isThere, "valgrind is not installed; `./dev test` installs it"), .timeLimit(.minutes(8)))
    func allocationsOfADecisionAreBounded() async throws {
        let directory = try TemporaryDirectory(prefix: "decision-cost")
        defer { directory.close() }
        let program = try await Self.program(in: directory)
        @Sendable func allocations(_ rounds: String) async throws -> Int {
            try await Self.count(
                /total heap usage: ([0-9,]+) allocs/, ["--tool=memcheck", "--undef-value-errors=no"], program, [rounds],
                says: "decided")
        }
        async let one = allocations("1")
        async let three = allocations("3")
        let each = (try await three - one) / (2 * Self.approvals)
        #expect(each < Self.mostAllocations, "a decision allocates \(each) times")
    }

    /// A message of a vendor's costs memory by what it holds, entry by entry, however many it brings.
    @Test(
        .enabled(if: isThere, "valgrind is not installed; `./dev test` installs it"), .timeLimit(.minutes(8)),
        arguments: [("activations", mostOfAnActivation), ("noise", mostOfNoise)])
    func allocationsOfAnEntryAreBounded(_ kind: String, _ most: Int) async throws {
        let directory = try TemporaryDirectory(prefix: "source-cost")
        defer { directory.close() }
        let program = try await Self.program(in: directory)
        @Sendable func each(_ entries: Int) async throws -> Int {
            @Sendable func allocations(_ rounds: Int) async throws -> Int {
                try await Self.count(
                    /total heap usage: ([0-9,]+) allocs/, ["--tool=memcheck", "--undef-value-errors=no"], program,
                    [String(rounds), kind], of: entries, says: "read")
            }
            return (try await allocations(2) - allocations(1)) / entries
        }
        async let ofFew = each(40)
        async let ofMany = each(400)
        let (few, many) = (try await ofFew, try await ofMany)
        #expect(many < most, "an entry allocates \(many) times")
        #expect(many <= few * 21 / 20, "an entry of many allocates \(many) times, one of few \(few)")
    }
}
