import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantWorker

/// Reading and planning by example, on a ledger on paper.
struct PlannerTests {
    private var ledger: PaperLedger

    init() throws { ledger = PaperLedger(try PlanFixture()) }

    @Test mutating func anApprovalThatCarriesItsRequestIsIssued() throws {
        let summary = try ledger.deliver([try Answer.contained("a").record()])
        #expect(summary.issued == 1)
        let request = try #require(ledger.request("a"))
        #expect(request.state == .issued)
        #expect(request.body == nil)
        let token = try #require(request.token)
        #expect(token.expiresAt == ledger.now.adding(seconds: 600))
        #expect(token.scope == ["proxy:call"])
        #expect(ledger.approval("a")?.usedBy == [RequestID("req-a")])
        #expect(ledger.kinds == ["grant.issued": 1])
        let grant = try GrantRecord(parsing: try #require(ledger.outputs(.grants).first))
        #expect(grant.token.tokenHash == token.tokenHash)
        #expect(try ledger.decisions().map(\.outcome) == [.issued])
    }

    @Test mutating func aRefusalIsDenied() throws {
        var answer = Answer.contained("a")
        answer.verdict = .denied
        let summary = try ledger.deliver([try answer.record()])
        #expect(summary.denied == 1)
        #expect(ledger.request("a")?.state == .denied)
        #expect(ledger.outputs(.grants).isEmpty)
        #expect(try ledger.reasons("a") == ["HUMAN_APPROVAL_DENIED"])
        #expect(ledger.kinds == ["decision.denied": 1])
    }

    @Test mutating func aScopeBeyondTheRuleIsDenied() throws {
        var answer = Answer.contained("a")
        answer.ask?.scope = ["proxy:call", "admin:everything"]
        #expect(try ledger.deliver([try answer.record()]).denied == 1)
    }

    @Test mutating func whoAsksCannotApprove() throws {
        var answer = Answer.contained("a")
        answer.approver = PlanFixture.avery
        let summary = try ledger.deliver([try answer.record()])
        #expect(summary.issued == 0)
        #expect(ledger.outputs(.grants).isEmpty)
    }

    @Test mutating func aRequestWaitsForItsApprovalAndIsThenIssued() throws {
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        #expect(try ledger.deliver([try ask.record()]).waiting == 1)
        let waiting = try #require(ledger.request("a"))
        #expect(waiting.state == .waiting)
        #expect(waiting.waitUntil == ledger.now.adding(seconds: 7_200))
        #expect(ledger.effects.isEmpty)
        var answer = Answer("a")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        let summary = try ledger.deliver([try answer.record()])
        #expect(summary.issued == 1)
        #expect(ledger.request("a")?.state == .issued)
    }

    @Test mutating func anApprovalThatComesFirstServesTheRequest() throws {
        var answer = Answer("a")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        #expect(try ledger.deliver([try answer.record()]).issued == 0)
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        #expect(try ledger.deliver([try ask.record()]).issued == 1)
    }

    @Test mutating func aTicketBringsThemTogetherToo() throws {
        var ask = Ask("a", "ref")
        ask.ticket = "CHG0031337"
        #expect(try ledger.deliver([try ask.record()]).waiting == 1)
        var answer = Answer("x")
        answer.window = 3_600
        answer.ticket = "CHG0031337"
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        #expect(try ledger.deliver([try answer.record()]).issued == 1)
        #expect(ledger.request("a")?.approvals == [ApprovalID("apr-x")])
    }

    @Test mutating func anEntitlementServesAsManyRequestsAsTheRuleAllows() throws {
        var answer = Answer("x")
        answer.window = 3_600
        answer.entitlement = PlanFixture.group
        try ledger.deliver([try answer.record()])
        var records: [SourceRecord] = []
        for name in ["a", "b", "c"] {
            var ask = Ask(name, "ent")
            ask.subject = "avery"
            records.append(try ask.record())
        }
        let summary = try ledger.deliver(records)
        #expect(summary.issued == 2)
        #expect(summary.denied == 1)
        #expect(try ledger.reasons("c") == ["CAPABILITY_GRANTS_EXHAUSTED"])
        #expect(ledger.approval("x")?.usedBy.count == 2)
    }

    @Test mutating func aUsedUpApprovalServesNoSecondRequest() throws {
        var answer = Answer("a")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        var first = Ask("first", "ref")
        first.approval = "apr-a"
        var second = Ask("second", "ref")
        second.approval = "apr-a"
        try ledger.deliver([try answer.record(), try first.record()])
        let summary = try ledger.deliver([try second.record()])
        #expect(summary.denied == 1)
        #expect(try ledger.reasons("second") == ["REPLAY_APPROVAL_ALREADY_USED"])
    }

    @Test mutating func repeatsChangeNothing() throws {
        let record = try Answer.contained("a").record()
        let first = try ledger.deliver([record, record])
        #expect(first.issued == 1)
        #expect(first.repeats == 1)
        let second = try ledger.deliver([record])
        #expect(second.newEvents == 0)
        #expect(second.repeats == 1)
        #expect(ledger.effects.count == 1)
    }

    @Test mutating func theSameRequestInAnotherEventIsARepeat() throws {
        var again = Answer.contained("a")
        again.event = "evt-other"
        try ledger.deliver([try Answer.contained("a").record()])
        let summary = try ledger.deliver([try again.record()])
        #expect(summary.issued == 0)
        #expect(summary.quarantined == 0)
        #expect(ledger.outputs(.grants).count == 1)
    }

    @Test mutating func oneEventIDWithTwoContentsIsAConflict() throws {
        var other = Answer.contained("b")
        other.event = "evt-a"
        let summary = try ledger.deliver([try Answer.contained("a").record(), try other.record()])
        #expect(summary.issued == 1)
        #expect(summary.quarantined == 1)
        #expect(try ledger.deadLetters().map(\.reason) == ["event_conflict"])
        let value = try #require(try other.record().value)
        #expect(try ledger.deadLetters().map(\.valueBytes) == [value.count])
        #expect(ledger.request("b") == nil)
    }

    @Test mutating func oneRequestIDWithTwoContentsIsAConflict() throws {
        ledger.fixture.policies[PlanFixture.policy] = .unavailable(reason: "no source answers")
        var answer = Answer.contained("a", "bound")
        answer.ask?.policy = PlanFixture.policy
        var other = answer
        other.name = "b"
        other.ask?.scope = ["clawproxy:call"]
        try ledger.deliver([try answer.record()])
        let summary = try ledger.deliver([try other.record()])
        #expect(summary.quarantined == 1)
        #expect(try ledger.deadLetters().map(\.reason) == ["request_conflict"])
        #expect(try ledger.deadLetters().first?.valueBytes == other.record().value?.count)
        #expect(ledger.request("a")?.state == .waiting)
    }

    @Test mutating func oneRequestEventWithTwoContentsIsAConflict() throws {
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        var other = ask
        other.scope = ["clawproxy:call"]
        try ledger.deliver([try ask.record()])
        #expect(try ledger.deliver([try other.record()]).quarantined == 1)
        #expect(try ledger.deadLetters().map(\.reason) == ["event_conflict"])
    }

    @Test(arguments: [true, false])
    mutating func aTicketMeetsItsApprovalWithoutCase(_ requestFirst: Bool) throws {
        var ask = Ask("a", "ref")
        ask.ticket = "chg0034521"
        var answer = Answer("a")
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "ref")
        answer.ticket = "CHG0034521"
        answer.window = 3_600
        let records = [try ask.record(), try answer.record()]
        for record in requestFirst ? records : records.reversed() { try ledger.deliver([record]) }
        #expect(ledger.request("a")?.state == .issued)
    }

    @Test mutating func anUpgradeKnowsTheElevatedActionsOfTheTokenItReplaces() throws {
        let rules = PlanFixture.rulesText.replacing(
            "run: {binding: contained, scopes: {allow: [proxy:call, clawproxy:call]}}",
            with: "run: {binding: contained, scopes: {allow: [proxy:call, clawproxy:call]}, "
                + "elevated_actions: {enable_elevated: {scopes: [control:x]}, access_data: {}}}")
        for action in ["enable_elevated", "access_data"] {
            ledger = PaperLedger(try PlanFixture(rules: rules))
            var first = Answer.contained("a")
            first.ask?.actions = [action]
            #expect(try ledger.deliver([try first.record()]).issued == 1)
            var same = Answer.contained("b")
            same.ask?.job = "job-a"
            same.ask?.upgrades = "req-a"
            same.ask?.actions = [action]
            #expect(try ledger.deliver([try same.record()]).denied == 1)
            #expect(try ledger.reasons("b") == ["CAPABILITY_UPGRADE_NOT_WIDER"])
            var less = same
            less.name = "c"
            less.ask?.name = "c"
            less.ask?.actions = []
            less.ask?.scope = ["proxy:call", "clawproxy:call"]
            #expect(try ledger.deliver([try less.record()]).denied == 1)
            var wider = same
            wider.name = "d"
            wider.ask?.name = "d"
            wider.ask?.scope = ["proxy:call", "clawproxy:call"]
            #expect(try ledger.deliver([try wider.record()]).issued == 1, "\(action)")
        }
    }

    @Test mutating func theEndOfAnApprovalRevokesTheToken() throws {
        let answer = Answer.contained("a")
        try ledger.deliver([try answer.record()])
        let summary = try ledger.deliver([try answer.then(.ended).record()])
        #expect(summary.revoked == 1)
        let request = try #require(ledger.request("a"))
        #expect(request.state == .issued)
        #expect(request.revocation != nil)
        let record = try RevocationRecord(parsing: try #require(ledger.outputs(.revocations).first))
        #expect(record.tokenHash == request.token?.tokenHash)
        #expect(try ledger.deliver([try answer.then(.ended, after: 5).record()]).revoked == 0)
    }

    @Test mutating func anEndThatOvertakesItsApprovalLeavesNoToken() throws {
        let answer = Answer.contained("a")
        try ledger.deliver([try answer.then(.ended).record()])
        try ledger.deliver([try answer.record()])
        #expect(ledger.outputs(.grants).isEmpty)
        #expect(ledger.request("a")?.state == .denied)
    }

    @Test mutating func anUpgradeRevokesTheOldTokenInTheSameWrite() throws {
        try ledger.deliver([try Answer.contained("a").record()])
        var upgrade = Answer.contained("b")
        upgrade.ask?.job = "job-a"
        upgrade.ask?.upgrades = "req-a"
        upgrade.ask?.scope = ["proxy:call", "clawproxy:call"]
        let before = ledger.groups.count
        let summary = try ledger.deliver([try upgrade.record()])
        #expect(summary.issued == 1)
        #expect(summary.revoked == 1)
        #expect(ledger.groups.count == before + 1)
        #expect(ledger.groups.last?.map(\.receiptKind).sorted() == ["grant.issued", "revocation"])
        #expect(ledger.request("a")?.revocation?.reason == RevocationCause.upgraded.rawValue)
        #expect(ledger.request("b")?.token?.scope == ["proxy:call", "clawproxy:call"])
    }

    @Test mutating func aTokenThatWasReplacedIsNotRevokedAgain() throws {
        let first = Answer.contained("a")
        try ledger.deliver([try first.record()])
        var upgrade = Answer.contained("b")
        upgrade.ask?.job = "job-a"
        upgrade.ask?.upgrades = "req-a"
        upgrade.ask?.scope = ["proxy:call", "clawproxy:call"]
        #expect(try ledger.deliver([try upgrade.record()]).revoked == 1)
        let revocation = ledger.request("a")?.revocation
        #expect(try ledger.deliver([try first.then(.ended).record()]).revoked == 0)
        #expect(ledger.request("a")?.revocation == revocation)
    }

    @Test mutating func anUpgradeThatWaitedKnowsWhatItReplaces() throws {
        try ledger.deliver([try Answer.contained("a").record()])
        var ask = Ask("b", "ref")
        ask.job = "job-a"
        ask.upgrades = "req-a"
        ask.scope = ["proxy:call", "clawproxy:call"]
        ask.approval = "apr-b"
        #expect(try ledger.deliver([try ask.record()]).waiting == 1)
        var answer = Answer("b")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
        let summary = try ledger.deliver([try answer.record()])
        #expect(summary.issued == 1)
        #expect(summary.revoked == 1)
        #expect(ledger.request("a")?.revocation != nil)
    }

    @Test mutating func aFailedUpgradeLeavesTheOldToken() throws {
        try ledger.deliver([try Answer.contained("a").record()])
        var upgrade = Answer.contained("b")
        upgrade.ask?.job = "job-a"
        upgrade.ask?.upgrades = "req-a"
        let summary = try ledger.deliver([try upgrade.record()])
        #expect(summary.denied == 1)
        #expect(ledger.request("a")?.revocation == nil)
    }

    @Test mutating func whatWaitsTooLongExpires() throws {
        var ask = Ask("a", "ref")
        ask.approval = "apr-a"
        try ledger.deliver([try ask.record()])
        ledger.now = ledger.now.adding(seconds: 7_199)
        #expect(try ledger.sweep().expired == 0)
        ledger.now = ledger.now.adding(seconds: 1)
        #expect(try ledger.sweep().expired == 1)
        #expect(ledger.request("a")?.state == .expired)
        #expect(ledger.kinds == ["decision.expired": 1])
        #expect(try ledger.sweep().expired == 0)
    }

    @Test mutating func anApprovalThatNobodyUsesIsClosedOnce() throws {
        var answer = Answer("x")
        answer.window = 3_600
        answer.entitlement = PlanFixture.group
        try ledger.deliver([try answer.record()])
        ledger.now = ledger.now.adding(seconds: 3_600)
        #expect(try ledger.sweep().expired == 1)
        #expect(ledger.approval("x")?.outcome != nil)
        let late = try ledger.deliver([try answer.then(.ended, after: 3_500).record()])
        #expect(late.expired == 0)
        #expect(ledger.kinds == ["decision.expired": 1])
    }

    @Test mutating func aWaitForAPolicyEndsWhenThePolicyIsThere() throws {
        var answer = Answer.contained("a", "bound")
        answer.ask?.policy = PlanFixture.policy
        let record = try answer.record()
        #expect(throws: PlanNeeds.self) { try ledger.deliver([record]) }
        ledger.fixture.policies[PlanFixture.policy] = .unavailable(reason: "no source answers")
        let first = try ledger.deliver([record])
        #expect(first.waiting == 1)
        #expect(first.missingPolicies == [PlanFixture.policy])
        #expect(ledger.request("a")?.waitUntil == ledger.now.adding(seconds: 2))
        ledger.now = ledger.now.adding(seconds: 2)
        let again = try ledger.sweep()
        #expect(again.waiting == 1)
        #expect(again.missingPolicies == [PlanFixture.policy])
        #expect(ledger.request("a")?.state == .waiting)
    }

    @Test mutating func aDryRunMintsNothing() throws {
        ledger.fixture.isDryRun = true
        let summary = try ledger.deliver([try Answer.contained("a").record()])
        #expect(summary.issued == 0)
        #expect(summary.denied == 1)
        #expect(ledger.request("a")?.token == nil)
        #expect(ledger.outputs(.grants).isEmpty)
        #expect(try ledger.reasons("a") == ["CAPABILITY_DRY_RUN"])
        #expect(ledger.approval("a")?.usedBy == [])
    }
}
