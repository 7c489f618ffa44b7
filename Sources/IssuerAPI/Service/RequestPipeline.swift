import ClawWire
import GrantWorker
import HTTPService
import Primitives

/// What every request passes on its way to its route and back: the bound on requests at a time, the route, who asks, how
/// often, and what every answer carries.
final class RequestPipeline: Sendable {
    private let router: Router
    private let callers: CallerDirectory
    private let callerLimiter: RateLimiter
    private let peerLimiter: RateLimiter
    private let peerRate: RequestRate
    private let maximumInFlight: Int
    private let inFlight = Lock(0)
    private let metrics = APIMetrics()
    private let date = DateField()
    private let clock: @Sendable () -> Timestamp

    /// Puts routes behind access and limits.
    ///
    /// - Throws: ``RouterError``.
    init(
        _ routes: [Route], callers: CallerDirectory, limits: HTTPSettings.Limits,
        clock: @escaping @Sendable () -> Timestamp
    ) throws(RouterError) {
        router = try Router(routes)
        self.callers = callers
        // Callers are those of the configuration, so none is ever without a bucket.
        callerLimiter = RateLimiter(maximumNames: .max)
        peerLimiter = RateLimiter(maximumNames: limits.trackedPeers)
        peerRate = RequestRate(perSecond: limits.peerRate)
        maximumInFlight = limits.requestsInFlight
        self.clock = clock
    }

    /// What the server is to ask before it reads a body.
    var hooks: HTTPServiceHooks {
        HTTPServiceHooks { method, path in
            self.router.find(path)?.route(method)?.route.bodyBytes ?? 0
        } refusal: { refusal, path in
            let failure =
                switch refusal {
                case .malformed: APIFailure(.malformed, "the length of the body is no number")
                case .bodyTooLarge: APIFailure(.tooLarge, "the body is larger than this path takes")
                case .headerTooLarge: APIFailure(.headerTooLarge, "the header is too large")
                }
            let shape = self.router.find(path)?.methods.values.first?.route.errors
            return self.completed(failure.response(shape ?? Self.shape(ofUnknown: path)), nil)
        }
    }

    /// Answers a request.
    func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        let start = ContinuousClock.now
        let found = router.find(request.path)
        let served = found?.route(request.method)
        guard enter() else {
            metrics.refused(.busy)
            let failure = APIFailure(.unavailable, "too many requests are being answered; try again", retryAfter: 1)
            return completed(failure.response(served?.route.errors ?? Self.shape(ofUnknown: request.path)), served)
        }
        defer { leave() }
        guard let served else { return completed(unrouted(request, found), nil) }
        let answer = await respond(request, served.route, found?.parameters ?? [:])
        served.answered(answer.status, in: .now - start)
        return completed(answer, served)
    }

    private func enter() -> Bool {
        let count = inFlight.withLock { count -> Int? in
            guard count < maximumInFlight else { return nil }
            count += 1
            return count
        }
        guard let count else { return false }
        metrics.inFlight(count)
        return true
    }

    private func leave() {
        metrics.inFlight(
            inFlight.withLock { count in
                count -= 1
                return count
            })
    }

    // MARK: Without a route

    private func unrouted(_ request: HTTPServiceRequest, _ found: Router.Found?) -> HTTPServiceResponse {
        if let wait = peerLimiter.take(RateLimiter.name(ofPeer: request.peer), peerRate) {
            return limited(wait, .peerRate).response(Self.shape(ofUnknown: request.path))
        }
        guard let found else {
            metrics.refused(.unknown)
            return APIFailure(.notFound, "there is nothing here").response(Self.shape(ofUnknown: request.path))
        }
        guard request.method == "OPTIONS" else {
            metrics.refused(.unknown)
            let shape = found.methods.values.first?.route.errors ?? .problem
            var answer = APIFailure(.methodNotAllowed, "this path takes \(found.allowed)").response(shape)
            answer.fields.append(HTTPServiceField("allow", found.allowed))
            return answer
        }
        var fields = [HTTPServiceField("allow", found.allowed)]
        if found.methods.values.contains(where: { $0.route.sharing == .anyOrigin }), request.field("origin") != nil {
            fields += [
                HTTPServiceField("access-control-allow-origin", "*"),
                HTTPServiceField("access-control-allow-methods", found.allowed),
                HTTPServiceField("access-control-allow-headers", "accept, if-none-match"),
                HTTPServiceField("access-control-max-age", "3600"),
            ]
        }
        return HTTPServiceResponse(status: 204, fields: fields)
    }

    /// What is asked under `/v1` knows the reference's errors.
    private static func shape(ofUnknown path: String) -> RouteErrors { path.hasPrefix("/v1/") ? .reference : .problem }

    // MARK: With a route

    private func respond(
        _ request: HTTPServiceRequest, _ route: Route, _ parameters: [String: String]
    ) async -> HTTPServiceResponse {
        let caller: APICaller
        switch access(request, route.access) {
        case .success(let known): caller = known
        case .failure(let refusal): return refused(refusal, route)
        }
        guard let query = FormText.pairs((request.query ?? "").utf8) else {
            return APIFailure(.malformed, "the query does not decode").response(route.errors)
        }
        return await route.respond(
            RouteRequest(http: request, parameters: parameters, query: query, caller: caller))
    }

    private struct Refusal: Error {
        let failure: APIFailure
        let why: APIRefusal
        var challenge: String?
    }

    private func access(_ request: HTTPServiceRequest, _ access: RouteAccess) -> Result<APICaller, Refusal> {
        let peer = RateLimiter.name(ofPeer: request.peer)
        switch access {
        case .open:
            if let wait = peerLimiter.take(peer, peerRate) { return .failure(tooMany(wait, .peerRate)) }
            return .success(APICaller(name: nil, certificateThumbprint: request.client?.thumbprint))
        case .caller(let scope):
            let entry: CallerDirectory.Entry
            switch identify(request) {
            case .success(let known): entry = known
            case .failure(let refusal):
                // Whoever guesses is slowed down as somebody without a name.
                if let wait = peerLimiter.take(peer, peerRate) { return .failure(tooMany(wait, .peerRate)) }
                return .failure(refusal)
            }
            if let wait = callerLimiter.take(entry.name, entry.rate) { return .failure(tooMany(wait, .callerRate)) }
            guard entry.scopes.contains(scope) else {
                return .failure(
                    Refusal(
                        failure: APIFailure(.forbidden, "\(entry.name) lacks the scope \(scope.rawValue)"),
                        why: .forbidden,
                        challenge: "Bearer error=\"insufficient_scope\", scope=\"\(scope.rawValue)\""))
            }
            return .success(
                APICaller(name: entry.name, certificateThumbprint: request.client?.thumbprint))
        }
    }

    /// Who asks: by a bearer token where one is given, else by a certificate. A token that is wrong is not made good by a
    /// certificate.
    private func identify(_ request: HTTPServiceRequest) -> Result<CallerDirectory.Entry, Refusal> {
        let given = request.values("authorization")
        guard let first = given.first else {
            if let entry = request.client.flatMap({ callers.caller(certificate: $0) }) { return .success(entry) }
            return .failure(
                Refusal(
                    failure: APIFailure(
                        .unauthenticated, "a bearer token or a client certificate of a configured caller is needed"),
                    why: .unauthenticated, challenge: "Bearer realm=\"clawgrant\""))
        }
        if given.count == 1, let credential = CallerCredential(first), let entry = callers.caller(credential) {
            return .success(entry)
        }
        return .failure(
            Refusal(
                failure: APIFailure(.unauthenticated, "the credentials are no configured caller's"),
                why: .unauthenticated, challenge: "Bearer realm=\"clawgrant\", error=\"invalid_token\""))
    }

    private func tooMany(_ wait: Int, _ why: APIRefusal) -> Refusal {
        Refusal(failure: limited(wait, why, isCounted: false), why: why)
    }

    private func limited(_ wait: Int, _ why: APIRefusal, isCounted: Bool = true) -> APIFailure {
        if isCounted { metrics.refused(why) }
        return APIFailure(.rateLimited, "too many requests; ask again in \(wait) s", retryAfter: wait)
    }

    private func refused(_ refusal: Refusal, _ route: Route) -> HTTPServiceResponse {
        metrics.refused(refusal.why)
        var answer = refusal.failure.response(route.errors)
        if let challenge = refusal.challenge {
            answer.fields.append(HTTPServiceField("www-authenticate", challenge))
        }
        return answer
    }

    /// What every answer carries. Nothing is kept by a cache unless its route says so.
    private func completed(_ answer: HTTPServiceResponse, _ served: ServedRoute?) -> HTTPServiceResponse {
        var answer = answer
        answer.fields.append(HTTPServiceField("date", date.text(clock())))
        answer.fields.append(HTTPServiceField("x-content-type-options", "nosniff"))
        if !answer.fields.contains(where: { $0.name == "cache-control" }) { answer.fields.append(.noStore) }
        if served?.route.sharing == .anyOrigin {
            answer.fields.append(HTTPServiceField("access-control-allow-origin", "*"))
        }
        return answer
    }
}
