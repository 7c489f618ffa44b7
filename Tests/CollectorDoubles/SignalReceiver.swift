public import ClawWire
public import HTTPService
import Primitives

/// A double of a receiver of Security Event Tokens by push (RFC 8935), on loopback.
///
/// It verifies each token: signature by the keys it was given, type, issuer, audience, claims that must not be there.
public final class SignalReceiver: Sendable {
    /// What goes wrong with a request.
    public enum Fault: Sendable, Hashable {
        /// An error status.
        case status(Int, retryAfter: Int? = nil)
        /// 400 with a code of RFC 8935 section 2.4.
        case refused(String)
        /// Taken, and the answer is lost: a proxy says 504.
        case answerLost
        /// Not taken, and no answer.
        case silence
    }

    /// What an administrator sets.
    public struct Settings: Sendable {
        /// Keys by which tokens are verified.
        public var keys: [PublicJWK] = []
        /// The issuer that is expected.
        public var issuer = "https://issuer.harborline.example"
        /// What the receiver calls itself.
        public var audience = "https://gateway.harborline.example/ssf"
        /// The bearer token; `nil` asks for none.
        public var token: String?
        /// Sessions whose tokens are refused for their form.
        public var refusedSessions: Set<String> = []
        /// The standard settings.
        public init() {}
    }

    private struct State {
        var settings = Settings()
        var tokens: [String: String] = [:]
        var order: [String] = []
        var repeats = 0
        var requests = 0
        var complaints: [String] = []
    }

    /// What goes wrong.
    public let faults = FaultPlan<Fault>()
    private let state = Lock(State())
    private let base = Lock("")

    private init() {}

    /// Serves as long as the body runs.
    public static func run<Result: Sendable>(
        tls: HTTPServiceConfiguration.TLS? = nil, _ body: @escaping @Sendable (SignalReceiver) async throws -> Result
    ) async throws -> Result {
        let double = SignalReceiver()
        return try await DoubleServer.run(tls: tls, respond: { await double.answer($0) }) { address in
            double.base.withLock { $0 = address }
            return try await body(double)
        }
    }

    /// Its address.
    public var address: String { "\(base.withLock { $0 })/ssf/events" }
    /// Changes what an administrator sets.
    public func change(_ body: (inout Settings) -> Void) { state.withLock { body(&$0.settings) } }
    /// Tokens in compact form, each once, in the order in which they came first.
    public var tokens: [String] { state.withLock { state in state.order.compactMap { state.tokens[$0] } } }
    /// The claims of ``tokens``.
    public var claims: [JSONValue] { tokens.compactMap { Self.part($0, 1) } }
    /// How often a token came that was there already.
    public var repeats: Int { state.withLock { $0.repeats } }
    /// Pushes so far.
    public var requests: Int { state.withLock { $0.requests } }
    /// What was wrong with tokens that were taken.
    public var complaints: [String] { state.withLock { $0.complaints } }

    private static func part(_ compact: String, _ index: Int) -> JSONValue? {
        let parts = compact.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        return Base64URL.decode(parts[index]).flatMap { try? JSONReader.parse($0) }
    }

    private static func refusal(_ code: String, _ echo: String = "") -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: 400, fields: [HTTPServiceField("content-type", "application/json")],
            body: JSONWriter.bytes(["err": .string(code), "description": .string("planted-echo \(echo)")]))
    }

    private func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        state.withLock { $0.requests += 1 }
        let fault = faults.next(request.path)
        switch fault {
        case .status(let status, let seconds):
            let fields = seconds.map { [HTTPServiceField("retry-after", "\($0)")] } ?? []
            return HTTPServiceResponse(status: status, fields: fields)
        case .refused(let code): return Self.refusal(code, String(decoding: request.body, as: UTF8.self))
        case .silence: return await DoubleServer.silence()
        case .answerLost, nil: break
        }
        let answer = take(request)
        return fault == .answerLost ? HTTPServiceResponse(status: 504) : answer
    }

    private func take(_ request: HTTPServiceRequest) -> HTTPServiceResponse {
        let settings = state.withLock { $0.settings }
        if let token = settings.token, request.field("authorization") != "Bearer \(token)" {
            return HTTPServiceResponse(status: 401)
        }
        guard request.method == "POST", request.field("content-type") == "application/secevent+jwt",
            request.field("accept") == "application/json"
        else { return Self.refusal("invalid_request") }
        let compact = String(decoding: request.body, as: UTF8.self)
        let parts = compact.split(separator: ".", omittingEmptySubsequences: false)
        guard let header = Self.part(compact, 0), let claims = Self.part(compact, 1),
            let signature = Base64URL.decode(parts[2])
        else { return Self.refusal("invalid_request") }
        guard header["typ"] == "secevent+jwt", header["alg"] == "RS256" else { return Self.refusal("invalid_request") }
        guard let key = settings.keys.first(where: { $0.kid == header["kid"]?.string }),
            key.isValidSignature(signature, for: Array("\(parts[0]).\(parts[1])".utf8))
        else { return Self.refusal("invalid_key") }
        guard claims["iss"]?.string == settings.issuer else { return Self.refusal("invalid_issuer") }
        guard claims["aud"]?.string == settings.audience else { return Self.refusal("invalid_audience") }
        guard claims["sub"] == nil, claims["exp"] == nil, let identifier = claims["jti"]?.string,
            claims["iat"]?.integer != nil, claims["events"]?.object?.count == 1
        else { return Self.refusal("invalid_request") }
        let session = claims["sub_id"]?["session"]?["jti"]?.string ?? ""
        if settings.refusedSessions.contains(session) { return Self.refusal("invalid_request", compact) }
        state.withLock { state in
            if let known = state.tokens.updateValue(compact, forKey: identifier) {
                state.repeats += 1
                if known != compact { state.complaints.append("another token under jti \(identifier)") }
            } else {
                state.order.append(identifier)
            }
        }
        return HTTPServiceResponse(status: 202)
    }
}
