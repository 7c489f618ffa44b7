import ClawWire
import IssuanceRules

/// What a stop is prepared with: shows that somebody holds a certificate now, and names the stop, so that the same request
/// sent twice is one stop.
struct StopChallenge: Sendable, Hashable {
    /// How long one may think about it, in seconds.
    static let lifetime: Int64 = 120

    /// The stop's identifier.
    let stopID: String
    /// When it was made, in seconds.
    let madeAt: Int64

    init(at now: Timestamp) {
        let day = now.iso8601.prefix(10).replacing("-", with: "")
        stopID = "stop-\(day)-\(Digest(hashing: ConsoleSecret.chance()).hex.prefix(16))"
        madeAt = now.seconds
    }

    private init(stopID: String, madeAt: Int64) {
        self.stopID = stopID
        self.madeAt = madeAt
    }

    private static func bound(
        _ stopID: String, _ madeAt: Int64, _ order: StopOrder, _ session: ConsoleSession, _ thumbprint: String
    ) -> [UInt8] {
        JSONWriter.bytes([
            .string(stopID), .integer(madeAt), .string(order.scope.text), .bool(order.revokesLive),
            .string(session.nonce), .string(thumbprint),
        ])
    }

    /// The challenge as it is handed out, good for this stop in this session and with this certificate.
    func sealed(
        _ order: StopOrder, _ session: ConsoleSession, _ thumbprint: String, with secret: ConsoleSecret
    ) -> String {
        let mark = secret.mark(.stop, Self.bound(stopID, madeAt, order, session, thumbprint))
        return "\(stopID).\(madeAt).\(Base64URL.encode(mark))"
    }

    /// Reads a challenge; `nil` when it was made for another stop, session or certificate, changed, or is too old.
    static func open(
        _ text: String, _ order: StopOrder, _ session: ConsoleSession, _ thumbprint: String,
        with secret: ConsoleSecret, at now: Int64
    ) -> StopChallenge? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard text.utf8.count <= 256, parts.count == 3, let madeAt = Int64(parts[1]),
            let mark = Base64URL.decode(parts[2]),
            secret.isMark(mark, .stop, bound(parts[0], madeAt, order, session, thumbprint)),
            (madeAt - 5...madeAt + lifetime).contains(now)
        else { return nil }
        return StopChallenge(stopID: parts[0], madeAt: madeAt)
    }
}
