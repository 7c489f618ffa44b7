public import HTTPService

/// Who may ask.
public enum RouteAccess: Sendable, Hashable {
    /// Anybody: what is published or proves itself.
    case open
    /// A caller who names itself: a bearer token of the configuration with this scope, or a client certificate that the
    /// configuration maps to it.
    case caller(APIScope)
}

/// What a caller may do. The raw value is the name in the configuration.
public enum APIScope: String, Sendable, Hashable, CaseIterable {
    /// Ask what would become of a request, by itself.
    case preflight
    /// Ask whether a token is active.
    case introspect
    /// End tokens.
    case revoke
    /// Read revocations, decisions, findings and figures of the ledger.
    case read
    /// Fire a stop.
    case stop
    /// Read metrics.
    case metrics
}

/// Who asked, as far as access was checked.
public struct APICaller: Sendable, Hashable {
    /// Name from the configuration; `nil` on open routes.
    public let name: String?
    /// Fingerprint (`x5t#S256`) of a client certificate of a trusted authority, where one was shown.
    public let certificateThumbprint: String?

    /// Names a caller.
    public init(name: String?, certificateThumbprint: String? = nil) {
        self.name = name
        self.certificateThumbprint = certificateThumbprint
    }
}

/// A request that has passed access and limits.
public struct RouteRequest: Sendable {
    /// The request.
    public let http: HTTPServiceRequest
    /// Values of the path's variables, decoded.
    public let parameters: [String: String]
    /// Pairs of the query, decoded, repeats included.
    public let query: [(name: String, value: String)]
    /// Who asks.
    public let caller: APICaller

    /// Makes a request.
    public init(
        http: HTTPServiceRequest, parameters: [String: String] = [:], query: [(name: String, value: String)] = [],
        caller: APICaller = APICaller(name: nil)
    ) {
        self.http = http
        self.parameters = parameters
        self.query = query
        self.caller = caller
    }

    /// The value of a query's name; `nil` when it is absent or repeated.
    public func query(_ name: String) -> String? {
        let values = query.filter { $0.name == name }
        return values.count == 1 ? values[0].value : nil
    }
}

/// How the errors of a route look; those that access, limits and sizes give included.
public enum RouteErrors: Sendable, Hashable {
    /// `application/problem+json` (RFC 9457), with a member `code`.
    case problem
    /// `{"error": CODE, "message": …}`, as the reference's routes answer (WIRE section 4).
    case reference
    /// `{"error": code, "error_description": …}` (RFC 6749 section 5.2).
    case oauth
}

/// Whose scripts may read a route's answers in a browser.
public enum RouteSharing: Sendable, Hashable {
    /// Those of the page that this service served.
    case sameOrigin
    /// Anybody's: the answer is public and never depends on who asks (Fetch standard, CORS).
    case anyOrigin
}

/// One method of one path.
public struct Route: Sendable {
    /// Method: `GET` answers `HEAD` as well.
    public let method: String
    /// Path with variables: `/v1/proofs/inclusion/{position}`.
    public let template: String
    /// Who may ask.
    public let access: RouteAccess
    /// Largest body, in bytes.
    public let bodyBytes: Int
    /// How its errors look.
    public let errors: RouteErrors
    /// Whose scripts may read its answers.
    public let sharing: RouteSharing
    /// Answers it. Never throws: a failure is an answer that says what happened and what to do.
    public let respond: @Sendable (RouteRequest) async -> HTTPServiceResponse

    /// Makes a route.
    public init(
        _ method: String, _ template: String, access: RouteAccess, bodyBytes: Int = 16_384,
        errors: RouteErrors = .problem, sharing: RouteSharing = .sameOrigin,
        respond: @escaping @Sendable (RouteRequest) async -> HTTPServiceResponse
    ) {
        self.method = method
        self.template = template
        self.access = access
        self.bodyBytes = bodyBytes
        self.errors = errors
        self.sharing = sharing
        self.respond = respond
    }
}

/// Routes of one subject.
public protocol RouteGroup: Sendable {
    /// The routes.
    var routes: [Route] { get }
}
