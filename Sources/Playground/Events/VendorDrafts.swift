public import ClawWire
public import IssuanceRules
public import Kafka

/// A change of ServiceNow that is still being written.
public struct ChangeDraft: Sendable {
    /// Number.
    public var number: String
    /// Number of its state: -2 scheduled, 4 canceled.
    public var state = "-2"
    /// The roll-up of its approvals.
    public var approval = "requested"
    /// Who asks.
    public var requester = PlaygroundCast.ines
    /// Who answered, and how.
    public var answers: [(person: Actor, state: String)] = []
    /// How often it was changed.
    public var modifications = 1
    /// When it was changed last.
    public var time: Timestamp
    /// Length of its window, in seconds.
    public var windowSeconds: Int64 = 3_600

    /// A change that waits for its approval.
    public init(_ number: String, at time: Timestamp = .playgroundNow) {
        self.number = number
        self.time = time
    }

    /// The approval.
    public var approvalID: ApprovalID { ApprovalID("servicenow/northquay/\(number.lowercased())") }

    /// The change after an answer.
    public func answered(_ state: String, by people: Actor...) -> ChangeDraft {
        var draft = self
        draft.approval = state
        draft.answers = people.map { ($0, state) }
        draft.modifications += 1
        return draft
    }

    /// The change after it was canceled.
    public func canceled() -> ChangeDraft {
        var draft = self
        draft.state = "4"
        draft.modifications += 1
        return draft
    }

    /// The record's value.
    public var json: JSONValue {
        let at = Self.text(time)
        return [
            "instance": "northquay", "table": "change_request", "operation": "update", "sys_updated_on": .string(at),
            "change_request": [
                "sys_id": .string(String(Digest(hashing: number).hex.prefix(32))), "number": .string(number),
                "state": .string(state), "approval": .string(approval),
                "requested_by": Self.reference(requester), "assigned_to": Self.reference(requester),
                "justification": "Reindex the ledger", "start_date": .string(Self.text(time.adding(seconds: -60))),
                "end_date": .string(Self.text(time.adding(seconds: windowSeconds))),
                "u_claw_job_class": .string(PlaygroundClass.ticketed.rawValue), "sys_updated_on": .string(at),
                "sys_mod_count": .string(String(modifications)),
            ],
            "approvals": .array(
                answers.map { answer in
                    [
                        "state": .string(answer.state), "approver": Self.reference(answer.person),
                        "source_table": "change_request", "sys_updated_on": .string(at),
                    ]
                }),
        ]
    }

    private static func reference(_ person: Actor) -> JSONValue {
        ["value": .string(person.id.rawValue), "display_value": .optional(person.name)]
    }

    /// UTC without a zone and without a fraction, as ServiceNow writes it.
    private static func text(_ time: Timestamp) -> String {
        String(Timestamp(seconds: time.seconds).iso8601.prefix(19)).replacing("T", with: " ")
    }

    /// The record.
    public var record: ProducerRecord {
        VendorDraft.record(.serviceNow, key: number, value: JSONWriter.bytes(json))
    }
}

/// An approval of an issue that is still being written.
public struct IssueDraft: Sendable, Hashable {
    /// Key of the issue.
    public var key: String
    /// What was decided: pending, approved or declined.
    public var decision = "pending"
    /// Who answered as was decided.
    public var people: [Actor] = []
    /// When.
    public var time: Timestamp

    /// An issue that waits for its approval.
    public init(_ key: String, at time: Timestamp = .playgroundNow) {
        self.key = key
        self.time = time
    }

    /// The approval.
    public var approvalID: ApprovalID { ApprovalID("jsm/northquay/\(key.lowercased())/approval/1") }

    /// The issue after its approval was decided.
    public func answered(_ decision: String, by people: Actor...) -> IssueDraft {
        var draft = self
        draft.decision = decision
        draft.people = people
        return draft
    }

    /// The webhook of a change of the issue, or of its end.
    public func record(isDeleted: Bool = false) -> ProducerRecord {
        func account(_ person: Actor) -> JSONValue {
            ["accountId": .string(person.id.rawValue), "displayName": .optional(person.name)]
        }
        var approval: JSONObject = [
            "id": "1", "name": "Agent run", "finalDecision": .string(decision),
            "approvers": .array(
                people.map { ["approver": account($0), "approverDecision": .string(decision)] as JSONValue }),
            "createdDate": ["epochMillis": .integer(time.milliseconds)],
        ]
        if decision != "pending" { approval["completedDate"] = ["epochMillis": .integer(time.milliseconds)] }
        let value: JSONValue = [
            "timestamp": .integer(time.milliseconds),
            "webhookEvent": isDeleted ? "jira:issue_deleted" : "jira:issue_updated",
            "issue": [
                "key": .string(key), "self": "https://northquay.atlassian.example/rest/api/2/issue/10001",
                "fields": [
                    "summary": "Agent run", "reporter": account(PlaygroundCast.ines),
                    "customfield_10010": [
                        "requestType": ["id": .string(PlaygroundVendor.requestType), "name": "Agent run"]
                    ],
                    "customfield_10055": [.object(approval)],
                    "customfield_10060": ["value": .string(PlaygroundClass.ticketed.rawValue)],
                    "customfield_10061": .string(time.adding(seconds: -60).iso8601),
                    "customfield_10062": .string(time.adding(seconds: 3_600).iso8601),
                ],
            ],
        ]
        return VendorDraft.record(.jsm, key: key, value: JSONWriter.bytes(value))
    }
}

/// A review of a deployment that is still being written.
public struct DeploymentDraft: Sendable, Hashable {
    /// Number of the run.
    public var run: Int
    /// Attempt.
    public var attempt = 1
    /// When.
    public var time: Timestamp

    /// A deployment that waits for its review.
    public init(_ run: Int, at time: Timestamp = .playgroundNow) {
        self.run = run
        self.time = time
    }

    /// The approval.
    public var approvalID: ApprovalID {
        let (repository, name) = PlaygroundVendor.environment
        return ApprovalID("github/\(repository)/run/\(run)/\(attempt)/environment/\(name)")
    }

    private static func user(_ person: Actor) -> JSONValue {
        ["id": .string(person.id.rawValue), "login": .optional(person.name), "type": "User"]
    }

    /// The webhook of an answer.
    public func review(_ action: String, by person: Actor) -> ProducerRecord {
        let (repository, name) = PlaygroundVendor.environment
        let value: JSONValue = [
            "action": .string(action), "approver": Self.user(person), "comment": "Checked",
            "workflow_job_runs": [["environment": .string(name), "updated_at": .string(time.iso8601)]],
            "workflow_run": [
                "id": .integer(run), "run_attempt": .integer(attempt),
                "head_sha": "5275a45b7e99c7fd7265b790392c10a74101a67a",
                "actor": Self.user(PlaygroundCast.ines), "triggering_actor": Self.user(PlaygroundCast.ines),
            ],
            "repository": ["full_name": .string(repository)],
        ]
        return Self.record("deployment_review", "\(run)-\(attempt)-\(action)", value)
    }

    /// The webhook of a protection rule's question.
    public func question() -> ProducerRecord {
        let (repository, name) = PlaygroundVendor.environment
        let value: JSONValue = [
            "action": "requested", "environment": .string(name),
            "deployment_callback_url": .string(
                "https://api.github.example/repos/\(repository)/actions/runs/\(run)/deployment_protection_rule"),
            "deployment": ["creator": Self.user(PlaygroundCast.ines), "created_at": .string(time.iso8601)],
            "repository": ["full_name": .string(repository)],
        ]
        return Self.record("deployment_protection_rule", "\(run)-question", value)
    }

    private static func record(_ event: String, _ delivery: String, _ value: JSONValue) -> ProducerRecord {
        VendorDraft.record(
            .gitHub, key: delivery, value: JSONWriter.bytes(value),
            headers: [("X-GitHub-Event", event), ("X-GitHub-Delivery", delivery)])
    }
}

/// Records of vendors that take one call to write.
public enum VendorDraft {
    static func record(
        _ vendor: PlaygroundVendor, key: String, value: [UInt8], headers: [(String, String)] = []
    ) -> ProducerRecord {
        ProducerRecord(
            topic: vendor.topic, key: Array(key.utf8), value: value,
            headers: headers.map { KafkaHeader(name: $0.0, value: Array($0.1.utf8)) })
    }

    /// A PagerDuty webhook about an incident.
    ///
    /// - Parameters:
    ///   - incident: identifier of the incident; the stop is `pagerduty/INCIDENT`.
    ///   - type: for example `incident.triggered`.
    ///   - service: identifier of the service.
    public static func pagerDuty(
        _ incident: String, _ type: String = "incident.triggered",
        service: String = PlaygroundVendor.stoppingService, by person: Actor = PlaygroundCast.paloma,
        at time: Timestamp = .playgroundNow
    ) -> ProducerRecord {
        let value: JSONValue = [
            "event": [
                "id": .string("\(incident)-\(type)"), "event_type": .string(type), "resource_type": "incident",
                "occurred_at": .string(time.iso8601),
                "agent": [
                    "id": .string(person.id.rawValue), "type": "user_reference", "summary": .optional(person.name),
                ],
                "data": [
                    "id": .string(incident), "title": "Agents write what nobody asked for",
                    "service": ["id": .string(service), "summary": "Stop of agents"],
                ],
            ]
        ]
        return record(.pagerDuty, key: incident, value: JSONWriter.bytes(value))
    }

    /// An Opsgenie webhook about an alert.
    ///
    /// - Parameters:
    ///   - alert: identifier of the alert; the stop is `opsgenie/ALERT`.
    ///   - action: for example `Create`.
    ///   - tags: its tags.
    public static func opsgenie(
        _ alert: String, _ action: String = "Create", tags: [String], by person: Actor = PlaygroundCast.paloma,
        at time: Timestamp = .playgroundNow
    ) -> ProducerRecord {
        let value: JSONValue = [
            "action": .string(action),
            "alert": [
                "alertId": .string(alert), "message": "Agents write what nobody asked for",
                "tags": .array(tags.map { .string($0) }), "createdAt": .integer(time.milliseconds),
                "username": .optional(person.upn),
            ],
        ]
        return record(.opsgenie, key: alert, value: JSONWriter.bytes(value))
    }

    /// A button that somebody pressed in a chat about an approval.
    public static func slack(_ approval: ApprovalID, at time: Timestamp = .playgroundNow) -> ProducerRecord {
        let value: JSONValue = [
            "type": "block_actions", "user": ["id": "U0RUTH", "username": "ruth.adeyemi"],
            "trigger_id": .string("trigger-\(time.milliseconds)"),
            "actions": [
                [
                    "action_id": "claw_approve", "type": "button", "value": .string(approval.rawValue),
                    "action_ts": .string("\(time.seconds).100000"),
                ]
            ],
        ]
        return record(.slack, key: approval.rawValue, value: JSONWriter.bytes(value))
    }

    /// A Security Event Token about a person.
    ///
    /// - Parameters:
    ///   - id: identifier of the token.
    ///   - event: end of the event's address, for example `caep/event-type/session-revoked`.
    ///   - person: whom it is about.
    ///   - signer: the transmitter's key.
    /// - Throws: what the signer throws.
    public static func securityEvent(
        _ id: String, _ event: String, about person: Actor, signedBy signer: any Ed25519Signer,
        at time: Timestamp = .playgroundNow
    ) throws -> ProducerRecord {
        let header: JSONValue = [
            "typ": "secevent+jwt", "alg": "EdDSA", "kid": .string(signer.publicKey.kid.rawValue),
        ]
        var events = JSONObject()
        events["https://schemas.openid.net/secevent/\(event)"] = ["initiating_entity": "admin"]
        let claims: JSONValue = [
            "iss": .string(PlaygroundVendor.transmitter), "aud": .string(PlaygroundVendor.audience),
            "jti": .string(id), "iat": .integer(time.seconds),
            "sub_id": [
                "format": "complex",
                "user": [
                    "format": "iss_sub", "iss": "https://login.northquay.example/", "sub": .string(person.id.rawValue),
                ],
            ],
            "events": .object(events),
        ]
        let text = "\(Base64URL.encode(JSONWriter.bytes(header))).\(Base64URL.encode(JSONWriter.bytes(claims)))"
        let signature = Base64URL.encode(try signer.sign(Array(text.utf8)).bytes)
        return record(.sharedSignals, key: person.id.rawValue, value: Array("\(text).\(signature)".utf8))
    }
}
