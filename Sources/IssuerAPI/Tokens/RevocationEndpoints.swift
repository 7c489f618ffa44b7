import ClawWire
import GrantVerifier
import HTTPService
import Metrics

/// Ends tokens: as RFC 7009 does, and as the reference does (WIRE section 5).
struct RevocationEndpoints: RouteGroup {
    private static let bodyBytes = 3 * CSTLimits.standard.maximumBytes + 2_048
    /// The reference's bound on reasons, in UTF-16 units.
    private static let reasonUnits = 256
    let judge: TokenJudge
    let revoker: TokenRevoker
    private let revoked = Counter(label: "clawgrant_http_revocations_total")

    init(judge: TokenJudge, revoker: TokenRevoker) {
        self.judge = judge
        self.revoker = revoker
    }

    var routes: [Route] {
        [
            Route(
                "POST", "/revoke", access: .caller(.revoke), bodyBytes: Self.bodyBytes, errors: .oauth,
                respond: { await standard($0) }),
            Route(
                "POST", "/v1/tokens/revoke", access: .caller(.revoke), bodyBytes: Self.bodyBytes, errors: .reference,
                respond: { await reference($0) }),
        ]
    }

    /// A token that is not one of ours, that is over or that is revoked already needs no revocation: it is answered as if
    /// it had been one (RFC 7009 section 2.2).
    private func standard(_ request: RouteRequest) async -> HTTPServiceResponse {
        do throws(APIFailure) {
            let token = try TokenParameters(form: request.http).token
            switch await judge.standing(of: token) {
            case .active(let known): try await revoke(known.verified.hash, request, reason: nil)
            // Its signature is good, or nobody knows better: it may be a token that will be or was issued.
            case .notIssued(let token): try await revoke(token.hash, request, reason: nil)
            case .unknown: try await revoke(TokenHash(Digest(hashing: token)), request, reason: nil)
            // What is refused here may be taken by whoever asks less, or asks later.
            case .invalid(let fault) where fault.leavesUsable:
                try await revoke(TokenHash(Digest(hashing: token)), request, reason: nil)
            case .revoked, .invalid: break
            }
            return HTTPServiceResponse(status: 200, fields: [.noStore])
        } catch {
            return error.response(.oauth)
        }
    }

    /// The hash that a body names; `nil` when it names none.
    private func tokenHash(_ body: JSONObject) throws(APIFailure) -> TokenHash? {
        guard let value = body["token_hash"], value != .null else { return nil }
        guard let text = value.string, let given = TokenHash(hex: ExactText.trimmed(text)) else {
            throw APIFailure(
                .malformed, code: "INVALID_TOKEN_HASH", "token_hash must be a 64-character hex SHA-256")
        }
        return given
    }

    private func reference(_ request: RouteRequest) async -> HTTPServiceResponse {
        do throws(APIFailure) {
            let body = try TokenParameters.json(request.http)
            let given = try tokenHash(body)
            let hash: TokenHash
            if let token = body["token"]?.string, !ExactText.trimmed(token).isEmpty {
                hash = TokenHash(Digest(hashing: ExactText.trimmed(token)))
            } else if let given {
                hash = given
            } else {
                throw APIFailure(.malformed, "token or token_hash is required")
            }
            var reason = body["reason"]?.string.map { ExactText.trimmed($0) }
            if let text = reason { reason = String(decoding: text.utf16.prefix(Self.reasonUnits), as: UTF16.self) }
            let result = try await revoke(hash, request, reason: reason?.isEmpty == false ? reason : nil)
            let at = Timestamp(seconds: result.at.seconds)
            var answer: JSONObject = [
                "status": result.isNew ? "revoked" : "already_revoked", "token_hash": .string(hash.hex),
                "revoked_at": .integer(at.seconds), "revoked_at_iso": .string(at.iso8601),
            ]
            if result.isNew { answer["event_key"] = .string(RevocationRoutes.eventKey(hash.hex, at: at)) }
            return .json(200, .object(answer), fields: [.noStore])
        } catch {
            return error.response(.reference)
        }
    }

    @discardableResult
    private func revoke(
        _ hash: TokenHash, _ request: RouteRequest, reason: String?
    ) async throws(APIFailure) -> TokenRevoker.Revoked {
        let result = try await revoker.revoke(hash, by: request.caller.name ?? "unknown", reason: reason)
        if result.isNew { revoked.increment() }
        return result
    }
}
