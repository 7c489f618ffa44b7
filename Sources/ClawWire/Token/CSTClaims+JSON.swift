extension CSTClaims {
    /// Appends the payload's JSON in minting order, byte for byte as the reference prints it.
    public func append(to output: inout [UInt8]) {
        output.append(contentsOf: "{\"token_version\":\"1\",\"sub\":".utf8)
        JSONWriter.append(string: subject, to: &output)
        output.append(contentsOf: ",\"aud\":".utf8)
        switch audience {
        case .one(let name): JSONWriter.append(string: name, to: &output)
        case .many(let names): Self.append(names, to: &output)
        }
        output.append(contentsOf: ",\"scope\":".utf8)
        Self.append(scope, to: &output)
        output.append(contentsOf: ",\"iat\":".utf8)
        ECMAScriptNumber.append(integer: issuedAt, to: &output)
        output.append(contentsOf: ",\"exp\":".utf8)
        ECMAScriptNumber.append(integer: expiresAt, to: &output)
        Self.append(",\"owner_ref\":", ownerRef, to: &output)
        Self.append(",\"owner_did\":", ownerDID, to: &output)
        Self.append(",\"controller_did\":", controllerDID, to: &output)
        Self.append(",\"agent_did\":", agentDID, to: &output)
        Self.append(",\"policy_hash_b64u\":", policyHash?.text, to: &output)
        Self.append(",\"control_plane_policy_hash_b64u\":", controlPlanePolicyHash?.text, to: &output)
        Self.append(",\"token_scope_hash_b64u\":", tokenScopeHash?.text, to: &output)
        Self.append(",\"payment_account_did\":", paymentAccountDID, to: &output)
        if let spendCap {
            output.append(contentsOf: ",\"spend_cap\":".utf8)
            ECMAScriptNumber.append(spendCap, to: &output)
        }
        Self.append(",\"mission_id\":", missionID, to: &output)
        Self.append(",\"delegation_id\":", delegationID, to: &output)
        Self.append(",\"delegator_did\":", delegatorDID, to: &output)
        Self.append(",\"delegate_did\":", delegateDID, to: &output)
        Self.append(",\"delegation_policy_hash_b64u\":", delegationPolicyHash?.text, to: &output)
        Self.append(",\"delegation_spend_cap_minor\":", delegationSpendCapMinor, to: &output)
        if let delegationExpiresAt {
            output.append(contentsOf: ",\"delegation_expires_at\":".utf8)
            ECMAScriptNumber.append(integer: delegationExpiresAt, to: &output)
        }
        Self.append(",\"token_lane\":", lane?.rawValue, to: &output)
        Self.append(",\"jti\":", tokenID?.rawValue, to: &output)
        Self.append(",\"nonce\":", nonce, to: &output)
        for (key, value) in extended?.members ?? [] {
            output.append(UInt8(ascii: ","))
            JSONWriter.append(string: key, to: &output)
            output.append(UInt8(ascii: ":"))
            JSONWriter.append(value, order: .asGiven, to: &output)
        }
        output.append(UInt8(ascii: "}"))
    }

    /// The payload's JSON text in minting order.
    public var json: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(1_024)
        append(to: &output)
        return output
    }

    static func append(_ key: String, _ value: String?, to output: inout [UInt8]) {
        guard let value else { return }
        output.append(contentsOf: key.utf8)
        JSONWriter.append(string: value, to: &output)
    }

    static func append(_ values: [String], to output: inout [UInt8]) {
        output.append(UInt8(ascii: "["))
        for (i, value) in values.enumerated() {
            if i > 0 { output.append(UInt8(ascii: ",")) }
            JSONWriter.append(string: value, to: &output)
        }
        output.append(UInt8(ascii: "]"))
    }

    private static let knownNames: Set<String> = Set(
        [
            "token_version", "sub", "aud", "scope", "iat", "exp", "owner_ref", "owner_did", "controller_did",
            "agent_did", "policy_hash_b64u", "control_plane_policy_hash_b64u", "token_scope_hash_b64u",
            "payment_account_did", "spend_cap", "mission_id", "delegation_id", "delegator_did", "delegate_did",
            "delegation_policy_hash_b64u", "delegation_spend_cap_minor", "delegation_expires_at", "token_lane", "jti",
            "nonce",
        ] + ExtendedClaims.names)

    /// The latest second a claim may name: the end of the year 9999.
    static let latestSecond: Int64 = 253_402_300_799

    /// Reads a payload.
    ///
    /// - Throws: ``CSTError`` with `TOKEN_UNKNOWN_VERSION` or `TOKEN_INVALID_CLAIMS`. Unknown claims are noted, not
    ///   refused.
    public init(payload: JSONValue) throws(CSTError) {
        guard let object = payload.object else { throw CSTError(.invalidClaims) }
        if let version = object["token_version"], version.string != Self.version { throw CSTError(.unknownVersion) }
        guard object.contains("token_version"), let subject = object["sub"]?.string,
            !ExactText.trimmed(subject).isEmpty, let audience = Self.audience(object["aud"]),
            let scope = Self.strings(object["scope"]), let issuedAt = Self.second(object["iat"]),
            let expiresAt = Self.second(object["exp"])
        else { throw CSTError(.invalidClaims) }
        self.init(
            subject: subject, audience: audience, scope: scope, issuedAt: issuedAt, expiresAt: expiresAt)
        ownerRef = try Self.text(object, "owner_ref")
        ownerDID = try Self.did(object, "owner_did")
        controllerDID = try Self.did(object, "controller_did")
        agentDID = try Self.did(object, "agent_did")
        policyHash = try Self.hash(object, "policy_hash_b64u")
        controlPlanePolicyHash = try Self.hash(object, "control_plane_policy_hash_b64u")
        tokenScopeHash = try Self.hash(object, "token_scope_hash_b64u")
        paymentAccountDID = try Self.did(object, "payment_account_did")
        if let cap = object["spend_cap"] {
            guard let number = cap.number else { throw CSTError(.invalidClaims) }
            spendCap = number
        }
        missionID = try Self.text(object, "mission_id")
        delegationID = try Self.text(object, "delegation_id")
        delegatorDID = try Self.did(object, "delegator_did")
        delegateDID = try Self.did(object, "delegate_did")
        delegationPolicyHash = try Self.hash(object, "delegation_policy_hash_b64u")
        delegationSpendCapMinor = try Self.text(object, "delegation_spend_cap_minor")
        if let expiry = object["delegation_expires_at"] {
            guard let seconds = expiry.number?.rounded(.down), seconds.magnitude <= Double(Self.latestSecond) else {
                throw CSTError(.invalidClaims)
            }
            delegationExpiresAt = Int64(seconds)
        }
        if let name = try Self.text(object, "token_lane") {
            guard let lane = Lane(rawValue: name) else { throw CSTError(.invalidClaims) }
            self.lane = lane
        }
        tokenID = try Self.text(object, "jti").map { TokenID($0) }
        nonce = try Self.text(object, "nonce")
        extended = try ExtendedClaims.parse(object)
        unknownNames = object.keys.filter { !Self.knownNames.contains($0) }
    }

    private static func audience(_ value: JSONValue?) -> Audience? {
        if let name = value?.string { return ExactText.trimmed(name).isEmpty ? nil : .one(name) }
        return strings(value).map { .many($0) }
    }

    private static func strings(_ value: JSONValue?) -> [String]? {
        guard let elements = value?.array, !elements.isEmpty else { return nil }
        var strings: [String] = []
        for element in elements {
            guard let text = element.string, !ExactText.trimmed(text).isEmpty else { return nil }
            strings.append(text)
        }
        return strings
    }

    private static func second(_ value: JSONValue?) -> Int64? {
        guard let seconds = value?.integer, seconds >= 0, seconds <= latestSecond else { return nil }
        return seconds
    }

    private static func text(_ object: JSONObject, _ key: String) throws(CSTError) -> String? {
        guard let value = object[key] else { return nil }
        guard let text = value.string else { throw CSTError(.invalidClaims) }
        return text
    }

    private static func did(_ object: JSONObject, _ key: String) throws(CSTError) -> String? {
        guard let text = try text(object, key) else { return nil }
        guard DIDSyntax.isClaimDID(text) else { throw CSTError(.invalidClaims) }
        return text
    }

    private static func hash(_ object: JSONObject, _ key: String) throws(CSTError) -> HashText? {
        guard let text = try text(object, key) else { return nil }
        guard let hash = HashText(text) else { throw CSTError(.invalidClaims) }
        return hash
    }
}
