public import ClawWire
public import GrantLedger
public import GrantVerifier
public import Keys

/// Makes the signed status lists of all tokens that may live, from the ledger.
public struct StatusListMaker: Sendable {
    /// A list.
    public struct Made: Sendable {
        /// Its number: the hour since 1970 in which its tokens expire.
        public let number: Int64
        /// Its content.
        public let list: StatusListToken
        /// The compact JWT.
        public let signed: String
    }

    /// No list can be signed now: tokens that a control event voids are still being revoked one by one, and a list would
    /// call them valid.
    public struct Withheld: Error, Hashable, CustomStringConvertible {
        /// Position of the oldest control event whose tokens are not all revoked.
        public let position: Int64

        /// What is waited for, for the log.
        public var description: String {
            "no list is signed while the tokens that control position \(position) voids are revoked one by one"
        }
    }

    /// Longest life of a token, in seconds, and what clocks differ.
    private static let span: Int64 = 3_600 + 300
    private static let page = 5_000

    private let ledger: any Ledger
    private let keys: KeyRing
    private let uriBase: String
    private let timeToLive: Int64

    /// - Parameters:
    ///   - ledger: what is asked for revoked tokens.
    ///   - keys: the log's key signs.
    ///   - uriBase: the address under which the lists are served, without a slash at its end.
    ///   - timeToLive: for how many seconds a reader may keep a list.
    public init(ledger: any Ledger, keys: KeyRing, uriBase: String, timeToLive: Int64) {
        self.ledger = ledger
        self.keys = keys
        self.uriBase = uriBase
        self.timeToLive = timeToLive
    }

    /// The number of the first list at an instant; those before it are over.
    public static func first(at now: Timestamp) -> Int64 { StatusPlace.spreadList(at: now.adding(seconds: -300)) }

    /// The lists as of an instant, one for each hour in which a living token may expire, in order.
    ///
    /// - Parameter now: Not later than the call: what was voided up to it is revoked in the lists, or there are none.
    /// - Throws: ``Withheld``, ``LedgerError``, `KeyError`, `StatusListError`.
    public func lists(at now: Timestamp) async throws -> [Made] {
        let horizon = try await ledger.revocationHorizon()
        guard horizon.sweptPosition > horizon.controlPosition else { throw Withheld(position: horizon.sweptPosition) }
        let first = Self.first(at: now)
        let last = StatusPlace.spreadList(at: now.adding(seconds: Self.span))
        var lists: [Int64: StatusList] = [:]
        for number in first...last { lists[number] = StatusList(count: StatusPlace.spreadListSize) }
        var after = (Timestamp(seconds: first * StatusPlace.spreadListSeconds - 1), RequestID(""))
        while true {
            try Task.checkCancellation()
            let revoked = try await ledger.revokedTokens(after: after.0, after.1, limit: Self.page)
            for token in revoked {
                let place = StatusPlace(token: token.tokenHash, expiry: token.expiresAt)
                try lists[place.list]?.set(.invalid, at: place.index)
            }
            guard revoked.count == Self.page, let end = revoked.last else { break }
            after = (end.expiresAt, end.requestID)
        }
        let signer = try keys.signer(for: .receipt, at: now)
        return try lists.sorted { $0.key < $1.key }.map { number, list in
            let token = StatusListToken(
                uri: StatusPlace.uri(base: uriBase, list: number), issuedAt: now,
                expiresAt: now.adding(seconds: timeToLive * 2), timeToLive: timeToLive, list: list)
            return Made(number: number, list: token, signed: try token.signed(by: signer))
        }
    }
}
