import HTTPService
public import Observability

/// The metrics, for whoever scrapes them.
public struct MetricsRoutes: RouteGroup {
    private let render: @Sendable (ExpositionFormat) -> [UInt8]

    /// Serves what `render` writes, in the format that the collector accepts: the text format of Prometheus, or
    /// OpenMetrics for those who prefer it.
    public init(render: @escaping @Sendable (ExpositionFormat) -> [UInt8]) { self.render = render }

    /// The route.
    public var routes: [Route] {
        let render = render
        return [
            Route("GET", "/metrics", access: .caller(.metrics), bodyBytes: 0) { request in
                // A list may come in several fields (RFC 9110 section 5.3).
                let accepted = request.http.values("accept").joined(separator: ",")
                let format = ExpositionFormat(accept: accepted.isEmpty ? nil : accepted)
                return HTTPServiceResponse(
                    status: 200,
                    fields: [
                        HTTPServiceField("content-type", format.contentType), HTTPServiceField("vary", "accept"),
                        .noStore,
                    ],
                    body: render(format))
            }
        ]
    }
}
