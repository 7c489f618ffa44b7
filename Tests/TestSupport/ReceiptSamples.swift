public import ClawWire
public import ReceiptLog
public import Testing

/// Receipts of every kind.
public enum Samples {
    /// The key of the log.
    public static let signer = signer("log")
    /// The log.
    public static let logID = LogID("logs.harborline.example/clawgrant")
    /// When everything happens.
    public static let noon = Timestamp(seconds: 1_772_366_400)

    /// A key of a name.
    public static func signer(_ name: String) -> SeedSigner {
        guard let signer = SeedSigner(seed: Digest(hashing: "clawgrant-tests:\(name)").bytes) else {
            preconditionFailure("a digest has the 32 bytes of a seed")
        }
        return signer
    }

    /// A token.
    public static func token(_ n: Int = 0) -> TokenReference {
        TokenReference(
            tokenHash: Digest(hashing: "token \(n)"), jti: TokenID("jti-\(n)"),
            scopeHash: Digest(hashing: "scope \(n)"),
            kid: KeyID("38813bba8285efdd"), issuedAt: noon, expiresAt: noon.adding(seconds: 600))
    }

    /// Where it comes from.
    public static func provenance(_ n: Int = 0) -> Receipt.Provenance {
        Receipt.Provenance(
            workerID: WorkerID("worker-\(n % 3)"), rulesHash: Digest(hashing: "rules \(n % 2)"),
            policyHash: Digest(hashing: "wpc"), authenticity: .signed,
            inputs: [
                EvidenceInput(
                    digest: Digest(hashing: "record \(n)"),
                    origin: RecordOrigin(topic: "claw.approvals.decisions.v1", partition: 3, offset: Int64(n)),
                    source: SourceName("entra-pim"))
            ])
    }

    /// Whom it is about.
    public static func subject(_ n: Int = 0) -> Receipt.Subject {
        Receipt.Subject(
            requestID: RequestID("req-\(n)"), approvalIDs: [ApprovalID("entra-pim/harborline/\(n)")],
            jobID: JobID("job-\(n)"), jobClass: JobClass("prod_db_maintenance"),
            agentDID: AgentDID("did:key:z6MkAgentRun\(n)"))
    }

    /// What is asked for and granted.
    public static let extent = AuthorityExtent(
        scope: ["proxy:call", "clawproxy:call"], actions: ["enable_elevated"], audience: ["clawproxy.com"],
        ttlSeconds: 600)

    /// A grant.
    public static func grant(_ n: Int = 0) -> Receipt {
        Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: extent, granted: extent, token: token(n), delivery: .sealed,
                    approverIDs: [PersonID("5d0c0b1e-approver")], replaces: n == 1 ? RequestID("req-0") : nil,
                    rule: "job_classes.prod_db_maintenance")),
            subject: subject(n), provenance: provenance(n), reasons: [], occurredAt: noon)
    }

    /// A refusal.
    public static func denial(_ n: Int = 0, expired: Bool = false) -> Receipt {
        let refusal = Receipt.Refusal(
            asked: n.isMultiple(of: 2) ? extent : nil, needed: ["one approval by the group \"dba\""],
            rule: "job_classes.prod_db_maintenance.approvals")
        return Receipt(
            content: expired ? .decisionExpired(refusal) : .decisionDenied(refusal), subject: subject(n),
            provenance: provenance(n),
            reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: "approver is requester: a\\b \u{7}\n…é")],
            occurredAt: noon)
    }

    /// A dead letter.
    public static func quarantine(_ n: Int = 0) -> Receipt {
        Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(
                    origin: RecordOrigin(topic: "claw.requests.v1", partition: 0, offset: Int64(n)),
                    valueDigest: Digest(hashing: "poison \(n)"), valueBytes: 10_000_000)),
            subject: Receipt.Subject(), provenance: provenance(n),
            reasons: [Receipt.Reason(code: "malformed", detail: "line 1, column 2: the text ends in an object")],
            occurredAt: noon)
    }

    /// What became of a dead letter.
    public static func deadLetterAction(_ outcome: Receipt.DeadLetterAction.Outcome, hops: Int64 = 1) -> Receipt {
        let action = Receipt.DeadLetterAction(
            origin: RecordOrigin(topic: "claw.requests.v1", partition: 0, offset: 0),
            valueDigest: Digest(hashing: "poison 0"), hops: hops, outcome: outcome, requestedBy: "soc-1")
        return Receipt(
            content: outcome == .discarded ? .deadLetterDiscarded(action) : .deadLetterRedriven(action),
            subject: Receipt.Subject(), provenance: provenance(),
            reasons: [Receipt.Reason(code: "malformed", detail: "line 1, column 2: the text ends in an object")],
            occurredAt: noon)
    }

    /// A revocation.
    public static func revocation(_ n: Int = 0) -> Receipt {
        Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: token(n).tokenHash, jti: token(n).jti, cause: .approvalEnded,
                    revokedBy: "did:web:issuer.harborline.example")),
            subject: subject(n), provenance: provenance(n),
            reasons: [Receipt.Reason(code: "GRANT_ENDED", detail: "  the holder gave the role back  ")],
            occurredAt: noon.adding(seconds: 60))
    }

    /// A key that only verifies from now on.
    public static func keyChange() -> Receipt {
        Receipt(
            content: .keyChanged(
                Receipt.KeyChange(
                    publicKey: signer("next").publicKey, purpose: .token, change: .verifyOnly, effectiveAt: noon)),
            subject: Receipt.Subject(), provenance: provenance(), occurredAt: noon)
    }

    /// A control event: 0 declares, 1 lifts, 2 is of another operation, 3 drills, 4 repeats.
    public static func stop(_ kind: Int) -> Receipt {
        let payload: JSONObject = [
            "stop_id": "stop-2026-0001", "scope": ["value": "prod_db_maintenance", "kind": "job_class"],
        ]
        let content: Receipt.Content =
            switch kind {
            case 0: .stopDeclared(payload)
            case 1: .stopLifted(payload)
            case 2: .controlApplied(payload)
            case 4: .controlRepeated(payload)
            default: .stopDrilled(payload)
            }
        return Receipt(content: content, subject: Receipt.Subject(), provenance: provenance(), occurredAt: noon)
    }

    /// The end of revocations.
    public static func ended() -> Receipt {
        let entitlement = CutoffScope(.entitlement, "group:\u{7}\"é\"").map { RevocationKey.cutoff($0) }
        let keys = [.cutoff(.all), .token(token().tokenHash), entitlement].compactMap { $0 }
        return Receipt(
            content: .revocationsEnded(RevocationEnd(keys: keys, expiredBefore: noon.adding(seconds: 4_000))),
            subject: Receipt.Subject(), provenance: provenance(), occurredAt: noon.adding(seconds: 8_000))
    }

    /// A gateway's receipt.
    public static func gatewayCall(_ n: Int = 0) -> Receipt {
        Receipt(
            content: .gatewayReceipt(
                Receipt.GatewayCall(
                    signerDID: signer("gateway").publicKey.did, receiptID: "rcpt-\(n)",
                    payloadHash: Digest(hashing: "payload \(n)"), calledAt: noon, provider: "openai", model: "gpt-5.1",
                    inputTokens: 1_200, outputTokens: Int64(n), scopeHash: token(n).scopeHash.b64u,
                    policyHash: n.isMultiple(of: 2) ? Digest(hashing: "policy").b64u : nil, runID: "job-\(n)")),
            subject: subject(n), provenance: provenance(n), occurredAt: noon)
    }

    /// A finding.
    public static func finding(_ n: Int = 0) -> Receipt {
        let excess = Receipt.BudgetExcess(dimension: .modelCalls, limit: 10, used: 12, callsInFlight: 1)
        return Receipt(
            content: .findingRaised(
                Receipt.Finding(
                    code: n == 0 ? "BUDGET_EXCEEDED" : "GATEWAY_UNKNOWN_SCOPE", severity: .critical,
                    about: "job:job-\(n)",
                    evidence: [Digest(hashing: "payload \(n)")], excess: n == 0 ? excess : nil)),
            subject: n == 0 ? subject(n) : Receipt.Subject(), provenance: provenance(n),
            reasons: [Receipt.Reason(code: "BUDGET_EXCEEDED", detail: "12 of 10 model calls were made")],
            occurredAt: noon)
    }

    /// A threshold of a budget.
    public static func budgetMark(_ percent: Int64 = 80) -> Receipt {
        Receipt(
            content: .budgetReached(
                Receipt.BudgetMark(dimension: .cost, percent: percent, limit: 5_000, used: 4_100, currency: "EUR")),
            subject: subject(0), provenance: provenance(), occurredAt: noon)
    }

    /// A claim of a token that was delivered by reference, in the clear or sealed.
    public static func claim(_ n: Int = 0) -> Receipt {
        Receipt(
            content: .grantClaimed(
                Receipt.Claim(
                    tokenHash: token(n).tokenHash, jti: token(n).jti, key: Digest(hashing: "claim key"),
                    sealedTo: n == 0 ? nil : Digest(hashing: "sealing key"))),
            subject: subject(n), provenance: provenance(n), occurredAt: noon)
    }

    /// A sign of life.
    public static func heartbeat() -> Receipt {
        Receipt(content: .heartbeat, subject: Receipt.Subject(), provenance: provenance(), occurredAt: noon)
    }

    /// One receipt of every kind.
    public static var every: [Receipt] {
        [
            grant(), grant(1), claim(), claim(1), denial(), denial(1, expired: true), quarantine(),
            deadLetterAction(.refused),
            deadLetterAction(.taken, hops: 2), deadLetterAction(.discarded), revocation(), keyChange(), stop(0),
            stop(1), stop(2), stop(3), stop(4), ended(), gatewayCall(), gatewayCall(1), finding(), finding(1),
            budgetMark(), budgetMark(100), heartbeat(),
        ]
    }

    /// Canonical receipts of several kinds.
    public static func mixed(_ count: Int) throws -> [[UInt8]] {
        try (0..<count).map { n in
            switch n % 4 {
            case 0, 1: try grant(n).encoded().bytes
            case 2: try denial(n).encoded().bytes
            default: try quarantine(n).encoded().bytes
            }
        }
    }
}

extension Receipt: CustomTestStringConvertible {
    /// Kind and identifier, so that reports of tests stay readable.
    public var testDescription: String { "\(content.kind.rawValue) \(id)" }
}
