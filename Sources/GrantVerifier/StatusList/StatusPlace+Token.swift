public import ClawWire

extension StatusPlace {
    /// Statuses of a list whose places follow from the tokens: 2 MiB with one bit each, a few kilobytes once compressed.
    public static let spreadListSize = 1 << 24
    /// Seconds of expiry that share such a list.
    public static let spreadListSeconds: Int64 = 3_600

    /// The place of a token in the lists that a worker publishes: it follows from the token's hash and expiry alone, so that
    /// whoever holds the token finds it, it never moves, and nobody else can tell whose it is or how many tokens there are.
    ///
    /// Two tokens may share a place, and the one is then shown revoked because the other is. Of `n` revoked tokens that
    /// expire within an hour, a good one meets one of them with a chance of `n` in ``spreadListSize``.
    ///
    /// - Parameters:
    ///   - token: SHA-256 of the compact token.
    ///   - expiry: the claim `exp`.
    public init(token: Digest, expiry: Timestamp) {
        list = Self.spreadList(at: expiry)
        // A hash of its own: token hashes stand on topics, and a place must not be read off them by eye.
        let bytes = Digest(hashing: "clawgrant-status-place-v1\n\(token.hex)").bytes
        let number = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        index = Int(number % UInt64(Self.spreadListSize))
    }

    /// The number of the list for tokens that expire at an instant: whole hours since 1970.
    public static func spreadList(at expiry: Timestamp) -> Int64 {
        let (quotient, remainder) = expiry.seconds.quotientAndRemainder(dividingBy: spreadListSeconds)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The address of a list: the base, a slash and the number.
    public static func uri(base: String, list: Int64) -> String { "\(base)/\(list)" }
}
