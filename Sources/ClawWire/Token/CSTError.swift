/// Why a token is refused, with the code the Claw services answer (WIRE sections 4, 6 and 16).
public struct CSTError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// Not three segments of base64url JSON.
        case malformed = "TOKEN_MALFORMED"
        /// The header's `alg` is not `EdDSA`.
        case unsupportedAlgorithm = "TOKEN_UNSUPPORTED_ALG"
        /// `token_version` is present and not "1".
        case unknownVersion = "TOKEN_UNKNOWN_VERSION"
        /// A claim is missing or has another type or form than the profile says.
        case invalidClaims = "TOKEN_INVALID_CLAIMS"
        /// `exp` is not later than now.
        case expired = "TOKEN_EXPIRED"
        /// `nbf` is later than now.
        case notYetValid = "TOKEN_NOT_YET_VALID"
        /// The header has no `kid` and the rules demand one.
        case kidMissing = "TOKEN_KID_MISSING"
        /// No accepted key has the header's `kid`.
        case unknownKid = "TOKEN_UNKNOWN_KID"
        /// The key named by `kid` is past its overlap window.
        case kidExpired = "TOKEN_KID_EXPIRED"
        /// The signature is not the key's.
        case signatureInvalid = "TOKEN_SIGNATURE_INVALID"
        /// `iat` is further in the future than the rules allow.
        case issuedInFuture = "TOKEN_ISSUED_IN_FUTURE"
        /// `exp` − `iat` exceeds the rules' maximum, or is not positive.
        case lifetimeTooLong = "TOKEN_LIFETIME_TOO_LONG"
        /// There is no `token_scope_hash_b64u` and the rules demand one.
        case scopeHashRequired = "TOKEN_SCOPE_HASH_REQUIRED"
        /// `token_scope_hash_b64u` is not the hash of the claims.
        case scopeHashMismatch = "TOKEN_SCOPE_HASH_MISMATCH"
        /// No value of `aud` is an expected audience.
        case badAudience = "TOKEN_BAD_AUDIENCE"
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people; it never holds the token.
    public let message: String
    /// The HTTP status the services answer with: 403 for an audience, else 401.
    public var status: Int { code == .badAudience ? 403 : 401 }

    /// Makes an error with the reference's sentence, or with one of the caller's.
    public init(_ code: Code, _ message: String? = nil) {
        self.code = code
        self.message = message ?? code.sentence
    }

    /// For example `TOKEN_EXPIRED: Token has expired`.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension CSTError.Code {
    var sentence: String {
        switch self {
        case .malformed: "CST token must be a JWT (header.payload.signature)"
        case .unsupportedAlgorithm: "Unsupported token algorithm (expected EdDSA)"
        case .unknownVersion: "Unknown token_version"
        case .invalidClaims: "Token claims do not match scoped_token_claims.v1 schema"
        case .expired: "Token has expired"
        case .notYetValid: "Token is not valid yet"
        case .kidMissing: "Token header names no kid"
        case .unknownKid: "Unknown token kid"
        case .kidExpired: "Token kid is no longer within accepted overlap window"
        case .signatureInvalid: "Token signature verification failed"
        case .issuedInFuture: "Token was issued in the future"
        case .lifetimeTooLong: "Token lifetime exceeds the maximum"
        case .scopeHashRequired: "Token carries no token_scope_hash_b64u"
        case .scopeHashMismatch: "Token scope hash does not match its claims"
        case .badAudience: "Token audience is not accepted"
        }
    }
}
