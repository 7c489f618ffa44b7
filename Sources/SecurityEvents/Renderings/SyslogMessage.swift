import ClawWire
import ReceiptLog

/// Renders security events as syslog messages (RFC 5424).
public enum SyslogMessage {
    /// What follows the structured data.
    public enum Body: String, Sendable, Hashable, CaseIterable {
        /// An OCSF object in JSON. No byte order mark stands before it: readers of JSON do not expect one.
        case ocsf
        /// A CEF line.
        case cef
    }

    /// The documentation's enterprise number (RFC 5612), for sites without one of their own.
    public static let documentationEnterprise = 32_473
    /// `local0`.
    private static let facility = 16

    /// The event as a message, without framing.
    ///
    /// - Parameters:
    ///   - event: the event.
    ///   - body: what the message says.
    ///   - enterprise: the private enterprise number in the name of the structured data (RFC 5424 section 7.2.2).
    public static func text(_ event: SecurityEvent, body: Body, enterprise: Int = documentationEnterprise) -> String {
        let receipt = event.receipt
        let header = [
            "<\(facility * 8 + severity(event.severity))>1", receipt.occurredAt.iso8601,
            name(receipt.provenance.workerID.rawValue, 255), name(EventProducer.product, 48), "-",
            name(event.code.uppercased().replacing(".", with: "_"), 32),
        ]
        let message =
            switch body {
            case .ocsf: SingleLine.jsonText(.object(OCSF.object(event)), order: .canonical)
            case .cef: CEF.line(event)
            }
        return TokenMask.masked(header.joined(separator: " ") + " " + data(event, enterprise) + " " + message)
    }

    /// The event in a frame for a stream: the number of bytes, a space, the message (RFC 6587 section 3.4.1, RFC 5425).
    public static func frame(_ message: String) -> [UInt8] {
        let bytes = Array(message.utf8)
        return Array("\(bytes.count) ".utf8) + bytes
    }

    private static func severity(_ severity: SecurityEvent.Severity) -> Int {
        switch severity {
        case .critical: 2
        case .high: 3
        case .medium: 4
        case .low: 5
        case .informational: 6
        }
    }

    private static func data(_ event: SecurityEvent, _ enterprise: Int) -> String {
        let parameters = ClawFacts.texts(event).map { "\(parameterName($0.name))=\"\(escaped($0.value))\"" }
        return "[claw@\(enterprise) \(parameters.joined(separator: " "))]"
    }

    /// Names of parameters are written together, `jobClass`.
    private static func parameterName(_ name: String) -> String {
        let words = name.split(separator: "_")
        return words.prefix(1).joined() + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// Escapes `"`, `\` and `]` (RFC 5424 section 6.3.3).
    static func escaped(_ text: String) -> String {
        var output = ""
        for scalar in SingleLine.text(text).unicodeScalars {
            switch scalar {
            case "\"", "\\", "]": output += "\\"
            default: break
            }
            output.unicodeScalars.append(scalar)
        }
        return output
    }

    /// Printable ASCII without spaces, at most `limit` characters; `-` for nothing.
    private static func name(_ text: String, _ limit: Int) -> String {
        let kept = text.unicodeScalars.map { (33...126).contains($0.value) ? Character($0) : "_" }.prefix(limit)
        return kept.isEmpty ? "-" : String(kept)
    }
}
