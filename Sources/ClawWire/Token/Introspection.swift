/// clawscope's introspection answer (WIRE section 4; the idea is RFC 7662's).
public struct Introspection: Sendable, Hashable {
    /// The HTTP status: 200 for a known token, revoked or not, else the error's.
    public let status: Int
    /// The answer's body, members in the reference's order.
    public let body: JSONValue
    /// True when the token may be relied on.
    public let isActive: Bool

    /// Answers for a token.
    ///
    /// - Parameters:
    ///   - text: the compact token.
    ///   - keys: the accepted keys.
    ///   - now: the time of the answer.
    ///   - rules: ``CSTVerification/compatible`` answers as clawscope does;
    ///     ``CSTVerification/strict(audiences:maximumLifetimeSeconds:maximumSkewSeconds:)`` closes what it leaves open.
    ///   - revokedAt: when the token was revoked, looked up by its hash; called only for a token that is otherwise
    ///     good.
    public static func answer(
        _ text: String, keys: AcceptedKeys, now: Timestamp, rules: CSTVerification,
        revokedAt: (TokenHash) -> Timestamp?
    ) -> Introspection {
        do {
            let token = try CST.verify(try CST.parse(text), keys: keys, now: now, rules: rules)
            return Introspection(token, revokedAt: revokedAt(token.hash))
        } catch {
            return Introspection(error)
        }
    }

    /// The answer for a token that could not be verified.
    public init(_ error: CSTError) {
        status = error.status
        body = ["error": .string(error.code.rawValue), "message": .string(error.message)]
        isActive = false
    }

    /// The answer for a verified token.
    public init(_ token: VerifiedCST, revokedAt: Timestamp?) {
        status = 200
        isActive = revokedAt == nil
        var object = JSONObject()
        object["active"] = .bool(revokedAt == nil)
        if revokedAt != nil { object["revoked"] = true }
        object["token_hash"] = .string(token.hash.hex)
        for (key, value) in Self.echoed(token.claims) { object[key] = value }
        object["iat"] = .integer(token.claims.issuedAt)
        object["exp"] = .integer(token.claims.expiresAt)
        object["kid"] = .string(token.kid.rawValue)
        object["kid_source"] = .string(token.kidSource.rawValue)
        if let revokedAt {
            object["revoked_at"] = .integer(revokedAt.seconds)
            object["revoked_at_iso"] = .string(Timestamp(seconds: revokedAt.seconds).iso8601)
        }
        for (key, value) in token.claims.extended?.members ?? [] { object[key] = value }
        body = .object(object)
    }

    private static func echoed(_ claims: CSTClaims) -> [(String, JSONValue)] {
        let audience: JSONValue =
            switch claims.audience {
            case .one(let name): .string(name)
            case .many(let names): .array(names.map { .string($0) })
            }
        let optional: [(String, JSONValue?)] = [
            ("sub", .string(claims.subject)), ("aud", audience), ("scope", .array(claims.scope.map { .string($0) })),
            ("owner_ref", text(claims.ownerRef)), ("owner_did", text(claims.ownerDID)),
            ("controller_did", text(claims.controllerDID)), ("agent_did", text(claims.agentDID)),
            ("policy_hash_b64u", text(claims.policyHash?.text)),
            ("control_plane_policy_hash_b64u", text(claims.controlPlanePolicyHash?.text)),
            ("token_scope_hash_b64u", text(claims.tokenScopeHash?.text)),
            ("payment_account_did", text(claims.paymentAccountDID)), ("spend_cap", claims.spendCap.map { .number($0) }),
            ("mission_id", text(claims.missionID)), ("delegation_id", text(claims.delegationID)),
            ("delegator_did", text(claims.delegatorDID)), ("delegate_did", text(claims.delegateDID)),
            ("delegation_policy_hash_b64u", text(claims.delegationPolicyHash?.text)),
            ("delegation_spend_cap_minor", text(claims.delegationSpendCapMinor)),
            ("delegation_expires_at", claims.delegationExpiresAt.map { .integer($0) }),
            ("token_lane", text(claims.lane?.rawValue)),
        ]
        return optional.compactMap { key, value in value.map { (key, $0) } }
    }

    private static func text(_ value: String?) -> JSONValue? { value.map { .string($0) } }
}
