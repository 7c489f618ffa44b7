import ApprovalSources
public import ClawWire
public import GrantLedger
public import ReceiptLog

/// The redrive of a dead letter is not wanted any more: it was done in a transaction whose reply was lost, or the dead
/// letter was given up meanwhile. Nothing was written.
struct RedriveOver: Error {}

/// Tells our own dead letters where somebody sent them back into a topic that we read.
///
/// A dead letter of a dead letter says nothing that the first does not say, and would come back in its turn: such a
/// record is passed over and counted, so that a loop outside of us makes nothing grow here.
enum ReturnedDeadLetter {
    /// What it is counted under.
    static let why = "dead_letter_returned"
    /// A dead letter has an excerpt of bounded length, and so has its text.
    private static let maximumBytes = 65_536

    /// True for a record whose value is a dead letter of ours, byte for byte.
    static func isOne(_ record: SourceRecord) -> Bool {
        guard let value = record.value, value.count <= maximumBytes else { return false }
        return (try? DeadLetterRecord(parsing: value)) != nil
    }
}

extension WorkingSet {
    /// The reason of a record whose request contradicts one that is known.
    static let requestConflict = "request_conflict"

    /// Records what reading a dead letter's record again came to: what it says was taken like any record's, what was
    /// refused has its dead letter already.
    mutating func recordRedrive(of letter: StoredDeadLetter, _ batch: UnderstoodBatch) throws {
        if letter.code == Self.requestConflict, refusedAgain == nil, summary.newEvents == 0 {
            // Its event was used up when the record was set aside, and nothing of it was taken: that is no repeat.
            refusedAgain = (letter.code, "the request in it was made before with another content")
        }
        let outcome: Receipt.DeadLetterAction.Outcome =
            if refusedAgain != nil {
                .refused
            } else if summary.newEvents > 0 || batch.control.contains(where: { $0.found.origin == letter.origin }) {
                .taken
            } else if summary.repeats > 0 {
                .repeated
            } else {
                .ignored
            }
        let receipt = DeadLetterReceipt.make(
            letter, outcome, reason: refusedAgain.map { Receipt.Reason(code: $0.code, detail: $0.detail) },
            provenance: provenance(
                [EvidenceInput(digest: letter.valueDigest, origin: letter.origin, source: letter.source)],
                policyHash: nil, authenticity: nil),
            at: now)
        _ = try add(receipt) { _ in [] }
        redriven = RedriveWrite(origin: letter.origin, outcome: outcome, refusal: refusedAgain)
        summary.redriven = outcome
    }
}

/// Receipts of what is done about dead letters.
enum DeadLetterReceipt {
    /// Makes the receipt of a dead letter's next hop, or of its being given up.
    ///
    /// - Parameters:
    ///   - letter: the dead letter as it was.
    ///   - outcome: what it came to.
    ///   - reason: why, where the outcome does not say it.
    ///   - requestedBy: who asked; `nil` for who asked for the redrive that waits.
    static func make(
        _ letter: StoredDeadLetter, _ outcome: Receipt.DeadLetterAction.Outcome, reason: Receipt.Reason?,
        requestedBy: String? = nil, provenance: Receipt.Provenance, at now: Timestamp
    ) -> Receipt {
        let isDiscard = outcome == .discarded
        let action = Receipt.DeadLetterAction(
            origin: letter.origin, valueDigest: letter.valueDigest, hops: letter.hops + (isDiscard ? 0 : 1),
            outcome: outcome, requestedBy: requestedBy ?? letter.request?.by ?? "")
        return Receipt(
            content: isDiscard ? .deadLetterDiscarded(action) : .deadLetterRedriven(action),
            subject: Receipt.Subject(), provenance: provenance,
            reasons: [reason ?? Receipt.Reason(code: code(outcome), detail: detail(outcome, letter))], occurredAt: now)
    }

    private static func code(_ outcome: Receipt.DeadLetterAction.Outcome) -> String {
        "DEAD_LETTER_\(outcome.rawValue.uppercased())"
    }

    private static func detail(_ outcome: Receipt.DeadLetterAction.Outcome, _ letter: StoredDeadLetter) -> String {
        switch outcome {
        case .taken: "the record was set aside as \(letter.code) and is taken now"
        case .repeated: "everything that the record says was known already; nothing was decided again"
        case .ignored: "the record is understood and bears on nothing here"
        case .refused: "the record was refused again"
        case .lost: "the record cannot be read again"
        case .discarded: "the dead letter was given up"
        }
    }
}

/// Giving dead letters up, as the command line does it.
public enum DeadLetterDiscard {
    /// Gives a dead letter up, with its receipt in the log.
    ///
    /// - Parameters:
    ///   - origin: which.
    ///   - person: who decided it.
    ///   - reason: why, for people.
    ///   - worker: who writes it down.
    public static func discard(
        _ origin: RecordOrigin, by person: String, reason: String, worker: WorkerID, in ledger: some DeadLetterLedger
    ) async throws(LedgerError) -> DiscardAnswer {
        try await ledger.discard(origin, by: worker) { letter, now in
            let receipt = DeadLetterReceipt.make(
                letter, .discarded, reason: Receipt.Reason(code: "DEAD_LETTER_DISCARDED", detail: reason),
                requestedBy: person,
                provenance: Receipt.Provenance(
                    workerID: worker,
                    inputs: [EvidenceInput(digest: letter.valueDigest, origin: letter.origin, source: letter.source)]),
                at: now)
            return Effect(
                receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
        }
    }
}
