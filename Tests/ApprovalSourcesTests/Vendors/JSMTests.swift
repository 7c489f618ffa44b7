import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Jira Service Management approvals")
struct JSMTests {
    private typealias Fixtures = VendorFixtures
    private static let avery = "712020:bda0436e-0996-5859-b1c2-1247bef6b105"
    private static let mina = "712020:6c1ce978-22b5-52cf-8f92-595bcc4cadf0"
    private static let jonas = "712020:67d286bf-81cd-5c56-92a7-d583a553b336"

    private static func answer(_ id: String, _ name: String, _ decision: String) -> JSONValue {
        [
            "approver": ["accountId": .string(id), "displayName": .string(name)],
            "approverDecision": .string(decision),
        ]
    }

    private static func approval(_ id: String = "7", _ decision: String = "approved") -> JSONValue {
        [
            "id": .string(id), "name": "Agent run approval", "finalDecision": .string(decision),
            "approvers": [
                answer(mina, "Mina Castellanos", "approved"), answer(jonas, "Jonas Lindqvist", "approved"),
            ],
            "createdDate": ["iso8601": "2026-11-20T10:00:00+0100", "epochMillis": 1_795_165_200_000],
            "completedDate": ["iso8601": "2026-11-20T10:06:00+0100", "epochMillis": 1_795_165_560_000],
        ]
    }

    static let approved: JSONValue = [
        "timestamp": 1_795_165_560_000, "webhookEvent": "jira:issue_updated",
        "issue": [
            "id": "10421", "key": "CLAW-212", "self": "https://harborline.atlassian.example/rest/api/2/issue/10421",
            "fields": [
                "summary": "Agent run: export vendor balances", "status": ["name": "Approved"],
                "reporter": ["accountId": .string(avery), "displayName": "Avery Okafor"],
                "customfield_10010": ["requestType": ["id": "91", "name": "claw-agent-run"]],
                "customfield_10055": [approval()],
                "customfield_10060": ["value": "prod_db_maintenance"],
                "customfield_10061": "2026-11-20T10:00:00.000+0100",
                "customfield_10062": "2026-11-20T10:40:00.000+0100",
            ],
        ],
    ]

    static func reading(_ value: JSONValue) -> SourceReading { Fixtures.read(value, Fixtures.configuration(.jsm)) }

    private static func field(_ name: String, _ value: JSONValue?) -> JSONValue {
        approved.setting("issue", "fields", name, to: value)
    }

    private static func approvals(_ values: [JSONValue]) -> JSONValue { field("customfield_10055", .array(values)) }

    @Test("An approval counts distinct people and takes its window from the issue")
    func approval() throws {
        let facts = Self.reading(Self.approved).facts
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        let decision = try #require(facts.first)
        #expect(decision.approvalID == ApprovalID("jsm/harborline/claw-212/approval/7"))
        #expect(decision.approvers.map(\.id.rawValue) == [Self.mina, Self.jonas])
        #expect(decision.occurredAt == Timestamp(rfc3339: "2026-11-20T09:06:00Z"))
        #expect(decision.ticket == Ticket(system: "Jira", number: "CLAW-212"))
        let assessment = try #require(Fixtures.assess([Self.reading(Self.approved)]))
        #expect(assessment.why == "approved_by_other_human_and_active")
        #expect(assessment.approvers.count == 2)
        #expect(assessment.notAfter == Timestamp(rfc3339: "2026-11-20T09:40:00Z"))
    }

    @Test("An automation rule sends the issue as the REST API has it, and names no event")
    func automation() throws {
        let page: JSONValue = ["values": [Self.approval()], "size": 1, "isLastPage": true]
        let paged = Self.field("customfield_10055", page)
        #expect(Self.reading(paged).facts.map(\.kind) == ["decision.approved", "grant.started"])
        let eventless = Self.approved.setting("webhookEvent", to: nil)
        let issue = try #require(Self.approved["issue"])
        let dated = Self.approval().setting("completedDate", to: "2026-11-20T10:06:00.000+0100")
        for record in [
            eventless, issue, issue.setting("fields", "customfield_10055", to: page),
            issue.setting("fields", "customfield_10055", to: [dated]),
        ] {
            let facts = Self.reading(record).facts
            #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
            #expect(facts.first?.approvalID == ApprovalID("jsm/harborline/claw-212/approval/7"))
            #expect(facts.first?.occurredAt == Timestamp(rfc3339: "2026-11-20T09:06:00Z"))
            #expect(MappingInput.kind(of: SourceRecord(topic: "file", value: JSONWriter.bytes(record))) == .jsm)
        }
        let nothing = SourceRecord(topic: "file", value: JSONWriter.bytes(["issue": ["key": "CLAW-1"]]))
        #expect(MappingInput.kind(of: nothing) == nil)
        let broken = ["key", "self", "fields"].map { issue.setting($0, to: nil) } + [["comment": [:]]]
        for record in broken {
            #expect(Fixtures.summary(Self.reading(record)) == ["rejected malformed"])
        }
        let wrong = Self.approved.setting("webhookEvent", to: 7)
        #expect(Fixtures.summary(Self.reading(wrong)) == ["rejected malformed"])
    }

    @Test("A byte order mark is passed over, a repeated member is refused")
    func marked() throws {
        let text = JSONWriter.text(Self.approved)
        let configuration = Fixtures.configuration(.jsm)
        let marked = Fixtures.read([0xEF, 0xBB, 0xBF] + Array(text.utf8), configuration)
        #expect(marked.facts.map(\.kind) == ["decision.approved", "grant.started"])
        let repeated = text.replacing("{\"timestamp\":", with: "{\"timestamp\":1,\"timestamp\":")
        #expect(Fixtures.read(Array(repeated.utf8), configuration).fault == .notJSON)
    }

    @Test("One person who answers twice is one person")
    func distinctPeople() {
        let twice = Self.approval().setting(
            "approvers",
            to: [
                Self.answer(Self.mina, "Mina Castellanos", "approved"), Self.answer(Self.mina, "M. C.", "approved"),
            ])
        #expect(Fixtures.assess([Self.reading(Self.approvals([twice]))])?.why == "too_few_human_approvers")
        let own = Self.approval().setting(
            "approvers", "1", to: Self.answer(Self.avery, "Avery Okafor", "approved"))
        #expect(Fixtures.assess([Self.reading(Self.approvals([own]))])?.why == "too_few_human_approvers")
        let bot = Self.approval().setting("approvers", "1", "approver", "accountType", to: "app")
        #expect(Fixtures.assess([Self.reading(Self.approvals([bot]))])?.why == "too_few_human_approvers")
    }

    @Test(
        "Only a final decision decides",
        arguments: [
            ("pending", "request.opened"), ("", "request.opened"), ("escalated", "request.opened"),
            ("declined", "decision.denied"), ("Approved", "decision.approved"),
        ])
    func decisions(decision: String, kind: String) {
        let reading = Self.reading(Self.approvals([Self.approval("7", decision)]))
        #expect(reading.facts.first?.kind == kind)
        #expect((Fixtures.assess([reading])?.issue ?? true) == (decision == "Approved"))
    }

    @Test("An issue can be approved more than once, each approval by itself")
    func severalApprovals() {
        let reading = Self.reading(Self.approvals([Self.approval("7", "declined"), Self.approval("8")]))
        #expect(reading.facts.map(\.kind) == ["decision.denied", "decision.approved", "grant.started"])
        #expect(reading.facts.map(\.recordIndex) == [0, 1, 1])
        #expect(
            reading.facts.compactMap(\.approvalID?.rawValue) == [
                "jsm/harborline/claw-212/approval/7", "jsm/harborline/claw-212/approval/8",
                "jsm/harborline/claw-212/approval/8",
            ])
        #expect(Set(reading.facts.compactMap(\.sourceEventID)).count == 3)
    }

    @Test("A later change of the issue neither widens the window nor is a repeat")
    func laterChange() throws {
        let wider = Self.field("customfield_10062", "2026-11-20T20:00:00.000+0100")
        let readings = [Self.reading(Self.approved), Self.reading(wider)]
        #expect(readings[0].facts.first?.sourceEventID != readings[1].facts.first?.sourceEventID)
        for order in [readings, readings.reversed()] {
            #expect(Fixtures.assess(order)?.notAfter == Timestamp(rfc3339: "2026-11-20T09:40:00Z"))
        }
        let otherClass = Self.field("customfield_10060", ["value": "prod_deploy"])
        #expect(
            Fixtures.assess([Self.reading(Self.approved), Self.reading(otherClass)])?.why == "contradictory_evidence")
        #expect(Self.reading(Self.approved).facts.map(\.sourceEventID) == readings[0].facts.map(\.sourceEventID))
    }

    @Test("A deleted issue ends what rests on it")
    func deleted() throws {
        let gone = Self.approved.setting("webhookEvent", to: "jira:issue_deleted")
        for readings in [
            [Self.reading(Self.approved), Self.reading(gone)], [Self.reading(gone), Self.reading(Self.approved)],
        ] {
            let assessment = try #require(Fixtures.assess(readings))
            #expect(assessment.state == .ended)
            #expect(assessment.revoke)
        }
        for impossible in [-1, 0, Int64.min] {
            let dated = gone.setting("timestamp", to: .integer(impossible))
            #expect(Self.reading(dated).facts.allSatisfy { $0.occurredAt.map { $0.microseconds > 0 } ?? true })
        }
    }

    @Test("Request types are mapped by their number, by their name only where that is said")
    func requestTypes() {
        #expect(Self.reading(Self.approved).facts.first?.entitlement?.id == "91")
        var configuration = Fixtures.configuration(.jsm)
        configuration.mapping = nil
        configuration.vendor.requestTypes = .name
        #expect(Fixtures.read(Self.approved, configuration).facts.first?.entitlement?.id == "claw-agent-run")
    }

    @Test("The approvals are found by their shape, or where the configuration says")
    func fields() {
        let moved = Self.field("customfield_20001", .array([Self.approval("9")]))
            .setting("issue", "fields", "customfield_10055", to: nil)
        #expect(Self.reading(moved).facts.first?.approvalID?.rawValue == "jsm/harborline/claw-212/approval/9")
        var configuration = Fixtures.configuration(.jsm)
        configuration.vendor.fields = [.approvals: "customfield_20002"]
        #expect(Fixtures.summary(Fixtures.read(moved, configuration)) == ["ignored not_a_decision"])
    }

    @Test("What is missing holds or is rejected")
    func missing() {
        #expect(
            Fixtures.assess([Self.reading(Self.field("customfield_10062", nil))])?.why == "no_expiry_in_evidence")
        #expect(
            Fixtures.assess([Self.reading(Self.field("customfield_10060", nil))])?.why == "unmapped_entitlement")
        for (record, why) in [
            (Self.field("customfield_10062", "tomorrow"), "rejected unparseable_time"),
            (Self.approvals([Self.approval().setting("completedDate", to: nil)]), "rejected unparseable_time"),
            (Self.approvals([Self.approval().setting("id", to: nil)]), "rejected no_request_id"),
            (Self.approvals([]), "ignored not_a_decision"),
            (Self.approved.setting("issue", "key", to: nil), "rejected no_request_id"),
            (Self.approved.setting("issue", "self", to: nil), "rejected tenant_mismatch"),
            (
                Self.approved.setting("issue", "self", to: "http://harborline.atlassian.example/x"),
                "rejected tenant_mismatch"
            ),
            (Self.approved.setting("issue", "self", to: "https://a@harborline/x"), "rejected tenant_mismatch"),
            (Self.approved.setting("issue", "self", to: "https://elsewhere.example/x"), "rejected unknown_tenant"),
            (Self.approved.setting("webhookEvent", to: "comment_created"), "ignored not_a_decision"),
            (["webhookEvent": "jira:issue_updated"], "rejected malformed"),
        ] as [(JSONValue, String)] {
            #expect(Fixtures.summary(Self.reading(record)) == [why])
        }
    }
}
