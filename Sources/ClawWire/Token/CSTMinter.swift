/// A token just made.
public struct MintedToken: Sendable, Hashable {
    /// The token itself.
    public let token: BearerToken
    /// Its name.
    public let hash: TokenHash
    /// Its claims.
    public let claims: CSTClaims
}

/// Why a token could not be made.
public struct CSTMintError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// The claims would make a token that no verifier accepts.
        case claimsInvalid = "claims_invalid"
        /// The token made again from recorded claims is not the recorded one: claims, key or secret differ.
        case hashMismatch = "hash_mismatch"
    }
    /// What is wrong.
    public let code: Code
    /// The signing key.
    public let kid: KeyID
    /// A sentence for people.
    public let detail: String
    /// Trying again with the same input gives the same error.
    public var isRetriable: Bool { false }
    /// Code, key and sentence.
    public var description: String { "\(code.rawValue) (key \(kid)): \(detail)" }
}

/// Mints tokens with one key: compact JWS, `alg` EdDSA (RFC 7515, RFC 8037), byte for byte as clawscope does.
///
/// Ed25519 is deterministic, so the same claims and key give the same token: it is made again where it is needed and
/// stored nowhere. The header is encoded once, when the minter is made.
public struct CSTMinter: Sendable {
    private let signer: any Ed25519Signer
    private let prefix: [UInt8]
    /// The key's `kid`.
    public let kid: KeyID

    /// Makes a minter for a key.
    public init(signer: any Ed25519Signer) {
        self.signer = signer
        kid = signer.publicKey.kid
        var prefix: [UInt8] = []
        Base64URL.append(Array("{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"\(kid.rawValue)\"}".utf8), to: &prefix)
        prefix.append(UInt8(ascii: "."))
        self.prefix = prefix
    }

    /// Mints a token.
    ///
    /// - Throws: ``CSTMintError`` when subject, audience or scope is empty or `exp` is not later than `iat`; what the
    ///   signer throws.
    public func mint(_ claims: CSTClaims) throws -> MintedToken {
        guard !claims.subject.isEmpty, !claims.audience.names.isEmpty, !claims.scope.isEmpty else {
            throw CSTMintError(
                code: .claimsInvalid, kid: kid, detail: "a token needs a subject, an audience and a scope")
        }
        guard claims.expiresAt > claims.issuedAt, claims.issuedAt >= 0, claims.expiresAt <= CSTClaims.latestSecond
        else {
            throw CSTMintError(
                code: .claimsInvalid, kid: kid,
                detail: "exp \(claims.expiresAt) is not later than iat \(claims.issuedAt), or not a second of our era")
        }
        let text = try sign(claims.json)
        return MintedToken(
            token: BearerToken(String(decoding: text, as: UTF8.self)), hash: TokenHash(Digest(hashing: text)),
            claims: claims)
    }

    private func sign(_ payload: [UInt8]) throws -> [UInt8] {
        var text = prefix
        text.reserveCapacity(2_048)
        Base64URL.append(payload, to: &text)
        let signature = try signer.sign(text)
        text.append(UInt8(ascii: "."))
        Base64URL.append(signature.bytes, to: &text)
        return text
    }

    /// Makes a token again from its recorded payload, ``CSTClaims/json`` of its claims, and proves it to be the recorded
    /// one.
    ///
    /// - Throws: ``CSTMintError`` with `hash_mismatch` when it is another token; what the signer throws.
    public func remint(payload: [UInt8], expecting hash: TokenHash) throws -> BearerToken {
        let text = try sign(payload)
        let found = TokenHash(Digest(hashing: text))
        guard found == hash else {
            throw CSTMintError(
                code: .hashMismatch, kid: kid, detail: "the payload gives token \(found), recorded is \(hash)")
        }
        return BearerToken(String(decoding: text, as: UTF8.self))
    }

    /// Makes a token again from recorded claims and proves it to be the recorded one.
    ///
    /// - Throws: ``CSTMintError`` with `hash_mismatch` when it is another token; what ``mint(_:)`` throws.
    public func remint(_ claims: CSTClaims, expecting hash: TokenHash) throws -> MintedToken {
        let minted = try mint(claims)
        guard minted.hash == hash else {
            throw CSTMintError(
                code: .hashMismatch, kid: kid, detail: "the claims give token \(minted.hash), recorded is \(hash)")
        }
        return minted
    }
}
