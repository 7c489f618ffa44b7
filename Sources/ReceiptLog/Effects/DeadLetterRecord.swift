public import ClawWire

/// A record that could not be handled, as published: why, where it was read, what it hashed to, and a bounded excerpt
/// without secrets.
public struct DeadLetterRecord: Sendable, Hashable {
    /// Why, for machines.
    public let reason: String
    /// Why, for people.
    public let detail: String
    /// Where it was read.
    public let origin: RecordOrigin
    /// SHA-256 of the original value; written in lowercase hexadecimal.
    public let valueDigest: Digest
    /// Size of the original value in bytes.
    public let valueBytes: Int
    /// Part of the value, see ``Redaction``.
    public let excerpt: Redaction.Excerpt
    /// When it was set aside.
    public let occurredAt: Timestamp
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// Derives the record of a quarantine's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt, excerpt: Redaction.Excerpt) {
        let receipt = encoded.receipt
        guard case .decisionQuarantined(let quarantine) = receipt.content else { return nil }
        reason = receipt.reasons.first?.code ?? "UNKNOWN"
        detail = receipt.reasons.first?.detail ?? ""
        origin = quarantine.origin
        valueDigest = quarantine.valueDigest
        valueBytes = quarantine.valueBytes
        self.excerpt = excerpt
        occurredAt = receipt.occurredAt
        receiptID = receipt.id
        receiptDigest = encoded.digest
    }

    /// Key on the dead-letter topic: topic, partition and offset of the original.
    public var recordKey: [UInt8] { Array(origin.description.utf8) }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 2_048)
        writer.openObject()
        writer.member("dead_letter_version", "1")
        writer.member("detail", detail)
        writer.key("excerpt")
        writer.openObject()
        writer.key("is_truncated")
        writer.value(.bool(excerpt.isTruncated))
        writer.member("redactions", Int64(excerpt.redactions))
        writer.member("text", excerpt.text)
        writer.closeObject()
        writer.member("occurred_at", occurredAt)
        writer.member("origin", origin)
        writer.member("reason", reason)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("value_bytes", Int64(valueBytes))
        writer.member("value_sha256", hex: valueDigest)
        writer.closeObject()
        return writer.output
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("dead_letter_version", "1")
        reason = try reader.string("reason")
        detail = try reader.string("detail")
        origin = try RecordOrigin(try reader.nested("origin"))
        valueDigest = try reader.hexDigest("value_sha256")
        valueBytes = Int(try reader.integer("value_bytes"))
        let excerpt = try reader.nested("excerpt")
        self.excerpt = Redaction.Excerpt(
            text: try excerpt.string("text", maximumBytes: Redaction.maximumBytes),
            redactions: Int(try excerpt.integer("redactions")), isTruncated: try excerpt.flag("is_truncated"))
        occurredAt = try reader.timestamp("occurred_at")
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        try requireCanonical(canonicalBytes, bytes, "dead_letter")
    }
}
