import ClawWire

/// A JSON Web Signature in compact form (RFC 7515 section 7.1), with its content inside or detached.
///
/// Taken algorithms are EdDSA with Ed25519, ES256 and RS256. A critical header, which this does not know (section
/// 4.1.11), and so unencoded content (RFC 7797), is refused.
struct HeaderJWS {
    /// Most bytes of a protected header, encoded.
    private static let maximumHeaderBytes = 4_096

    private let algorithm: HeaderKey.Algorithm
    private let kid: String?
    private let field: String
    private let signingInput: [UInt8]
    private let signature: [UInt8]
    /// The content that is signed.
    let payload: [UInt8]

    /// Reads the compact form; `detached` is the content when the form itself must have none.
    ///
    /// - Throws: ``SourceFault`` `unsigned` for what is no JWS, `malformed_signature`.
    init(compact text: [UInt8], detached: [UInt8]? = nil, field: String) throws(SourceFault) {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, !parts[2].isEmpty else {
            throw SourceFault(.unsigned, field: field, "this is no JWS in compact form")
        }
        guard parts[0].count <= Self.maximumHeaderBytes, let header = Base64URL.decode(parts[0]),
            let object = (try? JSONReader.parse(header, limits: .token))?.object
        else { throw SourceFault(.malformedSignature, field: field, "the JWS has no readable header") }
        guard object["crit"] == nil, object["b64"] == nil else {
            throw SourceFault(.malformedSignature, field: field, "the JWS has a critical header")
        }
        guard let name = object["alg"]?.string, let algorithm = HeaderKey.Algorithm(rawValue: name) else {
            throw SourceFault(
                .malformedSignature, field: field,
                "the algorithm is not one of " + HeaderKey.Algorithm.allCases.map(\.rawValue).joined(separator: ", "))
        }
        if let kid = object["kid"], kid.string == nil {
            throw SourceFault(.malformedSignature, field: field, "kid is no text")
        }
        guard let signature = Base64URL.decode(parts[2]) else {
            throw SourceFault(.malformedSignature, field: field, "the signature is not base64url")
        }
        self.algorithm = algorithm
        self.field = field
        self.signature = signature
        kid = object["kid"]?.string
        var input = Array(parts[0]) + [UInt8(ascii: ".")]
        if let detached {
            guard parts[1].isEmpty else {
                throw SourceFault(.malformedSignature, field: field, "the content stands in the header, not detached")
            }
            Base64URL.append(detached, to: &input)
            payload = detached
        } else {
            guard let content = Base64URL.decode(parts[1]) else {
                throw SourceFault(.malformedSignature, field: field, "the content is not base64url")
            }
            input.append(contentsOf: parts[1])
            payload = content
        }
        signingInput = input
    }

    /// The name of the key set that signed.
    ///
    /// - Throws: ``SourceFault`` `unknown_signer` or `signature_invalid`.
    func signer(among sets: [HeaderKeySet]) throws(SourceFault) -> String {
        var isKnown = false
        for set in sets {
            for key in set.keys where key.algorithm == algorithm && (kid == nil || key.kid == kid) {
                isKnown = true
                if key.isValid(signature, over: signingInput) { return set.name }
            }
        }
        guard isKnown else {
            throw SourceFault(.unknownSigner, field: field, "no key in force has this kid and algorithm")
        }
        throw SourceFault(.signatureInvalid, field: field, "the signature is not that of the key over this content")
    }
}
