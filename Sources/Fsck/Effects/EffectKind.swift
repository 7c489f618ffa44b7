import ClawWire

/// What a receipt leads to on the topics.
enum EffectKind: UInt8, CaseIterable {
    case grant = 1
    case decision = 2
    case revocation = 3
    case cutoff = 4
    case deadLetter = 5
    case controlResult = 6
    /// A record without a value: a revocation that is over.
    case end = 7
    case finding = 8
    case budget = 9

    /// The stream that carries it.
    var stream: String {
        switch self {
        case .grant: "grants"
        case .decision: "decisions"
        case .revocation, .cutoff, .end: "revocations"
        case .deadLetter: "dead-letters"
        case .controlResult: "control-results"
        case .finding, .budget: "findings"
        }
    }

    /// What a record of this kind is called.
    var noun: String {
        switch self {
        case .grant: "grant"
        case .decision: "decision"
        case .revocation: "revocation"
        case .cutoff: "cut-off"
        case .deadLetter: "dead letter"
        case .controlResult: "control result"
        case .end: "end of a revocation"
        case .finding: "finding"
        case .budget: "budget mark"
        }
    }

    /// The finding when a record says something else than its receipt.
    var mismatch: FindingCode {
        switch self {
        case .grant: .grantMismatch
        case .decision: .decisionMismatch
        case .revocation: .revocationMismatch
        case .cutoff: .cutoffMismatch
        case .deadLetter: .deadLetterMismatch
        case .controlResult: .controlResultMismatch
        case .end: .revocationMismatch
        case .finding, .budget: .findingMismatch
        }
    }

    /// What is compared: the record's key, and members that follow from the receipt. Names with a full stop stand under
    /// the member before it.
    var slots: [String] {
        switch self {
        case .grant:
            [
                "key", "receipt_digest_b64u", "proof", "agent_did", "approval_ids", "delivery_mode", "grant_version",
                "granted", "issued_at", "job_class", "job_id", "replaces_request_id", "request_id", "token",
                "wpc_hash_b64u",
            ]
        case .decision:
            [
                "key", "clawgrant.receipt_digest_b64u", "clawgrant.agent_did", "clawgrant.approval_ids",
                "clawgrant.asked", "clawgrant.authenticity", "clawgrant.granted", "clawgrant.job_class",
                "clawgrant.job_id", "clawgrant.needed", "clawgrant.outcome", "clawgrant.reasons", "clawgrant.rule",
                "clawgrant.rules_hash_b64u", "clawgrant.token", "clawgrant.wpc_hash_b64u", "decision",
                "granted_capability", "reason", "reason_code", "request_id", "response_id", "response_version",
                "timestamp",
            ]
        case .revocation:
            [
                "key", "receipt_digest_b64u", "cause", "job_id", "jti", "reason", "request_id", "revocation_version",
                "revoked_at", "revoked_at_iso", "revoked_by", "token_hash",
            ]
        case .cutoff:
            [
                "key", "receipt_digest_b64u", "cause", "control_position", "cutoff_version", "event_id",
                "issued_since", "not_issued_before", "reason", "revoked_at", "revoked_at_iso", "scope", "stop_id",
            ]
        case .deadLetter:
            [
                "key", "receipt_digest_b64u", "dead_letter_version", "detail", "occurred_at", "origin", "reason",
                "value_bytes", "value_sha256",
            ]
        case .controlResult:
            [
                "key", "receipt_digest_b64u", "control_result_version", "at", "control_position", "cutoffs", "data",
                "declared_at", "declared_by", "effective_ms", "event_id", "grants_before", "incident",
                "lifted_by_event", "lock_wait_ms", "operation", "origin", "pending", "reason", "record_sha256_b64u",
                "result", "stop_id", "voided_tokens", "(other members)",
            ]
        case .end: ["key"]
        case .finding:
            [
                "key", "receipt_digest_b64u", "about", "agent_did", "code", "detail", "evidence_b64u", "excess",
                "finding_version", "job_class", "job_id", "occurred_at", "request_id", "severity",
            ]
        case .budget:
            [
                "key", "receipt_digest_b64u", "agent_did", "budget", "budget_version", "job_class", "job_id",
                "occurred_at", "request_id",
            ]
        }
    }

    /// Members of a record that do not follow from the receipt, beside those of ``slots``.
    var freeMembers: Set<String> {
        switch self {
        case .grant: ["claims_digest_b64u", "delivery", "receipt_id"]
        case .decision: ["clawgrant"]
        case .revocation: ["receipt_id"]
        case .cutoff: ["receipt_id", "revoked_by"]
        case .deadLetter: ["receipt_id", "excerpt"]
        case .controlResult, .finding, .budget: ["receipt_id"]
        case .end: []
        }
    }
}

/// What a receipt demands of a record, or what a record says: one short hash a slot to name what differs, and one long
/// hash over all of them that decides.
struct EffectImage {
    static let slotCount = 24

    let kind: EffectKind
    let receiptID: String
    /// Tells apart several records of one kind that follow from one receipt.
    let sub: UInt64
    let slots: [UInt32]
    let essence: Fingerprint
    /// The proof in a grant; zero where there is none, or where the receipts of a batch do not have its root, so that
    /// nothing can be said of its proofs.
    let proof: Fingerprint
}

/// Collects the slots of an image in order.
struct EffectImageWriter {
    let kind: EffectKind
    private var slots = [UInt32](repeating: 0, count: EffectImage.slotCount)
    private var all: [UInt8] = []
    private var next = 0
    private var proof = Fingerprint(high: 0, low: 0)

    init(_ kind: EffectKind) {
        self.kind = kind
        all.reserveCapacity(1_024)
    }

    /// The next slot; `nil` for a member that is not there.
    mutating func put(_ bytes: some Collection<UInt8>, isThere: Bool = true) {
        defer { next += 1 }
        all.append(isThere ? 1 : 0)
        guard isThere else { return }
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        slots[next] = hash | 1
        let count = UInt32(bytes.count)
        for shift in [24, 16, 8, 0] as [UInt32] { all.append(UInt8(truncatingIfNeeded: count >> shift)) }
        all.append(contentsOf: bytes)
    }

    /// The slot of the proof, which is compared by itself.
    mutating func put(proof bytes: [UInt8]?) {
        next += 1
        if let bytes { proof = Fingerprint(bytes) }
    }

    mutating func put(optional bytes: ArraySlice<UInt8>?) { put(bytes ?? [], isThere: bytes != nil) }

    /// A text as JSON.
    mutating func put(text: String?) {
        guard let text else { return put(optional: nil) }
        put(Self.quoted(text))
    }

    mutating func put(number: Int64) { put(String(number).utf8.map { $0 }) }

    func image(of receiptID: String, sub: UInt64 = 0) -> EffectImage {
        EffectImage(kind: kind, receiptID: receiptID, sub: sub, slots: slots, essence: Fingerprint(all), proof: proof)
    }

    /// RFC 8785 text of a string.
    static func quoted(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONWriter.append(string: text, to: &bytes)
        return bytes
    }
}
