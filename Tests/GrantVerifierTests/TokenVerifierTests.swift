import ClawWire
import GrantVerifier
import ReceiptLog
import TestSupport
import Testing

struct TokenVerifierTests {
    private func verify(
        _ token: BearerToken, at now: Timestamp = Samples.noon, keys: AcceptedKeys = Samples.keys,
        state: RevocationState? = nil, context: TokenContext = .unknown, provenKey: Digest? = nil,
        _ change: (inout VerificationPolicy) -> Void = { _ in }
    ) throws -> Verdict {
        var policy = Samples.policy
        change(&policy)
        let state = try state ?? Samples.state([Samples.head(0, asOf: now)])
        return TokenVerifier(policy: policy).verify(
            token, now: now, keys: keys, state: state, context: context, provenKey: provenKey)
    }

    private func verify(
        _ claims: CSTClaims, at now: Timestamp = Samples.noon, state: RevocationState? = nil,
        _ change: (inout VerificationPolicy) -> Void = { _ in }
    ) throws -> Verdict {
        try verify(try Samples.mint(claims), at: now, state: state, change)
    }

    @Test func aGoodTokenIsValid() throws {
        let verdict = try verify(Samples.claims())
        #expect(verdict.isValid)
        #expect(verdict.code == nil)
        #expect(verdict.status == 200)
        #expect(verdict.token?.claims.missionID == "job-0")
        guard case .valid(_, let asOf) = verdict else { return }
        #expect(asOf == Samples.noon)
    }

    // MARK: The token itself

    @Test func otherTextIsMalformed() throws {
        for text in ["", "a.b", "a.b.c", "a.b.c.d", String(repeating: "a", count: 40_000)] {
            #expect(try verify(BearerToken(text)).code == .malformed)
        }
    }

    @Test func algorithmsVersionsAndClaimsAreChecked() throws {
        let payload = try Samples.payload(Samples.claims())
        let kid = JSONValue.string(Samples.issuer.publicKey.kid.rawValue)
        func code(
            header: JSONValue = ["alg": "EdDSA", "typ": "JWT"], _ change: (inout JSONObject) -> Void = { _ in }
        ) throws -> Verdict.Code? {
            var header = header.object ?? JSONObject()
            header["kid"] = kid
            var changed = payload
            change(&changed)
            return try verify(try Samples.forge(header: .object(header), payload: .object(changed))).code
        }
        #expect(try code() == nil)
        #expect(try code(header: ["alg": "none", "typ": "JWT"]) == .unsupportedAlgorithm)
        #expect(try code(header: ["alg": "HS256", "typ": "JWT"]) == .unsupportedAlgorithm)
        #expect(try code(header: ["alg": "EdDSA", "typ": "statuslist+jwt"]) == .malformed)
        #expect(try code(header: ["alg": "EdDSA", "typ": "JWT", "crit": ["exp"]]) == .malformed)
        #expect(try code { $0["token_version"] = "2" } == .unknownVersion)
        #expect(try code { $0["sub"] = nil } == .invalidClaims)
        #expect(try code { $0["exp"] = "soon" } == .invalidClaims)
        #expect(try code { $0["job_id"] = "job-9" } == .invalidClaims)
    }

    @Test func unknownClaimsCanBeAllowed() throws {
        var payload = try Samples.payload(Samples.claims())
        payload["job_id"] = "job-9"
        let token = try Samples.forge(
            header: ["alg": "EdDSA", "typ": "JWT", "kid": .string(Samples.issuer.publicKey.kid.rawValue)],
            payload: .object(payload))
        #expect(try verify(token) { $0.refusesUnknownClaims = false }.isValid)
    }

    @Test func anExpiredTokenHasNoGrace() throws {
        let claims = Samples.claims(lifetime: 600)
        #expect(try verify(claims, at: Samples.noon.adding(seconds: 599)).isValid)
        #expect(try verify(claims, at: Samples.noon.adding(seconds: 600)) == .expired(at: claims.expires))
    }

    @Test func notBeforeCounts() throws {
        let extended = ExtendedClaims(
            issuer: "https://issuer.harborline.example", notBefore: Samples.noon.seconds + 120)
        let claims = Samples.claims(extended: extended)
        #expect(try verify(claims) == .notYetValid(from: Samples.noon.adding(seconds: 120)))
        #expect(try verify(claims, at: Samples.noon.adding(seconds: 60)).isValid)
    }

    @Test func aSignatureOfAnotherKeyIsBad() throws {
        let kid = JSONValue.string(Samples.issuer.publicKey.kid.rawValue)
        let token = try Samples.forge(
            header: ["alg": "EdDSA", "typ": "JWT", "kid": kid], payload: .object(try Samples.payload(Samples.claims())),
            by: Samples.signer("mallory"))
        #expect(try verify(token) == .badSignature)
    }

    // MARK: Gaps of the reference, WIRE section 14

    @Test("Gap 20: a lifetime past the cap is refused")
    func gapLifetime() throws {
        #expect(try verify(Samples.claims(lifetime: 3_600)).isValid)
        #expect(try verify(Samples.claims(lifetime: 3_601)) == .lifetime(seconds: 3_601, maximum: 3_600))
        #expect(try verify(Samples.claims(lifetime: 600)) { $0.maximumLifetimeSeconds = 300 }.code == .lifetime)
    }

    @Test("Gap 20: an iat in the future is refused")
    func gapIssuedInFuture() throws {
        let claims = Samples.claims(issuedAt: Samples.noon.adding(seconds: 61))
        #expect(try verify(claims) == .issuedInFuture(at: claims.issued))
        #expect(try verify(Samples.claims(issuedAt: Samples.noon.adding(seconds: 60))).isValid)
    }

    @Test("Gap 20: a header without kid is refused")
    func gapMissingKid() throws {
        let token = try Samples.forge(
            header: ["alg": "EdDSA", "typ": "JWT"], payload: .object(try Samples.payload(Samples.claims())))
        #expect(try verify(token) == .missingKid)
    }

    @Test("Gap 14: a token for another audience is refused")
    func gapAudience() throws {
        var claims = Samples.rehashed(Samples.claims()) { $0.audience = .one("clawscope.com") }
        #expect(try verify(claims) == .audience(["clawscope.com"]))
        claims = Samples.rehashed(Samples.claims()) { $0.audience = .many(["clawscope.com", "clawproxy.com"]) }
        #expect(try verify(claims).isValid)
        #expect(try verify(claims) { $0.audiences = [] }.code == .audience)
        #expect(try verify(claims) { $0.audiences = nil }.isValid)
    }

    @Test("Gaps 11 and 13: a scope hash that is missing or not of the claims is refused")
    func gapScopeHash() throws {
        var claims = Samples.claims()
        claims.tokenScopeHash = nil
        #expect(try verify(claims) == .scopeHash(.missing))
        claims = Samples.claims()
        claims.scope.append("proxy:provider:x")
        #expect(try verify(claims) == .scopeHash(.mismatch))
    }

    @Test("Gap 13: a delegated token has the scope hash of its delegation")
    func gapDelegatedScopeHash() throws {
        let claims = Samples.rehashed(Self.delegated()) { _ in }
        #expect(try verify(claims).isValid)
        var moved = claims
        moved.delegationID = "delegation-2"
        #expect(try verify(moved) == .scopeHash(.mismatch))
    }

    @Test("Gap 13: a wildcard satisfies nothing")
    func gapWildcards() throws {
        let claims = Samples.rehashed(Samples.claims()) { $0.scope = ["proxy:*", "*", "control:call"] }
        #expect(try verify(claims).code == .controlChainMissing)
        let wild = Samples.rehashed(Samples.claims()) { $0.scope = ["proxy:*", "*", "clawproxy:*"] }
        #expect(try verify(wild) == .scope(.any(["proxy:call"])))
        #expect(try verify(wild) { $0.scope = .all(["*"]) }.isValid)
    }

    @Test("Section 3: a token of another job is a replay")
    func gapJobReplay() throws {
        let token = Samples.claims(job: "job-B")
        #expect(try verify(token) { $0.job = .exactly(JobID("job-A")) } == .job("job-B"))
        #expect(try verify(token) { $0.job = .exactly(JobID("job-B")) }.isValid)
        let unbound = Samples.rehashed(token) { $0.missionID = nil }
        #expect(try verify(unbound) == .job(nil))
        #expect(try verify(unbound) { $0.job = .exactly(JobID("job-A")) } == .job(nil))
        #expect(try verify(unbound) { $0.job = .none }.isValid)
        #expect(try verify(Samples.rehashed(token) { $0.missionID = "  " }).code == .job)
    }

    @Test("Gap 12: the header's kid chooses the key, and an overlap ends")
    func gapKeyRotation() throws {
        let old = try Samples.mint(Samples.claims(lifetime: 3_600), by: Samples.previousIssuer)
        #expect(try verify(old).isValid)
        #expect(try verify(old, at: Samples.noon.adding(seconds: 1_800)).isValid)
        #expect(
            try verify(old, at: Samples.noon.adding(seconds: 1_801))
                == .keyExpired(Samples.previousIssuer.publicKey.kid))
        let stranger = Samples.signer("stranger")
        #expect(try verify(try Samples.mint(Samples.claims(), by: stranger)) == .unknownKey(stranger.publicKey.kid))
    }

    @Test("Gap 4: delegation and control scopes need the canonical lane")
    func gapLaneBypass() throws {
        let bypass = Samples.rehashed(Self.delegated()) { $0.lane = .legacy }
        #expect(try verify(bypass).code == .controlChainMissing)
        let control = Samples.rehashed(Samples.claims()) { $0.scope = ["proxy:call", "control:token:revoke"] }
        #expect(try verify(control).code == .controlChainMissing)
        let bare = Samples.rehashed(Samples.claims()) { $0.lane = .canonical }
        #expect(try verify(bare).code == .controlChainMissing)
        let other = Samples.rehashed(Self.delegated()) { $0.agentDID = "did:key:z6MkOther" }
        #expect(try verify(other) == .controlChain(.subjectMismatch))
        let delegate = Samples.rehashed(Self.delegated()) { $0.delegateDID = "did:key:z6MkOther" }
        #expect(try verify(delegate).code == .delegationMismatch)
        let delegator = Samples.rehashed(Self.delegated()) { $0.delegatorDID = "did:key:z6MkOther" }
        #expect(try verify(delegator).code == .delegationMismatch)
        let over = Samples.rehashed(Self.delegated()) { $0.delegationExpiresAt = Samples.noon.seconds }
        #expect(try verify(over) == .controlChain(.delegationExpired(at: Samples.noon)))
    }

    @Test("Gap 21: a token that is bound to a key needs proof of it")
    func gapProofOfPossession() throws {
        let jwk: JSONObject = ["kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]
        // RFC 8037 appendix A.3 has this key and its thumbprint.
        let thumbprint = try #require(Digest(b64u: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"))
        let issuer = "https://issuer.harborline.example"
        for confirmation in [ExtendedClaims.Confirmation.key(jwk), .thumbprint(HashText(thumbprint))] {
            let claims = Samples.claims(extended: ExtendedClaims(issuer: issuer, confirmation: confirmation))
            let token = try Samples.mint(claims)
            #expect(try verify(token) == .keyNotProven)
            #expect(try verify(token, provenKey: Digest(hashing: "other")) == .keyNotProven)
            #expect(try verify(token, provenKey: thumbprint).isValid)
        }
        let odd = ExtendedClaims(issuer: issuer, confirmation: .key(["kty": "XYZ"]))
        #expect(try verify(try Samples.mint(Samples.claims(extended: odd)), provenKey: thumbprint) == .keyNotProven)
    }

    @Test("Gap 7: a revoked token is refused")
    func gapRevocation() throws {
        let token = try Samples.mint(Samples.claims())
        let state = Samples.state([
            Samples.revocation(token.hash.digest, 0), try Samples.head(1, tokens: 1),
        ])
        guard case .revoked(let record, let verified) = try verify(token, state: state) else {
            Issue.record("the token is not revoked")
            return
        }
        #expect(record.tokenHash == token.hash.digest)
        #expect(record.revokedAt == Samples.noon)
        #expect(verified.claims.tokenID == TokenID("jti-0"))
        #expect(try verify(Samples.claims(1), state: state).isValid)
    }

    private static func delegated() -> CSTClaims {
        var claims = Samples.claims()
        claims.lane = .canonical
        claims.ownerDID = "did:key:z6MkOwner"
        claims.controllerDID = "did:key:z6MkController"
        claims.agentDID = claims.subject
        claims.delegationID = "delegation-1"
        claims.delegatorDID = "did:key:z6MkOwner"
        claims.delegateDID = claims.subject
        return claims
    }

    // MARK: What it is used for

    @Test func scopesAreAllOrAny() throws {
        let claims = Samples.claims()
        #expect(try verify(claims) { $0.scope = .all(["proxy:call", "clawproxy:call"]) }.isValid)
        #expect(try verify(claims) { $0.scope = .all(["proxy:call", "proxy:admin"]) }.code == .scope)
        #expect(try verify(claims) { $0.scope = .any(["proxy:admin", "proxy:call"]) }.isValid)
        #expect(try verify(claims) { $0.scope = .any(["Proxy:Call"]) }.code == .scope)
        #expect(try verify(claims) { $0.scope = .any([]) }.code == .scope)
        #expect(try verify(claims) { $0.scope = .none }.isValid)
    }

    @Test func agentAndPolicyMayBePinned() throws {
        let claims = Samples.claims()
        #expect(try verify(claims) { $0.agent = Samples.agent }.isValid)
        #expect(try verify(claims) { $0.agent = AgentDID("did:key:z6MkOther") } == .agent(Samples.agent.rawValue))
        #expect(try verify(claims) { $0.policyHash = Samples.policyHash }.isValid)
        #expect(try verify(claims) { $0.policyHash = Digest(hashing: "other") }.code == .policyHash)
        let unpinned = Samples.rehashed(claims) { $0.policyHash = nil }
        #expect(try verify(unpinned) { $0.policyHash = Samples.policyHash } == .policyHash(nil))
    }

    @Test func anotherTenantsTokenIsRefused() throws {
        let claims = Samples.claims()
        #expect(try verify(claims) { $0.owner = "did:key:z6MkOwner" } == .owner(nil))
        let owned = Samples.rehashed(claims) { $0.ownerDID = "did:key:z6MkOwner" }
        #expect(try verify(owned) { $0.owner = "did:key:z6MkOther" } == .owner("did:key:z6MkOwner"))
        #expect(try verify(owned) { $0.owner = "did:key:z6MkOwner" }.isValid)
    }

    // MARK: The view of revocations

    @Test func aStaleViewRefuses() throws {
        let token = try Samples.mint(Samples.claims())
        let loaded = Samples.state([try Samples.head(0)])
        #expect(try verify(token, at: Samples.noon.adding(seconds: 15), state: loaded).isValid)
        let late = try verify(token, at: Samples.noon.adding(seconds: 16), state: loaded)
        #expect(late == .staleView(.tooOld(asOf: Samples.noon, ageSeconds: 16, maximumSeconds: 15)))
        #expect(late.status == 503)
        #expect(try verify(token, state: Samples.state()) == .staleView(.notLoaded))
        #expect(try verify(token, state: Samples.state()) { $0.view = .lastKnown }.isValid)
        let ahead = Samples.state([try Samples.head(0, asOf: Samples.noon.adding(seconds: 61))])
        #expect(try verify(token, state: ahead).code == .staleView)
    }

    @Test func aKnownRevocationCountsEvenInAStaleView() throws {
        let token = try Samples.mint(Samples.claims())
        let state = Samples.state([Samples.revocation(token.hash.digest, 0)])
        #expect(try verify(token, state: state).code == .revoked)
        let cut = Samples.state([Samples.topic(Samples.cutoff(.all, before: Samples.noon.adding(seconds: 1)), 0)])
        #expect(try verify(token, state: cut).code == .revoked)
    }

    @Test func aContradictoryViewRefuses() throws {
        var state = Samples.state([try Samples.head(0)])
        state.apply(RevocationTopicRecord(key: Array("odd:".utf8), value: [], sequence: nil))
        #expect(try verify(Samples.claims(), state: state).code == .staleView)
    }

    // MARK: What it says

    @Test func everyVerdictHasASentenceAndACodeOfItsOwn() throws {
        let token = try Samples.verified(try Samples.mint(Samples.claims()))
        let cutoff = Samples.cutoff(.all, before: Samples.noon)
        let revoked = try #require(
            Samples.state([Samples.revocation(token.hash.digest, 0)]).revocation(of: token.hash))
        let verdicts: [Verdict] = [
            .malformed("text"), .unsupportedAlgorithm, .unknownVersion, .invalidClaims("no claim"), .missingKid,
            .unknownKey(KeyID("k")), .keyExpired(KeyID("k")), .badSignature, .expired(at: Samples.noon),
            .notYetValid(from: Samples.noon), .issuedInFuture(at: Samples.noon), .lifetime(seconds: 9, maximum: 8),
            .scopeHash(.missing), .scopeHash(.mismatch), .audience(["a"]), .scope(.all(["a"])), .agent("a"), .job("a"),
            .owner("a"),
            .policyHash("a"), .controlChain(.missing("no chain")), .controlChain(.subjectMismatch),
            .controlChain(.delegationMismatch("no delegate")), .controlChain(.delegationExpired(at: Samples.noon)),
            .keyNotProven, .revoked(revoked, token), .undetermined(cutoff), .staleView(.notLoaded),
        ]
        #expect(Set(verdicts.compactMap(\.code)) == Set(Verdict.Code.allCases))
        #expect(Set(verdicts.map(\.sentence)).count == verdicts.count)
        for verdict in verdicts + [.valid(token, asOf: nil), .cutOff(cutoff, token)] {
            #expect(!verdict.sentence.isEmpty)
            #expect(verdict.isValid == (verdict.code == nil))
            #expect(verdict.isValid == (verdict.status == 200))
        }
    }

    @Test func nothingThatIsSaidHoldsTheToken() throws {
        let token = try Samples.mint(Samples.claims())
        let states = [
            try Samples.state([Samples.head(0)]), Samples.state(),
            Samples.state([Samples.revocation(token.hash.digest, 0)]),
        ]
        for state in states {
            let verdict = try verify(token, state: state)
            #expect(!"\(verdict)\(verdict.sentence)".contains(token.exposed))
            #expect(!String(reflecting: verdict).contains(token.exposed.suffix(40)))
        }
    }

    @Test func longForeignNamesAreCut() throws {
        let long = String(repeating: "j", count: 5_000)
        let verdict = try verify(Samples.claims(job: long)) { $0.job = .exactly(JobID("job-A")) }
        #expect(verdict.sentence.count < 300)
    }

    @Test func changedTokensAreNeverValid() throws {
        var random = SeededGenerator(seed: 3)
        let token = Array(try Samples.mint(Samples.claims()).exposed.utf8)
        let state = Samples.state([try Samples.head(0)])
        for _ in 0..<300 {
            var bytes = token
            let i = Int.random(in: 0..<bytes.count, using: &random)
            bytes[i] = UInt8.random(in: 0x21...0x7E, using: &random)
            guard bytes != token, let text = String(validating: bytes, as: UTF8.self) else { continue }
            #expect(try !verify(BearerToken(text), state: state).isValid)
        }
    }
}
