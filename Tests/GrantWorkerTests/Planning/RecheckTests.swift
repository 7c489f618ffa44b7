import ClawWire
import GrantLedger
import IssuanceRules
import Testing

@testable import GrantWorker

/// What waits for an instant is looked at again when it comes, though nothing arrives.
struct RecheckTests {
    @Test func aWindowThatBeginsLaterIsNotForgotten() throws {
        var ledger = PaperLedger(try PlanFixture())
        var answer = Answer.contained("later")
        answer.time = PlanFixture.now.adding(seconds: 60)
        let first = try ledger.deliver([answer.record()])
        #expect(first.waiting == 1)
        #expect(ledger.requests[RequestID("req-later")]?.waitUntil == PlanFixture.now.adding(seconds: 60))
        ledger.now = PlanFixture.now.adding(seconds: 60)
        let second = try ledger.sweep()
        #expect(second.issued == 1)
    }
}
