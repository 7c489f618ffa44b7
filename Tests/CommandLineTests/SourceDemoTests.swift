import ArgumentParser
import ClawWire
import DevStack
import IssuanceRules
import Testing

@testable import clawgrant

/// `clawgrant demo --source`: one vendor's records through the real worker.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: ProgramRun.path != nil, "the program clawgrant is not built"), .serialized, .timeLimit(.minutes(10)))
struct SourceDemoTests {
    @Test(
        arguments: [
            ("servicenow", ["issued", "denied"]), ("pagerduty", ["issued", "denied", "denied"]),
            ("entitlement_management", ["issued", "denied", "denied"]),
        ])
    func decides(source: String, outcomes: [String]) async throws {
        let run = try await ProgramRun(["demo", "--source", source, "--json"])
        #expect(run.code == 0, "\(run.errors)\(run.output)")
        let lines = try run.lines
        let decided = lines.filter { $0["event"]?.string == "decision" }.compactMap { $0["outcome"]?.string }
        #expect(Array(decided.prefix(outcomes.count)) == outcomes)
        #expect(lines.contains { $0["event"]?.string == "revocation" })
        let summary = try #require(lines.last?["summary"])
        #expect(summary["checker"]?.string == "pass")
        #expect(summary["kills"]?.integer == 0)
    }

    @Test("Every kind of source has its place", arguments: SourceRule.Kind.allCases.map(\.rawValue))
    func plays(source: String) async throws {
        let run = try await ProgramRun(["demo", "--source", source, "--json"])
        #expect(run.code == 0, "\(run.errors)\(run.output)")
        let lines = try run.lines
        #expect(lines.contains { $0["event"]?.string == "decision" })
        #expect(try #require(lines.last?["summary"])["checker"]?.string == "pass")
    }

    @Test("Only a source that is known is played")
    func unknown() async throws {
        for name in ["carrier-pigeon", "auto"] {
            let run = try await ProgramRun(["demo", "--source", name])
            #expect(run.code == 2)
            #expect((run.errors + run.output).contains("servicenow"))
        }
    }
}
