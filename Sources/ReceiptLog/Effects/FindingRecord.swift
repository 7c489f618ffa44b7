public import ClawWire

/// A finding, as published: something that is not as the grants say it should be.
public struct FindingRecord: Sendable, Hashable {
    /// What was found.
    public let finding: Receipt.Finding
    /// What was found, for people.
    public let detail: String
    /// The request, job, class and agent, as far as they are known.
    public let subject: Receipt.Subject
    /// When it was found.
    public let occurredAt: Timestamp
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// Derives the record of a finding's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt) {
        let receipt = encoded.receipt
        guard case .findingRaised(let finding) = receipt.content else { return nil }
        self.finding = finding
        detail = receipt.reasons.first?.detail ?? ""
        subject = Receipt.Subject(
            requestID: receipt.subject.requestID, jobID: receipt.subject.jobID, jobClass: receipt.subject.jobClass,
            agentDID: receipt.subject.agentDID)
        occurredAt = receipt.occurredAt
        receiptID = receipt.id
        receiptDigest = encoded.digest
    }

    /// Key on the findings topic: the job, else what it is about.
    public var recordKey: [UInt8] { Array((subject.jobID?.rawValue ?? finding.about).utf8) }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 1_024)
        writer.openObject()
        writer.member("about", finding.about)
        writer.member("agent_did", subject.agentDID?.rawValue)
        writer.member("code", finding.code)
        writer.member("detail", detail)
        writer.member("evidence_b64u", finding.evidence)
        writer.member("excess", finding.excess)
        writer.member("finding_version", "1")
        writer.member("job_class", subject.jobClass?.rawValue)
        writer.member("job_id", subject.jobID?.rawValue)
        writer.member("occurred_at", occurredAt)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("request_id", subject.requestID?.rawValue)
        writer.member("severity", finding.severity.rawValue)
        writer.closeObject()
        return writer.output
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("finding_version", "1")
        finding = try Receipt.Finding(reader)
        detail = try reader.string("detail")
        subject = try Receipt.Subject(published: reader)
        occurredAt = try reader.timestamp("occurred_at")
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        try requireCanonical(canonicalBytes, bytes, "finding")
    }
}

extension Receipt.Subject {
    /// Reads the members that findings and budget marks carry.
    init(published reader: MemberReader) throws(EvidenceError) {
        self.init(
            requestID: try reader.optionalString("request_id").map { RequestID($0) },
            jobID: try reader.optionalString("job_id").map { JobID($0) },
            jobClass: try reader.optionalString("job_class").map { JobClass($0) },
            agentDID: try reader.optionalString("agent_did").map { AgentDID($0) })
    }
}
