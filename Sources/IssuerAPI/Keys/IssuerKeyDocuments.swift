import ClawWire
import Keys
import Primitives

/// The documents of the issuer's token keys, as of now.
final class IssuerKeyDocuments: Sendable {
    /// For how long a snapshot is given out again (WIRE section 5).
    static let snapshotSeconds: Int64 = 300
    /// For how long a key that signs no more is accepted: as long as a token may live. The documents always say it,
    /// whether or not a key is being replaced (WIRE section 5).
    static let overlapSeconds: Int64 = 3_600

    private struct State {
        var accepted: (second: Int64, keys: AcceptedKeys)?
        var snapshot: KeyTransparencySnapshot?
    }

    private let ring: KeyRing
    private let state = Lock(State())

    init(_ ring: KeyRing) { self.ring = ring }

    /// The keys whose signatures under tokens count at an instant.
    func accepted(at now: Timestamp) -> AcceptedKeys {
        state.withLock { state in
            if let known = state.accepted, known.second == now.seconds { return known.keys }
            let keys = Self.keys(ring.acceptedKeys(for: .token, at: now))
            state.accepted = (now.seconds, keys)
            return keys
        }
    }

    /// The keys whose signatures under checkpoints, batches and status lists count at an instant.
    func logKeys(at now: Timestamp) -> AcceptedKeys { Self.keys(ring.acceptedKeys(for: .receipt, at: now)) }

    private static func keys(_ accepted: [AcceptedKey]) -> AcceptedKeys {
        AcceptedKeys(
            signing: accepted.filter(\.isActive).map(\.publicKey),
            verifyOnly: accepted.filter { !$0.isActive }.map { key in
                // A document's bound is the last second that counts; the ring's is the first that does not.
                (key.publicKey, key.notAfter.map { $0.adding(seconds: -1).seconds })
            })
    }

    /// The keys whose signatures under Security Event Tokens count at an instant.
    func signalKeys(at now: Timestamp) -> [PublicJWK] { ring.acceptedSignalKeys(at: now) }

    /// The roster at an instant; `nil` without an active key.
    func roster(at now: Timestamp) -> KeyRoster? {
        let keys = accepted(at: now)
        return KeyRoster(keys, overlapSeconds: Self.overlapSeconds, now: now)
    }

    /// The signed snapshot: the last one while it is young and says what holds, else a new one.
    ///
    /// - Throws: `KeyError` or what the signer throws; `nil` without an active key.
    func snapshot(at now: Timestamp) throws -> KeyTransparencySnapshot? {
        guard let roster = roster(at: now) else { return nil }
        let known = state.withLock { $0.snapshot }
        if let known, now.seconds - known.generatedAt < Self.snapshotSeconds, known.generatedAt <= now.seconds,
            known.roster.activeKid == roster.activeKid, known.roster.acceptedKids == roster.acceptedKids
        {
            return known
        }
        let made = try KeyTransparencySnapshot.sign(
            roster, generatedAt: now, signer: ring.signer(for: .token, at: now))
        state.withLock { $0.snapshot = made }
        return made
    }
}
