public import ClawWire

/// A mark of a budget that a job's usage has come to, as published on the findings topic.
public struct BudgetRecord: Sendable, Hashable {
    /// The mark.
    public let mark: Receipt.BudgetMark
    /// The job, its class and its agent.
    public let subject: Receipt.Subject
    /// When usage was found to have come to it.
    public let occurredAt: Timestamp
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// Derives the record of a budget's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt) {
        let receipt = encoded.receipt
        guard case .budgetReached(let mark) = receipt.content else { return nil }
        self.mark = mark
        subject = Receipt.Subject(
            requestID: receipt.subject.requestID, jobID: receipt.subject.jobID, jobClass: receipt.subject.jobClass,
            agentDID: receipt.subject.agentDID)
        occurredAt = receipt.occurredAt
        receiptID = receipt.id
        receiptDigest = encoded.digest
    }

    /// Key on the findings topic: the job.
    public var recordKey: [UInt8] { Array((subject.jobID?.rawValue ?? "").utf8) }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 768)
        writer.openObject()
        writer.member("agent_did", subject.agentDID?.rawValue)
        writer.budget(mark)
        writer.member("budget_version", "1")
        writer.member("job_class", subject.jobClass?.rawValue)
        writer.member("job_id", subject.jobID?.rawValue)
        writer.member("occurred_at", occurredAt)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("request_id", subject.requestID?.rawValue)
        writer.closeObject()
        return writer.output
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("budget_version", "1")
        mark = try Receipt.BudgetMark(try reader.nested("budget"))
        subject = try Receipt.Subject(published: reader)
        occurredAt = try reader.timestamp("occurred_at")
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        try requireCanonical(canonicalBytes, bytes, "budget")
    }
}
