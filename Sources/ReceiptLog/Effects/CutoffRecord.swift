public import ClawWire

/// A cut-off, as published: every token in its scope that was issued before an instant is void, however many there are.
///
/// It is published first; records of the single tokens follow in chunks for readers that need them. A later cut-off of
/// the same scope replaces it and voids no less: see ``covers(_:)``.
public struct CutoffRecord: Sendable, Hashable {
    /// Which tokens.
    public let scope: CutoffScope
    /// A token in scope is void when its `iat` is smaller; whole seconds.
    public let notIssuedBefore: Timestamp
    /// A token in scope with a smaller `iat` is spared; whole seconds. `nil` spares none.
    public let issuedSince: Timestamp?
    /// The control event that made it.
    public let eventID: String
    /// The stop it belongs to, when a stop made it.
    public let stopID: String?
    /// Position of that event among all control events.
    public let controlPosition: Int64
    /// Why, for machines.
    public let cause: RevocationCause
    /// Why, for people: trimmed, at most 256 UTF-16 units.
    public let reason: String?
    /// Who declared it.
    public let revokedBy: String
    /// When it was committed, whole seconds.
    public let revokedAt: Timestamp
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// Makes a cut-off. Instants are cut to whole seconds, and the reason to what a record carries.
    ///
    /// - Parameters:
    ///   - scope: which tokens.
    ///   - notIssuedBefore: tokens with a smaller `iat` are void. Give the second after the commit, so that tokens of the
    ///     commit's own second are void too.
    ///   - issuedSince: tokens with a smaller `iat` are spared; `nil` spares none.
    ///   - eventID: the control event.
    ///   - stopID: the stop, when it was one.
    ///   - controlPosition: the event's position, not negative.
    ///   - cause: why, for machines.
    ///   - reason: why, for people.
    ///   - revokedBy: who declared it.
    ///   - revokedAt: when it was committed.
    ///   - receiptID: the event's receipt.
    ///   - receiptDigest: digest of the event's receipt.
    public init(
        scope: CutoffScope, notIssuedBefore: Timestamp, issuedSince: Timestamp? = nil, eventID: String,
        stopID: String? = nil, controlPosition: Int64, cause: RevocationCause, reason: String? = nil, revokedBy: String,
        revokedAt: Timestamp, receiptID: ReceiptID, receiptDigest: Digest
    ) {
        self.scope = scope
        self.notIssuedBefore = Timestamp(seconds: notIssuedBefore.seconds)
        self.issuedSince = issuedSince.map { Timestamp(seconds: $0.seconds) }
        self.eventID = eventID
        self.stopID = stopID
        self.controlPosition = controlPosition
        self.cause = cause
        let text = prefix(trimmed(reason ?? ""), utf16Units: maximumReasonUnits)
        self.reason = text.isEmpty ? nil : text
        self.revokedBy = revokedBy
        self.revokedAt = Timestamp(seconds: revokedAt.seconds)
        self.receiptID = receiptID
        self.receiptDigest = receiptDigest
    }

    /// True when a token in scope with this `iat` is void.
    public func voids(issuedAt: Timestamp) -> Bool {
        issuedAt < notIssuedBefore && issuedSince.map { issuedAt >= $0 } ?? true
    }

    /// True when whatever another cut-off of the same scope voids is void by this one too.
    public func covers(_ other: CutoffRecord) -> Bool {
        notIssuedBefore >= other.notIssuedBefore
            && issuedSince.map { since in other.issuedSince.map { since <= $0 } ?? false } ?? true
    }

    /// Key on the revocations topic: `cutoff:` and the scope.
    public var recordKey: [UInt8] { RevocationKey.cutoff(scope).bytes }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 768)
        writer.openObject()
        writer.member("cause", cause.rawValue)
        writer.member("control_position", controlPosition)
        writer.member("cutoff_version", "1")
        writer.member("event_id", eventID)
        writer.member("issued_since", issuedSince?.seconds)
        writer.member("not_issued_before", notIssuedBefore.seconds)
        writer.member("reason", reason)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("revoked_at", revokedAt.seconds)
        writer.member("revoked_at_iso", revokedAt)
        writer.member("revoked_by", revokedBy)
        writer.key("scope")
        writer.openObject()
        writer.member("kind", scope.kind.rawValue)
        writer.member("value", scope.value)
        writer.closeObject()
        writer.member("stop_id", stopID)
        writer.closeObject()
        return writer.output
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("cutoff_version", "1")
        let scopeReader = try reader.nested("scope")
        let kind: CutoffScope.Kind = try scopeReader.choice("kind")
        guard let scope = CutoffScope(kind, try scopeReader.optionalString("value")) else {
            throw EvidenceError(
                .invalidMember, scopeReader.at("value"),
                kind == .all
                    ? "a cut-off of everything has no value"
                    : "1 to \(CutoffScope.maximumValueBytes) bytes were expected")
        }
        self.init(
            scope: scope, notIssuedBefore: try reader.seconds("not_issued_before"),
            issuedSince: try reader.optionalInteger("issued_since") == nil ? nil : reader.seconds("issued_since"),
            eventID: try reader.string("event_id"), stopID: try reader.optionalString("stop_id"),
            controlPosition: try reader.integer("control_position"), cause: try reader.choice("cause"),
            reason: try reader.optionalString("reason"), revokedBy: try reader.string("revoked_by"),
            revokedAt: try reader.seconds("revoked_at"), receiptID: ReceiptID(try reader.string("receipt_id")),
            receiptDigest: try reader.digest("receipt_digest_b64u"))
        try requireCanonical(canonicalBytes, bytes, "cutoff")
    }
}
