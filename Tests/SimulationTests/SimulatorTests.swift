import ClawWire
import CrashPoints
import Foundation
import Simulation
import Testing

/// The program: what it finds, that a seed replays, and that it finds what is planted.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SimulatorTests {
    @Test func schedulesKeepEveryProperty() async throws {
        let run = try await SimulatorProgram.run(["--seeds", "40", "--json"])
        let summary = try JSONReader.parse(try #require(run.output.split(separator: "\n").last.map(String.init)))
        #expect(run.code == 0, "\(run.output)")
        #expect(summary["violated"]?.integer == 0)
        #expect(summary["schedules"]?.integer ?? 0 > 0)
        #expect(summary["decisions"]?.integer ?? 0 > 0)
    }

    @Test(arguments: [3, 14]) func aSeedReplaysByteForByte(seed: Int) async throws {
        let first = try await SimulatorProgram.run(["--replay", "\(seed)", "--trace"])
        let second = try await SimulatorProgram.run(["--replay", "\(seed)", "--trace"])
        func trace(_ run: SimulatorProgram.Run) -> [Substring] {
            // The summary tells how long it took.
            run.output.split(separator: "\n").dropLast()
        }
        #expect(trace(first).count > 100)
        #expect(trace(first) == trace(second))
    }

    /// What each of them found is told in the documentation of the simulation.
    @Test(arguments: [500_759, 500_468, 502_430]) func aSeedThatBrokeAPropertyKeepsAll(seed: Int) async throws {
        let run = try await SimulatorProgram.run(["--replay", "\(seed)"])
        #expect(run.code == 0, "\(run.output)")
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

    /// Every point that is named in the code is one that the small world comes to.
    @Test func theSmallWorldComesToEveryPoint() async throws {
        let run = try await SimulatorProgram.run(["--list-points"])
        let points = Set(
            run.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) })
        #expect(CrashPoint.allCases.count >= 60)
        #expect(points == Set(CrashPoint.allCases.map(\.rawValue)))
    }

    @Test func everyStatementIsAPointWhenAsked() async throws {
        let run = try await SimulatorProgram.run(["--list-points", "--every-statement"])
        let points = run.output.split(separator: "\n")
        for service in ["decide.fence_offsets", "seal.write.send", "heartbeat.", "produce.", "broker."] {
            #expect(points.contains { $0.hasPrefix(service) }, "\(service)")
        }
    }

    @Test(arguments: ["single", "pairs"]) func crashesAtPointsKeepEveryProperty(mode: String) async throws {
        let points = "decide.committing,seal.committed,publish.sent,control.committed"
        let run = try await SimulatorProgram.run(["--crash-points", mode, "--points", points])
        #expect(run.code == 0, "\(run.output)")
    }

    /// Whoever sleeps while a replica takes over that lacks the last commits publishes, seals and obeys nothing of what
    /// is gone, or every worker finds it out.
    @Test(
        arguments: [
            ["--workers", "1", "--points", "start.keys_registered,start.key_recorded"],
            ["--points", "publish.rendered,publish_control.rendered"],
            // A broker that fences, and a sleep behind the question to the ledger.
            ["--first", "2", "--points", "publish.begun,publish_control.sent"],
            ["--points", "control.committed,seal.handed_on"],
        ])
    func takeoversAtPointsKeepEveryProperty(arguments: [String]) async throws {
        let run = try await SimulatorProgram.run(["--crash-points", "takeover"] + arguments)
        #expect(run.code == 0, "\(run.output)")
    }

    /// The table of points in the documentation is the list in the code.
    @Test func theDocumentationNamesEveryPoint() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../docs/reliability.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = text.split(separator: "\n").drop { $0 != "| part | points |" }.dropFirst(2).prefix {
            $0.hasPrefix("|")
        }
        let named = rows.flatMap { $0.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element) }
        #expect(named.map(String.init).sorted() == CrashPoint.allCases.map(\.rawValue).sorted())
    }

    @Test func wrongArgumentsAreRefused() async throws {
        for arguments in [["--faults", "storm"], ["--bugs", "none-such"]] {
            let run = try await SimulatorProgram.run(arguments)
            #expect(run.code == 64)
            #expect(run.output.contains("there are"))
        }
    }
}
