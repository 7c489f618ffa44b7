import ClawWire
import GrantLedger
import GrantVerifier
import GrantWorker
import HTTPService
import Metrics

/// Says whether tokens are active: as RFC 7662 does, and as the reference does with its codes (WIRE section 4).
struct IntrospectionRoutes: RouteGroup {
    /// A token of the largest size, with every byte escaped.
    private static let bodyBytes = 3 * CSTLimits.standard.maximumBytes + 1_024
    private static let inactive = Array(#"{"active":false}"#.utf8)
    /// Answers about tokens are nobody's to keep.
    private static let fields = [HTTPServiceField("content-type", "application/json"), .noStore]
    let judge: TokenJudge
    let settings: HTTPSettings
    let metrics = IntrospectionMetrics()

    var routes: [Route] {
        let access: RouteAccess = settings.introspection.isOpen ? .open : .caller(.introspect)
        return [
            Route(
                "POST", "/introspect", access: .caller(.introspect), bodyBytes: Self.bodyBytes, errors: .oauth,
                respond: { await standard($0) }),
            Route(
                "POST", "/v1/tokens/introspect", access: access, bodyBytes: Self.bodyBytes, errors: .reference,
                respond: { await reference($0) }),
            Route(
                "POST", "/v1/tokens/introspect/matrix", access: access, bodyBytes: Self.bodyBytes, errors: .reference,
                respond: { await matrix($0) }),
        ]
    }

    // MARK: RFC 7662

    private func standard(_ request: RouteRequest) async -> HTTPServiceResponse {
        let token: String
        do {
            token = try TokenParameters(form: request.http).token
        } catch {
            return error.response(.oauth)
        }
        let standing = await judge.standing(of: token)
        metrics.answered(standing)
        switch standing {
        case .active(let known):
            let body = known.answer("rfc7662") {
                JSONWriter.bytes(.object(ActiveToken.members(known, issuer: settings.issuer)), order: .asGiven)
            }
            return HTTPServiceResponse(status: 200, fields: Self.fields, body: body)
        case .revoked, .invalid, .notIssued:
            return HTTPServiceResponse(status: 200, fields: Self.fields, body: Self.inactive)
        case .unknown(let why):
            return APIFailure(.unavailable, "the token may be good and may be revoked: \(why)", retryAfter: 1)
                .response(.oauth)
        }
    }

    // MARK: The reference's

    private func reference(_ request: RouteRequest) async -> HTTPServiceResponse {
        let token: String
        do {
            token = try Self.token(in: try TokenParameters.json(request.http))
        } catch {
            return error.response(.reference)
        }
        let standing = await judge.standing(of: token)
        metrics.answered(standing)
        switch standing {
        case .active(let known):
            let body = known.answer("reference") {
                JSONWriter.bytes(Introspection(known.verified, revokedAt: nil).body, order: .asGiven)
            }
            return HTTPServiceResponse(status: 200, fields: Self.fields, body: body)
        case .revoked(let verified, let at):
            return .json(200, Introspection(verified, revokedAt: at).body, fields: [.noStore])
        case .invalid(let fault): return Self.invalid(fault)
        case .notIssued: return Self.notIssued
        case .unknown(let why): return Self.stale(why)
        }
    }

    private func matrix(_ request: RouteRequest) async -> HTTPServiceResponse {
        let token: String
        var transition: TransitionMatrix.Transition?
        do throws(APIFailure) {
            let body = try TokenParameters.json(request.http)
            token = try Self.token(in: body)
            if let value = body["transition"], value != .null {
                guard let name = value.string, let known = TransitionMatrix.Transition(rawValue: name) else {
                    throw APIFailure(
                        .malformed, code: "TRANSITION_UNKNOWN",
                        "Unknown transition '\((value.string ?? "").prefix(64))'")
                }
                transition = known
            }
        } catch {
            return error.response(.reference)
        }
        let standing = await judge.standing(of: token)
        metrics.answered(standing)
        switch standing {
        case .active(let known):
            return .json(200, TransitionMatrix.answer(known.verified, isRevoked: false, transition), fields: [.noStore])
        case .revoked(let verified, _):
            return .json(200, TransitionMatrix.answer(verified, isRevoked: true, transition), fields: [.noStore])
        case .invalid(let fault): return Self.invalid(fault)
        case .notIssued: return Self.notIssued
        case .unknown(let why): return Self.stale(why)
        }
    }

    private static func token(in body: JSONObject) throws(APIFailure) -> String {
        guard let token = body["token"]?.string, !ExactText.trimmed(token).isEmpty else {
            throw APIFailure(.malformed, "token is required")
        }
        return ExactText.trimmed(token)
    }

    private static func invalid(_ fault: TokenFault) -> HTTPServiceResponse {
        .json(
            fault.status, ["error": .string(fault.code), "message": .string(fault.message)], fields: [.noStore])
    }

    private static var notIssued: HTTPServiceResponse {
        APIFailure(
            .unauthenticated, code: "TOKEN_NOT_ISSUED", "The token bears the issuer's signature and was never issued"
        ).response(.reference)
    }

    private static func stale(_ why: String) -> HTTPServiceResponse {
        APIFailure(.unavailable, code: "TOKEN_REVOCATION_VIEW_STALE", why, retryAfter: 1).response(.reference)
    }
}

/// Introspections by what they came to.
struct IntrospectionMetrics: Sendable {
    private static let names = ["active", "revoked", "invalid", "not_issued", "unknown"]
    private let counters: [String: Counter] = Dictionary(
        uniqueKeysWithValues: names.map {
            ($0, Counter(label: "clawgrant_introspections_total", dimensions: [("result", $0)]))
        })

    func answered(_ standing: TokenStanding) { counters[standing.name]?.increment() }
}

/// What is said of an active token (RFC 7662 section 2.2).
enum ActiveToken {
    /// The members: those of the standard, then ours.
    static func members(_ token: KnownToken, issuer: String) -> JSONObject {
        let claims = token.verified.claims
        let audience: JSONValue =
            switch claims.audience {
            case .one(let name): .string(name)
            case .many(let names): .array(names.map { .string($0) })
            }
        var object: JSONObject = [
            "active": true, "iss": .string(claims.extended?.issuer ?? issuer), "sub": .string(claims.subject),
            "aud": audience,
            // The agent is the client that the token was issued to.
            "client_id": .string(claims.subject),
        ]
        var tokenType = "Bearer"
        switch claims.extended?.confirmation {
        case .key(let key):
            object["cnf"] = ["jwk": .object(key)]
            tokenType = "DPoP"
        case .thumbprint(let hash):
            object["cnf"] = ["jkt": .string(hash.text)]
            tokenType = "DPoP"
        case nil: break
        }
        object["token_type"] = .string(tokenType)
        object["iat"] = .integer(claims.issuedAt)
        object["nbf"] = claims.extended?.notBefore.map { .integer($0) }
        object["exp"] = .integer(claims.expiresAt)
        object["jti"] = claims.tokenID.map { .string($0.rawValue) }
        object["scope"] = .string(claims.scope.joined(separator: " "))
        if let details = claims.extended?.authorizationDetails, !details.isEmpty {
            object["authorization_details"] = .array(details.map { .object($0) })
        }
        object["job_id"] = .string(token.live.jobID.rawValue)
        object["job_class"] = .string(token.live.jobClass.rawValue)
        object["request_id"] = .string(token.live.requestID.rawValue)
        object["approval_ids"] = .array(token.live.approvals.map { .string($0.rawValue) })
        object["policy_hash_b64u"] = claims.policyHash.map { .string($0.text) }
        object["token_scope_hash_b64u"] = claims.tokenScopeHash.map { .string($0.text) }
        object["token_hash"] = .string(token.verified.hash.hex)
        return object
    }
}
