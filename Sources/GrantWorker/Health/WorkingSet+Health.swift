import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// An approval that somebody gave, as the batch brought it.
struct ApprovalObservation: Sendable {
    let source: SourceName
    let approvalID: ApprovalID
    let approver: PersonID
    let jobClass: JobClass?
    let decidedAt: Timestamp?
    let input: EvidenceInput
}

/// How sources that are watched fare while a batch is planned.
extension WorkingSet {
    /// Takes up what the ledger holds of the sources, and what the batch itself was heard of them.
    mutating func watch(_ batch: UnderstoodBatch) throws {
        for name in watched.keys {
            let stored = snapshot.health[name]
            do {
                var state = try SourceHealth(decoding: stored?.body ?? [])
                let now = now
                state.seenAt = [stored?.seenAt, batch.seen[name].map { min($0, now) }].compactMap(\.self).max()
                health[name] = state
            } catch {
                throw LedgerError(.corrupted, "what is counted of the source \(name) does not read: \(error)")
            }
        }
        guard batch.isHealthCheck else { return }
        for name in watched.keys.sorted() { try happen(.passed, to: name, nil) }
    }

    /// Remembers an approval that is to be judged once the batch is folded. What a person has stated before about the
    /// same approval is no second one.
    mutating func observe(_ fact: Fact, _ entry: UnderstoodEntry, _ input: EvidenceInput) throws {
        guard watched[entry.source]?.anomalies != nil, case .decisionApproved(let approver?) = fact.content,
            approver.kind == .human, let id = fact.approvalID,
            try !approval(id).state.approvers.contains(where: { $0.actor.id == approver.id })
        else { return }
        observed.append(
            ApprovalObservation(
                source: entry.source, approvalID: id, approver: approver.id, jobClass: fact.jobClass,
                decidedAt: fact.occurredAt, input: input))
    }

    /// Reports a role that was given past the approval system, and a change of what has to be approved: no approval comes of
    /// either, and somebody has to hear of it.
    mutating func report(_ fact: Fact, _ entry: UnderstoodEntry, _ input: EvidenceInput) throws {
        if fact.changesSettings {
            try raise(.settingsChanged(entry.source, fact, evidence: input.digest, at: now), input)
        }
        guard case .grantDirect(_, outsidePIM: true, _, _) = fact.content else { return }
        try raise(
            .assignedOutside(entry.source, to: fact.subject, fact.entitlement, evidence: input.digest, at: now), input)
    }

    /// Reports an end that was meant for approvals here and ended none, whether the sender names people otherwise than the
    /// approval system does or the approvals come later.
    mutating func report(unmatched end: Fact, _ entry: UnderstoodEntry, _ input: EvidenceInput) throws {
        let finding = HealthFinding.matchedNobody(entry.source, end, evidence: input.digest, at: now)
        try raise(finding, input)
        summary.unmatchedEnds.append(
            UnmatchedEnd(source: entry.source, detail: finding.detail, origin: entry.found.origin))
    }

    /// Judges the approvals of the batch, before anything is decided on them.
    mutating func judgeObserved() throws {
        for observation in observed {
            let state = approvals[observation.approvalID]?.state
            let assessed = state?.assess(at: now, entitlements: planner.rules.entitlements).jobClass
            let approval = ObservedApproval(
                approver: observation.approver,
                jobClass: assessed ?? observation.jobClass ?? state?.containedRequest?.jobClass,
                askedAt: state?.askedAt, decidedAt: observation.decidedAt, evidence: observation.input.digest)
            try happen(.approved(approval), to: observation.source, observation.input)
        }
    }

    /// Counts a token for the sources and the people that it rests on.
    mutating func countIssued(_ plan: GrantPlan) throws {
        guard watched.values.contains(where: { $0.sourceLimit != nil || $0.approverLimit != nil }) else { return }
        for id in plan.approvals {
            guard let state = approvals[id]?.state else { continue }
            for name in planner.rules.supportingSources(of: state, for: plan.jobClass)
            where watched[name]?.sourceLimit != nil || watched[name]?.approverLimit != nil {
                try happen(.issued(plan.approvers), to: name, nil)
            }
        }
    }

    private mutating func happen(_ event: HealthEvent, to name: SourceName, _ input: EvidenceInput?) throws {
        guard let rule = watched[name], var state = health[name] else { return }
        let before = state
        let findings = state.apply(event, of: name, under: rule, at: now)
        guard state != before else { return }
        health[name] = state
        changedHealth.insert(name)
        for finding in findings { try raise(finding, input) }
    }

    private mutating func raise(_ finding: HealthFinding, _ input: EvidenceInput?) throws {
        let receipt = Receipt(
            content: .findingRaised(
                Receipt.Finding(
                    code: finding.code.rawValue, severity: Receipt.Severity(finding.code.severity),
                    about: finding.about, evidence: finding.evidence)),
            subject: Receipt.Subject(),
            provenance: provenance(input.map { [$0] } ?? [], policyHash: nil, authenticity: nil),
            reasons: [Receipt.Reason(code: finding.code.rawValue, detail: finding.detail)], occurredAt: now)
        _ = try add(receipt) { encoded in
            FindingRecord(encoded).map {
                [OutputRecord(stream: .findings, key: $0.recordKey, value: $0.canonicalBytes)]
            } ?? []
        }
        summary.findings[finding.code.rawValue, default: 0] += 1
    }

    /// True when a decision waits for a source to be heard, or for a limit to have room again.
    static func waitsForHealth(_ decision: Decision) -> Bool {
        decision.reasons.contains { [.humanApprovalSourceSilent, .humanApprovalRateExceeded].contains($0.code) }
    }
}
