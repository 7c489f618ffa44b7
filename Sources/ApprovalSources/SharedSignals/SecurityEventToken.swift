import ClawWire

/// A Security Event Token (RFC 8417) in the compact form of a signed JWT (RFC 7515 section 3.1).
struct SecurityEventToken {
    /// Longest token that is read, in bytes.
    static let maximumBytes = 65_536

    let header: JSONValue
    let claims: JSONValue
    private let signedText: [UInt8]
    private let signature: [UInt8]

    /// Takes a token apart. Nothing of it is proven.
    ///
    /// - Throws: ``SourceFault`` `too_large`, `malformed` when it is no compact JWS, `not_json` when header or claims are
    ///   none.
    init(compact bytes: [UInt8], limits: JSONLimits) throws(SourceFault) {
        guard bytes.count <= Self.maximumBytes else {
            throw SourceFault(.tooLarge, "\(bytes.count) bytes; at most \(Self.maximumBytes)")
        }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let claims = Base64URL.decode(parts[1]),
            let signature = parts[2].isEmpty ? [] : Base64URL.decode(parts[2])
        else { throw SourceFault(.malformed, "three parts in base64url were expected, with points between them") }
        self.header = try JSONSource.parse(header, limits)
        self.claims = try JSONSource.parse(claims, limits)
        signedText = Array(bytes[..<parts[2].startIndex].dropLast())
        self.signature = signature
    }

    /// True for bytes that look like a compact JWS: a header that is JSON, three parts.
    static func isCompact(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: Array("eyJ".utf8)) && bytes.count <= maximumBytes
            && bytes.count { $0 == UInt8(ascii: ".") } == 2
    }

    /// Verifies the signature by the key that the header names.
    ///
    /// - Returns: the key's `kid`.
    /// - Throws: ``SourceFault`` `unsigned`, `malformed_signature`, `unknown_signer` or `signature_invalid`.
    func verify(by keys: [PublicJWK]) throws(SourceFault) -> KeyID {
        guard !signature.isEmpty else { throw SourceFault(.unsigned, "the token has no signature") }
        guard header["crit"] == nil else {
            throw SourceFault(
                .malformedSignature, field: "crit", "the token demands an extension that is not known here")
        }
        guard let name = header["alg"]?.string, let algorithm = PublicJWK.Algorithm(rawValue: name) else {
            throw SourceFault(.malformedSignature, field: "alg", "ES256, RS256 or EdDSA was expected")
        }
        guard let kid = header["kid"]?.string, let key = keys.first(where: { ExactText.equal($0.kid, kid) }) else {
            throw SourceFault(.unknownSigner, field: "kid", "the key is not listed for the source")
        }
        // The key says what it is for; a header must not choose another algorithm for it.
        guard key.algorithm == algorithm else {
            throw SourceFault(.malformedSignature, field: "alg", "the key is for \(key.algorithm.rawValue)")
        }
        guard key.isValidSignature(signature, for: signedText) else {
            throw SourceFault(.signatureInvalid, "the signature is not that of the key under this kid")
        }
        return KeyID(key.kid)
    }

    // MARK: Claims

    var tokenID: String? { VendorText.identifier(claims["jti"], maximumBytes: 512) }
    var issuer: String? { VendorText.identifier(claims["iss"], maximumBytes: 512) }
    var issuedAt: Timestamp? { claims["iat"]?.integer.flatMap { $0 > 0 ? Timestamp(seconds: $0) : nil } }

    var audience: [String] {
        claims["aud"]?.string.map { [$0] } ?? claims["aud"]?.array?.prefix(64).compactMap(\.string) ?? []
    }

    /// True for the form of RFC 8417 section 2 under the Shared Signals Framework: its own `typ`, identified, dated, with
    /// events, and neither `sub` nor `exp`, so that no access token can pass for one.
    var isWellFormed: Bool {
        let type = header["typ"]?.string.map { TextRules.folded($0) }
        return (type == "secevent+jwt" || type == "application/secevent+jwt") && tokenID != nil && issuer != nil
            && issuedAt != nil && claims["sub"] == nil && claims["exp"] == nil && claims["sub_id"]?.object != nil
            && claims["events"]?.object.map { !$0.isEmpty && $0.count <= 16 } ?? false
            && claims["events"]?.object?.members.allSatisfy { $0.value.object != nil } ?? false
    }
}
