import ClawWire

/// Which sensitive transitions of the reference a token allows (WIRE section 4).
enum TransitionMatrix {
    /// A transition; the text is the wire form.
    enum Transition: String, CaseIterable {
        case updatePolicy = "controller.policy.update"
        case issueSensitive = "token.issue.sensitive"
        case revokeToken = "token.revoke"
        case rotateKey = "key.rotate"

        /// The scope string that it takes.
        var scope: String {
            switch self {
            case .updatePolicy: "control:policy:update"
            case .issueSensitive: "control:token:issue_sensitive"
            case .revokeToken: "control:token:revoke"
            case .rotateKey: "control:key:rotate"
            }
        }
    }

    /// The entry of a transition: `allowed`, `reason_code` and `reason`.
    static func entry(_ transition: Transition, _ claims: CSTClaims) -> JSONValue {
        guard claims.ownerDID != nil, claims.controllerDID != nil, claims.agentDID != nil else {
            return entry(
                "TOKEN_CONTROL_CHAIN_MISSING", "Token is missing owner/controller/agent chain claims")
        }
        guard claims.lane == .canonical else {
            return entry(
                "TOKEN_LANE_LEGACY_FORBIDDEN", "Legacy lane tokens cannot authorize sensitive transitions")
        }
        let scopes = claims.scope.map { ExactText.trimmed($0) }
        guard [transition.scope, "control:*", "*"].contains(where: { ExactText.contains(scopes, $0) }) else {
            return entry("TOKEN_SCOPE_MISSING", "Missing required scope(s): \(transition.scope)")
        }
        return entry(nil, "Transition requirements satisfied")
    }

    private static func entry(_ refusal: String?, _ reason: String) -> JSONValue {
        [
            "allowed": .bool(refusal == nil), "reason_code": .string(refusal ?? "ALLOWED"), "reason": .string(reason),
        ]
    }

    /// The answer for a verified token.
    static func answer(_ token: VerifiedCST, isRevoked: Bool, _ asked: Transition?) -> JSONValue {
        var object: JSONObject = [
            "active": .bool(!isRevoked), "revoked": .bool(isRevoked), "token_hash": .string(token.hash.hex),
            "transition": asked.map { .string($0.rawValue) } ?? .null,
        ]
        if !isRevoked { object["transition_result"] = asked.map { entry($0, token.claims) } ?? .null }
        var matrix = JSONObject()
        for transition in Transition.allCases { matrix[transition.rawValue] = entry(transition, token.claims) }
        object["matrix"] = .object(matrix)
        object["kid"] = .string(token.kid.rawValue)
        object["kid_source"] = .string(token.kidSource.rawValue)
        if isRevoked {
            object["error"] = "TOKEN_REVOKED"
            object["message"] = "Token is revoked and cannot authorize sensitive transitions"
        }
        return .object(object)
    }
}
