import ClawWire
import Testing

@testable import Fsck
@testable import FsckCorruptions

extension Corruption: CustomTestStringConvertible {
    var testDescription: String { name }
}

struct CorruptionTests {
    @Test func nothingIsSaidOfAHealthyLog() async throws {
        let log = try HealthyLog.forge().publish()
        let report = try await Fsck.run(HealthyLog.plan(), MemoryTopics(log), ledger: MemoryLedger(log: log))
        #expect(report.findings.map(\.description) == [])
        #expect(report.counts.receipts == 58)
        #expect(report.counts.batches == 6)
        #expect(report.counts.tokens == 15)
        #expect(report.positions == 0...57)
        for property in Finding.Property.allCases { #expect(report.verdict(property) == .holds, "\(property)") }
    }

    @Test func revocationsEnd() async throws {
        var forge = try HealthyLog.forge()
        forge.batches[5].append(HealthyLog.end(of: Hex.encode(forge.batches[2][1].tokenHash)))
        let log = try forge.publish()
        #expect(log.topics["revocations"]?.count == 4)
        let report = try await Fsck.run(HealthyLog.plan(), MemoryTopics(log), ledger: MemoryLedger(log: log))
        #expect(report.findings.map(\.description) == [])
    }

    @Test func everyKindHasItsName() {
        let names = Corruption.all.map(\.name)
        #expect(names.count >= 60)
        #expect(Set(names).count == names.count)
    }

    @Test func everyCodeIsPlanted() {
        let planted = Set(Corruption.all.flatMap(\.expected).map(\.code))
        let missing = FindingCode.allCases.filter { !planted.contains($0) }
        #expect(missing.map(\.rawValue) == [])
    }

    @Test(arguments: Corruption.all)
    func isNamedPrecisely(_ corruption: Corruption) async throws {
        let report = try await corruption.report()
        let said = report.findings.map(\.description).joined(separator: "\n")
        for expected in corruption.expected {
            #expect(
                report.findings.contains {
                    $0.code == expected.code.rawValue && "\($0.place) ".contains(expected.place)
                }, "\(expected.code.rawValue) at \(expected.place) is not among:\n\(said)")
        }
        let allowed = corruption.also.union(corruption.expected.map(\.code)).map(\.rawValue)
        for finding in report.findings where !allowed.contains(finding.code) {
            Issue.record("unexpected: \(finding)")
        }
        #expect(!report.isClean)
    }
}
