import HTTPService

/// The metrics, for whoever scrapes them.
public struct MetricsRoutes: RouteGroup {
    private let render: @Sendable () -> [UInt8]

    /// Serves what `render` writes, in the text format of Prometheus.
    public init(render: @escaping @Sendable () -> [UInt8]) { self.render = render }

    /// The route.
    public var routes: [Route] {
        let render = render
        return [
            Route("GET", "/metrics", access: .caller(.metrics), bodyBytes: 0) { _ in
                HTTPServiceResponse(
                    status: 200,
                    fields: [HTTPServiceField("content-type", "text/plain; version=0.0.4; charset=utf-8"), .noStore],
                    body: render())
            }
        ]
    }
}
