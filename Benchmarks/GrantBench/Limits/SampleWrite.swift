import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// What one granted decision writes into the ledger: the rows of a worker, byte for byte of the same kind and size.
struct SampleWrite {
    let event: EventKey
    let approval: StoredApproval
    let request: StoredRequest
    let effect: Effect

    init(_ sample: SampleDecision, _ understood: SampleDecision.Understood, at now: Timestamp) throws {
        let state = try sample.fold(understood)
        let (decision, plan) = try sample.plan(sample.input(understood, state, at: now))
        let minted = try sample.minter.mint(sample.claims(understood.request.requestID, plan))
        let receipt = try SampleWrite.receipt(sample, understood, decision, plan, minted, at: now)
        let encoded = try receipt.encoded()
        effect = try SampleWrite.effect(encoded, minted, sample)
        let value = understood.record.value ?? []
        event = EventKey(
            source: sample.source.name, eventID: understood.facts.first?.sourceEventID ?? SourceEventID(""),
            occurredAt: now, recordDigest: Digest(hashing: value))
        approval = StoredApproval(
            approvalID: state.approvalID, state: state.encode(), subject: state.subject?.id, ticket: nil,
            usedBy: [understood.request.requestID], outcome: nil, closeAt: now.adding(seconds: 86_400))
        request = StoredRequest(
            requestID: understood.request.requestID, state: .issued, jobID: plan.jobID, jobClass: plan.jobClass,
            agentDID: plan.agentDID, body: nil, receivedAt: now, waitUntil: nil, decidedAt: now,
            approvals: plan.approvals,
            token: IssuedToken(
                tokenHash: minted.hash.digest, tokenID: minted.claims.tokenID ?? TokenID(""),
                scopeHash: minted.claims.tokenScopeHash?.digest ?? minted.hash.digest, kid: sample.minter.kid,
                issuedAt: plan.issuedAt, expiresAt: plan.expiresAt, scope: plan.scope),
            revocation: nil, approvalReference: state.approvalID, ticketReference: nil, subjectReference: nil)
    }

    static func receipt(
        _ sample: SampleDecision, _ understood: SampleDecision.Understood, _ decision: Decision, _ plan: GrantPlan,
        _ minted: MintedToken, at now: Timestamp
    ) throws -> Receipt {
        let request = understood.request
        let record = understood.record
        return Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: AuthorityExtent(
                        scope: request.scope, actions: request.actions, audience: request.audience,
                        ttlSeconds: request.ttlSeconds),
                    granted: AuthorityExtent(
                        scope: plan.scope, actions: plan.elevatedActions, audience: plan.audience,
                        ttlSeconds: plan.expiresAt.seconds - plan.issuedAt.seconds),
                    token: TokenReference(
                        tokenHash: minted.hash.digest, jti: minted.claims.tokenID ?? TokenID(""),
                        scopeHash: minted.claims.tokenScopeHash?.digest ?? minted.hash.digest, kid: sample.minter.kid,
                        issuedAt: plan.issuedAt, expiresAt: plan.expiresAt),
                    delivery: .sealed, approverIDs: plan.approvers, rule: decision.rule)),
            subject: Receipt.Subject(
                requestID: request.requestID, approvalIDs: plan.approvals, jobID: plan.jobID,
                jobClass: plan.jobClass, agentDID: plan.agentDID),
            provenance: Receipt.Provenance(
                workerID: WorkerID("bench"), rulesHash: sample.rules.hash, policyHash: plan.policyHash,
                authenticity: .signed,
                inputs: [
                    EvidenceInput(
                        digest: Digest(hashing: record.value ?? []),
                        origin: ReceiptLog.RecordOrigin(
                            topic: record.topic, partition: record.partition, offset: record.offset),
                        source: sample.source.name)
                ]),
            reasons: decision.reasons.map { Receipt.Reason(code: $0.code.rawValue, detail: $0.detail) },
            occurredAt: now)
    }

    static func effect(
        _ encoded: EncodedReceipt, _ minted: MintedToken, _ sample: SampleDecision
    ) throws -> Effect {
        let claims = minted.claims.json
        guard let grant = GrantRecord(encoded, claimsDigest: Digest(hashing: claims)),
            let decision = DecisionRecord(encoded)
        else { throw BenchError("a receipt has no grant") }
        return Effect(
            receipt: encoded.bytes, receiptKind: encoded.receipt.content.kind.rawValue,
            outputs: [
                OutputRecord(
                    stream: .grants, key: grant.recordKey, value: grant.canonicalBytes,
                    grant: GrantMaterial(
                        claims: claims, kid: sample.minter.kid, tokenHash: minted.hash.digest,
                        recipientKey: sample.recipient, isPlain: false)),
                OutputRecord(stream: .decisions, key: decision.recordKey, value: decision.canonicalBytes),
            ])
    }
}
