public import ClawWire
import Foundation
import Primitives

/// Reads requests, their approvals and what they led to from Microsoft Graph as an application.
///
/// Safe to use from any task. ``close()`` it before it is let go.
public final class GraphReader: Sendable {
    private struct Guard {
        var breaker: CircuitBreaker
        var pausedUntil: ContinuousClock.Instant?
    }

    private let settings: GraphSettings
    private let transport: HTTPTransport
    private let tokens: TokenCache
    private let now: @Sendable () -> Timestamp
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state: Lock<Guard>

    /// Makes a reader; nothing is asked yet.
    ///
    /// - Parameters:
    ///   - credentials: who asks.
    ///   - settings: where and how.
    ///   - now: the present.
    ///   - sleep: waits between two attempts.
    public init(
        _ credentials: GraphCredentials, settings: GraphSettings = GraphSettings(),
        now: @escaping @Sendable () -> Timestamp = { GraphReader.clock() },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.settings = settings
        self.now = now
        self.sleep = sleep
        transport = HTTPTransport(settings)
        tokens = TokenCache(credentials: credentials, settings: settings, transport: transport, now: now)
        state = Lock(Guard(breaker: CircuitBreaker(limit: settings.breakerFailures, pause: settings.breakerPause)))
    }

    // Connections of a reader that nobody closed are closed behind it.
    deinit { transport.abandon() }

    /// This host's clock.
    public static func clock() -> Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }

    /// Closes its connections.
    public func close() async { await transport.close() }

    /// True while the service is left alone because it is not well.
    public var isCircuitOpen: Bool { state.withLock { $0.breaker.isOpen } }

    /// Reads what a target is at this moment.
    ///
    /// - Throws: ``GraphError``; nothing is known then.
    public func read(_ target: GraphTarget) async throws(GraphError) -> GraphAnswer {
        let askedAt = now()
        var trail = Trail()
        try await verifyTenant(target.tenant, &trail)
        guard let request = try await get(target.request, target.tenant, &trail) else {
            return GraphAnswer(
                target, document: nil, requestIDs: trail.requestIDs, askedAt: askedAt, answeredAt: now())
        }
        guard request.object != nil else {
            throw GraphError(.malformed, "the request is no object", requestID: trail.requestIDs.last)
        }
        var document: JSONObject = [
            "kind": "graph.poll", "tenantId": .string(target.tenant), "request": request, "approval": .null,
            "instances": [],
        ]
        if let id = target.approvalID(of: request) {
            document["approval"] = try await approval(id, target, &trail) ?? .null
        }
        switch target.holding(of: request) {
        case .instances(let path):
            document["instances"] = .array(
                try await list(path, target.tenant, &trail).filter { Self.isOfSchedule($0, request) })
        case .assignment(let path):
            document["instances"] = .array([try await get(path, target.tenant, &trail)].compactMap(\.self))
        case nil: break
        }
        return GraphAnswer(
            target, document: .object(document), requestIDs: trail.requestIDs, askedAt: askedAt, answeredAt: now())
    }

    /// What else a person holds is no part of the evidence.
    private static func isOfSchedule(_ instance: JSONValue, _ request: JSONValue) -> Bool {
        let schedule = (instance["roleAssignmentScheduleId"] ?? instance["assignmentScheduleId"])?.string?.lowercased()
        guard let schedule else { return false }
        return schedule == request["targetScheduleId"]?.string?.lowercased()
            || schedule == request["id"]?.string?.lowercased()
    }

    // MARK: Questions

    private struct Trail {
        var requestIDs: [String] = []
    }

    /// A token's tenant is what the service says, not what it was asked for.
    private func verifyTenant(_ tenant: String, _ trail: inout Trail) async throws(GraphError) {
        let (token, isVerified) = try await token(tenant)
        guard !isVerified else { return }
        let organization = try await get("v1.0/organization?$select=id", tenant, &trail)
        guard organization?["value"]?.array?.first?["id"]?.string?.lowercased() == tenant else {
            await tokens.forget(token, of: tenant)
            throw GraphError(
                .wrongTenant, "the token is of another tenant than the approval", requestID: trail.requestIDs.last)
        }
        await tokens.verified(token, of: tenant)
    }

    private func approval(
        _ id: String, _ target: GraphTarget, _ trail: inout Trail
    ) async throws(GraphError) -> JSONValue? {
        for path in target.approvals(id) {
            if let approval = try await get(path, target.tenant, &trail, refusalIsNone: true) { return approval }
        }
        return nil
    }

    private func list(
        _ path: String, _ tenant: String, _ trail: inout Trail
    ) async throws(GraphError) -> [JSONValue] {
        var elements: [JSONValue] = []
        var next: String? = path
        for _ in 0..<settings.maximumPages {
            guard let page = next else { return elements }
            guard let answer = try await get(page, tenant, &trail) else { return elements }
            guard let values = answer["value"]?.array else {
                throw GraphError(.malformed, "a list has no value", requestID: trail.requestIDs.last)
            }
            elements += values
            next = nil
            if let link = answer["@odata.nextLink"]?.string {
                // A token is sent to no other host, whatever an answer says.
                guard link.hasPrefix("\(settings.endpoint)/") else {
                    throw GraphError(
                        .malformed, "a list goes on at another address", requestID: trail.requestIDs.last)
                }
                next = String(link.dropFirst(settings.endpoint.utf8.count + 1))
            }
        }
        guard next == nil else {
            throw GraphError(.malformed, "a list has more than \(settings.maximumPages) pages")
        }
        return elements
    }

    /// Asks for one document.
    ///
    /// - Parameter refusalIsNone: takes 400 for the answer of a version that does not know the segment.
    /// - Returns: `nil` when the service does not know it.
    private func get(
        _ path: String, _ tenant: String, _ trail: inout Trail, refusalIsNone: Bool = false
    ) async throws(GraphError) -> JSONValue? {
        let what = "GET \(path.prefix { $0 != "?" })"
        var refused: AccessToken?
        var attempt = 0
        while true {
            attempt += 1
            try admit()
            let token = try await token(tenant, refused: refused)
            do throws(GraphError) {
                let answer = try await transport.send(
                    .get(
                        "\(settings.endpoint)/\(path)", token: token.token,
                        requestID: UUID().uuidString.lowercased()), what: what)
                if let id = answer.requestID { trail.requestIDs.append(id) }
                switch answer.status {
                case 200:
                    note(nil)
                    return try document(answer, what)
                case 404:
                    note(nil)
                    return nil
                case 400 where refusalIsNone:
                    note(nil)
                    return nil
                case 401 where refused == nil:
                    // Revoked before its time, or expired on the way.
                    note(nil)
                    refused = token.token
                    continue
                default: throw Self.error(answer, what)
                }
            } catch {
                note(error)
                guard error.isRetriable, attempt < settings.attempts else { throw error }
                let wait = error.retryAfter ?? .milliseconds(100 << attempt)
                guard wait <= settings.longestWait else { throw error }
                do {
                    try await sleep(wait)
                } catch {
                    throw GraphError(.unavailable, "\(what) was cut short")
                }
            }
        }
    }

    private func token(
        _ tenant: String, refused: AccessToken? = nil
    ) async throws(GraphError) -> (token: AccessToken, isVerified: Bool) {
        do {
            return try await tokens.token(of: tenant, refused: refused)
        } catch {
            throw error as? GraphError ?? GraphError(.unavailable, "asking for a token was cut short")
        }
    }

    private func document(_ answer: HTTPTransport.Answer, _ what: String) throws(GraphError) -> JSONValue {
        do {
            return try JSONReader.parse(answer.body)
        } catch {
            throw GraphError(.malformed, "\(what): the answer is no JSON", requestID: answer.requestID)
        }
    }

    private static func error(_ answer: HTTPTransport.Answer, _ what: String) -> GraphError {
        let code: GraphError.Code
        switch answer.status {
        case 401: code = .credentialsRefused
        case 403: code = .forbidden
        case 429: code = .throttled
        // An overloaded service says so with a time to come back; that is no failure of its own.
        case 503 where answer.retryAfter != nil: code = .throttled
        case 408, 500...599: code = .unavailable
        default: code = .malformed
        }
        return GraphError(
            code, "\(what) answered \(answer.status)",
            retryAfter: answer.retryAfter ?? (code == .throttled ? .seconds(10) : nil), requestID: answer.requestID)
    }

    // MARK: Leaving the service alone

    private func admit() throws(GraphError) {
        let wait = state.withLock { state -> (Duration, GraphError.Code)? in
            let now = ContinuousClock.now
            if let until = state.pausedUntil {
                if until > now { return (until - now, .throttled) }
                state.pausedUntil = nil
            }
            return state.breaker.admit(at: now).map { ($0, .circuitOpen) }
        }
        guard let wait else { return }
        throw GraphError(
            wait.1,
            wait.1 == .throttled
                ? "the service asked to be left alone" : "the service failed too often in a row and is left alone",
            retryAfter: wait.0)
    }

    private func note(_ error: GraphError?) {
        state.withLock { state in
            let now = ContinuousClock.now
            guard let error else {
                state.breaker.succeeded()
                return
            }
            if error.code == .throttled, let wait = error.retryAfter, wait > settings.longestWait {
                state.pausedUntil = now + wait
            }
            if error.countsAgainstService { state.breaker.failed(at: now) }
        }
    }
}
