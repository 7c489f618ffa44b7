import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// Rows of lists as objects. Texts that others wrote stand in them as they came; the page shows them as text.
enum ListRow {
    /// A token that lives.
    static func liveToken(_ request: StoredRequest) -> JSONValue? {
        guard let token = request.token else { return nil }
        return [
            "request_id": .string(request.requestID.rawValue), "job_id": .string(request.jobID.rawValue),
            "job_class": .string(request.jobClass.rawValue), "agent_did": .string(request.agentDID.rawValue),
            "issued_at": .string(token.issuedAt.iso8601), "expires_at": .string(token.expiresAt.iso8601),
            "scope": .array(token.scope.map { .string($0) }),
            "is_elevated": .bool(token.control?.isElevated ?? false),
        ]
    }

    /// One reason in a receipt.
    static func reason(_ reason: Receipt.Reason) -> JSONValue {
        let code = ReasonCode(rawValue: reason.code)
        return [
            "code": .string(reason.code), "detail": .string(reason.detail), "meaning": .optional(code?.meaning),
            "remedy": .optional(code?.remedy),
        ]
    }
}

/// A request that waits.
struct WaitingRow {
    private let request: StoredRequest
    private let decision: Decision?
    private let confirmations: [ApprovalID: String]
    private let rules: RuleSet

    init(
        _ request: StoredRequest, _ decision: Decision?, _ confirmations: [ApprovalID: String], _ rules: RuleSet
    ) {
        self.request = request
        self.decision = decision
        self.confirmations = confirmations
        self.rules = rules
    }

    /// When it expires if nothing comes.
    private var endsAt: Timestamp? {
        rules.jobClasses[request.jobClass].map { request.receivedAt.adding(seconds: $0.waitTimeoutSeconds) }
            ?? request.waitUntil
    }

    /// What it waits for, one sentence each.
    private var waitsFor: [JSONValue] {
        let asked = (decision?.approvals ?? []) + [request.approvalReference].compactMap(\.self)
        let confirming = Set(asked).sorted().compactMap { id in confirmations[id].map { "\(id): \($0)" } }
        return confirming.map { ["code": "CONFIRMATION", "detail": .string($0), "needed": "the vendor's own answer"] }
            + Self.reasons(decision)
    }

    /// What the rules say: the reasons of a wait, or that a worker is about to decide.
    static func reasons(_ decision: Decision?) -> [JSONValue] {
        guard let decision else { return [] }
        switch decision.outcome {
        case .wait:
            return decision.reasons.enumerated().map { index, reason in
                [
                    "code": .string(reason.code.rawValue), "detail": .string(reason.detail),
                    "needed": .optional(decision.needed.indices.contains(index) ? decision.needed[index] : nil),
                    "remedy": .string(reason.code.remedy),
                ]
            }
        case .issue, .deny, .expire:
            return [
                [
                    "code": "NEXT_LOOK",
                    "detail": "what it waited for is there, or its time is over: a worker decides it at its next look",
                    "needed": "a worker that is alive",
                ]
            ]
        }
    }

    var document: JSONValue {
        [
            "request_id": .string(request.requestID.rawValue), "job_id": .string(request.jobID.rawValue),
            "job_class": .string(request.jobClass.rawValue), "agent_did": .string(request.agentDID.rawValue),
            "received_at": .string(request.receivedAt.iso8601), "ends_at": .optional(endsAt?.iso8601),
            "approval_id": .optional(request.approvalReference?.rawValue),
            "ticket": .optional(request.ticketReference), "subject": .optional(request.subjectReference?.rawValue),
            "waits_for": .array(waitsFor),
        ]
    }
}

extension FeedEntry {
    /// The line as an object.
    var document: JSONValue {
        let subject = receipt.subject
        var object: JSONObject = [
            "place": .string(place.text), "receipt_id": .string(receipt.id.rawValue),
            "kind": .string(receipt.content.kind.rawValue), "outcome": .string(outcome.rawValue),
            "at": .string(receipt.occurredAt.iso8601), "request_id": .optional(subject.requestID?.rawValue),
            "job_id": .optional(subject.jobID?.rawValue), "job_class": .optional(subject.jobClass?.rawValue),
            "agent_did": .optional(subject.agentDID?.rawValue),
            "approvals": .array(subject.approvalIDs.map { .string($0.rawValue) }),
            "reasons": .array(
                receipt.reasons.map { ["code": .string($0.code), "detail": .string($0.detail)] }),
        ]
        object["summary"] = .string(summary)
        object["control_position"] = receipt.provenance.controlPosition.map { .integer($0) }
        return .object(object)
    }

    /// The receipt in one sentence.
    private var summary: String {
        switch receipt.content {
        case .grantIssued(let grant):
            let people = grant.approverIDs.map(\.rawValue).joined(separator: ", ")
            let end = grant.token.expiresAt.iso8601.prefix(19)
            return (people.isEmpty ? "" : "approved by \(people); ") + "valid until \(end)Z"
        case .decisionDenied, .decisionExpired:
            return receipt.reasons.first.map(\.detail) ?? "no reason stands in the receipt"
        case .decisionQuarantined(let quarantine):
            return "record \(quarantine.origin): \(receipt.reasons.first?.detail ?? "not understood")"
        case .revocation(let revocation):
            let why = receipt.reasons.first?.detail ?? revocation.cause.rawValue
            return "token \(revocation.jti?.rawValue ?? revocation.tokenHash.hex): \(why)"
        case .stopDeclared(let payload): return control("stop", payload)
        case .stopLifted(let payload): return control("lift", payload)
        case .stopDrilled(let payload): return control("drill", payload)
        case .controlApplied(let payload): return control(payload["operation"]?.string ?? "control event", payload)
        case .controlRepeated(let payload):
            return control("repeat of \(payload["operation"]?.string ?? "a control event")", payload)
        case .findingRaised(let finding): return "\(finding.about): \(receipt.reasons.first?.detail ?? finding.code)"
        case .grantClaimed, .deadLetterRedriven, .deadLetterDiscarded, .revocationsEnded, .keyChanged,
            .gatewayReceipt, .budgetReached, .heartbeat:
            return receipt.content.kind.rawValue
        }
    }

    private func control(_ what: String, _ payload: JSONObject) -> String {
        let scope = payload["scope"]
        let parts = [scope?["kind"]?.string, scope?["value"]?.string].compactMap(\.self).joined(separator: ":")
        let why = receipt.reasons.first?.detail
        return [what, payload["stop_id"]?.string, parts.isEmpty ? nil : "of \(parts)", why.map { "(\($0))" }]
            .compactMap(\.self).joined(separator: " ")
    }
}

/// A request's story as an object, for the page.
struct RequestDocument {
    private let found: ConsoleRequest
    private let decision: Decision?
    private let story: RequestStory

    init(_ found: ConsoleRequest, _ rules: RuleSet, _ control: ControlState, at now: Timestamp) {
        self.found = found
        decision = found.waiting.flatMap { waiting in
            WaitingReasons(waiting, rules, control).decision(on: found.history.request)
        }
        story = RequestStory(found.history, rules: rules, now: found.waiting?.now ?? now, waitsFor: decision)
    }

    var document: JSONValue {
        let request = found.history.request
        var object = story.json.object ?? JSONObject()
        object["headline"] = .string(story.headline)
        object["story"] = .array(
            story.sections.map {
                ["title": .string($0.title), "items": .array($0.items.map { .string($0) })]
            })
        object["waits_for"] = .array(WaitingRow.reasons(request.state == .waiting ? decision : nil))
        object["confirmations"] = .array(
            found.confirmations.sorted { $0.key < $1.key }.map { .string("\($0.key): \($0.value)") })
        object["expires_at"] = .optional(request.token?.expiresAt.iso8601)
        object["position"] = found.position.map { .integer($0) } ?? .null
        return .object(object)
    }
}
