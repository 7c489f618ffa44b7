import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules

/// What would become of a request, as a `capability_response` (WIRE section 11) with our members under the one key
/// `clawgrant`. It grants nothing, so that it names no capability.
struct CapabilityAnswer: Sendable {
    /// The word of the `capability_response`.
    enum Decision: String, Sendable {
        /// It would be granted.
        case pass = "preflight_pass"
        /// It would be refused, or waits for something else than an approval.
        case fail = "preflight_fail"
        /// Nothing but an approval is missing.
        case requiresApproval = "requires_approval"
    }

    let decision: Decision
    let json: JSONValue

    init(_ asked: CapabilityRequest, _ answer: Preflight.Answer, sight: Preflight.Sight, rules: Digest) {
        let judged = answer.decision
        decision = Self.decision(judged)
        var ours: JSONObject = [
            "control_position": .integer(answer.controlPosition), "needed": Self.texts(judged.needed),
            "outcome": .string(Self.outcome(judged)),
            "reasons": .array(
                judged.reasons.map { reason in
                    [
                        "code": .string(reason.code.rawValue), "detail": .string(reason.detail),
                        "meaning": .string(reason.code.meaning), "remedy": .string(reason.code.remedy),
                    ]
                }), "rule": .string(judged.rule), "rules_hash_b64u": .string(rules.b64u),
            "sight": sight == .everything ? "everything" : "request_alone",
            "source": .string(answer.source.rawValue),
        ]
        if sight == .everything { ours["approval_ids"] = Self.texts(judged.approvals.map(\.rawValue)) }
        ours["known_outcome"] = answer.known.map { .string(Self.name($0)) }
        ours["recheck_at"] = judged.recheckAt.map { .string($0.iso8601) }
        var response: JSONObject = [
            "clawgrant": .null, "decision": .string(decision.rawValue), "denied_actions": [],
            "request_id": .string(asked.requestID.rawValue),
            "response_id": .string(Self.identifier(asked, answer)), "response_version": "1",
            "timestamp": .string(answer.at.iso8601),
        ]
        switch judged.outcome {
        case .issue(let plan):
            ours["would_grant"] = [
                "actions": Self.texts(plan.elevatedActions), "audience": Self.texts(plan.audience),
                "scope": Self.texts(plan.scope),
                "ttl_seconds": .integer(plan.expiresAt.seconds - plan.issuedAt.seconds),
            ]
            response["denied_actions"] = Self.texts(asked.actions.filter { !plan.elevatedActions.contains($0) })
        case .wait(let until): ours["waits_until"] = .string(until.iso8601)
        case .deny, .expire: break
        }
        response["clawgrant"] = .object(ours)
        if let first = judged.reasons.first {
            response["reason_code"] = .string(first.code.rawValue)
            response["reason"] = .string(first.detail)
        }
        json = .object(response)
    }

    private static func decision(_ judged: IssuanceRules.Decision) -> Decision {
        switch judged.outcome {
        case .issue: .pass
        case .wait: judged.reasons.allSatisfy { isAboutApprovals($0.code) } ? .requiresApproval : .fail
        case .deny, .expire: .fail
        }
    }

    private static func isAboutApprovals(_ code: ReasonCode) -> Bool {
        code == .capabilityRequiresApproval || code.rawValue.hasPrefix("HUMAN_APPROVAL_")
    }

    private static func outcome(_ judged: IssuanceRules.Decision) -> String {
        switch judged.outcome {
        case .issue: "issue"
        case .deny: "deny"
        case .expire: "expire"
        case .wait: "wait"
        }
    }

    private static func name(_ state: RequestState) -> String {
        switch state {
        case .waiting: "waiting"
        case .issued: "issued"
        case .denied: "denied"
        case .expired: "expired"
        }
    }

    /// The same for the same question at the same instant: nothing is recorded under it.
    private static func identifier(_ asked: CapabilityRequest, _ answer: Preflight.Answer) -> String {
        let question: JSONValue = [
            "clawgrant-preflight-v1", asked.json, .string(answer.source.rawValue), .string(answer.at.iso8601),
        ]
        return question.canonicalDigest.b64u
    }

    private static func texts(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
}
