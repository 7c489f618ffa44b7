import ClawWire

/// How a security event is written as one line of text.
public enum SecurityEventFormat: String, Sendable, Hashable, CaseIterable {
    /// Open Cybersecurity Schema Framework 1.8.0, in JSON.
    case ocsf
    /// Elastic Common Schema, in JSON.
    case ecs
    /// Common Event Format.
    case cef
    /// A syslog message (RFC 5424) that holds OCSF.
    case syslog
    /// A syslog message (RFC 5424) that holds CEF.
    case syslogCEF = "syslog-cef"

    /// The event as a line, without its end. No rendering holds a line break.
    public func line(_ event: SecurityEvent) -> String {
        switch self {
        case .ocsf: SingleLine.jsonText(.object(OCSF.object(event)))
        case .ecs: SingleLine.jsonText(.object(ECS.object(event)))
        case .cef: CEF.line(event)
        case .syslog: SyslogMessage.text(event, body: .ocsf)
        case .syslogCEF: SyslogMessage.text(event, body: .cef)
        }
    }
}
