/// The public keys whose signatures count, in the order in which they are published (WIRE section 5).
public struct AcceptedKeys: Sendable, Hashable {
    /// One key.
    public struct Entry: Sendable, Hashable {
        /// The key.
        public let key: Ed25519PublicKey
        /// Its `kid`.
        public let kid: KeyID
        /// True when the key still signs; false when it only verifies during an overlap window.
        public let isSigning: Bool
        /// The last second, since the epoch, in which the key is accepted; `nil` for no end.
        public let notAfter: Int64?

        func isAccepted(at now: Timestamp) -> Bool { notAfter.map { now.seconds <= $0 } ?? true }
    }

    /// The keys: signing ones first, the first of them active.
    public let entries: [Entry]

    /// Makes a set of keys.
    ///
    /// - Parameters:
    ///   - signing: keys that sign; the first is the active one.
    ///   - verifyOnly: earlier keys with the last second in which each is accepted.
    public init(signing: [Ed25519PublicKey], verifyOnly: [(key: Ed25519PublicKey, notAfter: Int64?)] = []) {
        entries =
            signing.map { Entry(key: $0, kid: $0.kid, isSigning: true, notAfter: nil) }
            + verifyOnly.map { Entry(key: $0.key, kid: $0.key.kid, isSigning: false, notAfter: $0.notAfter) }
    }

    /// The active key's entry.
    public var active: Entry? { entries.first { $0.isSigning } }

    /// The entries that are accepted at an instant.
    public func accepted(at now: Timestamp) -> [Entry] { entries.filter { $0.isAccepted(at: now) } }
}
