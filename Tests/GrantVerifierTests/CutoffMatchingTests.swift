import ClawWire
import GrantVerifier
import ReceiptLog
import Testing

/// Gap 10 of WIRE section 14: revocation by more than the token's hash.
struct CutoffMatchingTests {
    private static let after = Samples.noon.adding(seconds: 1)

    private func verdict(
        _ claims: CSTClaims, _ cutoffs: [CutoffRecord], swept: Int64 = 0, context: TokenContext = .unknown,
        _ change: (inout VerificationPolicy) -> Void = { _ in }
    ) throws -> Verdict {
        var policy = Samples.policy
        change(&policy)
        return TokenVerifier(policy: policy).verify(
            try Samples.mint(claims), now: Samples.noon, keys: Samples.keys,
            state: try Samples.state(cutoffs: cutoffs, swept: swept), context: context)
    }

    @Test func aTokenShowsTheseScopesItself() throws {
        let claims = Samples.claims()
        let token = try Samples.mint(claims)
        let hits: [CutoffScope] = [
            .all, try Samples.scope(.issuerKey, Samples.issuer.publicKey.kid.rawValue),
            try Samples.scope(.policyHash, Samples.policyHash.b64u), try Samples.scope(.agent, Samples.agent.rawValue),
            try Samples.scope(.job, "job-0"), try Samples.scope(.token, token.hash.hex),
            try Samples.scope(.jti, "jti-0"),
        ]
        #expect(Set(hits.map(\.kind)) == Set(CutoffScope.Kind.allCases.filter(\.isVisibleInToken)))
        for scope in hits {
            let record = Samples.cutoff(scope, before: Self.after)
            guard case .cutOff(let found, _) = try verdict(claims, [record]) else {
                Issue.record("\(scope) does not cut the token off")
                continue
            }
            #expect(found == record)
        }
        for scope in hits where scope.kind != .all {
            let other = try Samples.scope(scope.kind, (scope.value ?? "") + "x")
            #expect(try verdict(claims, [Samples.cutoff(other, before: Self.after)]).isValid)
        }
    }

    @Test func tokensFromTheInstantOnAreNotCutOff() throws {
        let record = Samples.cutoff(.all, before: Samples.noon)
        #expect(try verdict(Samples.claims(issuedAt: Samples.noon), [record]).isValid)
        #expect(try verdict(Samples.claims(issuedAt: Samples.noon.adding(seconds: -1)), [record]).code == .revoked)
    }

    @Test func tokensFromBeforeTheSuspicionAreSpared() throws {
        let key = try Samples.scope(.issuerKey, Samples.issuer.publicKey.kid.rawValue)
        let record = Samples.cutoff(
            key, before: Timestamp(seconds: 253_402_300_799), since: Samples.noon.adding(seconds: -10))
        #expect(try verdict(Samples.claims(issuedAt: Samples.noon.adding(seconds: -11)), [record]).isValid)
        #expect(try verdict(Samples.claims(issuedAt: Samples.noon.adding(seconds: -10)), [record]).code == .revoked)
        #expect(try verdict(Samples.claims(issuedAt: Samples.noon), [record]).code == .revoked)
    }

    @Test func overlappingCutoffsAreIndependent() throws {
        let job = Samples.cutoff(try Samples.scope(.job, "job-0"), before: Samples.noon, position: 1)
        let agent = Samples.cutoff(
            try Samples.scope(.agent, Samples.agent.rawValue), before: Self.after, position: 2)
        #expect(try verdict(Samples.claims(), [job, agent]).code == .revoked)
        #expect(try verdict(Samples.claims(issuedAt: Self.after), [job, agent]).isValid)
    }

    @Test func theAgentIsFoundInBothClaims() throws {
        let claims = Samples.rehashed(Samples.claims()) {
            $0.lane = .canonical
            $0.ownerDID = "did:key:z6MkOwner"
            $0.controllerDID = "did:key:z6MkController"
            $0.agentDID = $0.subject
        }
        let record = Samples.cutoff(try Samples.scope(.agent, Samples.agent.rawValue), before: Self.after)
        #expect(try verdict(claims, [record]).code == .revoked)
    }

    @Test func aPaddedNameDoesNotSlipPast() throws {
        let claims = Samples.rehashed(Samples.claims()) { $0.missionID = " job-0\u{A0}" }
        let record = Samples.cutoff(try Samples.scope(.job, "job-0"), before: Self.after)
        #expect(try verdict(claims, [record]).code == .revoked)
    }

    // MARK: What a token does not show

    private static let contexts: [(CutoffScope.Kind, String, TokenContext, TokenContext)] = [
        (
            .jobClass, "prod_db_maintenance", TokenContext(jobClass: JobClass("prod_db_maintenance")),
            TokenContext(jobClass: JobClass("reporting"))
        ),
        (
            .request, "req-1", TokenContext(requestID: RequestID("req-1")),
            TokenContext(requestID: RequestID("req-2"))
        ),
        (
            .approval, "entra-pim/harborline/7",
            TokenContext(approvalIDs: [ApprovalID("entra-pim/harborline/6"), ApprovalID("entra-pim/harborline/7")]),
            TokenContext(approvalIDs: [ApprovalID("entra-pim/harborline/8")])
        ),
        (.subject, "person-1", TokenContext(subjects: [PersonID("person-1")]), TokenContext(subjects: [])),
        (
            .entitlement, "entra_role:62E90394",
            TokenContext(entitlements: [.init(kind: "entra_role", id: "62e90394", scope: "/")]),
            TokenContext(entitlements: [.init(kind: "group", id: "62e90394")])
        ),
        (
            .entitlement, "entra_role:62e90394:/",
            TokenContext(entitlements: [.init(kind: "entra_role", id: "62E90394", scope: "/")]),
            TokenContext(entitlements: [.init(kind: "entra_role", id: "62E90394", scope: "/sub")])
        ),
        (.policyID, "wpc-prod", TokenContext(policyIDs: ["wpc-prod"]), TokenContext(policyIDs: ["wpc-test"])),
        (
            .source, "entra-pim", TokenContext(sources: [SourceName("entra-pim")]),
            TokenContext(sources: [SourceName("servicenow")])
        ),
    ]

    @Test func aContextSaysWhatTheTokenDoesNot() throws {
        #expect(
            Set(Self.contexts.map(\.0)) == Set(CutoffScope.Kind.allCases.filter { !$0.isVisibleInToken }))
        for (kind, value, inside, outside) in Self.contexts {
            let record = Samples.cutoff(try Samples.scope(kind, value), before: Self.after, position: 3)
            #expect(try verdict(Samples.claims(), [record], context: inside).code == .revoked, "\(kind)")
            #expect(try verdict(Samples.claims(), [record], context: outside).isValid, "\(kind)")
            #expect(try verdict(Samples.claims(), [record]) == .undetermined(record), "\(kind)")
            #expect(try verdict(Samples.claims(), [record], swept: 4).isValid, "\(kind)")
            #expect(try verdict(Samples.claims(issuedAt: Self.after), [record]).isValid, "\(kind)")
        }
    }

    @Test func whileNobodyCanTellTheTokenIsRefused() throws {
        let record = Samples.cutoff(
            try Samples.scope(.jobClass, "prod_db_maintenance"), before: Self.after, position: 3)
        let open = try verdict(Samples.claims(), [record], swept: 3)
        #expect(open == .undetermined(record))
        #expect(open.status == 503)
        #expect(try verdict(Samples.claims(), [record], swept: 3) { $0.refusesUndetermined = false }.isValid)
        // A context that knows of other things does not help.
        let context = TokenContext(requestID: RequestID("req-1"))
        #expect(try verdict(Samples.claims(), [record], swept: 3, context: context) == .undetermined(record))
    }

    @Test func aHeadThatSaysAllTokensHaveRecordsSettlesIt() throws {
        let record = Samples.cutoff(
            try Samples.scope(.jobClass, "prod_db_maintenance"), before: Self.after, position: 3)
        let token = try Samples.mint(Samples.claims())
        var state = Samples.state([Samples.topic(record, 0), try Samples.head(1, position: 4, swept: 3, cutoffs: 1)])
        let verifier = TokenVerifier(policy: Samples.policy)
        func now() -> Verdict { verifier.verify(token, now: Samples.noon, keys: Samples.keys, state: state) }
        #expect(now() == .undetermined(record))
        state.apply(Samples.revocation(token.hash.digest, 1, cause: .stopped))
        #expect(now().code == .revoked)
        let other = try Samples.mint(Samples.claims(5))
        state.apply(
            try Samples.head(
                2, asOf: Samples.noon.adding(seconds: 1), position: 4, swept: 4, tokens: 1, cutoffs: 1))
        #expect(now().code == .revoked)
        #expect(verifier.verify(other, now: Samples.noon, keys: Samples.keys, state: state).isValid)
    }

    @Test func aGrantOfTheGrantsTopicIsAContext() throws {
        let receipt = Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: AuthorityExtent(scope: ["proxy:call"]), granted: AuthorityExtent(scope: ["proxy:call"]),
                    token: TokenReference(
                        tokenHash: Digest(hashing: "t"), jti: TokenID("jti-0"), scopeHash: Digest(hashing: "s"),
                        kid: Samples.issuer.publicKey.kid, issuedAt: Samples.noon,
                        expiresAt: Samples.noon.adding(seconds: 60)),
                    delivery: .sealed, rule: "job_classes.prod_db_maintenance")),
            subject: Receipt.Subject(
                requestID: RequestID("req-1"), approvalIDs: [ApprovalID("entra-pim/harborline/7")],
                jobID: JobID("job-0"), jobClass: JobClass("prod_db_maintenance"), agentDID: Samples.agent),
            provenance: Receipt.Provenance(
                workerID: WorkerID("worker-1"), rulesHash: nil, policyHash: nil, authenticity: .signed, inputs: []),
            reasons: [], occurredAt: Samples.noon)
        let grant = try #require(GrantRecord(try receipt.encoded(), claimsDigest: Digest(hashing: "c")))
        #expect(
            TokenContext(grant)
                == TokenContext(
                    jobClass: JobClass("prod_db_maintenance"), requestID: RequestID("req-1"),
                    approvalIDs: [ApprovalID("entra-pim/harborline/7")]))
    }
}
