public import ClawWire

/// A revoked token, as published: the five members of the reference record unchanged (WIRE section 5), ours beside them.
public struct RevocationRecord: Sendable, Hashable {
    /// SHA-256 of the compact token; written in lowercase hexadecimal.
    public let tokenHash: Digest
    /// When it was revoked, whole seconds.
    public let revokedAt: Timestamp
    /// Why, for people: trimmed, at most 256 UTF-16 units.
    public let reason: String?
    /// Who revoked.
    public let revokedBy: String
    /// Why, for machines.
    public let cause: RevocationCause
    /// The claim `jti`, when the token is one of ours.
    public let jti: TokenID?
    /// The request.
    public let requestID: RequestID?
    /// The job.
    public let jobID: JobID?
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// Derives the record of a revocation's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt) {
        let receipt = encoded.receipt
        guard case .revocation(let revocation) = receipt.content else { return nil }
        tokenHash = revocation.tokenHash
        revokedAt = Timestamp(seconds: receipt.occurredAt.seconds)
        let text = prefix(trimmed(receipt.reasons.first?.detail ?? ""), utf16Units: maximumReasonUnits)
        reason = text.isEmpty ? nil : text
        revokedBy = revocation.revokedBy
        cause = revocation.cause
        jti = revocation.jti
        requestID = receipt.subject.requestID
        jobID = receipt.subject.jobID
        receiptID = receipt.id
        receiptDigest = encoded.digest
    }

    /// Key on the revocations topic: the token hash in hexadecimal.
    public var recordKey: [UInt8] { Array(tokenHash.hex.utf8) }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 768)
        writer.openObject()
        writer.member("cause", cause.rawValue)
        writer.member("job_id", jobID?.rawValue)
        writer.member("jti", jti?.rawValue)
        writer.member("reason", reason)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("request_id", requestID?.rawValue)
        writer.member("revocation_version", "1")
        writer.member("revoked_at", revokedAt.seconds)
        writer.member("revoked_at_iso", revokedAt)
        writer.member("revoked_by", revokedBy)
        writer.member("token_hash", hex: tokenHash)
        writer.closeObject()
        return writer.output
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("revocation_version", "1")
        tokenHash = try reader.hexDigest("token_hash")
        revokedAt = try reader.seconds("revoked_at")
        reason = try reader.optionalString("reason")
        revokedBy = try reader.string("revoked_by")
        cause = try reader.choice("cause")
        jti = try reader.optionalString("jti").map { TokenID($0) }
        requestID = try reader.optionalString("request_id").map { RequestID($0) }
        jobID = try reader.optionalString("job_id").map { JobID($0) }
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        try requireCanonical(canonicalBytes, bytes, "revocation")
    }
}
