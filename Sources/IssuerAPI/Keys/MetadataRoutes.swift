import ClawWire
import GrantWorker
import HTTPService

/// What the issuer says of itself: authorization server metadata (RFC 8414), and the transmitter's metadata of the Shared
/// Signals Framework where it sends signals.
struct MetadataRoutes: RouteGroup {
    let settings: HTTPSettings
    /// Address of the list of status lists; `nil` without status lists.
    let statusListAggregation: String?
    /// Members that other parts add to the server's metadata.
    let additions: JSONObject
    /// The transmitter's metadata.
    let signals: JSONObject?

    var routes: [Route] {
        var routes = [document("/.well-known/oauth-authorization-server", server)]
        if let signals { routes.append(document("/.well-known/ssf-configuration", signals)) }
        return routes
    }

    private var server: JSONObject {
        let issuer = settings.issuer
        var methods: [JSONValue] = ["client_secret_basic"]
        if settings.tls?.clientAuthorityFile != nil { methods.append("tls_client_auth") }
        var object: JSONObject = [
            "issuer": .string(issuer), "jwks_uri": .string("\(issuer)/v1/jwks"),
            // Nobody is sent here to sign in, and no grant is exchanged for a token: both lists are empty.
            "response_types_supported": [], "grant_types_supported": [],
            "introspection_endpoint": .string("\(issuer)/introspect"),
            // RFC 8414 section 2: methods of the token endpoint, and types of access tokens.
            "introspection_endpoint_auth_methods_supported": .array(methods + ["Bearer"]),
            "revocation_endpoint": .string("\(issuer)/revoke"),
            "revocation_endpoint_auth_methods_supported": .array(methods),
            "clawgrant_rotation_contract_endpoint": .string("\(issuer)/v1/keys/rotation-contract"),
            "clawgrant_key_transparency_endpoint": .string("\(issuer)/v1/keys/transparency/latest"),
            "clawgrant_log_keys_endpoint": .string("\(issuer)/v1/keys/log"),
            "clawgrant_revocations_endpoint": .string("\(issuer)/v1/revocations"),
        ]
        object["status_list_aggregation_endpoint"] = statusListAggregation.map { .string($0) }
        for member in additions.members { object[member.key] = member.value }
        return object
    }

    private func document(_ path: String, _ value: JSONObject) -> Route {
        let bytes = JSONWriter.bytes(.object(value), order: .asGiven)
        return Route("GET", path, access: .open, bodyBytes: 0, sharing: .anyOrigin) { request in
            .document(bytes, maximumAge: KeyRoutes.maximumAge, to: request.http)
        }
    }
}
