import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantWorker

/// What is issued, held, refused and reported when sources are watched.
struct HealthPlanningTests {
    private static let reports = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")

    /// A ledger under the fixture's rules, whose source of approvals is watched as a text of YAML says.
    private static func ledger(_ watch: String) throws -> PaperLedger {
        let line = "    may_approve: [run, open, ref, ent, bound, capped]\n"
        let text = PlanFixture.rulesText.replacing(line, with: "\(line)    \(watch)\n")
        #expect(text != PlanFixture.rulesText)
        return PaperLedger(try PlanFixture(rules: text))
    }

    private static func answer(_ name: String, by approver: Actor = PlanFixture.mina) -> Answer {
        var answer = Answer(name)
        answer.window = 7_200
        answer.entitlement = reports
        answer.approver = approver
        return answer
    }

    private static func ask(_ name: String, of approval: String) throws -> SourceRecord {
        var ask = Ask(name, "ref")
        ask.approval = "apr-\(approval)"
        return try ask.record()
    }

    private static func findings(_ ledger: PaperLedger) throws -> [FindingRecord] {
        try ledger.outputs(.findings).map { try FindingRecord(parsing: $0) }
    }

    // MARK: Silence

    @Test func aSilentSourceStopsIssuingAndARecordLetsItGoOn() throws {
        var ledger = try Self.ledger("max_source_silence: 10m")
        try ledger.deliver([try Self.answer("a").record()])
        ledger.now = ledger.now.adding(seconds: 700)
        let held = try ledger.deliver([try Self.ask("a", of: "a")])
        #expect(held.waiting == 1)
        #expect(held.reasons == [.waiting: ["HUMAN_APPROVAL_SOURCE_SILENT": 1]])
        // It is looked at again soon, and waits on while nothing is heard.
        #expect(ledger.request("a")?.waitUntil == ledger.now.adding(seconds: 2))
        ledger.now = ledger.now.adding(seconds: 3)
        #expect(try ledger.sweep().waiting == 1)
        ledger.now = ledger.now.adding(seconds: 3)
        // Any record of the source will do, also one that is set aside.
        try ledger.deliver([DeadLetterTests.raw(Array("yes".utf8))])
        ledger.now = ledger.now.adding(seconds: 3)
        #expect(try ledger.sweep().issued == 1)
    }

    @Test func anApprovalThatBreaksTheSilenceIsDecidedAtOnce() throws {
        var ledger = try Self.ledger("max_source_silence: 10m")
        let summary = try ledger.deliver([try Answer.contained("a").record()])
        #expect(summary.issued == 1)
    }

    @Test func aBacklogIsNoSignOfLife() throws {
        var ledger = try Self.ledger("max_source_silence: 10m")
        let record = try Answer.contained("a").record()
        ledger.now = ledger.now.adding(seconds: 3_600)
        let old = SourceRecord(
            topic: record.topic, partition: 0, offset: 0, key: nil, headers: record.headers, value: record.value,
            timestamp: PlanFixture.now)
        #expect(try ledger.deliver([old]).reasons == [.waiting: ["HUMAN_APPROVAL_SOURCE_SILENT": 1]])
        // A sender's clock that is ahead counts as now, not as later.
        let ahead = SourceRecord(
            topic: record.topic, partition: 0, offset: 0, key: nil, headers: record.headers, value: Array("yes".utf8),
            timestamp: ledger.now.adding(seconds: 86_400))
        try ledger.deliver([ahead])
        #expect(ledger.heard[SourceName("itsm")] == ledger.now)
    }

    @Test func denyIsFinalAndReportChangesNothing() throws {
        for (action, expected) in [("deny", "denied"), ("report", "issued")] {
            var ledger = try Self.ledger("max_source_silence: 10m\n    health: {on_silence: \(action)}")
            try ledger.deliver([try Self.answer("a").record()])
            ledger.now = ledger.now.adding(seconds: 700)
            let summary = try ledger.deliver([try Self.ask("a", of: "a")])
            #expect(summary.denied == (expected == "denied" ? 1 : 0))
            #expect(summary.issued == (expected == "issued" ? 1 : 0))
        }
    }

    @Test func aSilenceIsReportedOnce() throws {
        var ledger = try Self.ledger("max_source_silence: 10m")
        try ledger.deliver([try Self.answer("a").record()])
        #expect(try ledger.lookAtSources().findings.isEmpty)
        ledger.now = ledger.now.adding(seconds: 601)
        #expect(try ledger.lookAtSources().findings == ["SOURCE_SILENT": 1])
        ledger.now = ledger.now.adding(seconds: 60)
        #expect(try ledger.lookAtSources().findings.isEmpty)
        try ledger.deliver([DeadLetterTests.raw(Array("yes".utf8))])
        ledger.now = ledger.now.adding(seconds: 601)
        #expect(try ledger.lookAtSources().findings == ["SOURCE_SILENT": 1])
        let findings = try Self.findings(ledger)
        #expect(findings.map(\.finding.about) == ["source:itsm", "source:itsm"])
        #expect(Set(findings.map(\.receiptID)).count == 2)
        #expect(findings.first?.finding.severity == .critical)
    }

    // MARK: Limits

    @Test func whatIsOverTheLimitWaitsItsTurn() throws {
        var ledger = try Self.ledger("health: {max_grants: {count: 2, per: 80s}}")
        let records = try (0..<5).map { try Answer.contained("r\($0)").record() }
        let first = try ledger.deliver(records)
        #expect(first.issued == 2)
        #expect(first.waiting == 3)
        #expect(first.reasons[.waiting]?["HUMAN_APPROVAL_RATE_EXCEEDED"] == 3)
        #expect(first.findings == ["SOURCE_LIMIT_REACHED": 1])
        var issued = [first.issued]
        for _ in 0..<4 {
            ledger.now = ledger.now.adding(seconds: 45)
            issued.append(try ledger.sweep().issued)
        }
        #expect(issued.reduce(0, +) == 5)
        #expect(issued == [2, 0, 0, 2, 0] || issued == [2, 0, 2, 0, 1])
    }

    @Test func anApproversLimitIsHisOwn() throws {
        var ledger = try Self.ledger("health: {max_grants_per_approver: {count: 1, per: 10m, over: deny}}")
        var other = Answer.contained("c")
        other.approver = PlanFixture.jonas
        let summary = try ledger.deliver([
            try Answer.contained("a").record(), try Answer.contained("b").record(), try other.record(),
        ])
        #expect(summary.issued == 2)
        #expect(summary.denied == 1)
        #expect(try ledger.reasons("b") == ["HUMAN_APPROVAL_RATE_EXCEEDED"])
        #expect(summary.findings == ["APPROVER_LIMIT_REACHED": 2])
    }

    // MARK: Anomalies

    @Test func aBurstIsReportedOnceAndBlocksNothing() throws {
        var ledger = try Self.ledger("health: {anomalies: {per: 10m, burst: 4}}")
        var issued = 0
        for index in 0..<12 {
            ledger.now = ledger.now.adding(seconds: 1)
            issued += try ledger.deliver([try Answer.contained("r\(index)").record()]).issued
        }
        #expect(issued == 12)
        let findings = try Self.findings(ledger)
        #expect(findings.map(\.finding.code) == ["APPROVAL_BURST"])
        #expect(findings.first?.finding.about == "approver:itsm/mina")
        #expect(findings.first?.finding.evidence.count == 2)
        #expect(ledger.kinds["finding.raised"] == 1)
    }

    @Test func theSameApprovalToldAgainIsNoBurst() throws {
        var ledger = try Self.ledger("health: {anomalies: {per: 10m, burst: 3}}")
        for index in 0..<6 {
            var again = Self.answer("a")
            again.event = "evt-a-\(index)"
            try ledger.deliver([try again.record()])
        }
        #expect(try Self.findings(ledger).isEmpty)
    }

    @Test func denyRefusesWhatTheApproverGivesForATime() throws {
        var ledger = try Self.ledger("health: {anomalies: {per: 10m, burst: 2, then: deny}}")
        #expect(try ledger.deliver([try Answer.contained("a").record()]).issued == 1)
        let second = try ledger.deliver([try Answer.contained("b").record()])
        #expect(second.denied == 1)
        #expect(try ledger.reasons("b") == ["HUMAN_APPROVAL_ANOMALOUS"])
        var other = Answer.contained("c")
        other.approver = PlanFixture.jonas
        #expect(try ledger.deliver([try other.record()]).issued == 1)
        ledger.now = ledger.now.adding(seconds: 1_300)
        #expect(try ledger.deliver([try Answer.contained("d").record()]).issued == 1)
    }

    @Test func anotherJobClassIsUnusual() throws {
        var ledger = try Self.ledger("health: {anomalies: {per: 10m, new_class_after: 2}}")
        for name in ["a", "b"] { try ledger.deliver([try Answer.contained(name).record()]) }
        #expect(try Self.findings(ledger).isEmpty)
        let summary = try ledger.deliver([try Self.answer("c").record()])
        #expect(summary.findings == ["APPROVER_UNUSUAL_CLASS": 1])
    }

    /// Nobody has to ask for it: a source that says so says it for good.
    @Test(arguments: [true, false])
    func aRoleGivenPastTheApprovalSystemIsReportedOnce(_ isOutside: Bool) throws {
        var ledger = PaperLedger(try PlanFixture())
        var fact = Fact(
            recordIndex: 0, source: "itsm", sourceEventID: SourceEventID("audit-1"), occurredAt: PlanFixture.now,
            approvalID: nil,
            content: .grantDirect(
                assignedBy: PlanFixture.mina, outsidePIM: isOutside, notBefore: PlanFixture.now, notAfter: nil))
        fact.subject = PlanFixture.avery
        fact.entitlement = PlanFixture.group
        try ledger.deliver(facts: [fact])
        try ledger.deliver(facts: [fact])
        let findings = try Self.findings(ledger)
        #expect(findings.map(\.finding.code) == (isOutside ? ["ROLE_ASSIGNED_OUTSIDE_PIM"] : []))
        #expect(findings.allSatisfy { $0.finding.about == "source:itsm" && $0.finding.evidence.count == 2 })
    }

    /// From the vendor's record to the topic of findings: once, whatever how often it comes.
    @Test func changedSettingsOfARoleAreReportedOnce() throws {
        let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
        let role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
        var ledger = PaperLedger(
            try PlanFixture(
                rules: PlanFixture.rulesText
                    .replacing(
                        "sources:\n",
                        with: """
                            sources:
                              directory:
                                kind: entra_audit
                                topics: [audit]
                                authenticity: topic
                                allow_topic_authenticity: true
                                tenants: [\(tenant)]
                                may_approve: [ent]

                            """
                    )
                    .replacing(
                        "entitlements:\n",
                        with: "entitlements:\n  - {kind: entra_role, id: \(role), scope: /, job_class: ent}\n")))
        func record(_ activity: String, _ role: String, result: String = "success") -> SourceRecord {
            SourceRecord(
                topic: "audit",
                value: JSONWriter.bytes([
                    "category": "AuditLogs", "tenantId": .string(tenant), "resourceId": .string("/tenants/\(tenant)"),
                    "properties": [
                        "id": .string("PIM_\(activity)_\(role)_\(result)"), "category": "RoleManagement",
                        "loggedByService": "PIM", "activityDisplayName": .string(activity),
                        "activityDateTime": .string(PlanFixture.now.iso8601), "result": .string(result),
                        "initiatedBy": ["user": ["id": "mina", "userPrincipalName": "mina@harborline.example"]],
                        "targetResources": [["type": "Role", "id": .string(role)]],
                    ],
                ]))
        }
        let change = record("Update role setting in PIM", role)
        #expect(try ledger.deliver([change]).findings == ["ROLE_SETTINGS_CHANGED": 1])
        for other in [
            change, record("Update role setting in PIM", "another"),
            record("Update role setting in PIM", role, result: "failure"), record("Disable PIM alert", role),
        ] {
            #expect(try ledger.deliver([other]).findings.isEmpty)
        }
        let findings = try Self.findings(ledger)
        #expect(findings.map(\.finding.code) == ["ROLE_SETTINGS_CHANGED"])
        #expect(findings.allSatisfy { $0.finding.severity == .critical && $0.finding.about == "source:directory" })
        #expect(try ledger.deadLetters().isEmpty && ledger.approvals.isEmpty)
    }

    @Test func whereNobodyWatchesNothingIsCounted() throws {
        var ledger = PaperLedger(try PlanFixture())
        try ledger.deliver([try Answer.contained("a").record()])
        #expect(ledger.counted.isEmpty)
    }
}
