import ClawWire
import Testing

@testable import Chaos

/// What a campaign says of itself.
@Suite struct ReportTests {
    private func report(recoveries: [Duration] = []) -> ChaosReport {
        var report = ChaosReport(seed: 42)
        report.recoveries = recoveries
        return report
    }

    @Test func percentilesAreNearestRanks() {
        let report = report(recoveries: (1...200).reversed().map { .milliseconds($0) })
        #expect(report.recovery(percentile: 50) == .milliseconds(100))
        #expect(report.recovery(percentile: 99) == .milliseconds(198))
        #expect(report.recovery(percentile: 100) == .milliseconds(200))
        #expect(self.report(recoveries: [.seconds(3)]).recovery(percentile: 99) == .seconds(3))
        #expect(self.report().recovery(percentile: 99) == nil)
    }

    @Test func aViolationFailsTheCampaignAndIsListed() {
        var report = report()
        #expect(report.isPass)
        #expect(report.lines.last == "no violation")
        report.violate("checker: P1: two grants")
        #expect(!report.isPass)
        #expect(report.json["pass"] == false)
        #expect(report.json["violations"] == ["checker: P1: two grants"])
        #expect(report.lines.contains("VIOLATION  checker: P1: two grants"))
        #expect(report.lines.last == "1 violations")
    }

    @Test func violationsWithoutEndAreListedWithAnEnd() {
        var report = report()
        for number in 0..<1_000 { report.violate("\(number)") }
        #expect(report.violations.count == 200)
    }

    @Test func countsOfEpisodesAddUp() {
        var one = ChaosReport.Counts()
        one.kills = 3
        one.grants = 10
        one.faults = [.stop: 2, .brokerCut: 1]
        var two = ChaosReport.Counts()
        two.kills = 4
        two.faults = [.stop: 1]
        let sum = one + two
        #expect(sum.kills == 7)
        #expect(sum.grants == 10)
        #expect(sum.faults == [.stop: 3, .brokerCut: 1])
    }

    @Test func theSummaryNamesSeedTimesAndFaults() {
        var report = report(recoveries: [.milliseconds(1_250), .milliseconds(2_010)])
        report.elapsed = .seconds(90)
        report.episodes = 1
        report.counts.storms = 2
        report.counts.kills = 31
        report.counts.faults = [.databaseRestart: 2]
        let text = report.lines.joined(separator: "\n")
        #expect(text.hasPrefix("seed 42, 1.5 minutes, 1 episodes, 2 storms\n"))
        #expect(text.contains("31 killed"))
        #expect(text.contains("database-restart 2"))
        #expect(text.contains("p50 1.25 s, p99 2.01 s, max 2.01 s over 2 storms"))
        let json = report.json
        #expect(json["seed"] == "42")
        #expect(json["kills"] == 31)
        #expect(json["recovery_max_ms"] == 2_010)
        #expect(json["faults"]?["database-restart"] == 2)
        #expect(json["faults"]?["stop"] == 0)
        #expect(json["artefacts"] == .null)
    }
}
