import ClawWire

/// A proof of possession of a key for one request (DPoP, RFC 9449 section 4), checked in all that needs no memory.
struct DPoPProof: Sendable, Hashable {
    /// Why a proof is not taken.
    struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// What the answer is called: `use_dpop_nonce` asks for a proof with the nonce of the answer.
        enum Code: String, Sendable {
            case invalid = "invalid_dpop_proof"
            case useNonce = "use_dpop_nonce"
        }
        let code: Code
        let description: String

        /// The proof is well made and has no nonce of this issuer that is young enough.
        static let nonceNeeded = Fault(
            code: .useNonce,
            description: "the proof has no nonce of this issuer that is young enough; make one with the nonce in the "
                + "field DPoP-Nonce")
    }

    /// What a proof must have been made for.
    struct Expectation: Sendable {
        /// The method of the request.
        let method: String
        /// The address of the request, without query and fragment.
        let target: String
        /// The present.
        let now: Timestamp
        /// How far `iat` may lie from the present.
        let tolerance: Duration
    }

    /// The last second of the year 9999, the last that a time can name.
    private static let latestSecond: Int64 = 253_402_300_799
    /// Longest proof, in bytes.
    static let maximumBytes = 8_192

    /// JWK thumbprint (RFC 7638) of the key.
    let key: Digest
    /// Claim `jti`.
    let identifier: String
    /// Claim `iat`.
    let issuedAt: Timestamp
    /// Claim `nonce`.
    let nonce: String?
    /// Claim `seal_to`: the X25519 public key (RFC 8037) to which the answer is to be sealed, 32 bytes.
    let sealTo: [UInt8]?

    /// What no other proof has: key and identifier.
    var digest: Digest { Digest(hashing: "clawgrant proof\u{0}\(key.b64u)\u{0}\(identifier)") }

    /// Reads and checks a proof: form, key, signature, method, address and time, as RFC 9449 section 4.3 lists them.
    ///
    /// - Parameter values: the values of all fields `DPoP` of the request.
    /// - Throws: ``Fault``.
    init(_ values: [String], expecting expected: Expectation) throws(Fault) {
        guard values.count == 1, let text = values.first else {
            throw Self.fault(values.isEmpty ? "the request has no field DPoP" : "the request has several fields DPoP")
        }
        let segments = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.maximumBytes, segments.count == 3,
            let header = Self.object(segments[0]), let claims = Self.object(segments[1]),
            let signature = Base64URL.decode(segments[2]), signature.count == 64
        else { throw Self.fault("the field DPoP is no signed JWT of at most \(Self.maximumBytes) bytes") }
        guard header["typ"]?.string == "dpop+jwt" else { throw Self.fault("typ is not dpop+jwt") }
        guard header["crit"] == nil else { throw Self.fault("no extension named in crit is known here") }
        let jwk = try Self.key(header)
        guard jwk.isValidSignature(signature, for: Array(segments[0]) + [UInt8(ascii: ".")] + Array(segments[1])) else {
            throw Self.fault("the signature is not that of the key in the header")
        }
        key = try Self.thumbprint(jwk)
        guard claims["htm"]?.string == expected.method else {
            throw Self.fault("htm is not \(expected.method)")
        }
        guard let target = claims["htu"]?.string.flatMap({ ProofTarget($0) }), target == ProofTarget(expected.target)
        else { throw Self.fault("htu is not \(expected.target)") }
        guard let identifier = claims["jti"]?.string, !identifier.isEmpty, identifier.utf8.count <= 256 else {
            throw Self.fault("jti is not a text of 1 to 256 bytes")
        }
        self.identifier = identifier
        guard let seconds = claims["iat"]?.integer, seconds >= 0, seconds < Self.latestSecond else {
            throw Self.fault("iat is no time in whole seconds")
        }
        issuedAt = Timestamp(seconds: seconds)
        let distance = abs(expected.now.seconds - seconds)
        guard .seconds(distance) <= expected.tolerance else {
            throw Self.fault("iat is \(distance) s from this server's clock, and \(expected.tolerance) are tolerated")
        }
        if let value = claims["nonce"], value.string == nil { throw Self.fault("nonce is no text") }
        nonce = claims["nonce"]?.string
        sealTo = try claims["seal_to"].map { value throws(Fault) in try Self.sealingKey(value) }
    }

    private static func fault(_ sentence: String) -> Fault { Fault(code: .invalid, description: sentence) }

    private static func object(_ segment: ArraySlice<UInt8>) -> JSONObject? {
        let limits = JSONLimits(
            maximumBytes: maximumBytes, maximumDepth: 4, maximumMembers: 64, maximumStringBytes: 2_048)
        return Base64URL.decode(segment).flatMap { try? JSONReader.parse($0, limits: limits).object }
    }

    /// The public key of the header, for one of the two algorithms that are taken.
    private static func key(_ header: JSONObject) throws(Fault) -> PublicJWK {
        guard let alg = header["alg"]?.string, alg == "EdDSA" || alg == "ES256" else {
            throw fault("alg is neither EdDSA nor ES256")
        }
        guard var object = header["jwk"]?.object else { throw fault("the header has no public key as jwk") }
        // A proof's key needs no name; one that it has means nothing here.
        object["kid"] = "proof"
        let jwk: PublicJWK
        do {
            jwk = try PublicJWK(json: .object(object))
        } catch {
            throw fault("jwk is no public key for \(alg): \(error.detail)")
        }
        guard jwk.algorithm.rawValue == alg else { throw fault("jwk is no key for \(alg)") }
        return jwk
    }

    /// RFC 7638 section 3: the required members alone, in the order of their names.
    private static func thumbprint(_ jwk: PublicJWK) throws(Fault) -> Digest {
        let names: [String]
        switch jwk.algorithm {
        case .es256: names = ["crv", "kty", "x", "y"]
        case .edDSA: names = ["crv", "kty", "x"]
        case .rs256: throw fault("RSA keys make no proofs here")
        }
        var object = JSONObject()
        for name in names { object[name] = jwk.json[name] }
        return JSONValue.object(object).canonicalDigest
    }

    private static func sealingKey(_ value: JSONValue) throws(Fault) -> [UInt8] {
        guard let object = value.object, object["kty"]?.string == "OKP", object["crv"]?.string == "X25519",
            object["d"] == nil, let x = object["x"]?.string.flatMap({ Base64URL.decode($0) }),
            SealedToken.canSeal(to: x)
        else { throw fault("seal_to is no X25519 public key (kty OKP, crv X25519, x of 32 bytes)") }
        return x
    }
}
