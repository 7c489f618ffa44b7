import Chaos
import DevStack
import Foundation
import Testing

/// A short campaign with real processes: each kind of fault once. Long ones run with `./dev chaos`.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(6)))
struct CampaignTests {
    @Test func eachKindOfFaultOnceLeavesNothingBroken() async throws {
        var shape = ChaosPlan.Shape()
        shape.faultsPerStorm = 4
        shape.killsPerSecond = 1.5
        var options = ChaosOptions(plan: ChaosPlan(seed: 20, shape: shape))
        options.mostStorms = (FaultKind.allCases.count + shape.faultsPerStorm - 1) / shape.faultsPerStorm
        let report = try await Chaos(options).run()
        Attachment.record(report.lines.joined(separator: "\n"), named: "campaign.txt")
        #expect(report.violations == [], "everything is in \(report.artefacts ?? "no place")")
        #expect(report.recoveries.count == options.mostStorms)
        #expect(report.counts.kills > 0)
        #expect(report.counts.grants > 0)
        #expect(report.counts.databaseRestarts > 0)
        #expect(report.counts.brokerRestarts > 0)
        #expect(report.counts.stops > 0)
        for kind in FaultKind.allCases where report.notes.isEmpty || !kind.needsSmallDisk {
            #expect(report.counts.faults[kind] ?? 0 > 0, "\(kind.rawValue)")
        }
    }
}
