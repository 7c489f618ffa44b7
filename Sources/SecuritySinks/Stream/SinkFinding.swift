import ClawWire
import GrantLedger
import ReceiptLog

/// What is told of a sink as a finding of the log. Listed in docs/siem.md.
enum SinkFinding: Sendable, Hashable {
    /// It failed again and again, or cannot work as it is configured.
    case failing(attempts: Int32, next: Int64, reason: String)
    /// It works again.
    case recovered(next: Int64)
    /// Events that it will never get.
    case skipped(Range<Int64>, reason: String)

    var code: String {
        switch self {
        case .failing: "SECURITY_SINK_FAILING"
        case .recovered: "SECURITY_SINK_RECOVERED"
        case .skipped: "SECURITY_EVENTS_SKIPPED"
        }
    }

    private var severity: Receipt.Severity {
        switch self {
        case .failing, .skipped: .critical
        case .recovered: .notice
        }
    }

    private var detail: String {
        switch self {
        case .failing(let attempts, let next, let reason):
            "\(attempts) deliver\(attempts == 1 ? "y" : "ies") in a row failed, events from \(next) on wait: \(reason)"
        case .recovered(let next): "delivers again, up to event \(next - 1)"
        case .skipped(let range, let reason):
            range.count == 1
                ? "event \(range.lowerBound) was not delivered: \(reason)"
                : "events \(range.lowerBound) to \(range.upperBound - 1) were not delivered: \(reason)"
        }
    }

    /// The receipt with its record on the topic of findings.
    func effect(about sink: String, by worker: WorkerID, at now: Timestamp) throws -> Effect {
        let about = "sink:\(sink)"
        // The same thing may happen again another day; the occasion tells the two apart.
        let occasion = JSONValue.array([.string(code), .string(about), .string(now.iso8601)]).canonicalDigest
        let receipt = Receipt(
            content: .findingRaised(
                Receipt.Finding(code: code, severity: severity, about: about, evidence: [occasion])),
            subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker),
            reasons: [Receipt.Reason(code: code, detail: detail)], occurredAt: now)
        let encoded = try receipt.encoded()
        let outputs = FindingRecord(encoded).map {
            [OutputRecord(stream: .findings, key: $0.recordKey, value: $0.canonicalBytes)]
        }
        return Effect(receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: outputs ?? [])
    }
}

/// The log's sign of life on a sink's behalf: a receipt like any other, with a number of its own.
enum StreamHeartbeat {
    static func effect(by worker: WorkerID, at now: Timestamp) throws -> Effect {
        let receipt = Receipt(
            content: .heartbeat, subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker),
            occurredAt: now)
        return Effect(receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
    }
}

extension SinkFailure {
    /// The description on one line, of bounded length, fit for the ledger and a finding.
    var text: String {
        var text = String.UnicodeScalarView()
        for scalar in description.unicodeScalars.prefix(500) {
            let isPlain = scalar.properties.generalCategory != .control && ![0x2028, 0x2029].contains(scalar.value)
            text.append(isPlain ? scalar : " ")
        }
        return String(text)
    }
}
