import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// Makes what a usage transaction writes of what follows from a batch. Pure.
struct UsagePlanner: Sendable {
    let rules: RuleSet
    let worker: WorkerID

    /// Counts of a batch, for metrics.
    struct Summary: Sendable {
        var counted = 0
        var unbound = 0
        var repeated = 0
        var refused = 0
        var revoked = 0
        var findings: [UsageFinding.Code: Int] = [:]
        var marks: [BudgetMark] = []
    }

    func judge(_ batch: GatewayBatch, _ snapshot: UsageSnapshot) -> UsageBook {
        UsageBook.judge(batch.calls, elapsed: batch.elapsed, rules: rules, snapshot: snapshot)
    }

    func plan(
        _ batch: GatewayBatch, _ snapshot: UsageSnapshot, _ moment: UsageMoment
    ) throws -> (write: UsageWrite, summary: Summary) {
        let book = judge(batch, snapshot)
        var plan = Plan(planner: self, batch: batch, now: snapshot.now, moment: moment)
        var raised = snapshot.raised
        for refused in batch.refused {
            try plan.quarantine(refused)
            if let finding = refused.finding, raised.insert(finding.key).inserted {
                try plan.raise(finding, evidence: refused.found)
            }
        }
        for event in book.events { try plan.add(event) }
        for job in book.touched {
            guard let usage = book.state.jobs[job], let jobClass = usage.grants.last?.jobClass else { continue }
            plan.write.jobs[job] = (jobClass, usage)
        }
        for (run, jobs) in book.state.runs {
            for job in jobs.subtracting(snapshot.runs[run] ?? []) { plan.write.runs.append((run, job)) }
        }
        if let letter = moment.redrive { try plan.recordRedrive(of: letter) }
        return (plan.write, plan.summary)
    }
}

/// A write in the making.
private struct Plan {
    let planner: UsagePlanner
    let batch: GatewayBatch
    let now: Timestamp
    let moment: UsageMoment
    var write = UsageWrite()
    var summary = UsagePlanner.Summary()
    fileprivate var refusedAgain: (code: String, detail: String)?

    mutating func add(_ event: UsageEvent) throws {
        switch event {
        case .counted(let index, let grant):
            let accepted = batch.accepted[index]
            write.counted.append(
                UsageWrite.Counted(call: accepted.call, origin: accepted.found.origin, grant: grant))
            if grant == nil { summary.unbound += 1 } else { summary.counted += 1 }
            try count(accepted, grant)
        case .repeated: summary.repeated += 1
        case .tooOld(let index): try setAside(batch.accepted[index])
        case .found(let finding, let index): try raise(finding, evidence: index.map { batch.accepted[$0].found })
        case .mark(_, let mark, let grant): try reach(mark, grant)
        case .revoke(_, let grants, let mark): for grant in grants { try revoke(grant, mark) }
        }
    }

    fileprivate func provenance(
        _ found: FoundRecord?, _ grant: UsageGrant?, authenticity: ReceiptLog.Authenticity? = .signed,
        controlPosition: Int64? = nil
    ) -> Receipt.Provenance {
        Receipt.Provenance(
            workerID: planner.worker, rulesHash: planner.rules.hash, policyHash: grant?.policyHash,
            authenticity: authenticity,
            inputs: found.map { [EvidenceInput(digest: $0.digest, origin: $0.origin)] } ?? [],
            controlPosition: controlPosition)
    }

    private func subject(_ grant: UsageGrant?) -> Receipt.Subject {
        guard let grant else { return Receipt.Subject() }
        return Receipt.Subject(
            requestID: grant.requestID, approvalIDs: grant.approvals, jobID: grant.jobID, jobClass: grant.jobClass,
            agentDID: grant.agentDID)
    }

    fileprivate mutating func append(_ receipt: Receipt, _ outputs: (EncodedReceipt) -> [OutputRecord]) throws {
        let encoded = try receipt.encoded()
        write.effects.append(
            Effect(
                receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: outputs(encoded)))
    }

    private mutating func count(_ accepted: GatewayBatch.Accepted, _ grant: UsageGrant?) throws {
        let call = accepted.call
        let receipt = Receipt(
            content: .gatewayReceipt(
                Receipt.GatewayCall(
                    signerDID: call.name.signerDID, receiptID: call.name.receiptID, payloadHash: call.payloadHash,
                    calledAt: call.calledAt, provider: call.provider, model: call.model,
                    inputTokens: call.inputTokens, outputTokens: call.outputTokens, scopeHash: call.scopeHash,
                    policyHash: call.policyHash, runID: call.runID)),
            subject: subject(grant), provenance: provenance(accepted.found, grant), occurredAt: now)
        try append(receipt) { _ in [] }
    }

    mutating func raise(_ finding: UsageFinding, evidence found: FoundRecord?) throws {
        write.findings.append(finding)
        summary.findings[finding.code, default: 0] += 1
        let receipt = Receipt(
            content: .findingRaised(
                Receipt.Finding(
                    code: finding.code.rawValue, severity: Receipt.Severity(finding.code.severity),
                    about: finding.about, evidence: finding.evidence, excess: finding.excess.map { .init($0) })),
            subject: subject(finding.grant),
            // Nothing of a receipt of an unknown signer is authentic.
            provenance: provenance(
                found, finding.grant, authenticity: finding.code == .wrongSigner ? nil : .signed),
            reasons: [Receipt.Reason(code: finding.code.rawValue, detail: finding.detail)], occurredAt: now)
        try append(receipt) { encoded in
            FindingRecord(encoded).map {
                [OutputRecord(stream: .findings, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
    }

    private mutating func reach(_ mark: BudgetMark, _ grant: UsageGrant?) throws {
        summary.marks.append(mark)
        let receipt = Receipt(
            content: .budgetReached(
                Receipt.BudgetMark(
                    dimension: Receipt.BudgetDimension(mark.limit.dimension), percent: mark.percent,
                    limit: mark.limit.amount, used: mark.used, currency: mark.limit.currency)),
            subject: subject(grant), provenance: provenance(nil, grant, authenticity: nil), occurredAt: now)
        try append(receipt) { encoded in
            BudgetRecord(encoded).map {
                [OutputRecord(stream: .findings, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
    }

    private mutating func revoke(_ grant: UsageGrant, _ mark: BudgetMark?) throws {
        write.revoked.append(grant.requestID)
        summary.revoked += 1
        let what = mark.map { "\($0.used) of \($0.limit.amount) \($0.limit.unit)" }
        let receipt = Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: grant.tokenHash, jti: grant.tokenID, cause: .budgetSpent,
                    revokedBy: planner.worker.rawValue)),
            subject: subject(grant),
            provenance: provenance(nil, nil, authenticity: nil, controlPosition: moment.controlPosition),
            reasons: [
                Receipt.Reason(
                    code: "TOKEN_BUDGET_SPENT", detail: "the budget of the job is spent: \(what ?? "its limit")")
            ], occurredAt: now)
        try append(receipt) { encoded in
            RevocationRecord(encoded).map {
                [OutputRecord(stream: .revocations, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
    }

    /// Whether a call of an archived day was counted nobody can tell, so it is not counted (again).
    private mutating func setAside(_ accepted: GatewayBatch.Accepted) throws {
        try quarantine(
            GatewayBatch.Refused(
                found: accepted.found, code: "GATEWAY_RECEIPT_TOO_OLD",
                detail: "the call is dated \(accepted.call.calledAt), on a day whose receipts are archived",
                valueBytes: accepted.value.count, excerpt: Redaction.excerpt(accepted.value), finding: nil))
    }

    mutating func quarantine(_ refused: GatewayBatch.Refused) throws {
        guard moment.redrive?.origin != refused.found.origin else {
            refusedAgain = (refused.code, refused.detail)
            return
        }
        summary.refused += 1
        let receipt = Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(
                    origin: refused.found.origin, valueDigest: refused.found.digest, valueBytes: refused.valueBytes)),
            subject: Receipt.Subject(), provenance: provenance(refused.found, nil, authenticity: nil),
            reasons: [Receipt.Reason(code: refused.code, detail: refused.detail)], occurredAt: now)
        try append(receipt) { encoded in
            DeadLetterRecord(encoded, excerpt: refused.excerpt).map {
                [OutputRecord(stream: .deadLetters, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
    }
}

extension Plan {
    /// What reading a dead letter's record again came to, with its receipt.
    mutating func recordRedrive(of letter: StoredDeadLetter) throws {
        let outcome: Receipt.DeadLetterAction.Outcome =
            if refusedAgain != nil {
                .refused
            } else if !write.counted.isEmpty {
                .taken
            } else if summary.repeated > 0 {
                .repeated
            } else {
                .ignored
            }
        let receipt = DeadLetterReceipt.make(
            letter, outcome, reason: refusedAgain.map { Receipt.Reason(code: $0.code, detail: $0.detail) },
            provenance: provenance(
                FoundRecord(origin: letter.origin, digest: letter.valueDigest), nil, authenticity: nil), at: now)
        try append(receipt) { _ in [] }
        write.redriven = RedriveWrite(origin: letter.origin, outcome: outcome, refusal: refusedAgain)
    }
}

extension Receipt.Severity {
    init(_ severity: UsageFinding.Severity) {
        switch severity {
        case .warning: self = .warning
        case .critical: self = .critical
        }
    }
}

extension Receipt.BudgetDimension {
    init(_ dimension: IssuanceRules.BudgetDimension) {
        switch dimension {
        case .modelCalls: self = .modelCalls
        case .inputTokens: self = .inputTokens
        case .outputTokens: self = .outputTokens
        case .cost: self = .cost
        case .wallTime: self = .wallTime
        }
    }
}

extension Receipt.BudgetExcess {
    init(_ excess: UsageFinding.Excess) {
        self.init(
            dimension: Receipt.BudgetDimension(excess.limit.dimension), limit: excess.limit.amount, used: excess.used,
            callsInFlight: excess.callsInFlight, currency: excess.limit.currency)
    }
}
