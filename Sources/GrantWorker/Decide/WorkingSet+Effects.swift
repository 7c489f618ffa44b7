import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// How outcomes become receipts and the records that follow from them.
extension WorkingSet {
    func provenance(
        _ inputs: [EvidenceInput], policyHash: Digest?, authenticity: ReceiptLog.Authenticity?
    ) -> Receipt.Provenance {
        Receipt.Provenance(
            workerID: planner.worker, rulesHash: planner.rules.hash, policyHash: policyHash,
            authenticity: authenticity, inputs: Array(inputs.prefix(64)), controlPosition: snapshot.controlPosition)
    }

    /// The weakest proof among the statements that an approval rests on.
    private func authenticity(of approvals: [ApprovalID]) -> ReceiptLog.Authenticity? {
        var weakest: ReceiptLog.Authenticity?
        for id in approvals {
            for authenticity in self.approvals[id]?.state.approverAuthenticities ?? [] {
                switch authenticity {
                case .topic: return .topic
                case .confirmed: weakest = .confirmed
                case .signed: weakest = weakest ?? .signed
                // Nothing rests on it.
                case .unconfirmed: continue
                }
            }
        }
        return weakest
    }

    mutating func add(_ receipt: Receipt, outputs: (EncodedReceipt) -> [OutputRecord]) throws -> Int {
        let encoded = try receipt.encodedWithinLimit()
        effects.append(
            Effect(
                receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: outputs(encoded)))
        summary.hasEffects = true
        return effects.count - 1
    }

    private static func extent(_ request: CapabilityRequest) -> AuthorityExtent {
        AuthorityExtent(
            scope: request.scope, actions: request.actions, audience: request.audience, ttlSeconds: request.ttlSeconds)
    }

    private static func subject(_ request: StoredRequest, approvals: [ApprovalID]) -> Receipt.Subject {
        Receipt.Subject(
            requestID: request.requestID, approvalIDs: approvals, jobID: request.jobID, jobClass: request.jobClass,
            agentDID: request.agentDID)
    }

    private func inputs(of entry: RequestEntry, approvals ids: [ApprovalID]) -> [EvidenceInput] {
        var all: [EvidenceInput] = []
        if let input = entry.input { all.append(input) }
        for id in ids {
            for input in inputs[id] ?? [] where !all.contains(input) { all.append(input) }
        }
        return all
    }

    private static func reasons(_ reasons: [IssuanceRules.Reason]) -> [Receipt.Reason] {
        reasons.map { Receipt.Reason(code: $0.code.rawValue, detail: $0.detail) }
    }

    /// Records that a token was minted: the receipt, the decision, and the grant without its token.
    mutating func recordIssue(
        _ entry: RequestEntry, request: CapabilityRequest, decision: Decision, plan: GrantPlan, minted: MintedToken
    ) throws {
        guard let token = entry.stored.token else { return }
        let mode: DeliveryMode
        var recipient: [UInt8]?
        var claim: GrantMaterial.Claim?
        switch plan.delivery {
        case .sealed(let publicKey):
            mode = .sealed
            recipient = publicKey
        case .plain: mode = .plain
        case .reference(let claimKey):
            mode = .reference
            let base = planner.claimBase
            claim = claimKey.map { key in
                GrantMaterial.Claim(key: key, address: base.map { ClaimAddress.of(request.requestID, under: $0) })
            }
        }
        let granted = AuthorityExtent(
            scope: plan.scope, actions: plan.elevatedActions, audience: plan.audience,
            ttlSeconds: plan.expiresAt.seconds - plan.issuedAt.seconds)
        let receipt = Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: Self.extent(request), granted: granted,
                    token: TokenReference(
                        tokenHash: token.tokenHash, jti: token.tokenID, scopeHash: token.scopeHash, kid: token.kid,
                        issuedAt: token.issuedAt, expiresAt: token.expiresAt),
                    delivery: mode, approverIDs: plan.approvers, replaces: plan.replaces, rule: decision.rule)),
            subject: Self.subject(entry.stored, approvals: plan.approvals),
            provenance: provenance(
                inputs(of: entry, approvals: plan.approvals), policyHash: plan.policyHash ?? request.policyHash,
                authenticity: authenticity(of: plan.approvals)),
            reasons: Self.reasons(decision.reasons), occurredAt: now)
        let claims = minted.claims.json
        let index = try add(receipt) { encoded in
            var outputs: [OutputRecord] = []
            if let record = GrantRecord(encoded, claimsDigest: Digest(hashing: claims)) {
                outputs.append(
                    OutputRecord(
                        stream: .grants, key: record.recordKey, value: record.canonicalBytes,
                        grant: GrantMaterial(
                            claims: claims, kid: token.kid, tokenHash: token.tokenHash, recipientKey: recipient,
                            isPlain: mode == .plain, claim: claim)))
            }
            if let record = DecisionRecord(encoded) {
                outputs.append(
                    OutputRecord(stream: .decisions, key: record.recordKey, value: record.canonicalBytes))
            }
            return outputs
        }
        effects[index].origin = origin(
            of: entry, approvals: plan.approvals, outcome: .issued, reasons: decision.reasons.map(\.code.rawValue))
        effectOfRequest[entry.stored.requestID] = index
    }

    /// Records a final refusal or expiry of a request.
    mutating func recordRefusal(
        _ entry: RequestEntry, request: CapabilityRequest?, decision: Decision, isExpiry: Bool
    ) throws {
        let refusal = Receipt.Refusal(
            asked: request.map(Self.extent), needed: decision.needed, rule: decision.rule)
        let receipt = Receipt(
            content: isExpiry ? .decisionExpired(refusal) : .decisionDenied(refusal),
            subject: Self.subject(entry.stored, approvals: decision.approvals),
            provenance: provenance(
                inputs(of: entry, approvals: decision.approvals), policyHash: request?.policyHash,
                authenticity: authenticity(of: decision.approvals)),
            reasons: Self.reasons(decision.reasons), occurredAt: now)
        let index = try add(receipt, outputs: Self.decisionOutput)
        effects[index].origin = origin(
            of: entry, approvals: decision.approvals, outcome: isExpiry ? .expired : .denied,
            reasons: decision.reasons.map(\.code.rawValue))
        effectOfRequest[entry.stored.requestID] = index
    }

    private static func decisionOutput(_ encoded: EncodedReceipt) -> [OutputRecord] {
        guard let record = DecisionRecord(encoded) else { return [] }
        return [OutputRecord(stream: .decisions, key: record.recordKey, value: record.canonicalBytes)]
    }

    /// Records the outcome of an approval that no request carries.
    mutating func recordClosedApproval(
        _ entry: ApprovalEntry, reason: Receipt.Reason, isExpiry: Bool, jobClass: JobClass?
    ) throws {
        let id = entry.state.approvalID
        let refusal = Receipt.Refusal(asked: nil, needed: [], rule: "approvals")
        let receipt = Receipt(
            content: isExpiry ? .decisionExpired(refusal) : .decisionDenied(refusal),
            subject: Receipt.Subject(approvalIDs: [id], jobClass: jobClass),
            provenance: provenance(inputs[id] ?? [], policyHash: nil, authenticity: authenticity(of: [id])),
            reasons: [reason], occurredAt: now)
        _ = try add(receipt, outputs: Self.decisionOutput)
    }

    /// Records that a token is revoked.
    mutating func recordRevocation(
        of stored: StoredRequest, token: IssuedToken, cause: RevocationCause, detail: String, evidence: [EvidenceInput]
    ) throws {
        let receipt = Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: token.tokenHash, jti: token.tokenID, cause: cause,
                    revokedBy: planner.worker.rawValue)),
            subject: Self.subject(stored, approvals: stored.approvals),
            provenance: provenance(evidence, policyHash: nil, authenticity: nil),
            reasons: [Receipt.Reason(code: "TOKEN_REVOKED", detail: detail)], occurredAt: now)
        _ = try add(receipt) { encoded in
            guard let record = RevocationRecord(encoded) else { return [] }
            return [OutputRecord(stream: .revocations, key: record.recordKey, value: record.canonicalBytes)]
        }
    }

    /// Records a finding that a decision came upon.
    mutating func raise(_ finding: UsageFinding, about approvals: [ApprovalID], input: EvidenceInput) throws {
        findings.append(finding)
        summary.findings[finding.code.rawValue, default: 0] += 1
        let receipt = Receipt(
            content: .findingRaised(
                Receipt.Finding(
                    code: finding.code.rawValue, severity: Receipt.Severity(finding.code.severity),
                    about: finding.about, evidence: finding.evidence, excess: nil)),
            subject: Receipt.Subject(approvalIDs: approvals),
            provenance: provenance([input], policyHash: nil, authenticity: .confirmed),
            reasons: [Receipt.Reason(code: finding.code.rawValue, detail: finding.detail)], occurredAt: now)
        _ = try add(receipt) { encoded in
            FindingRecord(encoded).map {
                [OutputRecord(stream: .findings, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
    }

    /// Puts a record into the dead letters.
    mutating func quarantine(_ refused: RefusedEntry) throws {
        guard quarantined.insert(refused.found.origin).inserted else { return }
        guard snapshot.redrive?.origin != refused.found.origin else {
            refusedAgain = (refused.reason, refused.detail)
            return
        }
        let receipt = Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(
                    origin: refused.found.origin, valueDigest: refused.found.digest, valueBytes: refused.valueBytes)),
            subject: Receipt.Subject(),
            provenance: provenance(
                [
                    EvidenceInput(
                        digest: refused.found.digest, origin: refused.found.origin, source: refused.source)
                ], policyHash: nil, authenticity: nil),
            reasons: [Receipt.Reason(code: refused.reason, detail: refused.detail)], occurredAt: now)
        let excerpt = refused.excerpt
        _ = try add(receipt) { encoded in
            guard let record = DeadLetterRecord(encoded, excerpt: excerpt) else { return [] }
            return [OutputRecord(stream: .deadLetters, key: record.recordKey, value: record.canonicalBytes)]
        }
        summary.quarantined += 1
        summary.reasons[.quarantined, default: [:]][refused.reason, default: 0] += 1
    }

    /// The same event id came with another content: one of the two is not what its source said.
    mutating func quarantineConflict(_ entry: UnderstoodEntry) throws {
        try quarantine(
            RefusedEntry(
                source: entry.source, found: entry.found, reason: "event_conflict",
                detail: "the event id is known with another content", value: entry.value))
    }
}
