public import ClawWire
public import ReceiptLog

/// What is known of revocations: a value, built by applying the records of the revocations topic from its beginning, in
/// the order in which they stand there.
///
/// It knows whether it is complete. A signed head says that everything before it is the whole truth as of a time; the
/// state checks what it can of that (the counts of what stands), and holds no more than its limits. Whatever cannot be
/// understood makes it unusable rather than incomplete in silence.
///
/// A copy shares its parts with the original, so that one is cheap to hand out while the other goes on.
public struct RevocationState: Sendable, Equatable {
    /// The log whose heads are believed.
    public let logID: LogID
    /// The log's keys, old ones too.
    public let logKeys: [Ed25519PublicKey]
    /// Bounds on what is held.
    public let limits: RevocationLimits

    /// The newest head. Everything before it in the topic has been applied.
    public internal(set) var head: RevocationHead?
    /// The greatest sequence seen.
    public internal(set) var highestSequence: SequenceNumber?

    var tokens = SharedMap<Digest, TokenEntry>()
    var cutoffs: [CutoffScope: CutoffEntry] = [:]
    /// Cut-offs that no token shows, and whose tokens may not all have a record yet.
    var unswept: Set<CutoffScope> = []
    var tombstones = Tombstones()
    var faults: [[UInt8]: RevocationFault] = [:]
    var hasOverflowed = false
    /// Set when the topic held less than the newest head counts; unknown until a head is checked.
    var shortage: Shortage = .unknown

    struct TokenEntry: Sendable, Equatable {
        let sequence: Int64
        let revokedAt: Int64
        let receiptDigest: Digest
        let cause: RevocationCause
    }

    struct CutoffEntry: Sendable, Equatable {
        let sequence: Int64
        let record: CutoffRecord
    }

    enum Shortage: Sendable, Equatable {
        case unknown
        case none
        case missing(expected: RevocationHead.Live, found: RevocationHead.Live)
    }

    /// The sequences of recent tombstones, in two generations of which the older is forgotten.
    struct Tombstones: Sendable, Equatable {
        private var recent = SharedMap<Digest, Int64>()
        private var older = SharedMap<Digest, Int64>()

        func sequence(of key: Digest) -> Int64? { recent[key] ?? older[key] }

        mutating func remember(_ key: Digest, _ sequence: Int64, limit: Int) {
            older[key] = nil
            recent[key] = sequence
            guard recent.count > max(1, limit) else { return }
            older = recent
            recent = SharedMap()
        }

        mutating func forget(_ key: Digest) {
            recent[key] = nil
            older[key] = nil
        }
    }

    /// Begins with nothing: nothing may be relied on until a head has been applied.
    public init(logID: LogID, logKeys: [Ed25519PublicKey], limits: RevocationLimits = RevocationLimits()) {
        self.logID = logID
        self.logKeys = logKeys
        self.limits = limits
    }

    // MARK: What it knows

    /// Number of revoked tokens and of cut-offs held.
    public var live: RevocationHead.Live {
        RevocationHead.Live(tokens: Int64(tokens.count), cutoffs: Int64(cutoffs.count))
    }

    /// The time of which the view is; `nil` before the first head.
    public var asOf: Timestamp? { head?.asOf }

    /// Every record with a smaller sequence has been applied; `nil` before the first head.
    public var loadedThrough: SequenceNumber? { head?.nextSequence }

    /// Why the view must not be relied on at all, whatever its age; `nil` when it is complete.
    public var defect: StaleView? {
        if hasOverflowed { return .overflowed(limits) }
        // The least key, so that the answer does not depend on the order in which a dictionary is walked.
        if let fault = faults.min(by: { $0.key.lexicographicallyPrecedes($1.key) })?.value {
            return .contradictory(fault)
        }
        switch shortage {
        case .unknown: return .notLoaded
        case .missing(let expected, let found): return .recordsMissing(expected: expected, found: found)
        case .none: return nil
        }
    }

    /// True when everything up to a head has been applied, and nothing contradicts it. Says nothing of its age.
    public var isComplete: Bool { defect == nil }

    /// Why the view must not be relied on at a time; `nil` when it may be.
    ///
    /// - Parameters:
    ///   - now: the time.
    ///   - maximumAgeSeconds: the oldest head that is relied on.
    ///   - clockSkewSeconds: how far in the future a head may be.
    public func staleness(at now: Timestamp, maximumAgeSeconds: Int64, clockSkewSeconds: Int64) -> StaleView? {
        if let defect { return defect }
        guard let asOf = head?.asOf else { return .notLoaded }
        guard asOf <= now.adding(seconds: clockSkewSeconds) else { return .fromFuture(asOf: asOf) }
        guard now <= asOf.adding(seconds: maximumAgeSeconds) else {
            return .tooOld(asOf: asOf, ageSeconds: now.seconds(since: asOf), maximumSeconds: maximumAgeSeconds)
        }
        return nil
    }

    /// The revocation of a token by its hash.
    public func revocation(of hash: TokenHash) -> RevokedToken? {
        guard let entry = tokens[hash.digest] else { return nil }
        return RevokedToken(
            tokenHash: hash.digest, revokedAt: Timestamp(seconds: entry.revokedAt), cause: entry.cause,
            receiptDigest: entry.receiptDigest, sequence: SequenceNumber(entry.sequence))
    }

    /// The cut-off of a scope.
    public func cutoff(of scope: CutoffScope) -> CutoffRecord? { cutoffs[scope]?.record }
}
