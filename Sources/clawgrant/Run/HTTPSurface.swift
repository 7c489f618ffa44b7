import GrantWorker
import IssuerAPI

/// The HTTP surface as this program serves it, beside a worker or alone.
enum HTTPSurface {
    /// The service with every group of routes.
    static func service() -> IssuerAPIService {
        IssuerAPIService(parts: { surroundings in
            var parts = try IssuerSurface.parts(surroundings)
            parts.groups += try ConsoleSurface.groups(surroundings)
            return parts
        })
    }
}
