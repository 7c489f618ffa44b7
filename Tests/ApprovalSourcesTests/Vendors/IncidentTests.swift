import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Incidents and alerts as stops")
struct IncidentTests {
    private typealias Fixtures = VendorFixtures

    static let incident: JSONValue = [
        "event": [
            "id": "5ac64822", "event_type": "incident.triggered", "resource_type": "incident",
            "occurred_at": "2026-11-20T09:00:00.000Z",
            "agent": ["id": "PXPGF42", "type": "user_reference", "summary": "Mina Castellanos"],
            "data": [
                "id": "PT4KHLK", "type": "incident", "title": "STOP agents on prod DB",
                "service": ["id": "PSTOP01", "summary": "Agent emergency stop: prod DB"],
            ],
        ]
    ]

    static let alert: JSONValue = [
        "action": "Create",
        "alert": [
            "alertId": "052652ac-5d1c-464a-812a-7dd18bbfba8c", "message": "stop the agents",
            "tags": ["oncall", "Claw-Stop", "job_class:prod_db_maintenance"], "createdAt": 1_795_165_200_000,
            "username": "mina.castellanos@harborline.example",
        ],
        "integrationId": "37c8f316",
    ]

    private static func stops(_ reading: SourceReading) -> [StopDeclaration] {
        reading.facts.compactMap { if case .stopDeclared(let stop) = $0.content { stop } else { nil } }
    }

    static func pagerDuty(_ value: JSONValue) -> SourceReading {
        Fixtures.read(value, Fixtures.configuration(.pagerDuty))
    }

    static func opsgenie(_ value: JSONValue) -> SourceReading {
        Fixtures.read(value, Fixtures.configuration(.opsgenie))
    }

    // MARK: PagerDuty

    @Test("An incident of a listed service is a stop of what the configuration says")
    func incidentStops() throws {
        let fact = try #require(Self.pagerDuty(Self.incident).only)
        let stop = try #require(Self.stops(Self.pagerDuty(Self.incident)).first)
        #expect(stop.stopID == "pagerduty/PT4KHLK")
        #expect(stop.scope == StopScope(kind: .jobClass, value: "prod_db_maintenance"))
        #expect(stop.revokesLive)
        #expect(!stop.isWidened)
        #expect(stop.declaredBy == [Actor(id: PersonID("PXPGF42"), name: "Mina Castellanos")])
        #expect(fact.sourceEventID == SourceEventID("5ac64822"))
        #expect(fact.occurredAt == Timestamp(rfc3339: "2026-11-20T09:00:00Z"))
    }

    @Test(
        "Nothing that comes after lifts it",
        arguments: [
            ("incident.resolved", "ignored resolve_does_not_lift"),
            ("incident.acknowledged", "ignored not_a_decision"), ("incident.unheard_of", "ignored not_a_decision"),
        ])
    func nothingLifts(type: String, summary: String) {
        let reading = Self.pagerDuty(Self.incident.setting("event", "event_type", to: .string(type)))
        #expect(Fixtures.summary(reading) == [summary])
    }

    @Test("An incident that comes back is a new stop, since the old one may have been lifted")
    func reopened() throws {
        let again = Self.incident.setting("event", "event_type", to: "incident.reopened")
        #expect(Self.stops(Self.pagerDuty(again)).map(\.stopID) == ["pagerduty/PT4KHLK/5ac64822"])
    }

    @Test("An incident that is moved to a listed service is a stop of its own; moved away, it lifts nothing")
    func moved() throws {
        let moved = Self.incident.setting("event", "event_type", to: "incident.service_updated")
        let stop = try #require(Self.stops(Self.pagerDuty(moved)).first)
        #expect(stop.stopID == "pagerduty/PT4KHLK/5ac64822")
        #expect(stop.scope == StopScope(kind: .jobClass, value: "prod_db_maintenance") && !stop.isWidened)
        let away = moved.setting("event", "data", "service", "id", to: "PZZZ")
        #expect(Fixtures.summary(Self.pagerDuty(away)) == ["ignored service_not_mapped"])
        let unreadable = Self.stops(Self.pagerDuty(moved.setting("event", "data", "service", to: nil)))
        #expect(unreadable.allSatisfy(\.isWidened) && unreadable.count == 2)
    }

    @Test("An incident of another service stops nothing, one of no readable service stops all that the source may stop")
    func services() throws {
        let other = Self.incident.setting("event", "data", "service", "id", to: "PZZZ")
        #expect(Fixtures.summary(Self.pagerDuty(other)) == ["ignored service_not_mapped"])
        // A stop does not fail for the case of its letters.
        let lower = Self.incident.setting("event", "data", "service", "id", to: "pstop01")
        #expect(Fixtures.summary(Self.pagerDuty(lower)) == ["stop.declared"])
        let shouted = Self.incident.setting("event", "event_type", to: "Incident.Triggered")
        #expect(Fixtures.summary(Self.pagerDuty(shouted)) == ["stop.declared"])
        var configuration = Fixtures.configuration(.pagerDuty)
        configuration.vendor.stops.removeLast()
        for broken in [
            Self.incident.setting("event", "data", "service", to: nil), Self.incident.setting("event", "data", to: nil),
        ] {
            let stop = try #require(Self.stops(Fixtures.read(broken, configuration)).first)
            #expect(stop.isWidened)
            #expect(stop.scope == StopScope(kind: .jobClass, value: "prod_db_maintenance"))
        }
    }

    @Test("A stop without a time or a name is a stop")
    func incompleteIncident() throws {
        var record = Self.incident.setting("event", "occurred_at", to: "soon").setting("event", "agent", to: nil)
        let fact = try #require(Self.pagerDuty(record).only)
        #expect(fact.occurredAt == nil)
        #expect(fact.kind == "stop.declared")
        record = record.setting("event", "data", "id", to: nil).setting("event", "id", to: nil)
        let nameless = try #require(Self.stops(Self.pagerDuty(record)).first)
        #expect(nameless.isWidened)
        #expect(nameless.stopID.hasPrefix("pagerduty/event/"))
    }

    // MARK: Opsgenie

    @Test("An alert with the tag is a stop of what its other tags say")
    func alertStops() throws {
        let stop = try #require(Self.stops(Self.opsgenie(Self.alert)).first)
        #expect(stop.stopID == "opsgenie/052652ac-5d1c-464a-812a-7dd18bbfba8c")
        #expect(stop.scope == StopScope(kind: .jobClass, value: "prod_db_maintenance"))
        #expect(stop.declaredBy.first?.id == PersonID("mina.castellanos@harborline.example"))
        #expect(Self.opsgenie(Self.alert).only?.occurredAt == Timestamp(rfc3339: "2026-11-20T09:00:00Z"))
    }

    @Test(
        "Tags that say nothing readable stop everything",
        arguments: [
            ["claw-stop"], ["claw-stop", "job_class:"], ["claw-stop", "continent:atlantis"], ["claw-stop", "jti:x"],
            ["claw-stop", "all:of:it"],
        ])
    func widened(tags: [String]) throws {
        let record = Self.alert.setting("alert", "tags", to: .array(tags.map { .string($0) }))
        let stops = Self.stops(Self.opsgenie(record))
        #expect(stops.map(\.scope) == [.everything])
        #expect(stops.allSatisfy { $0.isWidened })
    }

    @Test("Several scopes are several stops")
    func severalScopes() {
        let record = Self.alert.setting(
            "alert", "tags", to: ["claw-stop", "job_class:a", "job_class:b", "job_class:a", "all"])
        let stops = Self.stops(Self.opsgenie(record))
        #expect(stops.map(\.scope.text) == ["job_class:a", "job_class:b", "all"])
        #expect(Set(stops.map(\.stopID)).count == 3)
    }

    @Test("The scope of the configuration goes before the tags")
    func configuredScope() {
        var configuration = Fixtures.configuration(.opsgenie)
        configuration.vendor.stops = [
            VendorRule.Stop(
                match: "freeze", scope: StopScope(kind: .jobClass, value: "prod_deploy"), revokesLive: false)
        ]
        let record = Self.alert.setting("alert", "tags", to: ["FREEZE", "job_class:other"])
        let stops = Self.stops(Fixtures.read(record, configuration))
        #expect(stops.map(\.scope.text) == ["job_class:prod_deploy"])
        #expect(stops.map(\.revokesLive) == [false])
    }

    @Test(
        "Only what is opened or tagged stops",
        arguments: [
            ("AddTags", "stop.declared"), ("create", "stop.declared"), ("Close", "ignored resolve_does_not_lift"),
            ("Delete", "ignored resolve_does_not_lift"), ("Acknowledge", "ignored not_a_decision"),
        ])
    func actions(action: String, summary: String) {
        #expect(Fixtures.summary(Self.opsgenie(Self.alert.setting("action", to: .string(action)))) == [summary])
    }

    @Test("An alert without the tag stops nothing")
    func untagged() {
        for tags: JSONValue in [[], ["job_class:prod_db_maintenance"], .null, 7] {
            let record = Self.alert.setting("alert", "tags", to: tags)
            #expect(Fixtures.summary(Self.opsgenie(record)) == ["ignored tag_not_mapped"])
        }
        let text = Self.alert.setting("alert", "tags", to: "oncall, claw-stop")
        #expect(Self.opsgenie(text).facts.map(\.kind) == ["stop.declared"])
    }

    // MARK: Slack

    @Test("A button in a chat approves nothing, however it is posted")
    func slack() {
        let interaction: JSONValue = [
            "type": "block_actions", "user": ["id": "U0MINA"], "trigger_id": "1.2.3",
            "actions": [["action_id": "claw_approve", "value": "entra-pim/x/y", "action_ts": "1795165260.100000"]],
        ]
        let text = JSONWriter.text(interaction)
        let form =
            "payload="
            + text.utf8.map { byte in
                byte == 0x20 ? "+" : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16, uppercase: true)
            }.joined()
        for body in [text, form, form + "&x=y"] {
            let reading = Fixtures.read(Array(body.utf8), Fixtures.configuration(.slack))
            #expect(Fixtures.summary(reading) == ["ignored chat_is_not_evidence"])
            #expect(reading.only?.approvalID == nil)
            #expect(reading.only?.occurredAt == Timestamp(seconds: 1_795_165_260))
        }
        for body in ["payload=%7", "payload=%zz", "payload="] {
            let reading = Fixtures.read(Array(body.utf8), Fixtures.configuration(.slack))
            #expect(Fixtures.summary(reading) == ["dead letter not_json"])
        }
    }
}
