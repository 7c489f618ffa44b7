/// The hash that names a token's authority: `token_scope_hash_b64u` (WIRE section 2).
///
/// It is the JCS hash of the normalised claims. `iat`, `exp`, `jti`, `nonce`, the lane and every claim past v1 stay
/// out, so that each re-issue for the same job and authority has the same hash.
public enum ScopeHash {
    /// Computes the hash of claims; their own `token_scope_hash_b64u` is not looked at.
    public static func compute(_ claims: CSTClaims) -> Digest { Digest(hashing: input(claims)) }

    /// The RFC 8785 text that is hashed.
    ///
    /// Strings are trimmed as ECMAScript does; `aud` and `scope` lose empties and repeats and are sorted by UTF-16
    /// units; a blank string, a negative or infinite `spend_cap`, a cap that is not all digits and an expiry of 0 or
    /// less are left out.
    public static func input(_ claims: CSTClaims) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(1_024)
        // The members stand in RFC 8785 order here, which saves sorting them on every mint.
        output.append(UInt8(ascii: "{"))
        append("\"agent_did\":", claims.agentDID, to: &output)
        output.append(contentsOf: "\"aud\":".utf8)
        CSTClaims.append(normalized(claims.audience.names), to: &output)
        output.append(UInt8(ascii: ","))
        append("\"control_plane_policy_hash_b64u\":", claims.controlPlanePolicyHash?.text, to: &output)
        append("\"controller_did\":", claims.controllerDID, to: &output)
        append("\"delegate_did\":", claims.delegateDID, to: &output)
        if let expiry = claims.delegationExpiresAt, expiry > 0 {
            output.append(contentsOf: "\"delegation_expires_at\":".utf8)
            ECMAScriptNumber.append(integer: expiry, to: &output)
            output.append(UInt8(ascii: ","))
        }
        append("\"delegation_id\":", claims.delegationID, to: &output)
        append("\"delegation_policy_hash_b64u\":", claims.delegationPolicyHash?.text, to: &output)
        if let cap = claims.delegationSpendCapMinor.map(ExactText.trimmed), !cap.isEmpty,
            cap.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        {
            append("\"delegation_spend_cap_minor\":", cap, to: &output)
        }
        append("\"delegator_did\":", claims.delegatorDID, to: &output)
        append("\"mission_id\":", claims.missionID, to: &output)
        append("\"owner_did\":", claims.ownerDID, to: &output)
        append("\"owner_ref\":", claims.ownerRef, to: &output)
        append("\"payment_account_did\":", claims.paymentAccountDID, to: &output)
        append("\"policy_hash_b64u\":", claims.policyHash?.text, to: &output)
        output.append(contentsOf: "\"scope\":".utf8)
        CSTClaims.append(normalized(claims.scope), to: &output)
        output.append(UInt8(ascii: ","))
        if let cap = claims.spendCap, cap.isFinite, cap >= 0 {
            output.append(contentsOf: "\"spend_cap\":".utf8)
            ECMAScriptNumber.append(cap, to: &output)
            output.append(UInt8(ascii: ","))
        }
        output.append(contentsOf: "\"sub\":".utf8)
        JSONWriter.append(string: ExactText.trimmed(claims.subject), to: &output)
        output.append(contentsOf: ",\"token_version\":\"1\"}".utf8)
        return output
    }

    private static func append(_ key: String, _ value: String?, to output: inout [UInt8]) {
        guard let value = value.map(ExactText.trimmed), !value.isEmpty else { return }
        output.append(contentsOf: key.utf8)
        JSONWriter.append(string: value, to: &output)
        output.append(UInt8(ascii: ","))
    }

    private static func normalized(_ values: [String]) -> [String] {
        let sorted = values.map(ExactText.trimmed).filter { !$0.isEmpty }.sorted(by: JSONWriter.precedes)
        var result: [String] = []
        result.reserveCapacity(sorted.count)
        for value in sorted {
            if let last = result.last, ExactText.equal(last, value) { continue }
            result.append(value)
        }
        return result
    }
}

/// Whether a token's scope strings satisfy a requirement (WIRE section 2).
public enum ScopeMatch {
    /// The only wildcards the services know. Each of them satisfies every requirement.
    public static let wildcards = ["*", "proxy:*", "clawproxy:*", "control:*"]

    /// clawscope's and the gateway's rule: any one required scope is enough, exact and case-sensitive after trimming,
    /// and any of ``wildcards`` is enough for everything.
    ///
    /// - Parameters:
    ///   - granted: the token's scope.
    ///   - required: the requirement; empty is satisfied by a wildcard only.
    ///   - provider: the model provider a gateway call is for; its four provider-bound scopes then count as well.
    public static func hasRequiredScope(
        granted: [String], required: [String], provider: String? = nil
    ) -> Bool {
        var sufficient = wildcards + required
        if let provider {
            for prefix in ["proxy:provider:", "proxy:call:", "clawproxy:provider:", "clawproxy:call:"] {
                sufficient.append(prefix + provider)
            }
        }
        return granted.contains { ExactText.contains(sufficient, ExactText.trimmed($0)) }
    }

    /// clawverify's token-control rule: all required scopes, exact, without wildcards.
    public static func hasAllScopes(granted: [String], required: [String]) -> Bool {
        required.allSatisfy { ExactText.contains(granted, $0) }
    }
}
