import ClawWire
import Keys

/// A Security Event Token in compact form (RFC 8417, RFC 7515 section 3.1), signed with RS256.
struct SignedSignal {
    /// Media type of the compact form (RFC 8417 section 7.2).
    static let mediaType = "application/secevent+jwt"

    /// The claims.
    let claims: JSONValue
    /// The compact form.
    let compact: String

    /// Signs claims as ``SecurityEvents/SessionRevoked`` makes them.
    init(claims bytes: [UInt8], by signer: SignalSigner, sink: String) throws(SinkFailure) {
        do {
            claims = try JSONReader.parse(bytes)
            let header: JSONValue = ["alg": "RS256", "kid": .string(signer.publicKey.kid), "typ": "secevent+jwt"]
            let signed = Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(bytes)
            compact = signed + "." + Base64URL.encode(try signer.sign(Array(signed.utf8)))
        } catch {
            throw SinkFailure(.misconfigured, "\(sink): a token could not be signed: \(error)")
        }
    }

    /// Claim `jti`.
    var identifier: String { claims["jti"]?.string ?? "" }
    /// Claim `iat`.
    var issuedAt: Timestamp { Timestamp(seconds: claims["iat"]?.integer ?? 0) }
    /// The revoked token, its `jti` or its hash; else the group or the agent whose tokens are revoked.
    var session: String {
        let subject = claims["sub_id"]
        let named = [
            subject?["session"]?["jti"], subject?["session"]?["id"], subject?["group"]?["id"], subject?["user"]?["sub"],
        ]
        return named.lazy.compactMap { $0?.string }.first ?? ""
    }
}

/// Signs with the active key of purpose `set`, which must be within its period when it does.
struct SignalPen: Sendable {
    let keys: KeyRing
    let sink: String
    let now: @Sendable () -> Timestamp

    func signer() throws(SinkFailure) -> SignalSigner {
        do {
            return try keys.signalSigner(at: now())
        } catch {
            throw SinkFailure(.misconfigured, "\(sink): \(error)")
        }
    }
}
