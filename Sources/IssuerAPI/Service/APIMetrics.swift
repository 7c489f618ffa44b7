import Metrics
import Primitives

/// A route with its metrics, which are looked up once.
final class ServedRoute: Sendable {
    let route: Route
    private let time: Timer
    private let counters = Lock<[Int: Counter]>([:])

    init(_ route: Route) {
        self.route = route
        time = Timer(label: "clawgrant_http_request_seconds", dimensions: [("route", route.template)])
    }

    /// A request was answered.
    func answered(_ status: Int, in duration: Duration) {
        time.record(duration: duration)
        let counter = counters.withLock { counters in
            if let known = counters[status] { return known }
            let made = APIMetrics.requests(route.template, route.method, status)
            counters[status] = made
            return made
        }
        counter.increment()
    }
}

/// Why a request was not let through to its route. The text is the label.
enum APIRefusal: String, Sendable, Hashable, CaseIterable {
    /// No such path, or no such method.
    case unknown
    /// Nobody was named, or wrongly.
    case unauthenticated
    /// Who asked may not.
    case forbidden
    /// A caller asked too much.
    case callerRate = "caller_rate"
    /// A peer without a name asked too much.
    case peerRate = "peer_rate"
    /// Too many requests were being answered.
    case busy
}

/// The surface's metrics. Labels are bounded: templates, methods of routes, statuses and reasons.
struct APIMetrics: Sendable {
    private let inFlight = Gauge(label: "clawgrant_http_in_flight")
    private let refused: [APIRefusal: Counter] = Dictionary(
        uniqueKeysWithValues: APIRefusal.allCases.map {
            ($0, Counter(label: "clawgrant_http_refused_total", dimensions: [("reason", $0.rawValue)]))
        })

    static func requests(_ template: String, _ method: String, _ status: Int) -> Counter {
        Counter(
            label: "clawgrant_http_requests_total",
            dimensions: [("route", template), ("method", method), ("status", String(status))])
    }

    func inFlight(_ count: Int) { inFlight.record(count) }

    func refused(_ why: APIRefusal) { refused[why]?.increment() }
}
