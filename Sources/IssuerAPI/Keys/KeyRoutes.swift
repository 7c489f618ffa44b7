import ClawWire
import GrantWorker
import HTTPService

/// The public documents of the issuer's keys (WIRE section 5).
struct KeyRoutes: RouteGroup {
    /// For how many seconds verifiers may keep the documents. Rotation waits for as long; see docs/keys.md.
    static let maximumAge: Int64 = 300
    let documents: IssuerKeyDocuments
    let clock: @Sendable () -> Timestamp

    var routes: [Route] {
        [
            document("/v1/jwks", keySet),
            // Where programs that know an issuer by its name alone look.
            document("/.well-known/jwks.json", keySet),
            document("/v1/keys/rotation-contract") { now in
                documents.roster(at: now).map { RotationContract(roster: $0).json }
            },
            document("/v1/keys/log") { JWKS.document(documents.logKeys(at: $0), now: $0) },
            document("/v1/did") { now in
                documents.accepted(at: now).active.map { active in
                    [
                        "did": .string(active.key.did), "kid": .string(active.kid.rawValue),
                        "public_key_b64u": .string(Base64URL.encode(active.key.bytes)),
                    ]
                }
            },
            Route(
                "GET", "/v1/keys/transparency/latest", access: .open, bodyBytes: 0, errors: .reference,
                sharing: .anyOrigin
            ) { request in
                let now = clock()
                guard let snapshot = try? documents.snapshot(at: now) else { return Self.unavailable }
                return .document(
                    JSONWriter.bytes(snapshot.json, order: .asGiven),
                    maximumAge: IssuerKeyDocuments.snapshotSeconds - (now.seconds - snapshot.generatedAt),
                    to: request.http)
            },
        ]
    }

    @Sendable private func keySet(at now: Timestamp) -> JSONValue? {
        JWKS.document(documents.accepted(at: now), signals: documents.signalKeys(at: now), now: now)
    }

    private func document(_ path: String, _ make: @escaping @Sendable (Timestamp) -> JSONValue?) -> Route {
        Route("GET", path, access: .open, bodyBytes: 0, errors: .reference, sharing: .anyOrigin) { request in
            guard let value = make(clock()) else { return Self.unavailable }
            return .document(
                JSONWriter.bytes(value, order: .asGiven), maximumAge: Self.maximumAge, to: request.http)
        }
    }

    private static var unavailable: HTTPServiceResponse {
        APIFailure(
            .unavailable, code: "KEY_TRANSPARENCY_UNAVAILABLE", "no key can sign now; see `clawgrant keys show`",
            retryAfter: 30
        ).response(.reference)
    }
}
