public import ClawWire
import Crypto
import CryptoExtras
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Primitives

/// A double of Microsoft Graph and of the endpoint that gives out its tokens, on loopback.
///
/// It checks client assertions as the real one does (signature, `x5t#S256`, audience, validity, `jti` used once),
/// gives out
/// opaque tokens that expire, knows tenants, requests, approvals and instances, speaks the shapes of both versions,
/// pages
/// its lists, and has the faults that a test gives it.
public final class GraphDouble: Sendable {
    /// What goes wrong with the next question whose path holds a text.
    public enum Fault: Sendable, Hashable {
        /// An error status, with `Retry-After` in seconds.
        case status(Int, retryAfter: Int? = nil)
        /// No answer.
        case silence
        /// The connection ends in the middle of the answer.
        case cut
        /// An answer that is no JSON.
        case garbage
        /// An answer of another server.
        case redirect
    }

    /// What a tenant holds.
    public struct Tenant: Sendable {
        /// Requests by identifier, those of entitlement management with their relations.
        public var requests: [String: JSONValue] = [:]
        /// Steps of approvals, in neutral form, by identifier.
        public var approvals: [String: [JSONValue]] = [:]
        /// Live schedule instances.
        public var instances: [JSONValue] = []
        /// Assignments of access packages by identifier, with their relations.
        public var assignments: [String: JSONValue] = [:]
        /// The tenant that tokens for this one are really of.
        public var tokensAreOf: String?
        /// Makes a tenant that holds nothing.
        public init() {}
    }

    private struct State {
        var tenants: [String: Tenant] = [:]
        var faults: [(path: String, fault: Fault)] = []
        var tokens: [String: (tenant: String, expires: ContinuousClock.Instant)] = [:]
        var usedAssertions: Set<String> = []
        var seen: [String] = []
        var tokenLife = 3_599
        var pageSize = 100
        var serial = 0
    }

    /// The application's identifier.
    public static let clientID = "11111111-2222-4333-8444-555555555555"
    private let certificate: TestCertificate
    private let state = Lock(State())
    private let port = Lock(0)

    private init(_ certificate: TestCertificate) { self.certificate = certificate }

    /// Serves as long as the body runs.
    public static func run<Result: Sendable>(
        _ certificate: TestCertificate, _ body: @escaping @Sendable (GraphDouble) async throws -> Result
    ) async throws -> Result {
        let double = GraphDouble(certificate)
        let (opened, continuation) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "graph-double")
        logger.logLevel = .critical
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in try await double.answer(request) },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await application.runService(gracefulShutdownSignals: [])
                return nil
            }
            group.addTask {
                for await port in opened {
                    double.port.withLock { $0 = port }
                    break
                }
                return try await body(double)
            }
            defer { group.cancelAll() }
            while let result = try await group.next() { if let result { return result } }
            throw CancellationError()
        }
    }

    /// The address of both endpoints.
    public var address: String { "http://127.0.0.1:\(port.withLock { $0 })" }

    // MARK: What a test sets

    /// Changes what a tenant holds.
    public func change(_ tenant: String, _ body: (inout Tenant) -> Void) {
        state.withLock { body(&$0.tenants[tenant, default: Tenant()]) }
    }

    /// Makes the next questions fail whose path holds `path`, one for each fault.
    public func fail(_ path: String, _ faults: Fault...) {
        state.withLock { state in state.faults += faults.map { (path, $0) } }
    }

    /// Ends every token at once, as a revocation does.
    public func revokeTokens() { state.withLock { $0.tokens = [:] } }

    /// How long tokens live, in seconds.
    public func setTokenLife(_ seconds: Int) { state.withLock { $0.tokenLife = seconds } }

    /// How many elements a page of a list has.
    public func setPageSize(_ size: Int) { state.withLock { $0.pageSize = size } }

    /// Paths that were asked for, in order.
    public var seen: [String] { state.withLock { $0.seen } }

    /// Questions whose path holds a text.
    public func count(_ path: String) -> Int { seen.count { $0.contains(path) } }

    /// Every token given out and not revoked, for tests that look for them where they must not be.
    public var tokens: [String] { state.withLock { Array($0.tokens.keys) } }

    // MARK: Answers

    private func answer(_ request: Request) async throws -> Response {
        var request = request
        let path = request.uri.path
        let fault = state.withLock { state -> Fault? in
            state.seen.append("\(path)?\(request.uri.query ?? "")")
            guard let index = state.faults.firstIndex(where: { path.contains($0.path) }) else { return nil }
            return state.faults.remove(at: index).fault
        }
        switch fault {
        case .status(let status, let wait):
            return Self.error(status, "fault", retryAfter: wait)
        case .silence:
            try await Task.sleep(for: .seconds(120))
            return Self.error(504, "late")
        case .cut:
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(contentLength: 4_096) { writer in
                    try await writer.write(ByteBuffer(string: "{\"id\":"))
                    throw CancellationError()
                })
        case .garbage: return Self.text(200, "<html>")
        case .redirect:
            return Response(status: .found, headers: [.location: "http://127.0.0.1:1/elsewhere"])
        case nil: break
        }
        if path.hasSuffix("/oauth2/v2.0/token") {
            let body = try await request.collectBody(upTo: 65_536)
            return token(path, String(buffer: body))
        }
        return graph(request, path)
    }

    private static func text(_ status: Int, _ text: String, retryAfter: Int? = nil) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let name = HTTPField.Name("request-id") { headers[name] = "graph-\(UInt32.random(in: 0 ... .max))" }
        if let retryAfter, let name = HTTPField.Name("retry-after") { headers[name] = String(retryAfter) }
        return Response(
            status: .init(code: status), headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func json(_ value: JSONValue) -> Response { text(200, JSONWriter.text(value)) }

    private static func error(_ status: Int, _ code: String, retryAfter: Int? = nil) -> Response {
        text(
            status, JSONWriter.text(["error": ["code": .string(code), "message": .string(code)]]),
            retryAfter: retryAfter)
    }

    // MARK: Tokens

    private func token(_ path: String, _ form: String) -> Response {
        func refuse(_ why: String) -> Response {
            Self.text(401, JSONWriter.text(["error": "invalid_client", "error_description": .string(why)]))
        }
        var fields: [String: String] = [:]
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { fields[parts[0]] = parts[1].removingPercentEncoding }
        }
        let tenant = path.split(separator: "/").first.map(String.init) ?? ""
        guard fields["grant_type"] == "client_credentials", fields["client_id"] == Self.clientID,
            fields["scope"] == "\(address)/.default",
            fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            let assertion = fields["client_assertion"]
        else { return refuse("form") }
        if let why = fault(in: assertion, audience: "\(address)\(path)") { return refuse(why) }
        return state.withLock { state in
            guard let known = state.tenants[tenant] else { return refuse("tenant") }
            state.serial += 1
            let token = "planted-token-\(state.serial)-\(UInt64.random(in: 0 ... .max))"
            state.tokens[token] = (known.tokensAreOf ?? tenant, .now + .seconds(state.tokenLife))
            return Self.json([
                "token_type": "Bearer", "expires_in": .integer(state.tokenLife), "access_token": .string(token),
            ])
        }
    }

    /// What is wrong with a client assertion (RFC 7523 section 3); `nil` for nothing.
    private func fault(in assertion: String, audience: String) -> String? {
        let parts = assertion.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let header = Self.part(parts[0]), let claims = Self.part(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else { return "form" }
        let padding: _RSA.Signing.Padding
        switch header["alg"]?.string {
        case "PS256": padding = .PSS
        case "RS256": padding = .insecurePKCS1v1_5
        default: return "alg"
        }
        guard header["x5t#S256"]?.string == Digest(hashing: certificate.der).b64u else { return "thumbprint" }
        let signed = SHA256.hash(data: Array("\(parts[0]).\(parts[1])".utf8))
        guard
            certificate.key.publicKey.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: Data(signature)), for: signed, padding: padding)
        else { return "signature" }
        let now = Int64(Date().timeIntervalSince1970)
        guard claims["aud"]?.string == audience else { return "aud" }
        guard claims["iss"]?.string == Self.clientID, claims["sub"]?.string == Self.clientID else { return "iss" }
        guard let expires = claims["exp"]?.integer, let begins = claims["nbf"]?.integer, begins <= now + 60,
            expires > now, expires <= now + 660
        else { return "exp" }
        guard let identifier = claims["jti"]?.string,
            state.withLock({ $0.usedAssertions.insert(identifier).inserted })
        else { return "jti" }
        return nil
    }

    private static func part(_ text: String) -> JSONValue? {
        Base64URL.decode(text).flatMap { try? JSONReader.parse($0) }
    }

    // MARK: Objects

    private func graph(_ request: Request, _ path: String) -> Response {
        let bearer = request.headers[.authorization]?.split(separator: " ").last.map(String.init) ?? ""
        let (tenant, held, pageSize) = state.withLock { state -> (String?, Tenant, Int) in
            guard let token = state.tokens[bearer], token.expires > .now else { return (nil, Tenant(), 0) }
            return (token.tenant, state.tenants[token.tenant] ?? Tenant(), state.pageSize)
        }
        guard let tenant else { return Self.error(401, "InvalidAuthenticationToken") }
        let parts = path.split(separator: "/").map(String.init)
        guard let version = parts.first, ["v1.0", "beta"].contains(version), let last = parts.last else {
            return Self.error(400, "BadRequest")
        }
        if last == "organization" { return Self.json(["value": [["id": .string(tenant)]]]) }
        if path.hasSuffix("entitlementManagement/assignmentRequests/\(last)") {
            guard let found = held.requests[last] else { return Self.error(404, "ResourceNotFound") }
            return Self.json(Self.expanded(found, ["accessPackage", "assignment", "requestor"], request))
        }
        if path.hasSuffix("entitlementManagement/assignments/\(last)") {
            guard let found = held.assignments[last] else { return Self.error(404, "ResourceNotFound") }
            return Self.json(Self.expanded(found, ["accessPackage", "target"], request))
        }
        if path.contains("ScheduleRequests/") {
            guard let found = held.requests[last] else { return Self.error(404, "ResourceNotFound") }
            return Self.json(found)
        }
        if path.contains("roleAssignmentApprovals/"), version == "v1.0" {
            return Self.error(400, "Resource not found for the segment 'roleAssignmentApprovals'.")
        }
        if path.contains("Approvals/") {
            guard let steps = held.approvals[last] else { return Self.error(404, "ResourceNotFound") }
            return Self.json(Self.approval(last, steps, version))
        }
        if last.hasSuffix("ScheduleInstances") { return list(request, path, held.instances, pageSize) }
        return Self.error(400, "BadRequest")
    }

    /// An object without the relations that were not asked for.
    private static func expanded(_ value: JSONValue, _ relations: Set<String>, _ request: Request) -> JSONValue {
        let asked = request.uri.queryParameters["$expand"].map { Set($0.split(separator: ",").map(String.init)) } ?? []
        guard let object = value.object else { return value }
        return .object(
            JSONObject(
                object.members.filter { !relations.contains($0.key) || asked.contains($0.key) }
                    .map { ($0.key, $0.value) }))
    }

    /// Beta has steps that say Approve and Deny, v1.0 has stages that say Approved and Denied.
    private static func approval(_ id: String, _ steps: [JSONValue], _ version: String) -> JSONValue {
        let words = ["approve": ("Approve", "Approved"), "deny": ("Deny", "Denied")]
        let written = steps.map { step -> JSONValue in
            guard var object = step.object, let result = object["reviewResult"]?.string, let word = words[result]
            else { return step }
            object["reviewResult"] = .string(version == "beta" ? word.0 : word.1)
            return .object(object)
        }
        return .object(["id": .string(id), version == "beta" ? "steps" : "stages": .array(written)])
    }

    private func list(_ request: Request, _ path: String, _ all: [JSONValue], _ size: Int) -> Response {
        let principal = request.uri.queryParameters["$filter"].map(String.init)?.split(separator: "'").dropFirst().first
        let matching = all.filter { $0["principalId"]?.string == principal.map(String.init) }
        let start = request.uri.queryParameters["$skiptoken"].flatMap { Int($0) } ?? 0
        var page: JSONObject = ["value": .array(Array(matching.dropFirst(start).prefix(size)))]
        if start + size < matching.count, let principal {
            page["@odata.nextLink"] = .string(
                "\(address)\(path)?$filter=principalId%20eq%20'\(principal)'&$skiptoken=\(start + size)")
        }
        return Self.json(.object(page))
    }
}
