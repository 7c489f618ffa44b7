import ClawWire
import Crypto
import Foundation

/// Somebody who signed in, as the cookie of their browser says it.
///
/// The cookie is the payload and its HMAC: nothing is kept of a session but that it was ended. It holds no token.
struct ConsoleSession: Sendable, Hashable {
    /// Name of the caller, from the configuration.
    let name: String
    /// Fingerprint of the client certificate with which it was begun; then the session is good on connections with that
    /// certificate only.
    let certificateThumbprint: String?
    /// When it began, in seconds.
    let beganAt: Int64
    /// When it ends, in seconds.
    let endsAt: Int64
    /// Names the session.
    let nonce: String

    init(name: String, certificateThumbprint: String?, at now: Int64, lifetime: Duration) {
        self.name = name
        self.certificateThumbprint = certificateThumbprint
        beganAt = now
        endsAt = now + lifetime.components.seconds
        nonce = ConsoleSecret.chance()
    }

    private init?(decoding payload: [UInt8]) {
        guard let value = try? JSONReader.parse(payload), let name = value["name"]?.string,
            let beganAt = value["began"]?.integer, let endsAt = value["ends"]?.integer,
            let nonce = value["nonce"]?.string
        else { return nil }
        self.name = name
        certificateThumbprint = value["certificate"]?.string
        self.beganAt = beganAt
        self.endsAt = endsAt
        self.nonce = nonce
    }

    private var payload: [UInt8] {
        JSONWriter.bytes([
            "name": .string(name), "certificate": .optional(certificateThumbprint), "began": .integer(beganAt),
            "ends": .integer(endsAt), "nonce": .string(nonce),
        ])
    }

    /// The cookie's value.
    func sealed(with secret: ConsoleSecret) -> String {
        "\(Base64URL.encode(payload)).\(Base64URL.encode(secret.mark(.session, payload)))"
    }

    /// Reads a cookie's value; `nil` when it is not ours, was changed, or is over.
    static func open(_ text: String, with secret: ConsoleSecret, at now: Int64) -> ConsoleSession? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 2_048, parts.count == 2, let payload = Base64URL.decode(String(parts[0])),
            let mark = Base64URL.decode(String(parts[1])), secret.isMark(mark, .session, payload),
            let session = ConsoleSession(decoding: payload), (session.beganAt - 60..<session.endsAt).contains(now)
        else { return nil }
        return session
    }
}

/// What sessions and their tokens are signed with.
struct ConsoleSecret: Sendable {
    /// What a mark is put under; one purpose's mark is worth nothing for another.
    enum Purpose: String {
        case session = "clawgrant-console-session-v1"
        case request = "clawgrant-console-request-v1"
        case stop = "clawgrant-console-stop-v1"
    }

    private let key: SymmetricKey

    /// A secret that lives as long as the process.
    init() { key = SymmetricKey(size: .bits256) }

    /// A secret that others share.
    init(bytes: [UInt8]) { key = SymmetricKey(data: SHA256.hash(data: bytes)) }

    func mark(_ purpose: Purpose, _ bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Self.message(purpose, bytes), using: key))
    }

    /// Compares in a time that does not depend on where they differ.
    func isMark(_ mark: [UInt8], _ purpose: Purpose, _ bytes: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(mark, authenticating: Self.message(purpose, bytes), using: key)
    }

    private static func message(_ purpose: Purpose, _ bytes: [UInt8]) -> [UInt8] {
        Array(purpose.rawValue.utf8) + [0] + bytes
    }

    /// 128 bits of chance, base64url.
    static func chance() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64URL.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
