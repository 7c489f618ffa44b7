import ClawWire
import Foundation

/// Tokens by tenant: one request for a token at a time and tenant, whoever waits for it.
actor TokenCache {
    private struct Held {
        let token: AccessToken
        let renewAt: ContinuousClock.Instant
        /// The token's tenant was asked for and is the right one.
        var isVerified = false
    }

    private let credentials: GraphCredentials
    private let settings: GraphSettings
    private let transport: HTTPTransport
    private let now: @Sendable () -> Timestamp
    private var held: [String: Held] = [:]
    private var onTheirWay: [String: Task<AccessToken, any Error>] = [:]

    init(
        credentials: GraphCredentials, settings: GraphSettings, transport: HTTPTransport,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.credentials = credentials
        self.settings = settings
        self.transport = transport
        self.now = now
    }

    /// A token of a tenant.
    ///
    /// - Parameter refused: a token that the service did not take; another one is got then.
    func token(of tenant: String, refused: AccessToken? = nil) async throws -> (token: AccessToken, isVerified: Bool) {
        guard credentials.tenants.contains(tenant) else {
            throw GraphError(.tenantNotConfigured, "the configuration names no credentials for the tenant")
        }
        if let known = held[tenant], known.token != refused, known.renewAt > .now {
            return (known.token, known.isVerified)
        }
        if let task = onTheirWay[tenant] { return (try await task.value, false) }
        let task = Task { try await fetch(tenant) }
        onTheirWay[tenant] = task
        defer { onTheirWay[tenant] = nil }
        return (try await task.value, false)
    }

    /// Notes that a token is of its tenant.
    func verified(_ token: AccessToken, of tenant: String) {
        if held[tenant]?.token == token { held[tenant]?.isVerified = true }
    }

    /// Forgets a token that is not what it should be.
    func forget(_ token: AccessToken, of tenant: String) {
        if held[tenant]?.token == token { held[tenant] = nil }
    }

    private func fetch(_ tenant: String) async throws -> AccessToken {
        let address = "\(settings.authority)/\(tenant)/oauth2/v2.0/token"
        let assertion = try credentials.certificate.assertion(
            clientID: credentials.clientID, audience: address, identifier: UUID().uuidString.lowercased(), at: now())
        let form = FormText.body([
            ("client_id", credentials.clientID), ("scope", settings.scope), ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.text),
        ])
        let answer = try await transport.send(
            .post(address, form: form), what: "asking for a token of the tenant")
        guard answer.status == 200 else {
            // The description may quote what was sent; the code says enough.
            let code = (try? JSONReader.parse(answer.body))?["error"]?.string?.prefix(64)
            throw GraphError(
                answer.status == 429 ? .throttled : answer.status >= 500 ? .unavailable : .credentialsRefused,
                "the token endpoint answered \(answer.status) \(code ?? "")", retryAfter: answer.retryAfter,
                requestID: answer.requestID)
        }
        guard let value = try? JSONReader.parse(answer.body), let text = value["access_token"]?.string,
            !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            value["token_type"]?.string?.lowercased() == "bearer"
        else { throw GraphError(.malformed, "the token endpoint's answer holds no bearer token") }
        let seconds = min(max(value["expires_in"]?.integer ?? 0, 0), 86_400)
        let token = AccessToken(text: text)
        let life = Duration.seconds(seconds)
        // A token that lives shorter than twice the margin is replaced at half of its life.
        let margin = min(settings.tokenMargin, life / 2)
        held[tenant] = Held(token: token, renewAt: .now + life - margin)
        return token
    }
}
