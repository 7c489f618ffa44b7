import GrantWorker
import Keys
import Logging
import SecuritySinks

/// Checks of the section `security_events`: what each sink would use, and whether somebody answers where it connects to.
enum SinkChecks {
    static func findings(_ file: ConfigurationFile, isOffline: Bool) async -> [CheckFinding] {
        guard let settings = file.worker.securityEvents else {
            return [
                .notice(
                    "siem", "no section security_events: nothing is streamed to a SIEM",
                    "add the section, or read the ledger with `clawgrant siem replay`")
            ]
        }
        // That keys cannot be read is another check's finding.
        let surroundings = SinkSurroundings(
            kafka: file.worker.kafka, keys: try? KeyRing.load(file.worker.keys, at: Clock.now),
            logger: Logger(label: "clawgrant") { _ in SwiftLogNoOpLogHandler() })
        var findings: [CheckFinding] = []
        for sink in settings.sinks {
            var found = await sink.inspect(surroundings)
            if !isOffline { found += await sink.reach() }
            findings += found.map { one in
                CheckFinding(
                    severity: one.isFatal ? .error : .warning, area: "siem",
                    finding: "sink \(sink.name): \(one.finding)", remedy: one.remedy)
            }
            if found.isEmpty { findings.append(.ok("siem", "sink \(sink.name), \(sink.kind.name)\(places(sink))")) }
        }
        return findings
    }

    private static func places(_ sink: SecurityEventSettings.Sink) -> String {
        let places = sink.endpoints.map { "\($0.host):\($0.port)" }
        return places.isEmpty ? "" : ", at \(places.joined(separator: " and "))"
    }
}

extension SecurityEventSettings.Kind {
    /// The kind's name in the configuration.
    fileprivate var name: String {
        let name: SecurityEventSettings.KindName =
            switch self {
            case .kafka: .kafka
            case .syslog: .syslog
            case .file: .file
            case .splunk: .splunk
            case .sentinel: .sentinel
            case .otlp: .otlp
            case .signals: .signals
            case .signalsTopic: .signalsTopic
            }
        return name.rawValue
    }
}
