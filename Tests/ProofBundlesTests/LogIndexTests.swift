import ClawWire
import ReceiptLog
import Testing

@testable import ProofBundles

/// Beginning where an earlier reading left off gives what beginning anew gives.
struct LogIndexTests {
    private static let keys = [SampleRun.signer("log").publicKey]
    private static let signer = SampleRun.signer("envelope")

    /// A log of so many batches that has the run's grant in one of them and its revocation in a later one.
    private static func log(_ batches: Int, grantIn first: Int, seed: Int = 0) throws -> SampleRun.Log {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        let revocation = try #require(SampleRun.revocation(of: grant, after: 9))
        var log = try SampleRun.Log()
        for number in 0..<batches {
            var receipts = [SampleRun.stranger(number + seed)]
            if number == first { receipts.append(grant) }
            if number == first + 30 { receipts.append(revocation) }
            // Every third batch comes without a checkpoint; marks stand behind others.
            try log.seal(receipts, at: SampleRun.noon, withCheckpoint: number % 3 != 1)
        }
        return log
    }

    /// Reads a log as a topic that holds it is read.
    private static func read(
        _ records: [[UInt8]], _ known: LogIndex? = nil, job: JobID = SampleRun.job, isFromBeginning: Bool = false
    ) throws -> RunCollector {
        var collector = try RunCollector(
            jobID: job, logID: SampleRun.logID, logKeys: keys, known: known, isFromBeginning: isFromBeginning)
        for (offset, record) in records.enumerated().dropFirst(Int(collector.startOffset ?? 0)) {
            try collector.add(record, at: Int64(offset))
        }
        return collector
    }

    private static func stored(_ index: LogIndex) throws -> LogIndex {
        try LogIndex(
            index.file(signedBy: signer), logID: SampleRun.logID, logKeys: keys, signers: [signer.publicKey])
    }

    @Test(arguments: [0, 63, 64, 100]) func theResultIsTheSame(first: Int) throws {
        let log = try Self.log(140, grantIn: first)
        let whole = try Self.read(log.records)
        for length in [0, 66, 140] {
            let earlier = try Self.read(Array(log.records.prefix(length)), job: JobID("job-other-1"))
            let index = try Self.stored(earlier.index)
            #expect(index == earlier.index)
            let short = try Self.read(log.records, index)
            #expect(try short.collected() == whole.collected())
            #expect(short.index == whole.index)
            let start = index.marks.last { $0.tail.nextNumber.value <= first }
            #expect(short.startOffset == (length > first ? start : index.marks.last)?.nextOffset)
        }
    }

    @Test func theBundleIsTheSame() throws {
        let log = try Self.log(140, grantIn: 100)
        let index = try Self.stored(try Self.read(Array(log.records.prefix(90))).index)
        #expect(!index.marks.isEmpty)
        func bundle(_ collector: RunCollector) throws -> [UInt8] {
            let material = RunMaterial(jobID: SampleRun.job, log: try #require(try collector.collected()))
            return try BundleAssembler.assemble(RunRecord(material), signer: Self.signer).fileBytes
        }
        let short = try Self.read(log.records, index)
        #expect(short.startOffset == index.marks.last?.nextOffset)
        #expect(try bundle(short) == bundle(try Self.read(log.records)))
    }

    @Test func anotherHistoryIsNamed() throws {
        let log = try Self.log(70, grantIn: 3)
        let index = try Self.stored(try Self.read(log.records).index)
        let other = try Self.log(70, grantIn: 3, seed: 1_000)
        for isFromBeginning in [false, true] {
            #expect(throws: EvidenceError.self) {
                try Self.read(other.records, index, isFromBeginning: isFromBeginning)
            }
        }
        let error = #expect(throws: EvidenceError.self) {
            try Self.read(other.records, index, isFromBeginning: true)
        }
        #expect(error?.code == .consistencyInvalid)
        // The same history, cut at its end.
        let shorter = try Self.read(Array(log.records.prefix(50)), index, isFromBeginning: true)
        #expect(throws: EvidenceError.self) { try shorter.collected() }
    }

    @Test func nobodyElseSaysWhereAReadingBegins() throws {
        let log = try Self.log(70, grantIn: 3)
        let index = try Self.read(log.records).index
        func code(
            _ bytes: [UInt8], logID: LogID = SampleRun.logID, logKeys: [Ed25519PublicKey] = Self.keys,
            signers: [Ed25519PublicKey] = [Self.signer.publicKey]
        ) -> String? {
            do throws(DocumentFault) {
                _ = try LogIndex(bytes, logID: logID, logKeys: logKeys, signers: signers)
                return nil
            } catch { return error.code }
        }
        let file = try index.file(signedBy: Self.signer)
        #expect(code(file) == nil)
        #expect(code(file, signers: []) == "SIGNER_UNKNOWN")
        #expect(code(file, signers: [SampleRun.signer("log").publicKey]) == "SIGNER_UNKNOWN")
        #expect(code(file, logKeys: [SampleRun.signer("stranger").publicKey]) != nil)
        #expect(code(file, logID: LogID("logs.harborline.example/other")) == "LOG_UNKNOWN")
        #expect(code(Array(file.dropLast(3))) == "MALFORMED_JSON")
        var value = try #require(try JSONReader.parse(file, limits: JSONLimits(maximumStringBytes: 1 << 20)).object)
        var payload = try #require(value["payload"]?.object)
        payload["jobs_b64u"] = ""
        value["payload"] = .object(payload)
        #expect(code(JSONWriter.bytes(.object(value))) == "HASH_MISMATCH")
        value["payload_hash_b64u"] = .string(JSONValue.object(payload).canonicalDigest.b64u)
        #expect(code(JSONWriter.bytes(.object(value))) == "SIGNATURE_INVALID")
        // Whoever holds the key may still not contradict the log.
        var marks = try #require(payload["marks"]?.array)
        var mark = try #require(marks[0].object)
        mark["checkpoint"] = .string(log.checkpoints[7].encoded)
        marks[0] = .object(mark)
        payload["marks"] = .array(marks)
        #expect(code(try LogIndex.file(.object(payload), signedBy: Self.signer)) == "CONSISTENCY_INVALID")
    }

    @Test func jobsAreFoundAsTheyStand() {
        func names(_ text: String) -> [String] {
            LogIndex.jobNames(in: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(names(#"{"job_id":"a","x":{"job_id":"b\"c\\"}}"#) == [#""a""#, #""b\"c\\""#])
        #expect(names(#"{"detail":"\"job_id\":\"a\""}"#).isEmpty)
        #expect(names(#"{"job_id":"a\"#).isEmpty)
        #expect(names("").isEmpty)
    }

    @Test func anUnknownJobBeginsBehindTheLastMark() throws {
        let log = try Self.log(66, grantIn: 3)
        var index = LogIndex(logID: SampleRun.logID)
        #expect(index.start(of: SampleRun.job) == nil)
        index = try Self.read(log.records).index
        #expect(index.marks.count == 1)
        #expect(index.start(of: JobID("job-unheard")) == index.marks.last)
        #expect(index.start(of: SampleRun.job) == nil)
    }
}
