import ApprovalSources
import ClawWire
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// Whatever somebody from outside chooses to write, a record gets its answer, and what is written can be read back.
struct HostileInputTests {
    private static let rulesText =
        PlanFixture.rulesText.replacing(
            "may_approve: [run,", with: "may_approve: [run, cut, wide, long,"
        ) + """

              cut: {binding: contained, too_wide: cut, scopes: {allow: [proxy:call]}}
              wide: {binding: contained, scopes: {allow: [\((0..<60).map { "tool:a-name-of-some-length-\($0)" }.joined(separator: ", "))]}}
              long: {binding: contained, scopes: {allow: [\(longScopes.joined(separator: ", "))]}}
            """
    /// As many scopes as a token may hold, as long as they may be.
    private static let longScopes = (0..<64).map { "s:\($0):".padded(to: 128) }
    /// Words that take twice their size in a receipt.
    private static let longWords = (0..<64).map { "\($0)" + String(repeating: "\"", count: 250) }

    private static func ledger() throws -> PaperLedger { PaperLedger(try PlanFixture(rules: rulesText)) }

    /// Every receipt is in its limits and reads back, and so does what was made of it.
    private func expectReadable(_ ledger: PaperLedger, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for effect in ledger.effects {
            let receipt = try Receipt(parsing: effect.receipt)
            #expect(receipt.content.kind.rawValue == effect.receiptKind, sourceLocation: sourceLocation)
            for output in effect.outputs {
                #expect(output.value.count < 200_000, sourceLocation: sourceLocation)
                switch output.stream {
                case .decisions: _ = try DecisionRecord(parsing: output.value)
                case .deadLetters: _ = try DeadLetterRecord(parsing: output.value)
                case .grants: _ = try GrantRecord(parsing: output.value)
                default: break
                }
            }
        }
    }

    @Test(arguments: ["run", "nothing", "cut"])
    func moreThanAReceiptHoldsIsRefused(_ jobClass: String) throws {
        var ledger = try Self.ledger()
        var answer = Answer.contained("a", jobClass)
        answer.ask?.scope = ["proxy:call"] + Self.longWords.dropLast().map { String($0.prefix(120)) }
        answer.ask?.actions = Self.longWords
        let summary = try ledger.deliver([try answer.record()])
        // The source may not approve a class that is not there.
        #expect((jobClass == "nothing" ? summary.quarantined : summary.denied) == 1)
        if jobClass == "cut" { #expect(try ledger.reasons("a") == ["SCOPE_TOO_LARGE"]) }
        #expect(try ledger.decisions().allSatisfy { !$0.reasons.isEmpty })
        try expectReadable(ledger)
    }

    @Test func aLargeRequestThatWaitsIsExpired() throws {
        var ledger = try Self.ledger()
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        ask.scope = Self.longWords
        ask.actions = Self.longWords
        let summary = try ledger.deliver([try ask.record()])
        ledger.now = ledger.now.adding(seconds: 7_300)
        let swept = try ledger.sweep()
        #expect(summary.denied + swept.denied + swept.expired == 1)
        try expectReadable(ledger)
    }

    @Test func aLongListOfReasonsIsBounded() throws {
        var ledger = try Self.ledger()
        var answer = Answer.contained("a", "wide")
        answer.ask?.scope = (0..<64).map { "tool:something-else-\($0)" }
        #expect(try ledger.deliver([try answer.record()]).denied == 1)
        #expect(try ledger.reasons("a").first == "SCOPE_NOT_ALLOWED")
        try expectReadable(ledger)
    }

    @Test func asManyAndAsLongScopesAsMayBeAreGranted() throws {
        var ledger = try Self.ledger()
        var answer = Answer.contained("a", "long")
        answer.ask?.scope = Self.longScopes
        #expect(try ledger.deliver([try answer.record()]).issued == 1)
        try expectReadable(ledger)
    }

    /// A letter with many marks above it is one character to Swift.
    @Test(arguments: ["e" + String(repeating: "\u{301}", count: 35_000), "\u{10F000}", "\u{10F7FF}\u{301}"])
    func namesThatNoReaderKnowsAreDeadLetters(_ name: String) throws {
        var ledger = try Self.ledger()
        let json = Array("{\"\(name)\":1,\"\(name)\":2}".utf8)
        let value = try Answer.contained("a").record().value ?? []
        let records = [
            DeadLetterTests.raw(json), DeadLetterTests.raw(json, []),
            DeadLetterTests.raw(value, [.init("ce_specversion", Array("1.0".utf8)), .init("ce_" + name, [1])]),
            SourceRecord(topic: PlanFixture.requestsTopic, headers: [], value: json),
        ]
        #expect(try ledger.deliver(records).quarantined == records.count)
        try expectReadable(ledger)
    }

    @Test func aStopHoldsWhateverItsWordsAre() throws {
        let people = (0..<64).map { Actor(id: PersonID("\($0)" + String(repeating: "\"", count: 1_020))) }
        for reason in [String(repeating: "\u{505C}", count: 4_096), String(repeating: "\"", count: 4_096)] {
            let event = ControlEvent(
                id: ControlEventID("stop-1"), declaredAt: PlanFixture.now, declaredBy: people,
                origin: .ledger(by: PersonID("mina")),
                operation: .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true, isWidened: false)),
                reason: reason)
            let context = ControlContext(at: PlanFixture.now, rules: try PlanFixture().rules.control)
            let outcome = ControlState.none.applying(event, in: context)
            #expect(outcome.result == .applied)
            let (effect, _, cutoffs) = try ControlEffectWriter(
                worker: WorkerID("planner"), rulesHash: PlanFixture.policy, at: PlanFixture.now
            ).effect(
                of: event, outcome,
                ControlAcknowledgement(
                    result: .applied, position: 1, grantsBefore: 0, voidedTokens: 0, milliseconds: 1,
                    waitedMilliseconds: 1, cutoffs: outcome.effects.cutoffs, revocationRuns: 0, receiptID: nil,
                    at: PlanFixture.now))
            _ = try Receipt(parsing: effect.receipt)
            #expect(!cutoffs.isEmpty)
            for cutoff in cutoffs { #expect(try CutoffRecord(parsing: cutoff.canonicalBytes) == cutoff) }
            // Whoever may not lift it is known all the same.
            #expect(outcome.state.allOrders.count == 1)
        }
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String {
        self + String(repeating: "x", count: max(0, count - utf16.count))
    }
}
