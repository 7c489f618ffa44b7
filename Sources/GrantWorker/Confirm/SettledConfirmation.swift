import ApprovalSources
import ClawWire
import GrantLedger
import GraphConfirmation
import IssuanceRules
import ReceiptLog

/// An answer of the vendor that changes something, with its place in the ledger.
struct SettledConfirmation: Sendable {
    let key: ConfirmationKey
    let verdict: ConfirmationVerdict
    let answer: GraphAnswer
    /// The number of the kept answer.
    let number: Int64
    /// Whom the source named: whose requests wait for it.
    let subjects: Set<PersonID>
    /// When the vendor is asked again; `nil` for never.
    let dueAt: Timestamp?

    /// How it leaves the confirmation, and why.
    var standing: (state: ConfirmationState, why: String) { verdict.standing }

    /// Where the evidence is: no record of a topic, but a row of the ledger.
    var found: FoundRecord {
        FoundRecord(
            origin: ReceiptLog.RecordOrigin(topic: "confirmation:\(key.source)", partition: 0, offset: number),
            digest: answer.digest)
    }

    /// What is to be folded into the approval.
    var facts: [Fact] {
        switch verdict {
        case .confirmed(let facts), .over(let facts): return facts
        case .contradicted(let why, _):
            var fact = Fact(
                recordIndex: 0, source: GraphSource.vocabulary, sourceEventID: nil, occurredAt: answer.answeredAt,
                approvalID: key.approvalID, content: .decisionDenied(approver: why.actor))
            fact.recordDigest = answer.digest
            return [fact]
        case .notYet: return []
        }
    }
}

extension ConfirmationVerdict {
    /// How a verdict leaves a confirmation, and why, as a machine code.
    var standing: (state: ConfirmationState, why: String) {
        switch self {
        case .confirmed: (.confirmed, "confirmed")
        case .over: (.over, "over")
        case .contradicted(let why, _): (.contradicted, why.rawValue)
        case .notYet(let why): (.waiting, why)
        }
    }
}

extension BatchReader {
    /// A batch of what the vendor answered: facts without events, proven by the read.
    func read(_ settled: [SettledConfirmation], under lease: RoleLease) -> UnderstoodBatch {
        var batch = UnderstoodBatch(read: DecideRead(worker: worker, fence: .role(lease)))
        batch.confirmations = settled
        for confirmation in settled {
            let facts = confirmation.facts
            guard !facts.isEmpty else { continue }
            batch.entries.append(
                UnderstoodEntry(
                    source: confirmation.key.source, found: confirmation.found, facts: facts,
                    authenticity: .confirmed, event: UnderstoodEntry.noEvent))
            for fact in facts { need(fact, isContained: false, &batch) }
            batch.read.approvalIDs.insert(confirmation.key.approvalID)
            batch.read.subjects.formUnion(confirmation.subjects)
        }
        return batch
    }
}

extension Fact {
    /// True for a fact on which something may be issued, so that it must be confirmed first.
    var grants: Bool {
        switch content {
        case .decisionApproved, .grantStarted, .grantChanged: true
        case .requestOpened, .requestRouted, .decisionDenied, .decisionTimedOut, .decisionCanceled, .grantEnded,
            .grantDirect, .subjectInvalidated, .capabilityRequested, .stopDeclared, .stopLifted, .ignored, .rejected:
            false
        }
    }
}

extension WorkingSet {
    /// Leaves a confirmation as its answer says; a contradiction is a finding.
    mutating func settle(_ settled: SettledConfirmation) throws {
        let (state, why) = settled.standing
        settledConfirmations.append(
            ConfirmationOutcome(
                key: settled.key, state: state, why: why, digest: settled.answer.digest, dueAt: settled.dueAt))
        guard case .contradicted(let contradiction, let sentence) = settled.verdict else { return }
        let id = settled.key.approvalID
        try raise(
            UsageFinding(
                .approvalContradicted,
                "\(contradiction.rawValue): \(sentence); the source \(settled.key.source) said otherwise",
                about: "approval:\(id)", evidence: [settled.answer.digest]),
            about: [id],
            input: EvidenceInput(
                digest: settled.answer.digest, origin: settled.found.origin, source: settled.key.source))
    }
}
