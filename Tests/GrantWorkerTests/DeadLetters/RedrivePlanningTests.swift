import ApprovalSources
import ClawWire
import Foundation
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// A dead letter's record goes through the door by which it came, and is decided once.
struct RedrivePlanningTests {
    private var ledger: PaperLedger

    init() throws { ledger = PaperLedger(try PlanFixture()) }

    private func letter(_ record: DeadLetterRecord, hops: Int64 = 0) -> StoredDeadLetter {
        StoredDeadLetter(
            origin: record.origin, source: SourceName("itsm"), code: record.reason, detail: nil,
            valueDigest: record.valueDigest, valueBytes: Int64(record.valueBytes), setAsideAt: record.occurredAt,
            state: .open, hops: hops, request: StoredDeadLetter.Request(at: record.occurredAt, by: "soc-1"),
            triedAt: nil, outcome: nil)
    }

    private func actions() throws -> [Receipt.DeadLetterAction] {
        try ledger.effects.compactMap { effect in
            let receipt = try Receipt(parsing: effect.receipt)
            switch receipt.content {
            case .deadLetterRedriven(let action): return action
            default: return nil
            }
        }
    }

    @Test mutating func whatWasTooEarlyIsTakenInItsTimeAndDecidedOnce() throws {
        var answer = Answer.contained("a")
        answer.time = PlanFixture.now.adding(seconds: 400)
        let record = try answer.record()
        #expect(try ledger.deliver([record]).quarantined == 1)
        let dead = letter(try #require(try ledger.deadLetters().first))
        ledger.now = PlanFixture.now.adding(seconds: 450)
        let taken = try ledger.redrive(dead, record)
        #expect(taken.issued == 1)
        #expect(taken.redriven == .taken)
        #expect(ledger.redriven.last?.outcome == .taken)
        let again = try ledger.redrive(letter(try #require(try ledger.deadLetters().first), hops: 1), record)
        #expect(again.issued == 0)
        #expect(again.redriven == .repeated)
        #expect(ledger.kinds == ["decision.quarantined": 1, "grant.issued": 1, "dead_letter.redriven": 2])
        #expect(try actions().map(\.hops) == [1, 2])
        #expect(try actions().map(\.requestedBy) == ["soc-1", "soc-1"])
        #expect(ledger.outputs(.grants).count == 1)
    }

    @Test mutating func whatIsRefusedAgainIsTheSameDeadLetter() throws {
        let record = DeadLetterTests.raw(Array("yes".utf8))
        try ledger.deliver([record])
        let dead = letter(try #require(try ledger.deadLetters().first))
        let summary = try ledger.redrive(dead, record)
        #expect(summary.redriven == .refused)
        #expect(summary.quarantined == 0)
        #expect(try ledger.deadLetters().count == 1)
        #expect(ledger.kinds == ["decision.quarantined": 1, "dead_letter.redriven": 1])
        let write = try #require(ledger.redriven.last)
        #expect(write.origin == dead.origin)
        #expect(write.refusal?.code == dead.code)
    }

    @Test mutating func whatIsNotWantedAnyMoreIsNotDecided() throws {
        var answer = Answer.contained("a")
        answer.time = PlanFixture.now.adding(seconds: 400)
        let record = try answer.record()
        try ledger.deliver([record])
        let dead = letter(try #require(try ledger.deadLetters().first))
        ledger.now = PlanFixture.now.adding(seconds: 450)
        #expect(throws: RedriveOver.self) { try ledger.redrive(dead, record, isWanted: false) }
        #expect(ledger.kinds == ["decision.quarantined": 1])
        // Its event was not used up by it.
        #expect(try ledger.redrive(dead, record).issued == 1)
    }

    @Test mutating func aConflictIsRefusedAgain() throws {
        let first = try Answer.contained("a").record()
        var other = Answer.contained("a")
        other.approver = PlanFixture.jonas
        let second = try other.record()
        #expect(try ledger.deliver([first, second]).quarantined == 1)
        let dead = letter(try #require(try ledger.deadLetters().first))
        #expect(dead.code == "event_conflict")
        #expect(try ledger.redrive(dead, second).redriven == .refused)
        #expect(ledger.outputs(.grants).count == 1)
    }

    @Test mutating func aRequestThatContradictsAnotherIsNeverTaken() throws {
        var ask = Ask("a", "ref")
        ask.approval = "apr-x"
        #expect(try ledger.deliver([try ask.record()]).waiting == 1)
        let record = try Answer.contained("a").record()
        #expect(try ledger.deliver([record]).quarantined == 1)
        let dead = letter(try #require(try ledger.deadLetters().first))
        #expect(dead.code == "request_conflict")
        #expect(try ledger.redrive(dead, record).redriven == .refused)
        #expect(ledger.outputs(.grants).isEmpty)
    }

    @Test mutating func aDeadLetterThatComesBackIsPassedOver() throws {
        try ledger.deliver([DeadLetterTests.raw(Array("yes".utf8))])
        let effects = ledger.effects.count
        let returned = try #require(ledger.outputs(.deadLetters).first)
        for _ in 0..<3 {
            let summary = try ledger.deliver([DeadLetterTests.raw(returned)])
            #expect(summary.ignored == ["dead_letter_returned": 1])
        }
        #expect(ledger.effects.count == effects)
        // What only looks like one is set aside like everything else.
        #expect(try ledger.deliver([DeadLetterTests.raw(returned + [0x20])]).quarantined == 1)
    }

    @Test(arguments: UInt64(1)...8) mutating func howeverOftenAndInWhateverOrderThereIsOneGrant(_ seed: UInt64) throws {
        var random = Shuffler(seed: seed)
        var records: [SourceRecord] = []
        for index in 0..<6 {
            var answer = Answer.contained("r\(index)")
            answer.time = PlanFixture.now.adding(seconds: index.isMultiple(of: 2) ? 400 : 0)
            records.append(try answer.record())
        }
        try ledger.deliver(records)
        var hops: [ReceiptLog.RecordOrigin: Int64] = [:]
        ledger.now = PlanFixture.now.adding(seconds: 450)
        let dead = try ledger.deadLetters()
        #expect(dead.count == 3)
        for _ in 0..<24 {
            let index = Int(random.next() % 3)
            let record = records[Int(dead[index].origin.offset)]
            if random.next().isMultiple(of: 3) {
                try ledger.deliver([record])
            } else {
                let hop = hops[dead[index].origin] ?? 0
                try ledger.redrive(letter(dead[index], hops: hop), record)
                hops[dead[index].origin] = hop + 1
            }
        }
        #expect(ledger.outputs(.grants).count <= 6)
        let ids = try ledger.effects.map { try Receipt(parsing: $0.receipt).id }
        #expect(Set(ids).count == ids.count)
        #expect(try ledger.deadLetters().count == 3)
        #expect(
            Set(ledger.requests.values.filter { $0.state == .issued }.map(\.requestID)).count
                == ledger.outputs(.grants).count)
    }
}

/// Every reason for which a record can be set aside is explained.
struct DeadLetterExplanationTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("docs/sources.md")

    /// The codes of one table of docs/sources.md.
    private static func codes(_ heading: String) throws -> [String] {
        let text = try String(contentsOf: sources, encoding: .utf8)
        let section = try #require(text.range(of: "## \(heading)\n"))
        let rest = text[section.upperBound...]
        let end = rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex
        return rest[..<end].split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `") else { return nil }
            return line.dropFirst(3).split(separator: "`").first.map(String.init)
        }
    }

    @Test func everyCodeOfTheDocumentIsExplained() throws {
        for heading in ["Codes of rejected entries", "Codes of dead letters", "Codes of the worker"] {
            let codes = try Self.codes(heading)
            #expect(!codes.isEmpty)
            for code in codes { #expect(DeadLetterExplanation.codes.contains(code), "\(code)") }
        }
    }

    @Test func everyReasonOfTheReadersIsExplained() {
        for reason in DeadLetterReason.allCases {
            #expect(DeadLetterExplanation.of(reason.rawValue) != nil, "\(reason)")
        }
        for refusal in ControlRefusal.allCases {
            #expect(DeadLetterExplanation.of("control_\(refusal.rawValue)") != nil, "\(refusal)")
        }
        #expect(DeadLetterExplanation.of("HASH_MISMATCH") != nil)
        #expect(DeadLetterExplanation.of("nobody_knows") == nil)
        #expect(DeadLetterExplanation.of("") == nil)
    }

    @Test func everyExplanationIsASentence() throws {
        for code in DeadLetterExplanation.codes {
            let explanation = try #require(DeadLetterExplanation.of(code))
            #expect(explanation.meaning.hasSuffix(".") && explanation.remedy.hasSuffix("."), "\(code)")
        }
    }
}
