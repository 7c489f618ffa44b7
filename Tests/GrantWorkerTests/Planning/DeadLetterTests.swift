import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantWorker

/// What cannot be taken ends as one dead letter, with where it came from and why.
struct DeadLetterTests {
    private var ledger: PaperLedger

    init() throws { ledger = PaperLedger(try PlanFixture()) }

    static let structured = [SourceRecord.Header("content-type", "application/cloudevents+json; charset=UTF-8")]

    static func raw(_ value: [UInt8]?, _ headers: [SourceRecord.Header] = structured) -> SourceRecord {
        SourceRecord(topic: PlanFixture.approvalsTopic, headers: headers, value: value)
    }

    static let broken: [(name: String, value: [UInt8]?)] = [
        ("empty", []), ("invalid UTF-8", Array("{\"id\":\"".utf8) + [0xC3, 0x28] + Array("\"}".utf8)),
        ("deep", [UInt8](repeating: 0x5B, count: 10_000)), ("no JSON", Array("yes".utf8)),
        ("duplicate key", Array("{\"id\":\"a\",\"id\":\"b\"}".utf8)), ("null", Array("null".utf8)),
        ("lone surrogate", Array("{\"id\":\"\\ud800\"}".utf8)), ("large", [UInt8](repeating: 0x20, count: 2_000_000)),
    ]

    @Test(arguments: broken.indices) mutating func aRecordThatDoesNotReadIsOneDeadLetter(_ index: Int) throws {
        let (name, value) = Self.broken[index]
        let summary = try ledger.deliver([try Answer.contained("a").record(), Self.raw(value)])
        #expect(summary.quarantined == 1, "\(name)")
        #expect(summary.issued == 1, "\(name)")
        let letter = try #require(try ledger.deadLetters().first)
        #expect(letter.origin == ReceiptLog.RecordOrigin(topic: PlanFixture.approvalsTopic, partition: 0, offset: 1))
        #expect(letter.valueDigest == Digest(hashing: value ?? []))
        #expect(letter.valueBytes == value?.count ?? 0)
        #expect(!letter.reason.isEmpty)
        #expect(ledger.kinds == ["decision.quarantined": 1, "grant.issued": 1])
    }

    @Test mutating func aTombstoneSaysNothing() throws {
        let summary = try ledger.deliver([Self.raw(nil)])
        #expect(summary.ignored == ["tombstone": 1])
        #expect(ledger.effects.isEmpty)
    }

    @Test mutating func everyCutAndEveryFlippedByteIsADeadLetterOrARepeat() throws {
        let good = try Answer.contained("a").record(mode: .structured)
        try ledger.deliver([good])
        var random = Shuffler(seed: 7)
        let value = try #require(good.value)
        for round in 0..<100 {
            var bytes = value
            if round.isMultiple(of: 2) {
                bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
            } else {
                bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
            }
            try ledger.deliver([Self.raw(bytes, good.headers)])
        }
        #expect(ledger.outputs(.grants).count == 1)
        #expect(ledger.requests.count == 1)
        let total = ledger.batches.reduce(0) { $0 + $1.quarantined + $1.repeats + $1.issued }
        #expect(total == 101)
    }

    @Test mutating func timesBeyondTheLimitsAreRefused() throws {
        for (name, seconds, reason) in [
            ("future", Int64(301), "event_in_the_future"), ("ancient", -604_801, "event_too_old"),
        ] {
            var answer = Answer.contained(name)
            answer.time = PlanFixture.now.adding(seconds: seconds)
            #expect(try ledger.deliver([try answer.record()]).quarantined == 1)
            #expect(try ledger.deadLetters().last?.reason == reason)
        }
        for (name, seconds) in [("soon", Int64(299)), ("old", -604_799)] {
            var answer = Answer.contained(name)
            answer.time = PlanFixture.now.adding(seconds: seconds)
            #expect(try ledger.deliver([try answer.record()]).quarantined == 0)
        }
    }

    @Test func theDeadLetterOfARecordCountsItsOtherEntries() {
        let found = FoundRecord(
            origin: ReceiptLog.RecordOrigin(topic: "t", partition: 0, offset: 1), digest: Digest(hashing: "x"))
        var refused = RefusedEntry(
            source: SourceName("s"), found: found, reason: "first", detail: "entry 0 was rejected", value: [1])
        #expect(refused.detail == "entry 0 was rejected")
        for reason in ["first", "other", "other"] { refused.add(reason) }
        #expect(refused.detail == "entry 0 was rejected; 3 more entries were refused: 1 first, 2 other")
        #expect(refused.reason == "first" && refused.valueBytes == 1)
    }

    @Test mutating func endsAreTakenWhateverTheirDate() throws {
        for (name, seconds) in [("future", Int64(90_000)), ("ancient", -1_209_600)] {
            var denied = Answer(name)
            denied.verdict = .denied
            denied.time = PlanFixture.now.adding(seconds: seconds)
            #expect(try ledger.deliver([try denied.record()]).quarantined == 0, "\(name)")
            let summary = try ledger.deliver([try denied.record()])
            #expect(summary.repeats == 1, "\(name)")
        }
        #expect(ledger.approvals.count == 2)
    }

    /// An end from the future must reach what was approved just now; an old one must not reach what began after it.
    @Test func anEndKeepsWhatOfItsTimeItCan() throws {
        let reader = try PlanFixture().reader
        func read(_ seconds: Int64) throws -> (fact: Timestamp?, day: Int32?) {
            var denied = Answer("a")
            denied.verdict = .denied
            denied.time = PlanFixture.now.adding(seconds: seconds)
            var signatures = BatchSignatureCache(capacity: 1)
            let batch = reader.read(
                [try denied.record()], fence: .offsets([]), at: PlanFixture.now, signatures: &signatures)
            return (batch.entries.first?.facts.first?.occurredAt, batch.read.events.first?.day)
        }
        let future = try read(90_000)
        #expect(future.fact == PlanFixture.now.adding(seconds: 300))
        #expect(future.day == PlanFixture.now.adding(seconds: 300).day)
        let old = try read(-1_209_600)
        #expect(old.fact == PlanFixture.now.adding(seconds: -1_209_600))
        #expect(old.day == PlanFixture.now.adding(seconds: -604_800).day)
        #expect(try read(-60).fact == PlanFixture.now.adding(seconds: -60))
    }

    @Test func aSourceMayDemandYoungerEventsThanTheWorker() throws {
        let text = PlanFixture.rulesText.replacing(
            "may_approve: [run,", with: "max_event_age: 1d\n    may_approve: [run,")
        var ledger = PaperLedger(try PlanFixture(rules: text))
        var answer = Answer.contained("old")
        answer.time = PlanFixture.now.adding(seconds: -2 * 86_400)
        #expect(try ledger.deliver([try answer.record()]).quarantined == 1)
        #expect(try ledger.deadLetters().last?.reason == "event_too_old")
        var denied = Answer("old-end")
        denied.verdict = .denied
        denied.time = answer.time
        #expect(try ledger.deliver([try denied.record()]).quarantined == 0)
        answer = Answer.contained("young")
        answer.time = PlanFixture.now.adding(seconds: -86_000)
        #expect(try ledger.deliver([try answer.record()]).quarantined == 0)
    }

    @Test mutating func ticketsMeetInAnyCase() throws {
        var answer = Answer("t")
        answer.ticket = "chg0034521"
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        answer.window = 3_600
        var ask = Ask("t", "ref")
        ask.ticket = "CHG0034521"
        try ledger.deliver([try answer.record()])
        try ledger.deliver([try ask.record(at: 1)])
        #expect(ledger.request("t")?.state == .issued)
    }

    @Test mutating func textThatTheLedgerCannotStoreIsRefused() throws {
        for text in ["apr-\u{0}", "apr-\u{1F}x", "apr-\u{7}"] {
            var answer = Answer.contained("a")
            answer.name = text
            answer.ask?.approval = nil
            let summary = try ledger.deliver([try answer.record()])
            #expect(summary.issued == 0, "\(text.debugDescription)")
            for approval in ledger.approvals.keys {
                #expect(!approval.rawValue.utf8.contains { $0 < 0x20 })
            }
            for request in ledger.requests.values {
                #expect(!request.requestID.rawValue.utf8.contains { $0 < 0x20 })
            }
        }
    }

    @Test mutating func aSecretInABrokenRecordDoesNotGetOut() throws {
        let canary = "eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOiJiaXJkIn0.Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5"
        try ledger.deliver([
            Self.raw(Array("{\"authorization\":\"Bearer \(canary)\",\"id\":".utf8)),
            Self.raw(Array("broken \(canary)".utf8)),
        ])
        #expect(try ledger.deadLetters().count == 2)
        for effect in ledger.effects {
            for bytes in [effect.receipt] + effect.outputs.map(\.value) {
                let text = String(decoding: bytes, as: UTF8.self)
                #expect(!text.contains("Q2FuYXJ5"))
                #expect(!text.contains("eyJjYW5hcnkiOiJiaXJkIn0"))
            }
        }
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct Shuffler: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
