import ClawWire
import ReceiptLog

/// What of a record follows from its receipt, as one fingerprint: of the receipt as it should be, of the record as it is.
enum Essence {
    /// A grant: everything but the token itself and the digest of its claims.
    static func of(_ grant: GrantRecord, _ proof: BatchProof) -> Fingerprint {
        var parts = [
            grant.requestID.rawValue, grant.jobID.rawValue, grant.jobClass?.rawValue ?? "", grant.agentDID.rawValue,
            grant.approvalIDs.map(\.rawValue).joined(separator: " "), extent(grant.granted),
            grant.token.tokenHash.hex, grant.token.jti.rawValue, grant.token.scopeHash.hex, grant.token.kid.rawValue,
            String(grant.token.issuedAt.seconds), String(grant.token.expiresAt.seconds),
            grant.policyHash?.hex ?? "", grant.delivery.rawValue, grant.replaces?.rawValue ?? "",
            grant.receiptID.rawValue, grant.receiptDigest.hex, String(grant.issuedAt.milliseconds),
        ]
        parts += [
            String(proof.batchNumber.value), proof.headerHash.hex, String(proof.count), String(proof.index),
            String(proof.position.value),
        ]
        parts += proof.path.map(\.hex)
        return Fingerprint(parts.joined(separator: "\u{1F}"))
    }

    /// A decision, to the last byte.
    static func of(_ decision: DecisionRecord) -> Fingerprint { Fingerprint(Digest(hashing: decision.canonicalBytes)) }

    /// A revocation, to the last byte.
    static func of(_ revocation: RevocationRecord) -> Fingerprint {
        Fingerprint(Digest(hashing: revocation.canonicalBytes))
    }

    /// A finding, to the last byte.
    static func of(_ finding: FindingRecord) -> Fingerprint { Fingerprint(Digest(hashing: finding.canonicalBytes)) }

    /// A mark of a budget, to the last byte.
    static func of(_ mark: BudgetRecord) -> Fingerprint { Fingerprint(Digest(hashing: mark.canonicalBytes)) }

    /// A dead letter: everything but the excerpt.
    static func of(_ letter: DeadLetterRecord) -> Fingerprint {
        deadLetter(
            letter.reason, letter.detail, letter.origin, letter.valueDigest, letter.valueBytes, letter.occurredAt,
            letter.receiptID, letter.receiptDigest)
    }

    /// The dead letter that a quarantine's receipt leads to.
    static func ofDeadLetter(_ encoded: EncodedReceipt, _ quarantine: Receipt.Quarantine) -> Fingerprint {
        let reason = encoded.receipt.reasons.first
        return deadLetter(
            reason?.code ?? "UNKNOWN", reason?.detail ?? "", quarantine.origin, quarantine.valueDigest,
            quarantine.valueBytes, encoded.receipt.occurredAt, encoded.receipt.id, encoded.digest)
    }

    private static func deadLetter(
        _ reason: String, _ detail: String, _ origin: RecordOrigin, _ value: Digest, _ bytes: Int, _ time: Timestamp,
        _ receiptID: ReceiptID, _ receipt: Digest
    ) -> Fingerprint {
        Fingerprint(
            [
                reason, detail, origin.description, value.hex, String(bytes), String(time.milliseconds),
                receiptID.rawValue, receipt.hex,
            ].joined(separator: "\u{1F}"))
    }

    private static func extent(_ extent: AuthorityExtent) -> String {
        [extent.scope, extent.actions, extent.audience].map { $0.joined(separator: " ") }.joined(separator: "|")
            + "|\(extent.ttlSeconds ?? -1)"
    }
}
