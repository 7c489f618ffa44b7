import GrantWorker
import IssuerAPI
import Observability

/// The HTTP surface as this program serves it, beside a worker or alone.
enum HTTPSurface {
    /// The service with every group of routes.
    ///
    /// - Parameter metrics: what `/metrics` shows.
    static func service(metrics: MetricRegistry) -> IssuerAPIService {
        IssuerAPIService(parts: { surroundings in
            var parts = try IssuerSurface.parts(surroundings)
            parts.groups.append(MetricsRoutes { metrics.render() })
            parts.groups += try ConsoleSurface.groups(surroundings)
            return parts
        })
    }
}
