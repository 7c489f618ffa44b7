import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("ServiceNow changes")
struct ServiceNowTests {
    private typealias Fixtures = VendorFixtures

    static func row(_ state: String, _ approver: String, _ name: String, comments: String = "") -> JSONValue {
        [
            "sys_id": .string("row-\(approver)"), "state": .string(state),
            "approver": ["value": .string(approver), "display_value": .string(name)],
            "source_table": "change_request", "comments": .string(comments),
            "sys_updated_on": "2026-11-20 09:05:11",
        ]
    }

    static let approved: JSONValue = [
        "instance": "harborline", "table": "change_request", "operation": "update",
        "change_request": [
            "sys_id": "03939f048a881cd73b51b04e35d628a5", "number": "CHG0034600", "state": "-2",
            "approval": "approved",
            "requested_by": ["value": "8c28a00a3d2db99d39b0959ff2540cc6", "display_value": "Avery Okafor"],
            "assigned_to": ["value": "8c28a00a3d2db99d39b0959ff2540cc6", "display_value": "Avery Okafor"],
            "justification": "Query latency above target", "start_date": "2026-11-20 09:00:00",
            "end_date": "2026-11-20 09:45:00", "u_claw_job_class": "prod_db_maintenance",
            "sys_updated_on": "2026-11-20 09:05:12", "sys_mod_count": "7",
        ],
        "approvals": [
            row("approved", "229cd30261fbd5af20b09f474073895f", "Mina Castellanos", comments: "Approved in CAB"),
            row("not_required", "4c80205daec34f426ca003bd46b17f88", "Jonas Lindqvist"),
        ],
    ]

    static func reading(_ value: JSONValue) -> SourceReading {
        Fixtures.read(value, Fixtures.configuration(.serviceNow))
    }

    private static func change(_ key: String, _ value: JSONValue?) -> JSONValue {
        approved.setting("change_request", key, to: value)
    }

    @Test("An approved and scheduled change is an approval with its window")
    func approval() throws {
        let facts = Self.reading(Self.approved).facts
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        let decision = try #require(facts.first)
        let mina = Actor(id: PersonID("229cd30261fbd5af20b09f474073895f"), name: "Mina Castellanos")
        #expect(decision.content == .decisionApproved(approver: mina))
        #expect(decision.approvalID == ApprovalID("servicenow/harborline/chg0034600"))
        #expect(decision.jobClass == JobClass("prod_db_maintenance"))
        #expect(decision.approverJustification?.text == "Approved in CAB")
        #expect(decision.recordDigest == Self.approved.canonicalDigest)
        #expect(Set(facts.compactMap(\.sourceEventID)).count == 2)
        let assessment = try #require(Fixtures.assess([Self.reading(Self.approved)]))
        #expect(assessment.why == "approved_by_other_human_and_active")
        #expect(assessment.notAfter == Timestamp(rfc3339: "2026-11-20T09:45:00Z"))
    }

    @Test(
        "The state of the change goes before its approval",
        arguments: [
            ("-5", ["decision.approved"]), ("-4", ["decision.approved"]), ("-3", ["decision.approved"]),
            ("-2", ["decision.approved", "grant.started"]), ("-1", ["decision.approved", "grant.started"]),
            ("0", ["grant.ended"]), ("3", ["grant.ended"]), ("4", ["grant.ended"]),
            ("7", ["request.opened"]), ("Scheduled", ["request.opened"]), ("Implement", ["request.opened"]),
            ("Canceled", ["grant.ended"]), ("cancelled", ["grant.ended"]), ("Closed", ["grant.ended"]),
            ("Review", ["grant.ended"]),
        ])
    func states(state: String, kinds: [String]) {
        let record = Self.change("state", .string(state))
        #expect(Self.reading(record).facts.map(\.kind) == kinds)
        let display: JSONValue = ["value": .string(state), "display_value": "whatever"]
        #expect(Self.reading(Self.change("state", display)).facts.map(\.kind) == kinds)
    }

    @Test("A label alone ends a change too, and a row names its change in any case")
    func labels() throws {
        let label: JSONValue = ["display_value": "Closed"]
        #expect(Self.reading(Self.change("state", label)).facts.map(\.kind) == ["grant.ended"])
        let row = Self.approved.setting(
            "approvals", "0", "sysapproval", to: "03939F048A881CD73B51B04E35D628A5")
        #expect(Self.reading(row).facts == Self.reading(row).facts)
        #expect(Fixtures.assess([Self.reading(row)])?.issue == true)
        let other = Self.approved.setting("approvals", "0", "sysapproval", to: "04939f048a881cd73b51b04e35d628a5")
        #expect(Fixtures.assess([Self.reading(other)])?.issue == false)
    }

    @Test(
        "An approval that is not known holds",
        arguments: ["requested", "not requested", "", "duplicate", "APPROVED BY CHAT", "cancelled"])
    func unknownApprovals(approval: String) {
        let reading = Self.reading(Self.change("approval", .string(approval)))
        #expect(reading.facts.map(\.kind) == ["request.opened"])
        #expect(Fixtures.assess([reading])?.why == "pending")
    }

    @Test("A rejection names who rejected")
    func rejection() throws {
        var record = Self.change("approval", "rejected")
        record = record.setting(
            "approvals", to: [Self.row("rejected", "4c80205daec34f426ca003bd46b17f88", "Jonas Lindqvist")])
        let fact = try #require(Self.reading(record).only)
        #expect(
            fact.content
                == .decisionDenied(
                    approver: Actor(id: PersonID("4c80205daec34f426ca003bd46b17f88"), name: "Jonas Lindqvist")))
        #expect(Fixtures.assess([Self.reading(record)])?.state == .denied)
        #expect(Fixtures.assess([Self.reading(record), Self.reading(Self.approved)])?.issue == false)
    }

    @Test("A change that is canceled or closed after its approval is revoked, in whatever order it comes")
    func canceled() throws {
        let approval = Self.reading(Self.approved)
        let cancel = Self.reading(
            Self.change("state", "4").setting("change_request", "sys_updated_on", to: "2026-11-20 09:20:00"))
        for readings in [[approval, cancel], [cancel, approval], [cancel, approval, cancel]] {
            let assessment = try #require(Fixtures.assess(readings))
            #expect(assessment.state == .ended)
            #expect(assessment.why == "change_canceled")
            #expect(assessment.revoke)
        }
    }

    @Test("What nobody else approved counts for nobody")
    func nobodyElse() {
        let own = Self.approved.setting(
            "approvals", to: [Self.row("approved", "8c28a00a3d2db99d39b0959ff2540cc6", "Avery Okafor")])
        #expect(Fixtures.assess([Self.reading(own)])?.why == "approver_is_requester")
        // A standard change is approved beforehand, without any row.
        let standard = Self.approved.setting("approvals", to: [])
        #expect(Fixtures.assess([Self.reading(standard)])?.why == "approver_unknown")
        let assignee = Self.change("assigned_to", ["value": "229cd30261fbd5af20b09f474073895f"])
        #expect(Fixtures.assess([Self.reading(assignee)])?.why == "approver_is_requester")
        let foreign = Self.approved.setting("approvals", "0", "source_table", to: "sc_req_item")
        #expect(Fixtures.assess([Self.reading(foreign)])?.why == "approver_unknown")
        let other = Self.approved.setting("approvals", "0", "sysapproval", to: ["value": "another"])
        #expect(Fixtures.assess([Self.reading(other)])?.why == "approver_unknown")
    }

    @Test("Every row that approved counts")
    func severalApprovers() throws {
        let both = Self.approved.setting("approvals", "1", "state", to: "approved")
        let decision = try #require(Self.reading(both).facts.first)
        #expect(decision.approvers.map(\.name) == ["Mina Castellanos", "Jonas Lindqvist"])
        #expect(Fixtures.assess([Self.reading(both)])?.approvers.count == 2)
        #expect(try Fact(json: decision.json) == decision)
    }

    @Test("Dates that are moved after the approval do not widen it")
    func movedDates() throws {
        let later = Self.change("end_date", "2026-11-20 18:00:00")
            .setting("change_request", "sys_updated_on", to: "2026-11-20 09:30:00")
            .setting("change_request", "sys_mod_count", to: "8")
        let readings = [Self.reading(Self.approved), Self.reading(later)]
        #expect(Fixtures.assess(readings)?.notAfter == Timestamp(rfc3339: "2026-11-20T09:45:00Z"))
        #expect(Fixtures.assess(readings.reversed())?.notAfter == Timestamp(rfc3339: "2026-11-20T09:45:00Z"))
    }

    @Test("The second cluster's copy is the same event; other content under the same count is not")
    func duplicates() throws {
        let first = Self.reading(Self.approved).facts.map(\.sourceEventID)
        let copy = JSONWriter.bytes(Self.approved, order: .canonical)
        #expect(Fixtures.read(copy, Fixtures.configuration(.serviceNow)).facts.map(\.sourceEventID) == first)
        #expect(Self.reading(Self.approved.setting("operation", to: "insert")).facts.map(\.sourceEventID) == first)
        #expect(Self.reading(Self.change("state", "4")).facts.first?.sourceEventID != first.first)
        #expect(
            first.first??.rawValue.hasPrefix("03939f048a881cd73b51b04e35d628a5/7/") == true)
    }

    @Test(
        "Times are UTC without a zone, and never guessed",
        arguments: [
            ("2026-11-20 09:45:00", "2026-11-20T09:45:00Z"), ("2026-11-20T10:45:00+01:00", "2026-11-20T09:45:00Z"),
            ("11/20/2026 09:45:00", nil), ("20.11.2026 09:45:00", nil), ("2026-11-20", nil), ("soon", nil),
        ] as [(String, String?)])
    func times(text: String, instant: String?) {
        let facts = Self.reading(Self.change("end_date", .string(text))).facts
        guard let instant else {
            #expect(Fixtures.summary(.facts(facts, .topic)) == ["rejected unparseable_time"])
            return
        }
        guard case .grantStarted(_, let end)? = facts.last?.content else {
            Issue.record("no window of \(text)")
            return
        }
        #expect(end == Timestamp(rfc3339: instant))
    }

    @Test("What is missing holds or is rejected")
    func missing() {
        #expect(Fixtures.assess([Self.reading(Self.change("end_date", ""))])?.why == "no_expiry_in_evidence")
        #expect(
            Fixtures.assess([Self.reading(Self.change("u_claw_job_class", nil))])?.why == "unmapped_entitlement")
        for (record, why) in [
            (Self.change("number", nil), "rejected no_request_id"),
            (Self.change("number", "CHG/1"), "rejected no_request_id"),
            (Self.change("sys_updated_on", "x").setting("sys_updated_on", to: nil), "rejected unparseable_time"),
            (Self.approved.setting("instance", to: nil), "rejected tenant_mismatch"),
            (Self.approved.setting("instance", to: "elsewhere"), "rejected unknown_tenant"),
            (["table": "sysapproval_approver", "instance": "harborline"], "ignored not_a_decision"),
            (["instance": "harborline"], "rejected malformed"),
        ] as [(JSONValue, String)] {
            #expect(Fixtures.summary(Self.reading(record)) == [why])
        }
    }

    @Test("The fields have the names that the configuration gives them")
    func fieldNames() throws {
        var configuration = Fixtures.configuration(.serviceNow)
        configuration.vendor.fields = [.jobClass: "u_agent_class", .end: "u_end"]
        let record = Self.change("u_agent_class", "other").setting("change_request", "u_end", to: "2026-11-20 09:30:00")
        let facts = Fixtures.read(record, configuration).facts
        #expect(facts.first?.jobClass == JobClass("other"))
        #expect(facts.first?.entitlement?.id == "u_agent_class")
        guard case .grantStarted(_, let end)? = facts.last?.content else {
            Issue.record("no window")
            return
        }
        #expect(end == Timestamp(rfc3339: "2026-11-20T09:30:00Z"))
    }
}
