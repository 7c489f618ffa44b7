import ClawWire
import TestSupport
import Testing

@Suite("Tokens against the reference's vectors", .enabled(if: SharedVectors.arePresent))
struct TokenVectorTests {
    private static let clock = Timestamp(seconds: 1_772_366_400)

    @Test(arguments: SharedVectors.cases("scope-hash", "cases"))
    func scopeHash(_ vector: VectorCase) throws {
        let given = try #require(vector["claims"]?.object)
        var claims = CSTClaims(
            subject: try #require(given["sub"]?.string), audience: .one(""),
            scope: given["scope"]?.array?.compactMap(\.string) ?? [], issuedAt: 0, expiresAt: 1)
        claims.audience =
            given["aud"]?.string.map { .one($0) } ?? .many(given["aud"]?.array?.compactMap(\.string) ?? [])
        claims.ownerRef = given["owner_ref"]?.string
        claims.ownerDID = given["owner_did"]?.string
        claims.controllerDID = given["controller_did"]?.string
        claims.agentDID = given["agent_did"]?.string
        claims.policyHash = given["policy_hash_b64u"]?.string.flatMap { HashText($0) }
        claims.controlPlanePolicyHash = given["control_plane_policy_hash_b64u"]?.string.flatMap { HashText($0) }
        claims.paymentAccountDID = given["payment_account_did"]?.string
        claims.spendCap = given["spend_cap"]?.number
        claims.missionID = given["mission_id"]?.string
        claims.delegationID = given["delegation_id"]?.string
        claims.delegatorDID = given["delegator_did"]?.string
        claims.delegateDID = given["delegate_did"]?.string
        claims.delegationPolicyHash = given["delegation_policy_hash_b64u"]?.string.flatMap { HashText($0) }
        claims.delegationSpendCapMinor = given["delegation_spend_cap_minor"]?.string
        claims.delegationExpiresAt = given["delegation_expires_at"]?.number.map { Int64($0.rounded(.down)) }
        #expect(String(decoding: ScopeHash.input(claims), as: UTF8.self) == (try vector.text("canonical")))
        #expect(ScopeHash.compute(claims).b64u == (try vector.text("token_scope_hash_b64u")))
    }

    @Test(arguments: SharedVectors.cases("scope-match", "cases"))
    func scopeMatch(_ vector: VectorCase) throws {
        let granted = ScopeMatch.hasRequiredScope(
            granted: vector["token_scopes"]?.array?.compactMap(\.string) ?? [],
            required: vector["required_scopes"]?.array?.compactMap(\.string) ?? [],
            provider: vector["provider"]?.string)
        #expect(granted == vector["granted"]?.bool)
    }

    @Test(arguments: SharedVectors.cases("cst-minted", "tokens"))
    func mintedTokenIsByteExact(_ vector: VectorCase) throws {
        let response = try #require(vector["response"])
        let text = try #require(response["token"]?.string)
        let parsed = try CST.parse(text)
        let claims = parsed.unverifiedClaims
        let payload = try #require(vector["parts"]?["payload_json"]?.string)
        #expect(String(decoding: claims.json, as: UTF8.self) == payload)
        #expect(claims.tokenScopeHash == HashText(ScopeHash.compute(claims)))

        let minted = try CST.mint(claims, signer: try SharedVectors.signer("issuer"))
        #expect(minted.token.exposed == text)
        #expect(minted.hash.hex == response["token_hash"]?.string)

        let keys = AcceptedKeys(signing: [try SharedVectors.signer("issuer").publicKey])
        let verified = try CST.verify(
            parsed, keys: keys, now: Self.clock, rules: .strict(audiences: nil, maximumLifetimeSeconds: 3_600))
        #expect(verified.kid.rawValue == response["kid"]?.string)
    }

    @Test(arguments: SharedVectors.cases("cst-introspection", "cases"))
    func introspection(_ vector: VectorCase) throws {
        let now = try #require(Timestamp(rfc3339: try vector.text("at")))
        var verifyOnly: [(key: Ed25519PublicKey, notAfter: Int64?)] = []
        if let name = vector["env_overrides"]?["verify_only_key"]?.string {
            verifyOnly.append(
                (try SharedVectors.signer(name).publicKey, vector["env_overrides"]?["not_after_unix"]?.integer))
        }
        let keys = AcceptedKeys(signing: [try SharedVectors.signer("issuer").publicKey], verifyOnly: verifyOnly)
        let body = try #require(vector["body"])
        let revokedAt = body["revoked_at"]?.integer.map { Timestamp(seconds: $0) }
        let answer = Introspection.answer(
            try vector.text("token"), keys: keys, now: now, rules: .compatible, revokedAt: { _ in revokedAt })
        #expect(Int64(answer.status) == vector["status"]?.integer)
        #expect(JSONWriter.text(answer.body) == JSONWriter.text(body))
    }

    @Test func strictRulesCloseWhatIntrospectionLeavesOpen() throws {
        let expected = [
            "no kid: recovered by trying every accepted key": CSTError.Code.kidMissing,
            "unknown extra claim (accepted; the JSON schema would refuse it)": .invalidClaims,
            "iat in the future (not checked)": .issuedInFuture,
            "lifetime over the issuing maximum (not checked)": .lifetimeTooLong,
            "token_scope_hash wrong (not checked by introspection)": .scopeHashMismatch,
        ]
        let keys = AcceptedKeys(signing: [try SharedVectors.signer("issuer").publicKey])
        var seen = 0
        for vector in SharedVectors.cases("cst-introspection", "cases") {
            guard let code = expected[try vector.text("name")] else { continue }
            seen += 1
            let answer = Introspection.answer(
                try vector.text("token"), keys: keys, now: Self.clock, rules: .strict(audiences: nil),
                revokedAt: { _ in nil })
            #expect(answer.body["error"]?.string == code.rawValue, "\(vector.testDescription)")
        }
        #expect(seen == expected.count)
    }
}
