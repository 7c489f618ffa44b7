public import ClawWire
import ReceiptLog

/// A revocation, or a stop that revokes, as other systems understand it: the event `session-revoked` of OpenID CAEP in the claims of a Security Event
/// Token (RFC 8417).
///
/// The claims follow from the receipt and the audience alone, so a repeat is the same token under the same identifier.
public enum SessionRevoked {
    /// The event's type.
    public static let eventType = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"

    /// The claims of the token that tells a revocation or a stop that revokes; `nil` for every other event.
    ///
    /// There is neither `sub` nor `exp`, so that no reader takes it for an access token (RFC 8417 sections 2.2 and 4.5).
    ///
    /// - Parameters:
    ///   - event: an event of the log.
    ///   - issuer: `iss`; also the issuer of the revoked token.
    ///   - audience: `aud`.
    public static func claims(_ event: SecurityEvent, issuer: String, audience: String) -> JSONObject? {
        if case .revocation(let revocation) = event.receipt.content {
            return claims(
                event, issuer, audience, cause: revocation.cause, transaction: transaction(event, revocation),
                subject: subject(event, revocation, issuer))
        }
        guard case .stopDeclared(let stop) = event.receipt.content,
            stop["data"]?["action"] == "revoke_and_deny"
        else { return nil }
        return claims(
            event, issuer, audience, cause: .stopped, transaction: transaction(event, stop: stop),
            subject: subject(event, issuer))
    }

    private static func claims(
        _ event: SecurityEvent, _ issuer: String, _ audience: String, cause: RevocationCause, transaction: String,
        subject: JSONObject
    ) -> JSONObject {
        let details: JSONObject = [
            "event_timestamp": .integer(event.receipt.occurredAt.seconds),
            "initiating_entity": .string(initiator(cause)), "reason_admin": ["en": .string(reason(cause))],
        ]
        return [
            "iss": .string(issuer), "jti": .string(identifier(event.receipt.id, audience: audience)),
            "iat": .integer(max(event.sealedAt, event.receipt.occurredAt).seconds), "aud": .string(audience),
            "txn": .string(transaction), "sub_id": .object(subject),
            "events": .object([eventType: .object(details)]),
        ]
    }

    /// Claim `jti`: of the receipt and of the one audience that the token is for.
    static func identifier(_ receipt: ReceiptID, audience: String) -> String {
        digest(["clawgrant-set-v1", receipt.rawValue, audience])
    }

    /// Claim `txn`: the same for all revocations of one cause. Their receipts share the sentence that names the control
    /// event, the approval or the request; that of a spent budget names none, but is the job's.
    static func transaction(_ event: SecurityEvent, _ revocation: Receipt.Revocation) -> String {
        let job = revocation.cause == .budgetSpent ? event.receipt.subject.jobID?.rawValue ?? "" : ""
        return digest([
            "clawgrant-txn-v1", event.producer.logID.rawValue, revocation.cause.rawValue,
            event.receipt.reasons.first?.detail ?? "", job,
        ])
    }

    /// That of a stop: the one of the revocations that follow from it, whose sentence names the stop and its reason.
    private static func transaction(_ event: SecurityEvent, stop: JSONObject) -> String {
        let reason = stop["reason"]?.string.map { ": \($0)" } ?? ""
        return digest([
            "clawgrant-txn-v1", event.producer.logID.rawValue, RevocationCause.stopped.rawValue,
            "stop \(stop["stop_id"]?.string ?? "")\(reason)", "",
        ])
    }

    private static func digest(_ parts: [String]) -> String {
        JSONValue.array(parts.map { .string($0) }).canonicalDigest.b64u
    }

    /// The token as the session, the agent as its user; the tenant where the log is one tenant's.
    private static func subject(
        _ event: SecurityEvent, _ revocation: Receipt.Revocation, _ issuer: String
    ) -> JSONObject {
        var subject: JSONObject = ["format": "complex"]
        // Tokens that are not ours have no `jti` here; their hash is what the revocations topic knows them by.
        subject["session"] =
            revocation.jti.map { ["format": "jwt_id", "iss": .string(issuer), "jti": .string($0.rawValue)] }
            ?? ["format": "opaque", "id": .string("sha256:\(revocation.tokenHash.hex)")]
        subject["user"] = event.receipt.subject.agentDID.map {
            ["format": "iss_sub", "iss": .string(issuer), "sub": .string($0.rawValue)]
        }
        subject["tenant"] = event.producer.tenant.map { ["format": "opaque", "id": .string($0)] }
        return subject
    }

    /// All tokens of a stop's scope: those of one agent have it as their user, any other scope is a group.
    private static func subject(_ event: SecurityEvent, _ issuer: String) -> JSONObject {
        var subject: JSONObject = ["format": "complex"]
        let scope = event.control?["data"]?["scope"]
        if scope?["kind"] == "agent", let agent = scope?["value"]?.string {
            subject["user"] = ["format": "iss_sub", "iss": .string(issuer), "sub": .string(agent)]
        } else {
            subject["group"] = ["format": "opaque", "id": .string(TokenMask.masked(event.scope))]
        }
        subject["tenant"] = event.producer.tenant.map { ["format": "opaque", "id": .string($0)] }
        return subject
    }

    /// Who began it, in the words of CAEP section 2.
    private static func initiator(_ cause: RevocationCause) -> String {
        switch cause {
        case .stopped, .keyWithdrawn, .requested, .policyRotated, .elevationDisabled, .proxyRequired: "admin"
        case .approvalEnded, .approvalExpired, .subjectInvalidated, .budgetSpent: "policy"
        case .upgraded: "system"
        }
    }

    /// A sentence of ours. What strangers wrote into a reason stays in the receipt.
    private static func reason(_ cause: RevocationCause) -> String {
        switch cause {
        case .approvalEnded: "The approval ended before its time"
        case .approvalExpired: "The approved window is over"
        case .subjectInvalidated: "The person or account that it rests on is no longer trusted"
        case .upgraded: "Another token took its place"
        case .stopped: "Emergency stop"
        case .keyWithdrawn: "The key that signed it is no longer trusted"
        case .budgetSpent: "The budget of the job is spent"
        case .requested: "Revoked by an operator"
        case .policyRotated: "Its work policy contract was replaced"
        case .elevationDisabled: "Elevated execution was disabled"
        case .proxyRequired: "The proxied model route was required"
        }
    }
}
