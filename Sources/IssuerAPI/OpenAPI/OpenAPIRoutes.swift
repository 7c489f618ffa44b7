import ClawWire
import HTTPService

/// The description of the whole surface, `topics/openapi.yaml`, as it was when this program was built.
public struct OpenAPIRoutes: RouteGroup {
    /// Makes the route.
    public init() {}

    /// `GET /openapi.yaml`.
    public var routes: [Route] {
        [
            Route("GET", "/openapi.yaml", access: .open, bodyBytes: 0, sharing: .anyOrigin) { request in
                .document(
                    PackageResources.openapi_yaml, mediaType: "application/yaml", maximumAge: 300, to: request.http)
            }
        ]
    }
}
