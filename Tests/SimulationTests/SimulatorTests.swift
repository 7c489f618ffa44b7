import ClawWire
import Simulation
import Testing

/// The program: what it finds, that a seed replays, and that it finds what is planted.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SimulatorTests {
    @Test func schedulesKeepEveryProperty() async throws {
        let run = try await SimulatorProgram.run(["--minutes", "0.75", "--json"])
        let summary = try JSONReader.parse(try #require(run.output.split(separator: "\n").last.map(String.init)))
        #expect(run.code == 0, "\(run.output)")
        #expect(summary["violated"]?.integer == 0)
        #expect(summary["schedules"]?.integer ?? 0 > 0)
        #expect(summary["decisions"]?.integer ?? 0 > 0)
    }

    @Test(arguments: [3, 14, 159]) func aSeedReplaysByteForByte(seed: Int) async throws {
        let first = try await SimulatorProgram.run(["--replay", "\(seed)", "--trace"])
        let second = try await SimulatorProgram.run(["--replay", "\(seed)", "--trace"])
        func trace(_ run: SimulatorProgram.Run) -> [Substring] {
            // The summary tells how long it took.
            run.output.split(separator: "\n").dropLast()
        }
        #expect(trace(first).count > 100)
        #expect(trace(first) == trace(second))
    }

    @Test func seedsDiffer() async throws {
        let first = try await SimulatorProgram.run(["--replay", "1"])
        let second = try await SimulatorProgram.run(["--replay", "2"])
        #expect(first.output.split(separator: "\n").first != second.output.split(separator: "\n").first)
    }

    @Test(arguments: PlantedBug.allCases) func aPlantedBugIsFound(bug: PlantedBug) async throws {
        let run = try await SimulatorProgram.run(
            ["--bugs", bug.rawValue, "--seeds", "\(bug.seedsToFind)", "--stop-at-first", "--json"])
        #expect(run.code == 1, "\(run.output)")
    }

    @Test func pointsHaveNames() async throws {
        let run = try await SimulatorProgram.run(["--list-points"])
        let points = Set(run.output.split(separator: "\n"))
        #expect(points.count >= 60, "\(run.output)")
        for service in ["decide.", "seal.", "control.", "revoke.", "heartbeat.", "produce.", "broker."] {
            #expect(points.contains { $0.hasPrefix(service) }, "\(service)")
        }
    }

    @Test func wrongArgumentsAreRefused() async throws {
        for arguments in [["--faults", "storm"], ["--bugs", "none-such"]] {
            let run = try await SimulatorProgram.run(arguments)
            #expect(run.code == 64)
            #expect(run.output.contains("there are"))
        }
    }
}
