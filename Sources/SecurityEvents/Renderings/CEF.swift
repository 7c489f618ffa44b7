import ClawWire
import ReceiptLog

/// Renders security events in the Common Event Format, version 0: one line each.
public enum CEF {
    /// The event as a line without its end.
    public static func line(_ event: SecurityEvent) -> String {
        let header = [
            "CEF:0", EventProducer.vendor, EventProducer.product, event.producer.version, event.code, title(event),
            String(severity(event.severity)),
        ]
        let fields = fields(event).map { "\($0.key)=\(escaped(value: $0.value))" }
        return TokenMask.masked(
            header.map(escaped(header:)).joined(separator: "|") + "|" + fields.joined(separator: " "))
    }

    private static func fields(_ event: SecurityEvent) -> [(key: String, value: String)] {
        let receipt = event.receipt
        var fields: [(key: String, value: String)] = [
            ("rt", String(receipt.occurredAt.milliseconds)), ("externalId", receipt.id.rawValue),
            ("act", event.code), ("outcome", event.outcome.rawValue),
            ("dvchost", receipt.provenance.workerID.rawValue), ("msg", event.message),
        ]
        if let person = event.people.first { fields.append(("suser", person)) }
        if let agent = receipt.subject.agentDID { fields.append(("duser", agent.rawValue)) }
        if let reason = event.reason { fields.append(("reason", "\(reason.code): \(reason.detail)")) }
        let facts = Dictionary(ClawFacts.texts(event).map { ($0.name, $0.value) }) { first, _ in first }
        let labelled = [
            ("jobClass", "job_class"), ("approvalId", "approval_id"), ("wpcHash", "wpc_hash"), ("jti", "jti"),
            ("stopId", "stop_id"), ("requestId", "request_id"),
        ].compactMap { label, name in facts[name].map { (label, $0) } }
        for (index, (label, value)) in labelled.prefix(6).enumerated() {
            fields.append(("cs\(index + 1)Label", label))
            fields.append(("cs\(index + 1)", value))
        }
        fields.append(("cn1Label", "sequence"))
        fields.append(("cn1", String(event.sequence.value)))
        fields.append(("cn2Label", "batch"))
        fields.append(("cn2", String(event.batch.value)))
        return fields
    }

    /// From 0 to 10: 3 for what is expected, 5 for what was refused or taken away, 10 for a stop.
    private static func severity(_ severity: SecurityEvent.Severity) -> Int {
        switch severity {
        case .informational: 3
        case .low: 4
        case .medium: 5
        case .high: 8
        case .critical: 10
        }
    }

    /// The name of an event: the same for all of its kind, as the format asks.
    private static func title(_ event: SecurityEvent) -> String {
        switch event.receipt.content.kind {
        case .grantIssued: "CST issued"
        case .grantClaimed: "CST claimed"
        case .decisionDenied: "CST refused"
        case .decisionExpired: "CST not issued in time"
        case .decisionQuarantined: "Record quarantined"
        case .deadLetterRedriven: "Dead letter redriven"
        case .deadLetterDiscarded: "Dead letter discarded"
        case .revocation: "CST revoked"
        case .revocationsEnded: "Revocations ended"
        case .keyChanged: "Signing key changed"
        case .stopDeclared: "Emergency stop declared"
        case .stopLifted: "Emergency stop lifted"
        case .stopDrilled: "Emergency stop drilled"
        case .controlApplied: "Control event applied"
        case .controlRepeated: "Control event repeated"
        case .gatewayReceipt: "Model called"
        case .findingRaised: "Finding raised"
        case .budgetReached: "Budget reached"
        case .heartbeat: "Log heartbeat"
        }
    }

    static func escaped(header text: String) -> String {
        escaped(text) { character in
            switch character {
            case "\\": "\\\\"
            case "|": "\\|"
            default: SingleLine.isBreak(character) ? " " : nil
            }
        }
    }

    static func escaped(value text: String) -> String {
        escaped(text) { character in
            switch character {
            case "\\": "\\\\"
            case "=": "\\="
            case "\n": "\\n"
            case "\r": "\\r"
            default: SingleLine.isBreak(character) ? " " : nil
            }
        }
    }

    private static func escaped(_ text: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
        var output = ""
        for scalar in text.unicodeScalars {
            if let replacement = replacement(scalar) {
                output += replacement
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        return output
    }
}
