public import ClawWire

/// A signed status list: a JWT of type `statuslist+jwt`, as it is served under its address.
public struct StatusListToken: Sendable, Hashable {
    /// Media type to serve it with.
    public static let mediaType = "application/statuslist+jwt"
    /// The header `typ`. Nothing of this type can be taken for a CST, nor a CST for it.
    static let type = "statuslist+jwt"

    /// The list's address: the claim `sub`, equal to the `uri` that tokens name.
    public let uri: String
    /// The claim `iss`, where there is one.
    public let issuer: String?
    /// The claim `iat`, whole seconds.
    public let issuedAt: Timestamp
    /// The claim `exp`, whole seconds: after it the list says nothing.
    public let expiresAt: Timestamp?
    /// The claim `ttl`: for how many seconds it may be kept before it is fetched again.
    public let timeToLive: Int64?
    /// The statuses.
    public let list: StatusList

    /// Makes a list to be signed. Instants are cut to whole seconds.
    public init(
        uri: String, issuer: String? = nil, issuedAt: Timestamp, expiresAt: Timestamp? = nil,
        timeToLive: Int64? = nil, list: StatusList
    ) {
        self.uri = uri
        self.issuer = issuer
        self.issuedAt = Timestamp(seconds: issuedAt.seconds)
        self.expiresAt = expiresAt.map { Timestamp(seconds: $0.seconds) }
        self.timeToLive = timeToLive
        self.list = list
    }

    /// Whether a kept copy may still be asked: neither `ttl` nor `exp` has passed.
    public func isFresh(at now: Timestamp) -> Bool {
        if let expiresAt, expiresAt <= now { return false }
        if let timeToLive, issuedAt.adding(seconds: timeToLive) <= now { return false }
        return true
    }

    /// Signs the list: compact JWS, `alg` EdDSA.
    ///
    /// - Throws: ``StatusListError``; what the signer throws.
    public func signed(by signer: any Ed25519Signer) throws -> String {
        var claims = JSONObject()
        claims["iss"] = issuer.map { .string($0) }
        claims["sub"] = .string(uri)
        claims["iat"] = .integer(issuedAt.seconds)
        claims["exp"] = expiresAt.map { .integer($0.seconds) }
        claims["ttl"] = timeToLive.map { .integer($0) }
        claims["status_list"] = ["bits": .integer(Int64(list.width.rawValue)), "lst": .string(try list.encoded())]
        let header: JSONValue = [
            "alg": "EdDSA", "typ": .string(Self.type), "kid": .string(signer.publicKey.kid.rawValue),
        ]
        var text: [UInt8] = []
        Base64URL.append(JSONWriter.bytes(header, order: .asGiven), to: &text)
        text.append(UInt8(ascii: "."))
        Base64URL.append(JSONWriter.bytes(.object(claims), order: .asGiven), to: &text)
        let signature = try signer.sign(text)
        text.append(UInt8(ascii: "."))
        Base64URL.append(signature.bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads and verifies a signed list.
    ///
    /// - Parameters:
    ///   - text: the compact JWS.
    ///   - uri: the address from which it was fetched, or that a token names.
    ///   - keys: the issuer's keys.
    ///   - now: the reader's time.
    ///   - clockSkewSeconds: how far `iat` may be in the future.
    ///   - maximumBytes: largest list, before compression.
    /// - Throws: ``StatusListError``.
    public init(
        verifying text: String, uri: String, keys: AcceptedKeys, now: Timestamp, clockSkewSeconds: Int64 = 60,
        maximumBytes: Int = StatusList.maximumBytes
    ) throws(StatusListError) {
        // Base64 twice over, and a list that does not compress.
        let limit = maximumBytes * 2 + 65_536
        let bytes = Array(text.utf8)
        guard bytes.count <= limit else {
            throw StatusListError(.tooLarge, "\(bytes.count) bytes; at most \(limit) are read")
        }
        let segments = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard segments.count == 3, let header = Self.object(segments[0], limit),
            let claims = Self.object(segments[1], limit),
            let signature = Base64URL.decode(segments[2]).flatMap({ Ed25519Signature(bytes: $0) })
        else { throw StatusListError(.malformed, "not three segments of base64url: two objects and a signature") }
        guard header["typ"]?.string == Self.type, !header.contains("crit") else {
            throw StatusListError(.malformed, "the header's typ is not \(Self.type), or it has crit")
        }
        guard header["alg"]?.string == "EdDSA" else {
            throw StatusListError(.unsupportedAlgorithm, "the list is not signed with EdDSA")
        }
        let kid = KeyID(header["kid"]?.string ?? "")
        guard let key = keys.accepted(at: now).first(where: { $0.kid == kid })?.key else {
            throw StatusListError(.unknownKey, "no accepted key has the kid \(kid.rawValue.prefix(64))")
        }
        guard key.isValidSignature(signature, for: Array(bytes[..<(segments[2].startIndex - 1)])) else {
            throw StatusListError(.signatureInvalid, "the signature is not key \(kid)'s")
        }
        try self.init(claims, uri: uri, maximumBytes: maximumBytes)
        if let expiresAt, expiresAt <= now { throw StatusListError(.expired, "the list expired at \(expiresAt)") }
        guard issuedAt <= now.adding(seconds: clockSkewSeconds) else {
            throw StatusListError(.issuedInFuture, "the list was issued at \(issuedAt), which is in the future")
        }
    }

    private init(_ claims: JSONObject, uri: String, maximumBytes: Int) throws(StatusListError) {
        guard let subject = claims["sub"]?.string, ExactText.equal(subject, uri) else {
            throw StatusListError(.subjectMismatch, "sub is not \(uri.prefix(256))")
        }
        guard let issuedAt = Self.second(claims["iat"]) else {
            throw StatusListError(.malformed, "iat is no whole number of seconds")
        }
        let expiresAt = Self.second(claims["exp"])
        guard expiresAt != nil || !claims.contains("exp") else {
            throw StatusListError(.malformed, "exp is no whole number of seconds")
        }
        let timeToLive = claims["ttl"]?.integer
        guard timeToLive.map({ $0 > 0 }) ?? !claims.contains("ttl") else {
            throw StatusListError(.malformed, "ttl is no positive whole number of seconds")
        }
        guard let object = claims["status_list"]?.object, let bits = object["bits"]?.integer,
            let width = StatusList.Width(rawValue: Int(bits)), let encoded = object["lst"]?.string
        else { throw StatusListError(.malformed, "status_list has no lst, or bits other than 1, 2, 4 and 8") }
        self.init(
            uri: subject, issuer: claims["iss"]?.string, issuedAt: issuedAt, expiresAt: expiresAt,
            timeToLive: timeToLive,
            list: try StatusList(encoded: encoded, width: width, maximumBytes: maximumBytes))
    }

    private static func object(_ segment: ArraySlice<UInt8>, _ limit: Int) -> JSONObject? {
        guard let bytes = Base64URL.decode(segment) else { return nil }
        let limits = JSONLimits(maximumBytes: limit, maximumDepth: 8, maximumStringBytes: limit)
        return (try? JSONReader.parse(bytes, limits: limits))?.object
    }

    private static func second(_ value: JSONValue?) -> Timestamp? {
        guard let seconds = value?.integer, seconds >= 0, seconds <= 253_402_300_799 else { return nil }
        return Timestamp(seconds: seconds)
    }
}
