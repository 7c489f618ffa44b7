/// What is said about the keys beside the keys themselves, shared by the rotation contract and the transparency
/// snapshot.
public struct KeyRoster: Sendable, Hashable {
    /// The key that signs now.
    public let activeKid: KeyID
    /// All accepted keys, signing ones first.
    public let acceptedKids: [KeyID]
    /// Keys that sign.
    public let signingKids: [KeyID]
    /// Keys that only verify.
    public let verifyOnlyKids: [KeyID]
    /// Keys with an end, and its second.
    public let expiringKids: [Expiring]
    /// Length of the overlap window, in seconds.
    public let overlapSeconds: Int64

    /// A key with an end.
    public struct Expiring: Sendable, Hashable {
        /// The key.
        public let kid: KeyID
        /// The last second, since the epoch, in which it is accepted.
        public let notAfter: Int64
    }

    /// The roster of the keys accepted at an instant; `nil` without a signing key.
    public init?(_ keys: AcceptedKeys, overlapSeconds: Int64, now: Timestamp) {
        guard let active = keys.active else { return nil }
        let accepted = keys.accepted(at: now)
        activeKid = active.kid
        acceptedKids = accepted.map(\.kid)
        signingKids = accepted.filter(\.isSigning).map(\.kid)
        verifyOnlyKids = accepted.filter { !$0.isSigning }.map(\.kid)
        expiringKids = accepted.compactMap { entry in entry.notAfter.map { Expiring(kid: entry.kid, notAfter: $0) } }
        self.overlapSeconds = overlapSeconds
    }

    /// Reads the members of either document.
    init(_ object: JSONObject) throws(KeyDocumentError) {
        func kids(_ key: String) throws(KeyDocumentError) -> [KeyID] {
            guard let values = object[key]?.array, values.allSatisfy({ $0.string != nil }) else {
                throw KeyDocumentError(.malformed, "\(key) must be a list of kids")
            }
            return values.compactMap(\.string).map { KeyID($0) }
        }
        guard let active = object["active_kid"]?.string, let overlap = object["overlap_seconds"]?.integer,
            let expiring = object["expiring_kids"]?.array
        else { throw KeyDocumentError(.malformed, "active_kid, overlap_seconds or expiring_kids is missing") }
        activeKid = KeyID(active)
        acceptedKids = try kids("accepted_kids")
        signingKids = try kids("signing_kids")
        verifyOnlyKids = try kids("verify_only_kids")
        var entries: [Expiring] = []
        for element in expiring {
            guard let kid = element["kid"]?.string, let notAfter = element["not_after_unix"]?.integer else {
                throw KeyDocumentError(.malformed, "an entry of expiring_kids lacks kid or not_after_unix")
            }
            entries.append(Expiring(kid: KeyID(kid), notAfter: notAfter))
        }
        expiringKids = entries
        overlapSeconds = overlap
    }

    var expiringJSON: JSONValue {
        .array(expiringKids.map { ["kid": .string($0.kid.rawValue), "not_after_unix": .integer($0.notAfter)] })
    }

    static func json(_ kids: [KeyID]) -> JSONValue { .array(kids.map { .string($0.rawValue) }) }
}

/// The rotation contract: which keys are accepted, and until when (WIRE section 5).
public struct RotationContract: Sendable, Hashable {
    /// The keys.
    public let roster: KeyRoster
    /// `revocation_stream_endpoint`.
    public let revocationStreamEndpoint: String
    /// `jwks_endpoint`.
    public let jwksEndpoint: String

    /// Makes a contract.
    public init(
        roster: KeyRoster, revocationStreamEndpoint: String = "/v1/revocations/stream",
        jwksEndpoint: String = "/v1/jwks"
    ) {
        self.roster = roster
        self.revocationStreamEndpoint = revocationStreamEndpoint
        self.jwksEndpoint = jwksEndpoint
    }

    /// True while more than one key is accepted.
    public var isOverlapWindowOpen: Bool { roster.overlapSeconds > 0 && roster.acceptedKids.count > 1 }

    /// The document, members in the reference's order.
    public var json: JSONValue {
        [
            "contract_version": "2", "key_algorithm": "Ed25519", "active_kid": .string(roster.activeKid.rawValue),
            "accepted_kids": KeyRoster.json(roster.acceptedKids), "signing_kids": KeyRoster.json(roster.signingKids),
            "verify_only_kids": KeyRoster.json(roster.verifyOnlyKids),
            "overlap_seconds": .integer(roster.overlapSeconds), "overlap_window_open": .bool(isOverlapWindowOpen),
            "expiring_kids": roster.expiringJSON,
            "revocation_stream_endpoint": .string(revocationStreamEndpoint), "jwks_endpoint": .string(jwksEndpoint),
        ]
    }

    /// Reads a contract.
    ///
    /// - Throws: ``KeyDocumentError``.
    public init(_ value: JSONValue) throws(KeyDocumentError) {
        guard let object = value.object else { throw KeyDocumentError(.malformed, "a contract is an object") }
        guard object["contract_version"]?.string == "2", object["key_algorithm"]?.string == "Ed25519" else {
            throw KeyDocumentError(.unknownVersion, "only contract version 2 with Ed25519 is known")
        }
        guard let stream = object["revocation_stream_endpoint"]?.string, let jwks = object["jwks_endpoint"]?.string
        else { throw KeyDocumentError(.malformed, "an endpoint is missing") }
        self.init(roster: try KeyRoster(object), revocationStreamEndpoint: stream, jwksEndpoint: jwks)
    }
}
