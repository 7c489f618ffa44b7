public import ClawWire

/// Why the issuer's key documents do not give a set of keys.
public struct IssuerKeysError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// A document cannot be read.
        case unreadable
        /// The rotation contract accepts a key that the key set does not hold.
        case keyMissing = "key_missing"
        /// The rotation contract contradicts itself.
        case contradictory
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people.
    public let detail: String
    /// Whether fetching both documents again may help: they may have been fetched on two sides of a rotation.
    public var isRetriable: Bool { code == .keyMissing }
    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

extension AcceptedKeys {
    /// Reads the issuer's key set and rotation contract (WIRE section 5).
    ///
    /// The contract says which keys of the set are accepted, and until when the ones are that no longer sign. A key of
    /// the set that the contract does not accept is left out.
    ///
    /// - Parameters:
    ///   - jwks: the key set's document.
    ///   - rotationContract: the contract's document; `nil` accepts every key of the set without an end, and then a
    ///     withdrawn key is accepted until the set is fetched again.
    /// - Throws: ``IssuerKeysError``.
    public init(jwks: [UInt8], rotationContract: [UInt8]?) throws(IssuerKeysError) {
        let keys: [Ed25519PublicKey]
        let contract: RotationContract?
        do {
            keys = try JWKS.parse(jwks)
            contract = try rotationContract.map { bytes in
                try RotationContract(try JSONReader.parse(bytes, limits: .token))
            }
        } catch {
            throw IssuerKeysError(code: .unreadable, detail: "\(error)")
        }
        guard let roster = contract?.roster else {
            self.init(signing: keys)
            return
        }
        try Self.check(roster)
        var signing: [Ed25519PublicKey] = []
        var verifyOnly: [(key: Ed25519PublicKey, notAfter: Int64?)] = []
        // The active key first, then the order of the contract.
        for kid in [roster.activeKid] + roster.acceptedKids.filter({ $0 != roster.activeKid }) {
            guard let key = keys.first(where: { $0.kid == kid }) else {
                throw IssuerKeysError(
                    code: .keyMissing,
                    detail: "the contract accepts \(kid), which the key set does not hold; fetch both again")
            }
            let end = roster.expiringKids.filter { $0.kid == kid }.map(\.notAfter).min()
            if end == nil, roster.signingKids.contains(kid) {
                signing.append(key)
            } else {
                verifyOnly.append((key, end))
            }
        }
        self.init(signing: signing, verifyOnly: verifyOnly)
    }

    private static func check(_ roster: KeyRoster) throws(IssuerKeysError) {
        let accepted = Set(roster.acceptedKids)
        guard accepted == Set(roster.signingKids).union(roster.verifyOnlyKids),
            Set(roster.signingKids).isDisjoint(with: roster.verifyOnlyKids),
            roster.signingKids.contains(roster.activeKid), accepted.isSuperset(of: roster.expiringKids.map(\.kid))
        else {
            throw IssuerKeysError(
                code: .contradictory,
                detail: "accepted_kids must be signing_kids and verify_only_kids, and hold active_kid and expiring_kids"
            )
        }
    }
}
