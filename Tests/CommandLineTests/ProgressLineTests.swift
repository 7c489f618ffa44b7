import GrantLedger
import Testing

@testable import clawgrant

@Suite("Progress of a stop")
struct ProgressLineTests {
    private static func progress(_ revoked: Int64, openRuns: Int64 = 1, batch: Int64 = 0) -> ControlProgress {
        ControlProgress(
            isSealed: true, isSwept: openRuns == 0, openRuns: openRuns, revokedTokens: revoked, lastBatch: 9,
            nextBatchToPublish: batch)
    }

    @Test("One line a second while tokens are revoked, with what they are of where that is known")
    func lines() {
        var known = ProgressLine(voided: 1_000)
        #expect(known.take(Self.progress(0), at: 0) == nil)
        #expect(known.take(Self.progress(400), at: 1) == "400 of 1000 tokens")
        #expect(known.take(Self.progress(410), at: 1) == nil)
        #expect(known.take(Self.progress(1_001), at: 2) == "1001 of 1001 tokens")
        #expect(known.take(Self.progress(1_001, openRuns: 0), at: 3) == nil)
        var unknown = ProgressLine(voided: nil)
        #expect(unknown.take(Self.progress(7), at: 1) == "7 tokens")
    }

    @Test("Time runs out from the last thing that moved")
    func movement() {
        var line = ProgressLine(voided: nil)
        _ = line.take(Self.progress(0), at: 5)
        #expect(line.changedAt == 0)
        _ = line.take(Self.progress(1), at: 20)
        #expect(line.changedAt == 20)
        _ = line.take(Self.progress(1), at: 40)
        #expect(line.changedAt == 20)
        _ = line.take(Self.progress(1, batch: 1), at: 60)
        #expect(line.changedAt == 60)
    }
}
