import ClawWire
import ReceiptLog
import SecurityEvents
import TestSupport

/// Receipts in which every text that others write is an attack, and things that must never come through.
enum Canaries {
    /// Whether a token is planted in every text as well.
    @TaskLocal static var plantsTokens = false

    /// Forged records and fields, steering of terminals and readers of lines, for every format.
    static let hostile =
        "x\nCEF:0|Claw Bureau|clawgrant|9|grant.issued|forged|10|cn1=1\r\n<130>1 - - - - - [claw@32473 sequence=\"1\"] "
        + "{\"forged\":1}\n\u{1B}[2J\u{1B}]0;x\u{07}\u{2028}a\u{2029}b\u{85}\u{7F}\u{9B}31mc=d|e\\f]g\"h'\u{0}\u{202E}İstanbul 本番 ✅ 12 "

    /// What sites put where it does not belong: a token in a reason.
    static let bearer = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJqdGkiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZQ"

    private static func text(_ field: String) -> String {
        plantsTokens ? "\(field) \(bearer) \(hostile) Bearer \(bearer)" : "\(field) \(hostile)"
    }

    private static var subject: Receipt.Subject {
        Receipt.Subject(
            requestID: RequestID(text("request")), approvalIDs: [ApprovalID(text("approval"))],
            jobID: JobID(text("job")),
            jobClass: JobClass(text("class")), agentDID: AgentDID(text("agent")))
    }

    private static var provenance: Receipt.Provenance {
        Receipt.Provenance(
            workerID: WorkerID("worker-1"), rulesHash: Digest(hashing: "rules"), policyHash: Digest(hashing: "wpc"),
            authenticity: .signed,
            inputs: [
                EvidenceInput(
                    digest: Digest(hashing: "record"),
                    origin: RecordOrigin(topic: "claw.approvals.decisions.v1", partition: 3, offset: 7),
                    source: SourceName(text("source")))
            ])
    }

    private static var extent: AuthorityExtent {
        AuthorityExtent(
            scope: [text("scope")], actions: [text("action")], audience: [text("audience")], ttlSeconds: 600)
    }

    private static func receipt(_ content: Receipt.Content) -> Receipt {
        Receipt(
            content: content, subject: subject, provenance: provenance,
            reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: text("reason"))], occurredAt: Samples.noon)
    }

    /// One hostile receipt of every kind whose texts others write, and an ordinary one of every other.
    static var receipts: [Receipt] {
        let payload: JSONObject = [
            "stop_id": .string(text("stop")), "event_id": .string(text("event")),
            "operation": .string(text("operation")),
            "control_position": 4, "at": "2026-03-01T12:00:00.000Z", "grants_before": 41,
            "declared_by": [.string(text("declarer"))],
            "data": ["scope": ["kind": .string(text("kind")), "value": .string(text("value"))]],
            "reason": .string(text("reason")), "incident": .string(text("incident")),
            "result": .string(text("result")), "voided_tokens": 3, "effective_ms": 12,
        ]
        return [
            receipt(
                .grantIssued(
                    Receipt.Grant(
                        asked: extent, granted: extent, token: Samples.token(), delivery: .sealed,
                        approverIDs: [PersonID(text("approver"))], replaces: RequestID(text("replaced")),
                        rule: text("rule")))),
            receipt(.decisionDenied(Receipt.Refusal(asked: extent, needed: [text("needed")], rule: text("rule")))),
            receipt(.decisionExpired(Receipt.Refusal(asked: nil, needed: [], rule: text("rule")))),
            receipt(.stopDeclared(payload)), receipt(.stopLifted(payload)), receipt(.stopDrilled(payload)),
            receipt(.controlApplied(payload)), receipt(.controlRepeated(payload)),
            receipt(
                .findingRaised(
                    Receipt.Finding(
                        code: "GATEWAY_UNKNOWN_SCOPE", severity: .critical, about: text("about"),
                        evidence: [Digest(hashing: "finding")]))),
            receipt(
                .revocation(
                    Receipt.Revocation(
                        tokenHash: Digest(hashing: "token"), jti: TokenID(text("jti")), cause: .upgraded,
                        revokedBy: text("operator")))),
        ] + Samples.every
    }

    /// Events with a token in every text.
    static var planted: [SecurityEvent] { $plantsTokens.withValue(true) { events } }

    /// Receipts as events.
    static var events: [SecurityEvent] {
        let producer = EventProducer(
            version: "1", logID: Samples.logID, workerID: WorkerID("worker-1"), tenant: hostile)
        return receipts.enumerated().map { index, receipt in
            SecurityEvent(
                receipt: receipt, sequence: SequenceNumber(Int64(index)), batch: SequenceNumber(1),
                sealedAt: Samples.noon, producer: producer)
        }
    }
}
