import ClawWire
import TestSupport
import Testing

/// Keys, claims and constants that were computed a second time with independent code.
enum Own {
    static let now = Timestamp(seconds: 1_780_000_100)
    static let agent = AgentDID("did:key:z6Mkpm62EDcj2Q7sj8gqDVv4mUc4u9iFAmtd6mG18F5CvkBE")
    static let scopeHash = "B8560DqJ40JhULRg2_cyO8qYs8YQURhwQfl3mymM2gI"
    static let tokenHash = "5c00f9b0632f24c66ef497acece89fca869c39cee01d39520f1b58df069232fc"
    static let extendedTokenHash = "fbb9aceea0df077d3b912fd1dc678f7c4e3694a671ea653b898c9f407e353a04"

    static func bytes(_ name: String) -> [UInt8] { Digest(hashing: "clawgrant-tests:\(name)").bytes }
    static func signer(_ name: String = "issuer") throws -> SeedSigner { try #require(SeedSigner(seed: bytes(name))) }
    static func tokenIDSecret() throws -> TokenIDSecret { try #require(TokenIDSecret(bytes: bytes("token-id"))) }

    static func claims(extended: ExtendedClaims? = nil) throws -> CSTClaims {
        let secret = try tokenIDSecret()
        let request = RequestID("req-0001")
        return CSTClaims.jobToken(
            sub: agent, aud: ["clawproxy.com"], scope: ["proxy:call", "clawproxy:call"],
            iat: Timestamp(microseconds: 1_780_000_000_999_999), exp: Timestamp(seconds: 1_780_000_900),
            ownerRef: Digest(hashing: "approval-0001"), policyHash: Digest(hashing: "policy-0001"),
            missionID: JobID("job-0001"), jti: TokenID.derive(secret: secret, requestID: request),
            nonce: TokenNonce.derive(secret: secret, requestID: request), extended: extended)
    }

    static func keys() throws -> AcceptedKeys { AcceptedKeys(signing: [try signer().publicKey]) }
}

@Suite("Tokens")
struct TokenTests {
    @Test func jobTokenIsByteExact() throws {
        let claims = try Own.claims()
        #expect(claims.tokenID?.rawValue == "20640733-f096-40e0-a688-49bfc16cc444")
        #expect(claims.nonce == "f9239362-8e8c-4cd8-9ffa-cfeea8655bab")
        #expect(claims.tokenScopeHash?.text == Own.scopeHash)
        let minted = try CST.mint(claims, signer: try Own.signer())
        #expect(minted.hash.hex == Own.tokenHash)
        #expect(minted.token.hash == minted.hash)
        #expect(claims.profile == .compatible)
    }

    @Test func theSameClaimsMakeTheSameTokenAgain() throws {
        let minter = CSTMinter(signer: try Own.signer())
        let first = try minter.mint(try Own.claims())
        #expect(try minter.remint(try Own.claims(), expecting: first.hash) == first)
        #expect(try minter.remint(payload: first.claims.json, expecting: first.hash) == first.token)
        var other = try Own.claims()
        other.nonce = "other"
        #expect(throws: CSTMintError.self) { try minter.remint(payload: other.json, expecting: first.hash) }
        let error = #expect(throws: CSTMintError.self) { try minter.remint(other, expecting: first.hash) }
        #expect(error?.code == .hashMismatch)
    }

    @Test func verifiedUnderStrictRules() throws {
        let minted = try CST.mint(try Own.claims(), signer: try Own.signer())
        let verified = try CST.verify(
            try CST.parse(minted.token.exposed), keys: try Own.keys(), now: Own.now,
            rules: .strict(audiences: ["clawproxy.com", "staging.example"]))
        #expect(verified.claims == minted.claims)
        #expect(verified.hash == minted.hash)
        #expect(verified.kidSource == .header)
    }

    @Test func extendedClaimsComeAfterTheOthersAndOutsideTheScopeHash() throws {
        let extended = ExtendedClaims(
            issuer: "did:web:issuer.example", notBefore: 1_780_000_000,
            confirmation: .thumbprint(HashText(Digest(hashing: "jkt"))),
            authorizationDetails: [["type": "claw_job", "actions": ["read"]]])
        let claims = try Own.claims(extended: extended)
        #expect(claims.tokenScopeHash?.text == Own.scopeHash)
        let minted = try CST.mint(claims, signer: try Own.signer())
        #expect(minted.hash.hex == Own.extendedTokenHash)
        let parsed = try CST.parse(minted.token.exposed)
        #expect(parsed.unverifiedClaims == claims)
        #expect(parsed.unverifiedClaims.profile == .extended)
        let answer = Introspection.answer(
            minted.token.exposed, keys: try Own.keys(), now: Own.now, rules: .strict(audiences: nil),
            revokedAt: { _ in nil })
        #expect(answer.isActive)
        #expect(answer.body["cnf"]?["jkt"]?.string == Digest(hashing: "jkt").b64u)
        let early = Introspection.answer(
            minted.token.exposed, keys: try Own.keys(), now: Timestamp(seconds: 1_779_999_000), rules: .compatible,
            revokedAt: { _ in nil })
        #expect(early.body["error"]?.string == "TOKEN_NOT_YET_VALID")
    }

    @Test func revokedTokenIsAnsweredAsTheReferenceDoes() throws {
        let minted = try CST.mint(try Own.claims(), signer: try Own.signer())
        let revokedAt = Timestamp(microseconds: 1_780_000_050_123_456)
        let answer = Introspection.answer(
            minted.token.exposed, keys: try Own.keys(), now: Own.now, rules: .compatible,
            revokedAt: { $0 == minted.hash ? revokedAt : nil })
        #expect(answer.status == 200)
        #expect(!answer.isActive)
        #expect(answer.body["revoked_at"]?.integer == 1_780_000_050)
        #expect(answer.body["revoked_at_iso"]?.string == "2026-05-28T20:27:30.000Z")
        #expect(answer.body["jti"] == nil)
    }

    private func token(_ header: String, _ payload: String) throws -> String {
        let input = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(payload.utf8))
        return input + "." + (try Own.signer().sign(Array(input.utf8))).b64u
    }

    private func code(_ text: String, rules: CSTVerification = .compatible, now: Timestamp = Own.now) throws -> String {
        let answer = Introspection.answer(
            text, keys: try Own.keys(), now: now, rules: rules, revokedAt: { _ in nil })
        return answer.body["error"]?.string ?? "ACTIVE"
    }

    @Test(arguments: [
        ("", "TOKEN_MALFORMED"), ("a.b", "TOKEN_MALFORMED"), ("a.b.c.d", "TOKEN_MALFORMED"),
        ("e30=.e30.AA", "TOKEN_MALFORMED"), ("W10.e30.AA", "TOKEN_MALFORMED"), ("e30.e30.AA", "TOKEN_UNSUPPORTED_ALG"),
    ])
    func malformedTokens(_ text: String, expected: String) throws { #expect(try code(text) == expected) }

    @Test(arguments: [
        ("{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", "TOKEN_MALFORMED"),
        ("{\"alg\":\"EdDSA\",\"typ\":\"JWE\"}", "TOKEN_MALFORMED"),
        ("{\"alg\":\"EdDSA\",\"kid\":7}", "TOKEN_MALFORMED"),
        ("{\"alg\":\"EdDSA\",\"alg\":\"none\"}", "TOKEN_MALFORMED"), ("{\"alg\":\"none\"}", "TOKEN_UNSUPPORTED_ALG"),
        ("{\"alg\":\"eddsa\"}", "TOKEN_UNSUPPORTED_ALG"), ("{\"alg\":\"EdDSA\",\"kid\":\"\"}", "ACTIVE"),
        ("{\"alg\":\"EdDSA\",\"kid\":\"0000000000000000\"}", "TOKEN_UNKNOWN_KID"),
    ])
    func headers(_ header: String, expected: String) throws {
        let payload =
            "{\"token_version\":\"1\",\"sub\":\"a\",\"aud\":\"x\",\"scope\":[\"s\"],\"iat\":1,\"exp\":1780000900}"
        #expect(try code(try token(header, payload)) == expected)
    }

    @Test(arguments: [
        ("\"token_version\":\"2\"", "TOKEN_UNKNOWN_VERSION"), ("\"token_version\":1", "TOKEN_UNKNOWN_VERSION"),
        ("\"sub\":\" \"", "TOKEN_INVALID_CLAIMS"), ("\"aud\":[]", "TOKEN_INVALID_CLAIMS"),
        ("\"aud\":[\"\"]", "TOKEN_INVALID_CLAIMS"), ("\"scope\":[]", "TOKEN_INVALID_CLAIMS"),
        ("\"scope\":\"s\"", "TOKEN_INVALID_CLAIMS"), ("\"scope\":[1]", "TOKEN_INVALID_CLAIMS"),
        ("\"iat\":1.5", "TOKEN_INVALID_CLAIMS"), ("\"exp\":1e15", "TOKEN_INVALID_CLAIMS"),
        ("\"exp\":-1", "TOKEN_INVALID_CLAIMS"), ("\"exp\":1780000100", "TOKEN_EXPIRED"),
        ("\"owner_did\":\"x\"", "TOKEN_INVALID_CLAIMS"), ("\"policy_hash_b64u\":\"short\"", "TOKEN_INVALID_CLAIMS"),
        ("\"mission_id\":null", "TOKEN_INVALID_CLAIMS"), ("\"token_lane\":\"other\"", "TOKEN_INVALID_CLAIMS"),
        ("\"spend_cap\":\"1\"", "TOKEN_INVALID_CLAIMS"), ("\"delegation_expires_at\":1e300", "TOKEN_INVALID_CLAIMS"),
        ("\"cnf\":{\"jkt\":\"x\"}", "TOKEN_INVALID_CLAIMS"), ("\"nbf\":1", "TOKEN_INVALID_CLAIMS"),
        ("\"cst_profile\":\"other\",\"iss\":\"x\"", "TOKEN_INVALID_CLAIMS"),
        ("\"cst_profile\":\"clawgrant.extended.1\"", "TOKEN_INVALID_CLAIMS"),
        ("\"cst_profile\":\"clawgrant.extended.1\",\"iss\":\"x\",\"cnf\":{}", "TOKEN_INVALID_CLAIMS"),
        (
            "\"cst_profile\":\"clawgrant.extended.1\",\"iss\":\"x\",\"cnf\":{\"jwk\":{\"kty\":\"OKP\",\"d\":\"x\"}}",
            "TOKEN_INVALID_CLAIMS"
        ),
        ("\"mission_id\":\"j\"", "ACTIVE"), ("\"job_id\":\"j\"", "ACTIVE"),
    ])
    func claims(_ replacement: String, expected: String) throws {
        var payload: JSONObject = [
            "token_version": "1", "sub": "a", "aud": "x", "scope": ["s"], "iat": 1, "exp": 1_780_000_900,
        ]
        for member in try #require(JSONReader.parse("{\(replacement)}").object).members {
            payload[member.key] = member.value
        }
        let text = try token("{\"alg\":\"EdDSA\"}", JSONWriter.text(.object(payload)))
        #expect(try code(text) == expected)
    }

    @Test func strictRulesHaveReasonsOfTheirOwn() throws {
        let minter = CSTMinter(signer: try Own.signer())
        func strict(
            _ change: (inout CSTClaims) -> Void, audiences: [String]? = nil, now: Timestamp = Own.now
        ) throws -> String {
            var claims = try Own.claims()
            change(&claims)
            return try code(try minter.mint(claims).token.exposed, rules: .strict(audiences: audiences), now: now)
        }
        #expect(try strict { _ in } == "ACTIVE")
        #expect(try strict({ _ in }, audiences: ["other.example"]) == "TOKEN_BAD_AUDIENCE")
        #expect(try strict { $0.tokenScopeHash = nil } == "TOKEN_SCOPE_HASH_REQUIRED")
        #expect(try strict { $0.missionID = "job-0002" } == "TOKEN_SCOPE_HASH_MISMATCH")
        #expect(try strict { $0.expiresAt = $0.issuedAt + 3_601 } == "TOKEN_LIFETIME_TOO_LONG")
        #expect(try strict({ _ in }, now: Timestamp(seconds: 1_779_999_940)) == "ACTIVE")
        #expect(try strict({ _ in }, now: Timestamp(seconds: 1_779_999_939)) == "TOKEN_ISSUED_IN_FUTURE")
        #expect(try strict({ _ in }, now: Timestamp(seconds: 1_780_000_900)) == "TOKEN_EXPIRED")
    }

    @Test func overlapWindowEndsWithItsLastSecond() throws {
        let minted = try CST.mint(try Own.claims(), signer: try Own.signer("issuer-old"))
        let keys = AcceptedKeys(
            signing: [try Own.signer().publicKey],
            verifyOnly: [(key: try Own.signer("issuer-old").publicKey, notAfter: 1_780_000_200)])
        func code(at seconds: Int64) throws -> String? {
            Introspection.answer(
                minted.token.exposed, keys: keys, now: Timestamp(seconds: seconds), rules: .compatible,
                revokedAt: { _ in nil }
            ).body["error"]?.string
        }
        #expect(try code(at: 1_780_000_200) == nil)
        #expect(try code(at: 1_780_000_201) == "TOKEN_KID_EXPIRED")
    }

    @Test func anAlteredCharacterAnywhereIsNoticed() throws {
        let text = Array(try CST.mint(try Own.claims(), signer: try Own.signer()).token.exposed.utf8)
        var random = SeededGenerator(seed: 20)
        for _ in 0..<300 {
            var altered = text
            let position = Int.random(in: 0..<text.count, using: &random)
            altered[position] = UInt8.random(in: 0x20...0x7E, using: &random)
            guard altered != text else { continue }
            #expect(try code(String(decoding: altered, as: UTF8.self), rules: .strict(audiences: nil)) != "ACTIVE")
        }
    }

    @Test func claimsThatNobodyAcceptsAreNotMinted() throws {
        let minter = CSTMinter(signer: try Own.signer())
        let changes: [@Sendable (inout CSTClaims) -> Void] = [
            { $0.subject = "" }, { $0.audience = .many([]) }, { $0.scope = [] }, { $0.expiresAt = $0.issuedAt },
            { $0.expiresAt = .max },
        ]
        for change in changes {
            var claims = try Own.claims()
            change(&claims)
            #expect(throws: CSTMintError.self) { try minter.mint(claims) }
        }
    }

    @Test func claimsPrintAndReadBack() throws {
        var random = SeededGenerator(seed: 21)
        for _ in 0..<500 {
            var claims = CSTClaims(
                subject: "s" + random.text(upTo: 9), audience: .many(["a", "b" + random.text(upTo: 9)]),
                scope: ["x" + random.text(upTo: 9)], issuedAt: 0, expiresAt: 1)
            claims.ownerRef = random.text(upTo: 9)
            claims.missionID = random.text(upTo: 9)
            claims.spendCap = random.double()
            claims.delegationSpendCapMinor = random.text(upTo: 9)
            claims.lane = .canonical
            claims.nonce = random.text(upTo: 9)
            let payload = try JSONReader.parse(claims.json)
            #expect(try CSTClaims(payload: payload) == claims)
            #expect(JSONWriter.bytes(payload) == claims.json)
            let input = try JSONReader.parse(ScopeHash.input(claims))
            #expect(JSONWriter.bytes(input, order: .canonical) == ScopeHash.input(claims))
        }
    }

    @Test func identifiersAreStableAndSeparate() throws {
        let secret = try Own.tokenIDSecret()
        let first = TokenID.derive(secret: secret, requestID: RequestID("a"))
        #expect(first == TokenID.derive(secret: secret, requestID: RequestID("a")))
        #expect(first != TokenID.derive(secret: secret, requestID: RequestID("b")))
        #expect(first.rawValue != TokenNonce.derive(secret: secret, requestID: RequestID("a")))
        let characters = Array(first.rawValue.utf8)
        #expect(characters.count == 36)
        #expect(characters[14] == UInt8(ascii: "4"))
        #expect("89ab".utf8.contains(characters[19]))
        #expect(TokenIDSecret(bytes: [UInt8](repeating: 1, count: 31)) == nil)
    }

    @Test func allScopesAreExact() {
        #expect(ScopeMatch.hasAllScopes(granted: ["a", "b"], required: ["b", "a"]))
        #expect(!ScopeMatch.hasAllScopes(granted: ["*"], required: ["a"]))
        #expect(!ScopeMatch.hasAllScopes(granted: [" a"], required: ["a"]))
        #expect(!ScopeMatch.hasRequiredScope(granted: ["\u{e9}"], required: ["e\u{301}"]))
    }

    @Test func secretsPrintPlaceholders() throws {
        let minted = try CST.mint(try Own.claims(), signer: try Own.signer())
        let seed = Hex.encode(Own.bytes("issuer"))
        let secrets: [(Any, String)] = [
            (minted.token, minted.token.exposed), (minted, minted.token.exposed),
            (try CST.parse(minted.token.exposed), minted.token.exposed), (try Own.signer(), seed),
            (try Own.tokenIDSecret(), "\(Own.bytes("token-id")[0]), \(Own.bytes("token-id")[1])"),
            (try #require(SealingSecret(bytes: Own.bytes("x"))), "\(Own.bytes("x")[0]), \(Own.bytes("x")[1])"),
            (try #require(SealingPrivateKey(bytes: Own.bytes("x"))), "\(Own.bytes("x")[0]), \(Own.bytes("x")[1])"),
        ]
        for (value, text) in secrets {
            var dumped = ""
            dump(value, to: &dumped)
            for printed in ["\(value)", String(reflecting: value), dumped] {
                #expect(!printed.contains(text), "\(type(of: value))")
            }
        }
        #expect("\(minted.token)" == "<bearer token>")
    }
}
