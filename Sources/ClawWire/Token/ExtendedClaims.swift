/// Which claims a token may hold.
public enum CSTProfile: String, Sendable, Hashable {
    /// Exactly the v1 claims: what clawproxy and clawscope's introspection accept, and the strict schema too.
    case compatible
    /// The v1 claims, then `cst_profile`, `iss`, `nbf`, `cnf` and `authorization_details`.
    case extended

    /// The value of the claim `cst_profile`; the compatible profile has no such claim.
    public static let extendedMarker = "clawgrant.extended.1"
}

/// The claims that the extended profile adds after the v1 ones.
///
/// Verifiers of the reference ignore them, so they may narrow what a token is good for but never widen it.
public struct ExtendedClaims: Sendable, Hashable {
    /// Whom a token is bound to (RFC 7800 `cnf`).
    public enum Confirmation: Sendable, Hashable {
        /// A public key in full (RFC 7800 §3.2).
        case key(JSONObject)
        /// The SHA-256 thumbprint of a public key (RFC 7638, RFC 9449 §6.1 `jkt`).
        case thumbprint(HashText)
    }

    /// `iss`: the issuer.
    public var issuer: String
    /// `nbf`, seconds since the epoch (RFC 7519 §4.1.5).
    public var notBefore: Int64?
    /// `cnf`.
    public var confirmation: Confirmation?
    /// `authorization_details` (RFC 9396): objects with a `type`.
    public var authorizationDetails: [JSONObject]

    /// Makes extended claims.
    public init(
        issuer: String, notBefore: Int64? = nil, confirmation: Confirmation? = nil,
        authorizationDetails: [JSONObject] = []
    ) {
        self.issuer = issuer
        self.notBefore = notBefore
        self.confirmation = confirmation
        self.authorizationDetails = authorizationDetails
    }

    static let names = ["cst_profile", "iss", "nbf", "cnf", "authorization_details"]

    /// The members in printing order.
    var members: [(String, JSONValue)] {
        var members: [(String, JSONValue)] = [
            ("cst_profile", .string(CSTProfile.extendedMarker)), ("iss", .string(issuer)),
        ]
        if let notBefore { members.append(("nbf", .integer(notBefore))) }
        switch confirmation {
        case .key(let key): members.append(("cnf", ["jwk": .object(key)]))
        case .thumbprint(let hash): members.append(("cnf", ["jkt": .string(hash.text)]))
        case nil: break
        }
        if !authorizationDetails.isEmpty {
            members.append(("authorization_details", .array(authorizationDetails.map { .object($0) })))
        }
        return members
    }

    /// Reads the extended claims of a payload; `nil` when it has no `cst_profile`.
    ///
    /// An unknown profile, or a claim of ours in another form, is refused: each of these claims restricts.
    static func parse(_ payload: JSONObject) throws(CSTError) -> ExtendedClaims? {
        guard let marker = payload["cst_profile"] else {
            // A foreign token's `nbf` or `cnf` without the marker would restrict in a way nobody checks here.
            guard payload["nbf"] == nil, payload["cnf"] == nil else {
                throw CSTError(.invalidClaims, "nbf and cnf need the claim cst_profile")
            }
            return nil
        }
        guard marker.string == CSTProfile.extendedMarker else {
            throw CSTError(.invalidClaims, "the claim cst_profile names an unknown profile")
        }
        guard let issuer = payload["iss"]?.string, !ExactText.trimmed(issuer).isEmpty else {
            throw CSTError(.invalidClaims, "the extended profile needs the claim iss")
        }
        var claims = ExtendedClaims(issuer: issuer)
        if let notBefore = payload["nbf"] {
            guard let seconds = notBefore.integer, seconds >= 0 else {
                throw CSTError(.invalidClaims, "the claim nbf is not a whole number of seconds")
            }
            claims.notBefore = seconds
        }
        if let confirmation = payload["cnf"] { claims.confirmation = try parse(confirmation: confirmation) }
        if let details = payload["authorization_details"] {
            guard let elements = details.array else {
                throw CSTError(.invalidClaims, "the claim authorization_details is not a list")
            }
            for element in elements {
                guard let object = element.object, object["type"]?.string?.isEmpty == false else {
                    throw CSTError(.invalidClaims, "authorization_details holds an entry without a type")
                }
                claims.authorizationDetails.append(object)
            }
        }
        return claims
    }

    private static func parse(confirmation: JSONValue) throws(CSTError) -> Confirmation {
        guard let object = confirmation.object, object.count == 1 else {
            throw CSTError(.invalidClaims, "the claim cnf must hold exactly one of jwk and jkt")
        }
        if let key = object["jwk"]?.object, key["kty"]?.string != nil, key["d"] == nil { return .key(key) }
        if let text = object["jkt"]?.string, let hash = HashText(text) { return .thumbprint(hash) }
        throw CSTError(.invalidClaims, "the claim cnf must hold a public jwk or a SHA-256 jkt")
    }
}
