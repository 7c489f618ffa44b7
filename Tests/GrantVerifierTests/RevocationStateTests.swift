import ClawWire
import GrantVerifier
import ReceiptLog
import Testing

struct RevocationStateTests {
    private let hash = Digest(hashing: "token 1")
    private let other = Digest(hashing: "token 2")

    private func code(_ outcome: RevocationOutcome) -> RevocationFault.Code? {
        switch outcome {
        case .refused(let fault): fault.code
        case .applied, .repeated: nil
        }
    }

    // MARK: Completeness

    @Test func nothingIsCompleteBeforeAHead() throws {
        var state = Samples.state()
        #expect(state.defect == .notLoaded)
        state.apply(Samples.revocation(hash, 0))
        #expect(state.defect == .notLoaded)
        #expect(state.loadedThrough == nil)
        #expect(state.revocation(of: TokenHash(hash)) != nil)
        #expect(state.apply(try Samples.head(1, tokens: 1)) == .applied)
        #expect(state.isComplete)
        #expect(state.loadedThrough == SequenceNumber(1))
        #expect(state.asOf == Samples.noon)
    }

    @Test func anEmptyTopicWithAHeadIsComplete() throws {
        #expect(Samples.state([try Samples.head(0)]).isComplete)
    }

    @Test func aViewGrowsOldAndComesFromNoFuture() throws {
        let state = Samples.state([try Samples.head(0)])
        func staleness(_ seconds: Int64) -> StaleView? {
            state.staleness(at: Samples.noon.adding(seconds: seconds), maximumAgeSeconds: 15, clockSkewSeconds: 5)
        }
        #expect(staleness(0) == nil)
        #expect(staleness(15) == nil)
        #expect(staleness(16) == .tooOld(asOf: Samples.noon, ageSeconds: 16, maximumSeconds: 15))
        #expect(staleness(-5) == nil)
        #expect(staleness(-6) == .fromFuture(asOf: Samples.noon))
    }

    @Test func aTopicThatLostRecordsIsNotRelyedOn() throws {
        var state = Samples.state([Samples.revocation(hash, 4), try Samples.head(5, tokens: 2)])
        #expect(
            state.defect
                == .recordsMissing(
                    expected: RevocationHead.Live(tokens: 2, cutoffs: 0),
                    found: RevocationHead.Live(tokens: 1, cutoffs: 0)))
        state.apply(Samples.revocation(other, 5))
        #expect(!state.isComplete)
        state.apply(try Samples.head(6, asOf: Samples.noon.adding(seconds: 1), tokens: 2))
        #expect(state.isComplete)
    }

    @Test func aHeadBehindRecordsThatItDoesNotCoverLeavesTheQuestionOpen() throws {
        var state = Samples.state([try Samples.head(0)])
        state.apply(Samples.revocation(hash, 0))
        state.apply(Samples.tombstone(.token(hash), 1))
        // The head counts the token that the tombstone after it has ended.
        #expect(state.apply(try Samples.head(1, asOf: Samples.noon.adding(seconds: 1), tokens: 1)) == .applied)
        #expect(state.isComplete)
        var fresh = Samples.state([Samples.revocation(hash, 0), Samples.revocation(other, 1)])
        fresh.apply(try Samples.head(1, tokens: 1))
        #expect(fresh.defect == .notLoaded)
    }

    @Test func gapsOfACompactedTopicAreNoLoss() throws {
        let state = Samples.state([
            Samples.revocation(hash, 7), Samples.revocation(other, 90), try Samples.head(200, tokens: 2),
        ])
        #expect(state.isComplete)
        #expect(state.loadedThrough == SequenceNumber(200))
    }

    // MARK: Repeats and tombstones

    @Test func ofEachKeyTheGreatestSequenceCounts() throws {
        var state = Samples.state([Samples.revocation(hash, 3)])
        #expect(state.apply(Samples.revocation(hash, 3)) == .repeated)
        #expect(state.apply(Samples.tombstone(.token(hash), 2)) == .repeated)
        #expect(state.revocation(of: TokenHash(hash)) != nil)
        #expect(state.apply(Samples.tombstone(.token(hash), 9)) == .applied)
        #expect(state.revocation(of: TokenHash(hash)) == nil)
        #expect(state.apply(Samples.tombstone(.token(hash), 9)) == .repeated)
        #expect(state.apply(Samples.revocation(hash, 3)) == .repeated)
        #expect(state.revocation(of: TokenHash(hash)) == nil)
        #expect(state.apply(Samples.revocation(hash, 12)) == .applied)
        #expect(state.live.tokens == 1)
    }

    /// A late repeat may be the only copy that compaction kept: a global "already seen" would lose it.
    @Test func aRecordThatComesLateIsStillApplied() throws {
        var state = Samples.state([Samples.revocation(other, 50), try Samples.head(51, tokens: 1)])
        #expect(state.apply(Samples.revocation(hash, 5)) == .applied)
        #expect(state.revocation(of: TokenHash(hash)) != nil)
        #expect(state.highestSequence == SequenceNumber(50))
    }

    @Test func tombstonesAreForgottenInGenerations() throws {
        var limits = RevocationLimits()
        limits.rememberedTombstones = 2
        var state = Samples.state(limits: limits)
        let hashes = (0..<6).map { Digest(hashing: "t \($0)") }
        for (n, hash) in hashes.enumerated() { state.apply(Samples.revocation(hash, Int64(n))) }
        for (n, hash) in hashes.enumerated() { state.apply(Samples.tombstone(.token(hash), Int64(10 + n))) }
        #expect(state.live.tokens == 0)
        #expect(state.apply(Samples.revocation(hashes[5], 5)) == .repeated)
        #expect(state.apply(Samples.revocation(hashes[4], 4)) == .repeated)
        #expect(state.apply(Samples.revocation(hashes[0], 0)) == .applied)
    }

    @Test func aLaterCutoffOfTheScopeReplacesTheEarlier() throws {
        let first = Samples.cutoff(.all, before: Samples.noon, position: 1)
        let second = Samples.cutoff(.all, before: Samples.noon.adding(seconds: 9), position: 2)
        var state = Samples.state([Samples.topic(first, 0), Samples.topic(second, 1)])
        #expect(state.cutoff(of: .all) == second)
        #expect(state.live.cutoffs == 1)
        state.apply(Samples.tombstone(.cutoff(.all), 2))
        #expect(state.cutoff(of: .all) == nil)
    }

    // MARK: What is refused

    @Test func anUnknownKeyMayBeAStopAndIsNotPassedOver() throws {
        var state = Samples.state([try Samples.head(0)])
        let record = RevocationTopicRecord(
            key: Array("freeze:everything".utf8), value: [0x7B], sequence: SequenceNumber(0))
        #expect(code(state.apply(record)) == .unknownKey)
        guard case .contradictory(let fault) = state.defect else {
            Issue.record("the state is still relied on")
            return
        }
        #expect(fault.key == "freeze:everything")
        #expect(state.apply(RevocationTopicRecord(key: record.key, value: nil, sequence: nil)) == .applied)
        #expect(state.isComplete)
    }

    @Test func recordsThatCannotBeReadAreNotPassedOver() throws {
        let good = Samples.revocation(hash, 0)
        let cutoff = Samples.topic(Samples.cutoff(.all, before: Samples.noon), 0)
        let cases: [(RevocationTopicRecord, RevocationFault.Code)] = [
            (RevocationTopicRecord(key: good.key, value: Array("{}".utf8), sequence: good.sequence), .unreadable),
            (RevocationTopicRecord(key: good.key, value: good.value, sequence: nil), .noSequence),
            (
                RevocationTopicRecord(
                    key: RevocationKey.token(other).bytes, value: good.value, sequence: good.sequence), .keyMismatch
            ),
            (RevocationTopicRecord(key: cutoff.key, value: good.value, sequence: good.sequence), .unreadable),
            (
                RevocationTopicRecord(
                    key: RevocationKey.cutoff(try Samples.scope(.job, "j")).bytes, value: cutoff.value,
                    sequence: cutoff.sequence), .keyMismatch
            ),
        ]
        for (record, expected) in cases {
            var state = Samples.state([try Samples.head(0)])
            #expect(code(state.apply(record)) == expected)
            #expect(!state.isComplete)
        }
    }

    @Test func aGoodRecordOfTheKeyMendsWhatWasWrong() throws {
        var state = Samples.state([try Samples.head(0)])
        state.apply(
            RevocationTopicRecord(
                key: RevocationKey.token(hash).bytes, value: Array("{}".utf8), sequence: SequenceNumber(0)))
        #expect(!state.isComplete)
        state.apply(Samples.revocation(hash, 1))
        #expect(state.isComplete)
        #expect(state.revocation(of: TokenHash(hash)) != nil)
    }

    @Test func twoRecordsOfOneSequenceContradictEachOther() throws {
        var state = Samples.state([Samples.revocation(hash, 0), try Samples.head(1, tokens: 1)])
        #expect(code(state.apply(Samples.revocation(hash, 0, cause: .stopped))) == .twoRecordsOneSequence)
        #expect(!state.isComplete)
        var ended = Samples.state([Samples.revocation(hash, 0), try Samples.head(1, tokens: 1)])
        #expect(code(ended.apply(Samples.tombstone(.token(hash), 0))) == .twoRecordsOneSequence)
        #expect(ended.revocation(of: TokenHash(hash)) != nil)
        let cutoff = Samples.cutoff(.all, before: Samples.noon, position: 1)
        var cut = Samples.state([Samples.topic(cutoff, 0)])
        let later = Samples.cutoff(.all, before: Samples.noon, position: 2)
        #expect(code(cut.apply(Samples.topic(later, 0))) == .twoRecordsOneSequence)
    }

    @Test func aCutoffNeverSparesWhatItVoided() throws {
        let end = Samples.noon.adding(seconds: 60)
        let earlier = Samples.noon.adding(seconds: -20)
        func outcome(_ first: Timestamp?, _ second: Timestamp?) throws -> RevocationFault.Code? {
            var state = Samples.state([
                Samples.topic(Samples.cutoff(.all, before: end, since: first, position: 1), 0),
                try Samples.head(1, position: 2, cutoffs: 1),
            ])
            let next = Samples.cutoff(.all, before: end, since: second, position: 2)
            return code(state.apply(Samples.topic(next, 1)))
        }
        #expect(try outcome(Samples.noon, earlier) == nil)
        #expect(try outcome(Samples.noon, nil) == nil)
        #expect(try outcome(Samples.noon, Samples.noon) == nil)
        #expect(try outcome(earlier, Samples.noon) == .cutoffMovedBack)
        #expect(try outcome(nil, earlier) == .cutoffMovedBack)
    }

    @Test func aCutoffNeverMovesBack() throws {
        let late = Samples.cutoff(.all, before: Samples.noon.adding(seconds: 60), position: 1)
        let early = Samples.cutoff(.all, before: Samples.noon, position: 2)
        var state = Samples.state([Samples.topic(late, 0), try Samples.head(1, position: 2, cutoffs: 1)])
        #expect(code(state.apply(Samples.topic(early, 1))) == .cutoffMovedBack)
        #expect(state.cutoff(of: .all) == late)
        #expect(!state.isComplete)
    }

    @Test func headsOfOthersArePassedOver() throws {
        var state = Samples.state([try Samples.head(0)])
        let later = Samples.noon.adding(seconds: 60)
        #expect(
            code(state.apply(try Samples.head(0, asOf: later, signer: Samples.signer("mallory")))) == .headNotTrusted)
        #expect(code(state.apply(try Samples.head(0, asOf: later, log: LogID("other.example/log")))) == .headNotTrusted)
        #expect(
            code(state.apply(RevocationTopicRecord(key: Array("head".utf8), value: nil, sequence: nil)))
                == .headNotTrusted)
        #expect(state.isComplete)
        #expect(state.asOf == Samples.noon)
    }

    @Test func aHeadTakesNothingBack() throws {
        let later = Samples.noon.adding(seconds: 60)
        let cases = [
            try Samples.head(4, asOf: later, position: 5, swept: 5),
            try Samples.head(5, asOf: later, position: 4, swept: 5),
            try Samples.head(5, asOf: later, position: 5, swept: 4),
            try Samples.head(6, asOf: Samples.noon, position: 5, swept: 5),
        ]
        for record in cases {
            var state = Samples.state([try Samples.head(5, position: 5, swept: 5)])
            #expect(state.isComplete)
            #expect(code(state.apply(record)) == .headMovedBack)
            #expect(!state.isComplete)
            state.apply(try Samples.head(6, asOf: later.adding(seconds: 1), position: 6, swept: 6))
            #expect(state.isComplete)
        }
    }

    @Test func anOlderHeadIsARepeat() throws {
        var state = Samples.state([try Samples.head(5), try Samples.head(6, asOf: Samples.noon.adding(seconds: 1))])
        #expect(state.apply(try Samples.head(5)) == .repeated)
        #expect(state.loadedThrough == SequenceNumber(6))
    }

    // MARK: Bounds

    @Test func pastItsLimitsItRefusesRatherThanForgets() throws {
        var limits = RevocationLimits(maximumTokens: 2, maximumCutoffs: 1, maximumFaults: 1)
        var state = Samples.state(limits: limits)
        for n in 0..<3 { state.apply(Samples.revocation(Digest(hashing: "t \(n)"), Int64(n))) }
        state.apply(try Samples.head(3, tokens: 3))
        #expect(state.live.tokens == 2)
        #expect(state.defect == .overflowed(limits))

        state = Samples.state(limits: limits)
        state.apply(Samples.topic(Samples.cutoff(.all, before: Samples.noon), 0))
        state.apply(Samples.topic(Samples.cutoff(try Samples.scope(.job, "j"), before: Samples.noon), 1))
        #expect(state.defect == .overflowed(limits))

        limits.maximumTokens = 10
        state = Samples.state(limits: limits)
        for n in 0..<3 {
            state.apply(RevocationTopicRecord(key: Array("odd:\(n)".utf8), value: [], sequence: nil))
        }
        #expect(state.defect == .overflowed(limits))
    }

    @Test func aCopyDoesNotChangeWithTheOriginal() throws {
        var state = Samples.state([try Samples.head(0)])
        var copies: [RevocationState] = []
        let hashes = (0..<600).map { Digest(hashing: "t \($0)") }
        for (n, hash) in hashes.enumerated() {
            if n.isMultiple(of: 100) { copies.append(state) }
            state.apply(Samples.revocation(hash, Int64(n)))
        }
        for (n, copy) in copies.enumerated() {
            #expect(copy.live.tokens == Int64(n * 100))
            #expect(hashes.filter { copy.revocation(of: TokenHash($0)) != nil }.count == n * 100)
        }
        #expect(hashes.allSatisfy { state.revocation(of: TokenHash($0)) != nil })
    }
}
