import ClawWire
import ReceiptLog
import TestSupport
import Testing

@testable import GrantChecker

struct OutputAuditTests {
    private func audit(_ log: SyntheticLog, _ records: [SyntheticLog.Placed]) throws -> CheckReport {
        var audit = OutputAudit(try log.plan)
        for placed in records { audit.take(placed.record, of: placed.stream) }
        audit.finish()
        return audit.report
    }

    private func healthy() throws -> SyntheticLog {
        var log = try SyntheticLog()
        log.batches = [
            [try log.grant("a"), log.denial("b")], [try log.grant("c")], [log.denial("d"), try log.grant("e")],
        ]
        return log
    }

    @Test func passesWhatIsInOrder() throws {
        let log = try healthy()
        let records = try log.published()
        let report = try audit(log, records)
        #expect(report.violations.map(\.description) == [])
        #expect(report.isPass)
        #expect(report.counts.grants == 3)
        #expect(report.counts.denied == 2)
        #expect(report.counts.receipts == 5)
        #expect(report.counts.batches == 3)
        #expect(report.verdict == "pass")
    }

    @Test func passesAnyOrderAndIdenticalRepeats() throws {
        let log = try healthy()
        let records = try log.published()
        for seed in 0..<20 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let report = try audit(log, (records + records).shuffled(using: &generator))
            #expect(report.violations.map(\.description) == [])
            #expect(report.counts.repeats == records.count)
        }
    }

    @Test func noticesEveryMissingRecord() throws {
        let log = try healthy()
        let records = try log.published()
        for missing in records.indices {
            var rest = records
            rest.remove(at: missing)
            #expect(try !audit(log, rest).isPass, "without \(records[missing].stream) \(missing)")
        }
    }

    @Test func noticesAnAlteredRepeat() throws {
        let log = try healthy()
        let records = try log.published()
        for index in records.indices {
            var altered = records[index]
            altered.record = altered.record.with(value: (altered.record.value ?? []) + [0x20])
            #expect(try audit(log, records + [altered]).totals[.positions] == 1)
        }
    }

    @Test func noticesAnAlteredRecord() throws {
        let log = try healthy()
        let records = try log.published()
        for index in records.indices {
            var spoiled = records
            let value = try #require(records[index].record.value)
            let text = String(decoding: value, as: UTF8.self)
            let other = text.replacing("example", with: "examole")
            guard other != text else { continue }
            spoiled[index].record = records[index].record.with(value: Array(other.utf8))
            #expect(try audit(log, spoiled).totals[.receipts] != nil)
        }
    }

    @Test func noticesARecordPublishedUnderASecondPosition() throws {
        let log = try healthy()
        let records = try log.published()
        let decisions = records.filter { $0.stream == .decisions }
        var again = try #require(decisions.first)
        again.record = again.record.with(
            headers: SyntheticLog.headers("decisions", decisions.count, 0))
        #expect(try audit(log, records + [again]).totals[.receipts] != nil)
    }

    @Test func noticesARecordUnderAnotherBatch() throws {
        let log = try healthy()
        var records = try log.published()
        let index = try #require(records.firstIndex { $0.stream == .decisions })
        records[index].record = records[index].record.with(headers: SyntheticLog.headers("decisions", 0, 2))
        #expect(try audit(log, records).totals[.receipts] == 1)
    }

    @Test func noticesASecondOutcome() throws {
        var log = try healthy()
        log.batches.append([log.denial("a")])
        #expect(try audit(log, try log.published()).totals[.oneOutcome] == 1)
    }

    @Test func takesARevocationThatIsSealedBeforeItsGrant() throws {
        var log = try healthy()
        log.batches.insert([try log.revocation("c")], at: 0)
        #expect(try audit(log, log.published()).violations.map(\.description) == [])
        log.batches.append([try log.revocation("nothing")])
        #expect(try audit(log, log.published()).totals[.oneOutcome] == 1)
    }

    @Test func countsHeartbeatsApart() throws {
        var log = try healthy()
        log.batches += [[log.heartbeat(1)], [log.heartbeat(61)]]
        let report = try audit(log, log.published())
        #expect(report.isPass)
        #expect(report.counts.heartbeats == 2 && report.counts.receipts == 7 && report.counts.batches == 5)
    }

    /// Two tokens that were revoked, and one of them is over.
    private func ended() throws -> SyntheticLog {
        var log = try healthy()
        log.batches += [[try log.revocation("a"), try log.revocation("c")], [try log.ended(["a"])]]
        return log
    }

    @Test func followsWhatIsOver() throws {
        let log = try ended()
        let records = try log.published()
        let report = try audit(log, records)
        #expect(report.violations.map(\.description) == [])
        #expect(report.counts.tombstones == 1 && report.counts.revocations == 2)
        var without = records
        without.removeAll { $0.record.value == nil }
        #expect(try audit(log, without).totals[.receipts] == 1)
        // A record without a value that no receipt speaks of.
        var stray = try #require(records.last { $0.stream == .revocations })
        stray.record = PublishedRecord(
            partition: 0, offset: 99, key: try #require(records.first { $0.stream == .revocations }).record.key,
            value: nil, headers: SyntheticLog.headers("revocations", 3, 4))
        #expect(try audit(log, records + [stray]).totals[.receipts] == 1)
    }

    @Test func knowsWhatCompactionMayHaveTaken() throws {
        let log = try ended()
        let records = try log.published()
        let revocations = records.indices.filter { records[$0].stream == .revocations }
        try #require(revocations.count == 3)
        func without(_ places: [Int]) throws -> CheckReport {
            let gone = Set(places.map { revocations[$0] })
            return try audit(log, records.enumerated().filter { !gone.contains($0.offset) }.map(\.element))
        }
        #expect(try without([0]).violations.map(\.description) == [])
        #expect(try without([1]).totals[.receipts] != nil)
        #expect(try without([0, 1]).totals[.receipts] != nil)
        // Both the revocation and, later, the record without a value; what stands behind them shows the gap.
        var longer = log
        longer.batches.append([try longer.revocation("e")])
        let all = try longer.published()
        let gone = Set(
            all.indices.filter { all[$0].stream == .revocations }.enumerated().filter { $0.offset % 2 == 0 }.map(
                \.element))
        #expect(
            try audit(longer, all.enumerated().filter { !gone.contains($0.offset) }.map(\.element)).violations
                .map(\.description) == [])
    }

    @Test func noticesALivingTokenThatIsForgotten() throws {
        var log = try healthy()
        log.batches += [[try log.revocation("a")], [try log.ended(["a"], after: 600)]]
        #expect(try audit(log, log.published()).violations.map(\.description).contains { $0.contains("lives until") })
        log.batches[4] = [try log.ended(["c"])]
        #expect(try audit(log, log.published()).violations.map(\.description).contains { $0.contains("never revoked") })
    }

    @Test func noticesASecondToken() throws {
        var log = try healthy()
        log.batches.append([try log.grant("a", jti: "other")])
        let report = try audit(log, try log.published())
        #expect(report.totals[.oneOutcome] == 1)
        #expect(report.violations.contains { $0.detail.contains("second token") })
    }

    @Test func noticesTooMuchScope() throws {
        var log = try healthy()
        log.batches.append([try log.grant("wide", scope: ["proxy:call", "control:key:rotate"])])
        #expect(try audit(log, try log.published()).totals[.neverWider] == 1)
    }

    @Test func noticesTooLongALife() throws {
        var log = try healthy()
        log.batches.append([try log.grant("long", ttl: 601)])
        #expect(try audit(log, try log.published()).totals[.neverWider] == 1)
    }

    @Test func noticesAnotherLogsBatch() throws {
        let log = try healthy()
        var other = try SyntheticLog()
        other.batches = [[other.denial("x")], [other.denial("y")], [other.denial("z")]]
        var records = try log.published()
        let foreign = try other.published().filter { $0.stream == .receiptBatches }
        let index = try #require(records.lastIndex { $0.stream == .receiptBatches })
        records[index] = foreign[2]
        #expect(try audit(log, records).totals[.receipts] != nil)
    }

    @Test func noticesABearerToken() throws {
        let log = try healthy()
        var records = try log.published()
        let token = try log.token("leak").token.exposed
        records[0].record = records[0].record.with(
            headers: records[0].record.headers + [("trace", Array("token=\(token).".utf8))])
        #expect(try audit(log, records).totals[.noBearerToken] == 1)
    }

    @Test func leavesSealedAndForeignTokensAlone() throws {
        let log = try healthy()
        let job = try #require(SealingPrivateKey(bytes: [UInt8](repeating: 7, count: 32)))
        let secret = try #require(SealingSecret(bytes: [UInt8](repeating: 9, count: 32)))
        let sealed = try SealedToken.seal(
            try log.token("sealed").token, to: job.publicKey, ephemeralSecret: secret)
        let scanner = TokenScanner(keys: [log.tokenSigner.publicKey])
        #expect(scanner.tokens(in: Array(sealed.utf8)) == [])
        #expect(
            TokenScanner(keys: [log.logSigner.publicKey]).tokens(in: Array(try log.token("x").token.exposed.utf8)) == []
        )
        #expect(scanner.tokens(in: Array("eyJ eyJ. eyJ.. eyJhbGciOiJub25lIn0..c2ln".utf8)) == [])
    }

    @Test func noticesMissingHeaders() throws {
        let log = try healthy()
        var records = try log.published()
        records[0].record = records[0].record.with(headers: [])
        #expect(try audit(log, records).totals[.positions] != nil)
    }
}
