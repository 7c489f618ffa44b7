/// Bounds on a compact token.
public struct CSTLimits: Sendable, Hashable {
    /// Longest compact text, in bytes.
    public var maximumBytes: Int
    /// Bounds on header and payload.
    public var json: JSONLimits

    /// Makes limits.
    public init(maximumBytes: Int = 32_768, json: JSONLimits = .token) {
        self.maximumBytes = maximumBytes
        self.json = json
    }

    /// 32 KiB, which holds every token the issuing limits allow.
    public static let standard = CSTLimits()
}

/// A token that has the right shape and whose signature nobody has looked at yet. Nothing in it may be believed.
public struct UnverifiedCST: Sendable {
    /// The compact text.
    public let token: BearerToken
    /// The header's `kid`, when it has one.
    public let kid: KeyID?
    /// What the token claims.
    public let unverifiedClaims: CSTClaims
    let signingInput: [UInt8]
    let signature: Ed25519Signature?
}

/// A token whose signature and times were checked under stated rules.
public struct VerifiedCST: Sendable, Hashable {
    /// Where the key's `kid` came from; the text is the wire form.
    public enum KidSource: String, Sendable, Hashable {
        /// The token's header.
        case header
        /// Found by trying the accepted keys.
        case recovered
    }

    /// The claims.
    public let claims: CSTClaims
    /// The token's name.
    public let hash: TokenHash
    /// The key that signed.
    public let kid: KeyID
    /// Where its `kid` came from.
    public let kidSource: KidSource
}

/// What to check of a token beside its signature, expiry and key.
public struct CSTVerification: Sendable, Hashable {
    /// Refuse a token without `kid` instead of trying every key.
    public var requiresKid: Bool
    /// Refuse claims that no profile knows.
    public var refusesUnknownClaims: Bool
    /// Refuse an `iat` later than now by more than so many seconds; `nil` to accept any.
    public var maximumSkewSeconds: Int64?
    /// Refuse a lifetime of more than so many seconds; `nil` to accept any.
    public var maximumLifetimeSeconds: Int64?
    /// Recompute the scope hash and refuse a token without it or with another.
    public var recomputesScopeHash: Bool
    /// The audiences of which the token must name at least one; `nil` to accept any.
    public var audiences: [String]?

    /// What clawscope's introspection checks: none of these.
    public static let compatible = CSTVerification(
        requiresKid: false, refusesUnknownClaims: false, maximumSkewSeconds: nil, maximumLifetimeSeconds: nil,
        recomputesScopeHash: false, audiences: nil)

    /// All of them.
    ///
    /// - Parameters:
    ///   - audiences: the names of which the token must have one; `nil` where any audience is served.
    ///   - maximumLifetimeSeconds: longest `exp` − `iat`.
    ///   - maximumSkewSeconds: how far ahead `iat` may be.
    public static func strict(
        audiences: [String]?, maximumLifetimeSeconds: Int64 = 3_600, maximumSkewSeconds: Int64 = 60
    ) -> CSTVerification {
        CSTVerification(
            requiresKid: true, refusesUnknownClaims: true, maximumSkewSeconds: maximumSkewSeconds,
            maximumLifetimeSeconds: maximumLifetimeSeconds, recomputesScopeHash: true, audiences: audiences)
    }
}

/// The Claw Scoped Token: a compact JWS (WIRE section 2).
public enum CST {
    /// Mints one token. Keep a ``CSTMinter`` where many are minted with the same key.
    ///
    /// - Throws: what ``CSTMinter/mint(_:)`` throws.
    public static func mint(_ claims: CSTClaims, signer: any Ed25519Signer) throws -> MintedToken {
        try CSTMinter(signer: signer).mint(claims)
    }

    /// Reads a compact token without verifying it.
    ///
    /// Stricter than the reference in what cannot be ours: base64url must be strict, keys must not repeat, `typ` must
    /// be `JWT` when present, and a `crit` header is refused (RFC 7515 §4.1.11).
    ///
    /// - Throws: ``CSTError`` in the reference's order: segments, header, `alg`, payload, `token_version`, claims.
    public static func parse(_ text: String, limits: CSTLimits = .standard) throws(CSTError) -> UnverifiedCST {
        let bytes = Array(text.utf8)
        guard bytes.count <= limits.maximumBytes else {
            throw CSTError(.malformed, "the token has \(bytes.count) bytes; at most \(limits.maximumBytes) are read")
        }
        let segments = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard segments.count == 3 else { throw CSTError(.malformed) }
        guard let header = json(segments[0], limits) else { throw CSTError(.malformed, "Invalid JWT header encoding") }
        guard let header = header.object else { throw CSTError(.malformed, "Invalid JWT header") }
        guard header["alg"]?.string == "EdDSA" else { throw CSTError(.unsupportedAlgorithm) }
        guard !header.contains("crit"), header["typ"].map({ $0.string == "JWT" }) ?? true else {
            throw CSTError(.malformed, "Invalid JWT header")
        }
        var kid: KeyID?
        if let value = header["kid"] {
            guard let name = value.string else { throw CSTError(.malformed, "Invalid JWT header") }
            kid = name.isEmpty ? nil : KeyID(name)
        }
        guard let payload = json(segments[1], limits) else {
            throw CSTError(.malformed, "Invalid JWT payload encoding")
        }
        let claims = try CSTClaims(payload: payload)
        return UnverifiedCST(
            token: BearerToken(text), kid: kid, unverifiedClaims: claims,
            signingInput: Array(bytes[..<(segments[2].startIndex - 1)]),
            signature: Base64URL.decode(segments[2]).flatMap { Ed25519Signature(bytes: $0) })
    }

    private static func json(_ segment: ArraySlice<UInt8>, _ limits: CSTLimits) -> JSONValue? {
        guard let bytes = Base64URL.decode(segment) else { return nil }
        return try? JSONReader.parse(bytes, limits: limits.json)
    }

    /// Verifies a token: expiry, key, signature, then what `rules` add.
    ///
    /// - Throws: ``CSTError``.
    public static func verify(
        _ token: UnverifiedCST, keys: AcceptedKeys, now: Timestamp, rules: CSTVerification
    ) throws(CSTError) -> VerifiedCST {
        let claims = token.unverifiedClaims
        guard claims.expiresAt > now.seconds else { throw CSTError(.expired) }
        let entry: AcceptedKeys.Entry
        let source: VerifiedCST.KidSource
        if let kid = token.kid {
            guard let named = keys.entries.first(where: { $0.kid == kid }) else { throw CSTError(.unknownKid) }
            guard named.isAccepted(at: now) else { throw CSTError(.kidExpired) }
            guard isSigned(token, by: named.key) else { throw CSTError(.signatureInvalid) }
            (entry, source) = (named, .header)
        } else {
            guard !rules.requiresKid else { throw CSTError(.kidMissing) }
            guard let found = keys.accepted(at: now).first(where: { isSigned(token, by: $0.key) }) else {
                throw CSTError(.signatureInvalid)
            }
            (entry, source) = (found, .recovered)
        }
        try check(claims, now: now, rules: rules)
        return VerifiedCST(claims: claims, hash: token.token.hash, kid: entry.kid, kidSource: source)
    }

    private static func isSigned(_ token: UnverifiedCST, by key: Ed25519PublicKey) -> Bool {
        guard let signature = token.signature else { return false }
        return key.isValidSignature(signature, for: token.signingInput)
    }

    private static func check(_ claims: CSTClaims, now: Timestamp, rules: CSTVerification) throws(CSTError) {
        if let notBefore = claims.extended?.notBefore, notBefore > now.seconds + (rules.maximumSkewSeconds ?? 0) {
            throw CSTError(.notYetValid)
        }
        if rules.refusesUnknownClaims, let name = claims.unknownNames.first {
            throw CSTError(.invalidClaims, "Token carries the unknown claim \(name.cut(toBytes: 64))")
        }
        if let skew = rules.maximumSkewSeconds, claims.issuedAt > now.seconds + skew {
            throw CSTError(.issuedInFuture)
        }
        if let maximum = rules.maximumLifetimeSeconds {
            let lifetime = claims.expiresAt - claims.issuedAt
            guard lifetime > 0, lifetime <= maximum else { throw CSTError(.lifetimeTooLong) }
        }
        if rules.recomputesScopeHash {
            guard let claimed = claims.tokenScopeHash else { throw CSTError(.scopeHashRequired) }
            guard claimed == HashText(ScopeHash.compute(claims)) else { throw CSTError(.scopeHashMismatch) }
        }
        if let audiences = rules.audiences {
            guard claims.audience.names.contains(where: { ExactText.contains(audiences, $0) }) else {
                throw CSTError(.badAudience)
            }
        }
    }
}
