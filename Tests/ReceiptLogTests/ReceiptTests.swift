import ClawWire
import TestSupport
import Testing

@testable import ReceiptLog

struct ReceiptTests {
    @Test(arguments: Samples.every) func writtenAsTheGenericPrinterWrites(_ receipt: Receipt) throws {
        let encoded = try receipt.encoded()
        let value = try JSONReader.parse(encoded.bytes)
        #expect(JSONWriter.bytes(value, order: .canonical) == encoded.bytes)
        #expect(encoded.digest == value.canonicalDigest)
        // In this order the hash of an envelope's payload is the same, so one digest names the receipt everywhere.
        #expect(encoded.digest == value.documentDigest)
        #expect(value["kind"]?.string == receipt.content.kind.rawValue)
    }

    @Test(arguments: Samples.every) func readBack(_ receipt: Receipt) throws {
        let bytes = try receipt.encoded().bytes
        let read = try Receipt(parsing: bytes)
        #expect(try read.encoded().bytes == bytes)
        #expect(read.id == receipt.id)
        if receipt.content.payload == nil { #expect(read == receipt) }
    }

    @Test func everyKindHasASample() {
        #expect(Set(Samples.every.map(\.content.kind)) == Set(Receipt.Kind.allCases))
        #expect(Set(Samples.every.map(\.id)).count == Samples.every.count)
    }

    @Test func strangeTextIsWrittenCanonically() throws {
        var random = SeededGenerator(seed: 1)
        let pool: [Unicode.Scalar] = ["a", "\"", "\\", "\n", "\u{0}", "\u{1F}", "\u{7F}", "é", "\u{2028}", "😀", "/"]
        for _ in 0..<300 {
            func text() -> String {
                var scalars = String.UnicodeScalarView()
                for _ in 0..<Int.random(in: 0...12, using: &random) {
                    scalars.append(pool[Int.random(in: 0..<pool.count, using: &random)])
                }
                return String(scalars)
            }
            let extent = AuthorityExtent(
                scope: (0..<Int.random(in: 0...3, using: &random)).map { _ in text() }, actions: [text()],
                ttlSeconds: Bool.random(using: &random) ? Int64.random(in: 0...99_999, using: &random) : nil)
            let receipt = Receipt(
                content: .grantIssued(
                    Receipt.Grant(
                        asked: extent, granted: extent, token: Samples.token(), delivery: .reference, rule: text())),
                subject: Receipt.Subject(
                    requestID: RequestID(text()), approvalIDs: [ApprovalID(text())], jobID: JobID(text()),
                    jobClass: JobClass(text()), agentDID: AgentDID(text())),
                provenance: Receipt.Provenance(workerID: WorkerID(text())),
                reasons: [Receipt.Reason(code: text(), detail: text())],
                occurredAt: Timestamp(microseconds: Int64.random(in: 0...253_402_300_799_999_999, using: &random)))
            let bytes = try receipt.encoded().bytes
            #expect(JSONWriter.bytes(try JSONReader.parse(bytes), order: .canonical) == bytes)
            #expect(try Receipt(parsing: bytes) == receipt)
        }
    }

    /// The reader keeps these scalars for lone surrogates.
    @Test func reservedScalarsAreNotRead() throws {
        let receipt = Receipt(
            content: .heartbeat, subject: Receipt.Subject(), provenance: Samples.provenance(),
            reasons: [Receipt.Reason(code: "\u{10F000}", detail: "")], occurredAt: Samples.noon)
        let bytes = try receipt.encoded().bytes
        #expect(throws: EvidenceError.self) { try Receipt(parsing: bytes) }
    }

    /// Texts for people may quote what somebody from outside wrote, such as the name of a header.
    @Test func reservedScalarsAreNotWrittenIntoTextsForPeople() throws {
        let text = "\u{10F000}\u{10F7FF}\u{10FFFF}\""
        let receipt = Receipt(
            content: .decisionDenied(Receipt.Refusal(asked: nil, needed: [text], rule: "rule")),
            subject: Receipt.Subject(approvalIDs: [ApprovalID("a")]), provenance: Samples.provenance(),
            reasons: [Receipt.Reason(code: "X", detail: text)], occurredAt: Samples.noon)
        let read = try Receipt(parsing: try receipt.encoded().bytes)
        #expect(read == receipt)
        #expect(read.reasons.map(\.detail) == ["\u{FFFD}\u{FFFD}\u{10FFFF}\""])
    }

    @Test func whatIsTooLargeIsAbridged() throws {
        let long = String(repeating: "\u{505C}", count: 4_096)
        let many = (0..<64).map { "\($0)\(long)" }
        let asked = AuthorityExtent(scope: many, actions: many, audience: many, ttlSeconds: 60)
        let receipt = Receipt(
            content: .decisionExpired(Receipt.Refusal(asked: asked, needed: many, rule: "rule")),
            subject: Receipt.Subject(
                requestID: RequestID("r"), approvalIDs: (0..<64).map { ApprovalID("\($0)\(long.prefix(300))") }),
            provenance: Samples.provenance(), reasons: many.map { Receipt.Reason(code: "X", detail: $0) },
            occurredAt: Samples.noon)
        #expect(throws: EvidenceError.self) { try receipt.encoded() }
        let encoded = try receipt.encodedWithinLimit()
        #expect(encoded.receipt.id == receipt.id)
        #expect(try Receipt(parsing: encoded.bytes) == encoded.receipt)
        #expect(encoded.receipt.reasons.count == 16 && encoded.receipt.reasons[15].detail.hasPrefix("15\u{505C}"))
        let small = Receipt(
            content: .heartbeat, subject: Receipt.Subject(), provenance: Samples.provenance(), occurredAt: Samples.noon)
        #expect(try small.encodedWithinLimit() == small.encoded())
    }

    @Test func timesAreWrittenAsTheTimestampSpellsThem() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<2_000 {
            let instant = Timestamp(microseconds: Int64.random(in: 0...253_402_300_799_999_999, using: &random))
            var writer = CanonicalWriter()
            writer.timestamp(instant)
            #expect(String(decoding: writer.output, as: UTF8.self) == "\"\(instant.iso8601)\"")
        }
    }

    @Test func identifierFollowsFromSubjectAndEffect() throws {
        let grant = Samples.grant()
        let again = Receipt(
            content: grant.content, subject: grant.subject,
            provenance: Receipt.Provenance(workerID: WorkerID("another worker")),
            reasons: [Receipt.Reason(code: "LATER", detail: "made again after a crash")],
            occurredAt: grant.occurredAt.adding(seconds: 9))
        #expect(again.id == grant.id)
        #expect(Samples.grant(2).id != grant.id)
        #expect(Samples.denial().id != Samples.denial(0, expired: true).id)
        #expect(
            Receipt.id(kind: "k", subject: "a\nb", effect: "c") != Receipt.id(kind: "k", subject: "a", effect: "b\nc"))
    }

    @Test func everyAlteredByteIsRefused() throws {
        let bytes = try Samples.grant().encoded().bytes
        for i in bytes.indices {
            var altered = bytes
            altered[i] ^= 1
            // What can still be read is another receipt: other bytes, another leaf.
            if let read = try? Receipt(parsing: altered) { #expect(try read.encoded().bytes == altered) }
        }
    }

    @Test func otherSpellingsAreRefused() throws {
        let text = String(decoding: try Samples.heartbeat().encoded().bytes, as: UTF8.self)
        func code(_ text: String) -> EvidenceError.Code? { fault { _ = try Receipt(parsing: Array(text.utf8)) }?.code }
        #expect(code(text) == nil)
        #expect(code(text + " ") == .notCanonical)
        #expect(code(text.replacing("\"heartbeat\"", with: "\"heart\\u0062eat\"")) == .notCanonical)
        #expect(code(text.replacing("{\"approval_ids\"", with: "{\"added\":1,\"approval_ids\"")) == .notCanonical)
        #expect(code(text.replacing("heartbeat", with: "heartbreak")) == .unknownKind)
        #expect(code(text.replacing("\"receipt_version\":\"1\"", with: "\"receipt_version\":\"2\"")) == .unknownVersion)
        #expect(code(text.replacing("worker-0", with: "worker-1")) == .identifierMismatch)
        #expect(code(text.replacing("\"worker_id\"", with: "\"worker\"")) == .invalidMember)
        #expect(code("[]") == .malformed)
        #expect(code("{") == .malformed)
    }

    @Test func grantsNameTheirSubjectAndLargeReceiptsAreRefused() {
        let grant = Samples.grant()
        let nobody = Receipt(
            content: grant.content, subject: Receipt.Subject(), provenance: grant.provenance,
            occurredAt: grant.occurredAt)
        #expect(fault { _ = try nobody.encoded() }?.code == .invalidMember)
        let large = Receipt(
            content: .decisionDenied(
                Receipt.Refusal(asked: nil, needed: Array(repeating: "something", count: 10_000), rule: "r")),
            subject: Samples.subject(), provenance: Samples.provenance(), occurredAt: Samples.noon)
        #expect(fault { _ = try large.encoded() }?.code == .limitExceeded)
        #expect(Receipt.Reason(code: "A", detail: String(repeating: "é", count: 5_000)).detail.count == 1_024)
    }

    @Test func anyBytesAreSurvived() throws {
        var random = SeededGenerator(seed: 3)
        let seeds = try Samples.every.map { try $0.encoded().bytes }
        for round in 0..<3_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0...4, using: &random) {
                let i = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[i] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(i..<min(bytes.count - 1, i + 8))
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: i)
                }
            }
            _ = fault { _ = try Receipt(parsing: bytes) }
        }
    }
}
