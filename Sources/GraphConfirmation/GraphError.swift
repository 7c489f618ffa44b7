/// Why Microsoft Graph, or the endpoint that gives out its tokens, could not be asked. Nothing is confirmed by an
/// error:
/// the approval waits and is asked about again.
public struct GraphError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened, for machines. The text is a metric's label.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The token endpoint refused the client certificate or the application.
        case credentialsRefused = "credentials_refused"
        /// The application lacks a permission.
        case forbidden
        /// The token is of another tenant than the one that was asked for.
        case wrongTenant = "wrong_tenant"
        /// No credentials are configured for the tenant.
        case tenantNotConfigured = "tenant_not_configured"
        /// Too many requests; see ``GraphError/retryAfter``.
        case throttled
        /// No connection, or an answer of the 5xx family.
        case unavailable
        /// No answer in time.
        case timeout
        /// An answer of another shape than the documented one.
        case malformed
        /// Too many failures in a row: nobody asks for a while.
        case circuitOpen = "circuit_open"
    }

    /// What happened.
    public let code: Code
    /// For people: what was asked and what came back. Never holds a token or a key.
    public let detail: String
    /// The earliest time to ask again, where the service or the breaker names one.
    public let retryAfter: Duration?
    /// The service's name for the request, for its support.
    public let requestID: String?

    /// Makes an error.
    public init(_ code: Code, _ detail: String, retryAfter: Duration? = nil, requestID: String? = nil) {
        self.code = code
        self.detail = detail
        self.retryAfter = retryAfter
        self.requestID = requestID
    }

    /// True when asking again may help without anyone changing a setting.
    public var isRetriable: Bool {
        switch code {
        case .throttled, .unavailable, .timeout, .circuitOpen: true
        case .credentialsRefused, .forbidden, .wrongTenant, .tenantNotConfigured, .malformed: false
        }
    }

    /// True for what says that the service is not well, which opens the breaker.
    var countsAgainstService: Bool {
        switch code {
        case .unavailable, .timeout: true
        case .credentialsRefused, .forbidden, .wrongTenant, .tenantNotConfigured, .throttled, .malformed, .circuitOpen:
            false
        }
    }

    /// For example `throttled: GET …/roleAssignmentScheduleRequests answered 429 (request 1b2c…)`.
    public var description: String { "\(code.rawValue): \(detail)\(requestID.map { " (request \($0))" } ?? "")" }
}
