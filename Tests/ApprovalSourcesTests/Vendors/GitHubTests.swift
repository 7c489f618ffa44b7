import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("GitHub environments")
struct GitHubTests {
    private typealias Fixtures = VendorFixtures

    private static func user(_ login: String, _ id: Int, type: String = "User") -> JSONValue {
        ["login": .string(login), "id": .integer(id), "type": .string(type)]
    }

    static let review: JSONValue = [
        "action": "approved", "approver": user("mina-castellanos", 880_011), "comment": "Ship it",
        "workflow_job_runs": [
            [
                "id": 9_921_448_362, "name": "deploy", "environment": "production",
                "created_at": "2026-11-20T09:00:15Z", "updated_at": "2026-11-20T09:04:02Z",
            ]
        ],
        "workflow_run": [
            "id": 5_453_085_689, "head_sha": "5275a45b7e99c7fd7265b790392c10a74101a67a", "run_attempt": 1,
            "actor": user("avery-okafor", 3_263_338), "triggering_actor": user("avery-okafor", 3_263_338),
        ],
        "repository": ["id": 616_901_961, "full_name": "harborline/ledger-api"],
        "sender": user("mina-castellanos", 880_011),
    ]

    static let question: JSONValue = [
        "action": "requested", "environment": "production",
        "deployment_callback_url":
            "https://api.github.example/repos/harborline/ledger-api/actions/runs/5453085689/deployment_protection_rule",
        "deployment": [
            "id": 88_112, "sha": "5275a45b7e99c7fd7265b790392c10a74101a67a",
            "creator": user("avery-okafor", 3_263_338), "created_at": "2026-11-20T09:00:20Z",
        ],
        "repository": ["full_name": "harborline/ledger-api"],
    ]

    static func reading(
        _ value: JSONValue, event: String = "deployment_review", delivery: String = "7f0b5a3e"
    ) -> SourceReading {
        Fixtures.read(
            value, Fixtures.configuration(.gitHub),
            headers: [("x-github-event", event), ("X-GITHUB-DELIVERY", delivery)])
    }

    @Test("An approved review is bound to the run, its attempt, the environment and the commit")
    func approval() throws {
        let fact = try #require(Self.reading(Self.review).only)
        #expect(fact.kind == "decision.approved")
        #expect(
            fact.approvalID
                == ApprovalID("github/harborline/ledger-api/run/5453085689/1/environment/production"))
        #expect(fact.entitlement?.scope == "5275a45b7e99c7fd7265b790392c10a74101a67a")
        #expect(fact.sourceEventID == SourceEventID("7f0b5a3e"))
        let assessment = try #require(Fixtures.assess([Self.reading(Self.review)]))
        #expect(assessment.why == "approved_by_other_human_and_active")
        // There is no end in the event: the window is the class's longest lifetime.
        #expect(assessment.notAfter == Timestamp(rfc3339: "2026-11-20T09:19:02Z"))
        #expect(Fixtures.assess([Self.reading(Self.review)], at: "2026-11-20T09:19:02Z")?.issue == false)
    }

    @Test("A re-run is another approval")
    func rerun() throws {
        let again = Self.review.setting("workflow_run", "run_attempt", to: 2)
        #expect(
            Self.reading(again).only?.approvalID
                == ApprovalID("github/harborline/ledger-api/run/5453085689/2/environment/production"))
        let commit = Self.review.setting("workflow_run", "head_sha", to: "0000000000000000000000000000000000000000")
        #expect(Self.reading(commit).only?.entitlement?.scope != Self.reading(Self.review).only?.entitlement?.scope)
    }

    @Test("One event may cover several jobs and environments")
    func environments() {
        let jobs: JSONValue = [
            ["environment": "production", "updated_at": "2026-11-20T09:04:02Z"],
            ["environment": "Production", "updated_at": "2026-11-20T09:04:03Z"],
            ["environment": "eu/staging", "updated_at": "2026-11-20T09:04:01Z"],
        ]
        let facts = Self.reading(Self.review.setting("workflow_job_runs", to: jobs)).facts
        #expect(
            facts.compactMap { $0.approvalID?.rawValue.split(separator: "/", maxSplits: 7).last } == [
                "production", "eu/staging",
            ])
        #expect(
            facts.map(\.occurredAt) == ["2026-11-20T09:04:03Z", "2026-11-20T09:04:01Z"].map { Timestamp(rfc3339: $0) })
        #expect(facts.map(\.sourceEventID) == [SourceEventID("7f0b5a3e"), SourceEventID("7f0b5a3e#1")])
    }

    @Test("Neither the author nor who started the run approves it, and no bot does")
    func selfReview() {
        let author = Self.review.setting("approver", to: Self.user("avery-okafor", 3_263_338))
        #expect(Fixtures.assess([Self.reading(author)])?.why == "approver_is_requester")
        let starter = Self.review.setting(
            "workflow_run", "triggering_actor", to: Self.user("mina-castellanos", 880_011))
        #expect(Fixtures.assess([Self.reading(starter)])?.why == "approver_is_requester")
        let bot = Self.review.setting("approver", "type", to: "Bot")
        #expect(Fixtures.assess([Self.reading(bot)])?.why == "no_human_approval")
    }

    @Test(
        "What an action says",
        arguments: [
            ("requested", ["request.opened"]), ("rejected", ["decision.denied"]),
            ("acknowledged", ["request.opened"]), ("approved", ["decision.approved"]),
        ])
    func actions(action: String, kinds: [String]) {
        let reading = Self.reading(Self.review.setting("action", to: .string(action)))
        #expect(reading.facts.map(\.kind) == kinds)
        #expect((Fixtures.assess([reading])?.issue ?? true) == (action == "approved"))
    }

    @Test("A refusal stays, whatever comes before or after it")
    func denied() {
        let no = Self.reading(Self.review.setting("action", to: "rejected"))
        for readings in [[no, Self.reading(Self.review)], [Self.reading(Self.review), no]] {
            #expect(Fixtures.assess(readings)?.state == .denied)
        }
    }

    @Test("A protection rule's question is never an answer")
    func questions() throws {
        for action in ["requested", "approved"] {
            let reading = Self.reading(
                Self.question.setting("action", to: .string(action)), event: "deployment_protection_rule")
            let fact = try #require(reading.only)
            #expect(fact.content == .requestOpened)
            #expect(
                fact.approvalID == ApprovalID("github/harborline/ledger-api/run/5453085689/environment/production"))
        }
        let elsewhere = Self.question.setting(
            "deployment_callback_url", to: "https://api.github.example/repos/other/name/actions/runs/1/x")
        #expect(
            Fixtures.summary(Self.reading(elsewhere, event: "deployment_protection_rule")) == [
                "rejected no_request_id"
            ])
    }

    @Test("What is missing is rejected, and foreign events are left aside")
    func missing() {
        for (record, why) in [
            (Self.review.setting("workflow_run", "run_attempt", to: nil), "rejected no_request_id"),
            (Self.review.setting("workflow_run", "head_sha", to: nil), "rejected no_request_id"),
            (Self.review.setting("workflow_run", "id", to: -1), "rejected no_request_id"),
            (Self.review.setting("approver", to: nil), "rejected no_approver"),
            (Self.review.setting("workflow_job_runs", to: []), "rejected malformed"),
            (Self.review.setting("workflow_job_runs", "0", "updated_at", to: "now"), "rejected unparseable_time"),
            (Self.review.setting("repository", "full_name", to: "harborline"), "rejected tenant_mismatch"),
            (Self.review.setting("repository", "full_name", to: "stranger/ledger-api"), "rejected unknown_tenant"),
            (Self.review.setting("workflow_job_runs", to: "x"), "dead letter wrong_type"),
        ] as [(JSONValue, String)] {
            #expect(Fixtures.summary(Self.reading(record)) == [why])
        }
        #expect(Fixtures.summary(Self.reading(Self.review, event: "push")) == ["ignored not_a_decision"])
        #expect(
            Fixtures.summary(Fixtures.read(Self.review, Fixtures.configuration(.gitHub))) == [
                "dead letter missing_member"
            ])
    }
}
