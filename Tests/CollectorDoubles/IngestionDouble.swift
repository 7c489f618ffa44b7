public import ClawWire
import Crypto
import CryptoExtras
import Foundation
public import HTTPService
import Primitives

/// A double of Azure Monitor's logs ingestion and of the endpoint that gives out its tokens, on loopback.
///
/// It checks client secrets or assertions (signature, `x5t#S256`, audience, validity, `jti` used once), gives out tokens that
/// expire, checks rule, stream, size and rows, and has the faults that a test gives it.
public final class IngestionDouble: Sendable {
    /// What goes wrong with a request, at either endpoint.
    public enum Fault: Sendable, Hashable {
        /// An error status.
        case status(Int, retryAfter: Int? = nil)
        /// Taken, and the answer is lost: a proxy says 504.
        case answerLost
        /// Not taken, and no answer.
        case silence
        /// Every token ends before its time.
        case tokensRevoked
        /// A proxy's page.
        case garbage
    }

    /// How the application proves itself.
    public enum Proof: Sendable {
        /// By a secret.
        case secret(String)
        /// By a certificate, whose key is given in PEM.
        case certificate(der: [UInt8], key: String)
    }

    /// What an administrator sets.
    public struct Settings: Sendable {
        /// How the application proves itself.
        public var proof = Proof.secret("planted-client-secret-7f1c")
        /// Longest call before compression.
        public var maximumBytes = 1_000_000
        /// Seconds that tokens live.
        public var tokenLife: Int64 = 3_599
        /// Rows that are too large for the service, whatever their size.
        public var oversized: Set<Int64> = []
        /// Whether the application has its role on the rule.
        public var isAdmitted = true
        /// The standard settings.
        public init() {}
    }

    private struct State {
        var settings = Settings()
        var tokens: [String: ContinuousClock.Instant] = [:]
        var usedAssertions: Set<String> = []
        var serial = 0
        var tokenRequests = 0
        var calls = 0
        var rows: [Int64: JSONValue] = [:]
    }

    /// The tenant.
    public static let tenant = "8f1c6f2e-6b1a-4a57-9f0e-0d2b6a5c7e11"
    /// The application's identifier.
    public static let clientID = "11111111-2222-4333-8444-555555555555"
    /// The data collection rule.
    public static let ruleID = "dcr-0123456789abcdef0123456789abcdef"
    /// Its stream.
    public static let stream = "Custom-ClawIssuance_CL"
    /// What tokens are asked for.
    public static let scope = "https://monitor.azure.com/.default"

    /// What goes wrong.
    public let faults = FaultPlan<Fault>()
    /// What is there.
    public let received = ReceivedEvents()
    private let state = Lock(State())
    private let base = Lock("")

    private init() {}

    /// Serves as long as the body runs.
    public static func run<Result: Sendable>(
        tls: HTTPServiceConfiguration.TLS? = nil, _ body: @escaping @Sendable (IngestionDouble) async throws -> Result
    ) async throws -> Result {
        let double = IngestionDouble()
        return try await DoubleServer.run(tls: tls, respond: { await double.answer($0) }) { address in
            double.base.withLock { $0 = address }
            return try await body(double)
        }
    }

    /// The address of both endpoints.
    public var address: String { base.withLock { $0 } }
    /// Changes what an administrator sets.
    public func change(_ body: (inout Settings) -> Void) { state.withLock { body(&$0.settings) } }
    /// Tokens that were given out and count.
    public var tokens: [String] { state.withLock { Array($0.tokens.keys) } }
    /// Requests for tokens.
    public var tokenRequests: Int { state.withLock { $0.tokenRequests } }
    /// A row by its number, as it came.
    public func row(_ sequence: Int64) -> JSONValue? { state.withLock { $0.rows[sequence] } }
    /// Calls with rows.
    public var calls: Int { state.withLock { $0.calls } }

    private static func json(_ status: Int, _ value: JSONValue, retryAfter: Int? = nil) -> HTTPServiceResponse {
        var fields = [HTTPServiceField("content-type", "application/json")]
        if let retryAfter { fields.append(HTTPServiceField("retry-after", "\(retryAfter)")) }
        return HTTPServiceResponse(status: status, fields: fields, body: JSONWriter.bytes(value))
    }

    private static func error(_ status: Int, _ code: String, retryAfter: Int? = nil) -> HTTPServiceResponse {
        json(
            status, ["error": ["code": .string(code), "message": .string("\(code) was said")]], retryAfter: retryAfter)
    }

    private func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        let fault = faults.next(request.path)
        switch fault {
        case .status(let status, let seconds): return Self.error(status, "Fault", retryAfter: seconds)
        case .silence: return await DoubleServer.silence()
        case .garbage: return HTTPServiceResponse(status: 200, body: Array("<html>".utf8))
        case .tokensRevoked: state.withLock { $0.tokens = [:] }
        case .answerLost, nil: break
        }
        let answer =
            request.path.hasSuffix("/oauth2/v2.0/token") ? giveToken(request) : take(request)
        return fault == .answerLost ? HTTPServiceResponse(status: 504) : answer
    }

    // MARK: Tokens

    private func giveToken(_ request: HTTPServiceRequest) -> HTTPServiceResponse {
        state.withLock { $0.tokenRequests += 1 }
        func refuse(_ status: Int, _ code: String, _ why: String) -> HTTPServiceResponse {
            Self.json(
                status,
                [
                    "error": .string(code),
                    "error_description": .string("\(why): \(String(decoding: request.body, as: UTF8.self))"),
                ])
        }
        guard request.path == "/\(Self.tenant)/oauth2/v2.0/token" else {
            return refuse(400, "invalid_request", "tenant")
        }
        guard request.field("content-type") == "application/x-www-form-urlencoded" else {
            return refuse(400, "invalid_request", "content-type")
        }
        var fields: [String: String] = [:]
        for pair in String(decoding: request.body, as: UTF8.self).split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { fields[parts[0]] = parts[1].removingPercentEncoding }
        }
        guard fields["grant_type"] == "client_credentials" else {
            return refuse(400, "unsupported_grant_type", "grant")
        }
        guard fields["client_id"] == Self.clientID else { return refuse(400, "unauthorized_client", "client") }
        guard fields["scope"] == Self.scope else { return refuse(400, "invalid_scope", "scope") }
        let settings = state.withLock { $0.settings }
        switch settings.proof {
        case .secret(let secret):
            guard fields["client_secret"] == secret else { return refuse(401, "invalid_client", "secret") }
        case .certificate(let der, let key):
            guard fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                let assertion = fields["client_assertion"],
                isGood(assertion, der, key, audience: "\(address)\(request.path)")
            else { return refuse(401, "invalid_client", "assertion") }
        }
        return state.withLock { state in
            state.serial += 1
            let token = "planted-ingestion-token-\(state.serial)-\(UInt64.random(in: 0 ... .max))"
            state.tokens[token] = .now + .seconds(settings.tokenLife)
            return Self.json(
                200,
                [
                    "token_type": "Bearer", "expires_in": .integer(settings.tokenLife), "access_token": .string(token),
                ])
        }
    }

    /// RFC 7523 section 3.
    private func isGood(_ assertion: String, _ der: [UInt8], _ key: String, audience: String) -> Bool {
        func part(_ text: String) -> JSONValue? { Base64URL.decode(text).flatMap { try? JSONReader.parse($0) } }
        let parts = assertion.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let header = part(parts[0]), let claims = part(parts[1]),
            let signature = Base64URL.decode(parts[2]), let key = try? _RSA.Signing.PrivateKey(pemRepresentation: key),
            header["x5t#S256"]?.string == Digest(hashing: der).b64u
        else { return false }
        let padding: _RSA.Signing.Padding = header["alg"]?.string == "PS256" ? .PSS : .insecurePKCS1v1_5
        let signed = SHA256.hash(data: Array("\(parts[0]).\(parts[1])".utf8))
        let now = Int64(Date().timeIntervalSince1970)
        guard
            key.publicKey.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: Data(signature)), for: signed, padding: padding),
            claims["aud"]?.string == audience, claims["iss"]?.string == Self.clientID,
            claims["sub"]?.string == Self.clientID, let expires = claims["exp"]?.integer, expires > now,
            expires <= now + 660, let identifier = claims["jti"]?.string
        else { return false }
        return state.withLock { $0.usedAssertions.insert(identifier).inserted }
    }

    // MARK: Rows

    private func take(_ request: HTTPServiceRequest) -> HTTPServiceResponse {
        let (settings, isKnown) = state.withLock { state in
            state.calls += 1
            let bearer = request.field("authorization").map { String($0.dropFirst("Bearer ".count)) } ?? ""
            return (state.settings, state.tokens[bearer].map { $0 > .now } ?? false)
        }
        guard isKnown else { return Self.error(401, "InvalidAuthenticationToken") }
        guard settings.isAdmitted else { return Self.error(403, "OperationFailed") }
        guard request.path == "/dataCollectionRules/\(Self.ruleID)/streams/\(Self.stream)" else {
            return Self.error(404, "NotFound")
        }
        guard request.query == "api-version=2023-01-01" else { return Self.error(400, "UnsupportedApiVersion") }
        let (body, complaint) = DoubleServer.plainBody(request)
        if let complaint { received.complain(complaint) }
        guard body.count <= settings.maximumBytes else { return Self.error(413, "ContentLengthLimitExceeded") }
        guard request.field("content-type") == "application/json",
            let rows = (try? JSONReader.parse(body, limits: Self.limits))?.array
        else { return Self.error(400, "InvalidRequestBody") }
        var sequences: [Int64] = []
        for row in rows {
            guard let time = row["TimeGenerated"]?.string, Timestamp(rfc3339: time) != nil,
                let sequence = row["Sequence"]?.integer, row["EventType"]?.string != nil, row["Raw"]?.object != nil
            else {
                received.complain("a row without TimeGenerated, Sequence, EventType or Raw")
                continue
            }
            sequences.append(sequence)
            state.withLock { $0.rows[sequence] = row }
        }
        if let large = sequences.first(where: { settings.oversized.contains($0) }) {
            if sequences.count == 1 { received.refuse(large) }
            return Self.error(413, "ContentLengthLimitExceeded")
        }
        received.store(sequences)
        return HTTPServiceResponse(status: 204)
    }

    static let limits = JSONLimits(maximumBytes: 16 << 20, maximumMembers: 2_000_000)
}
