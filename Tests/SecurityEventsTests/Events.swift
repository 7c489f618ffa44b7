import ClawWire
import ReceiptLog
public import SecurityEvents
import TestSupport
public import Testing

/// Receipts as events.
enum Events {
    static let producer = EventProducer(
        version: "1.2.3", logID: Samples.logID, workerID: WorkerID("worker-1"), tenant: "harborline")

    static func event(_ receipt: Receipt, at position: Int64 = 7) -> SecurityEvent {
        SecurityEvent(
            receipt: receipt, sequence: SequenceNumber(position), batch: SequenceNumber(3),
            sealedAt: Samples.noon.adding(seconds: 1), producer: producer)
    }

    /// A stop as the worker records it.
    static let stop = event(
        Receipt(
            content: .stopDeclared([
                "stop_id": "stop-2026-0001", "event_id": "e-1", "operation": "stop", "control_position": 4,
                "at": "2026-03-01T12:00:00.000Z", "grants_before": 41,
                "declared_by": ["jonas.lindqvist@harborline.example"],
                "data": [
                    "stop_id": "stop-2026-0001", "action": "revoke_and_deny",
                    "scope": ["kind": "job_class", "value": "prod_db_maintenance"],
                ],
                "reason": "Unexpected writes", "incident": "INC-77", "result": "applied", "voided_tokens": 3,
                "effective_ms": 12,
            ]),
            subject: Receipt.Subject(), provenance: Samples.provenance(), occurredAt: Samples.noon))

    /// One event of every kind of receipt.
    static let every = Samples.every.enumerated().map { event($0.element, at: Int64($0.offset)) } + [stop]

    /// What strangers may write into a reason: line ends, quotes, separators, escapes, a forged record.
    static let hostile =
        "a\nCEF:0|x|y|1|z|forged|10|\r\n<130>1 - - - - - - \u{1B}[2Jb\u{2028}\u{7F}\u{9B}31m\u{85}c=d|e\\f]g\"h \u{202E}İstanbul 本番 ✅\u{0}"

    static let attack = event(
        Receipt(
            content: .decisionDenied(Receipt.Refusal(asked: nil, rule: "rule|=\\]\"\n")),
            subject: Receipt.Subject(
                requestID: RequestID("req\n=|]"), approvalIDs: [ApprovalID("a=b|c")], jobID: JobID("job\"]"),
                jobClass: JobClass("class\\"), agentDID: AgentDID("did:key:z\n6")),
            provenance: Samples.provenance(), reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: hostile)],
            occurredAt: Samples.noon))
}

extension SecurityEvent: CustomTestStringConvertible {
    /// Its place and kind, so that reports of tests stay readable.
    public var testDescription: String { "event \(sequence), \(code)" }
}
