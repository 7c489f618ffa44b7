import ClawWire
import GrantWorker
import IssuerAPI
import Observability
import SecurityEvents

/// The HTTP surface as this program serves it, beside a worker or alone.
enum HTTPSurface {
    /// The service with every group of routes.
    ///
    /// - Parameter metrics: what `/metrics` shows.
    static func service(metrics: MetricRegistry) -> IssuerAPIService {
        IssuerAPIService(parts: { surroundings in
            let configuration = surroundings.configuration
            var parts = try IssuerSurface.parts(surroundings)
            parts.groups.append(MetricsRoutes { metrics.render() })
            parts.groups += try ConsoleSurface.groups(surroundings)
            parts.signals = transmitter(configuration.securityEvents, at: configuration.http?.issuer ?? "")
            return parts
        })
    }

    /// What the transmitter of signals says of itself; `nil` where none are sent. Receivers of one log know it by one
    /// issuer, that of the first of them.
    ///
    /// - Parameter address: where the HTTP surface is reached.
    static func transmitter(_ settings: SecurityEventSettings?, at address: String) -> JSONObject? {
        for sink in settings?.sinks ?? [] {
            let parties: SignalParties
            switch sink.kind {
            case .signals(let push): parties = push.parties
            case .signalsTopic(let topic): parties = topic.parties
            case .kafka, .syslog, .file, .splunk, .sentinel, .otlp: continue
            }
            return SharedSignalsMetadata.document(issuer: parties.issuer, keySet: "\(address)/v1/jwks").object
        }
        return nil
    }
}
