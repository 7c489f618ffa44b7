public import ClawWire
public import ReceiptLog

/// A record of the revocations topic, as far as the state looks at it.
public struct RevocationTopicRecord: Sendable, Hashable {
    /// The key.
    public let key: [UInt8]
    /// The value; `nil` is a tombstone.
    public let value: [UInt8]?
    /// The record's place in the dense stream of revocations; heads have none.
    public let sequence: SequenceNumber?

    /// Takes the parts of a record.
    public init(key: [UInt8], value: [UInt8]?, sequence: SequenceNumber?) {
        self.key = key
        self.value = value
        self.sequence = sequence
    }
}

/// A token that was revoked by its name.
public struct RevokedToken: Sendable, Hashable {
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// When it was revoked, whole seconds.
    public let revokedAt: Timestamp
    /// Why.
    public let cause: RevocationCause
    /// SHA-256 of the revocation's receipt.
    public let receiptDigest: Digest
    /// The record's place in the stream.
    public let sequence: SequenceNumber
}

/// Why a record of the revocations topic was not taken in.
public struct RevocationFault: Sendable, Hashable, CustomStringConvertible {
    /// What was wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The key is of no known form. A record that this code does not know may be one that revokes.
        case unknownKey = "unknown_key"
        /// The value cannot be read, or is of a version that is not known.
        case unreadable
        /// The value belongs under another key.
        case keyMismatch = "key_mismatch"
        /// The record has no place in the stream.
        case noSequence = "no_sequence"
        /// Two records of one key have one sequence and say different things.
        case twoRecordsOneSequence = "two_records_one_sequence"
        /// A cut-off voids less than the one before it, which would make void tokens valid.
        case cutoffMovedBack = "cutoff_moved_back"
        /// A head takes something back that an earlier head said, or two heads of one time differ.
        case headMovedBack = "head_moved_back"
        /// A head is not the log's, or is not signed by it. It is passed over: the view grows old by itself.
        case headNotTrusted = "head_not_trusted"
    }

    /// What was wrong.
    public let code: Code
    /// The record's key, cut to 128 characters.
    public let key: String
    /// A sentence for people.
    public let detail: String
    /// The record's place in the stream, when it has one.
    public let sequence: SequenceNumber?

    init(_ code: Code, _ record: RevocationTopicRecord, _ detail: String) {
        self.code = code
        key = String(String(decoding: record.key.prefix(512), as: UTF8.self).prefix(128))
        self.detail = detail
        sequence = record.sequence
    }

    /// Code, key and sentence.
    public var description: String { "\(code.rawValue) in the record \(key): \(detail)" }
}

/// What became of a record.
public enum RevocationOutcome: Sendable, Hashable {
    /// The state changed.
    case applied
    /// The state held this, or something newer of the same key, already.
    case repeated
    /// The record was not taken in. Unless it is a head that is not trusted, the view is unusable until a good record
    /// of the same key follows.
    case refused(RevocationFault)
}

/// Why a view of the revocations must not be relied on.
public enum StaleView: Sendable, Hashable, CustomStringConvertible {
    /// No head has been read: the topic is still being loaded, or nobody publishes.
    case notLoaded
    /// The newest head is older than allowed.
    case tooOld(asOf: Timestamp, ageSeconds: Int64, maximumSeconds: Int64)
    /// The newest head is from the future: the clocks differ by more than allowed.
    case fromFuture(asOf: Timestamp)
    /// The topic holds fewer records than the head counts: it has lost some.
    case recordsMissing(expected: RevocationHead.Live, found: RevocationHead.Live)
    /// A record cannot be understood, or contradicts another.
    case contradictory(RevocationFault)
    /// There are more records than the limits allow.
    case overflowed(RevocationLimits)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .notLoaded: "the revocations have not been loaded up to a signed head"
        case .tooOld(let asOf, let age, let maximum):
            "the revocations are known as of \(asOf), \(age) s ago; at most \(maximum) s are allowed"
        case .fromFuture(let asOf): "the revocations are dated \(asOf), which is in the future: the clocks differ"
        case .recordsMissing(let expected, let found):
            "the head counts \(expected.tokens) revoked tokens and \(expected.cutoffs) cut-offs, the topic held "
                + "\(found.tokens) and \(found.cutoffs)"
        case .contradictory(let fault): "a revocation cannot be relied on: \(fault)"
        case .overflowed(let limits):
            "there are more than \(limits.maximumTokens) revoked tokens, \(limits.maximumCutoffs) cut-offs or "
                + "\(limits.maximumFaults) unreadable records"
        }
    }
}

/// Bounds on what a state holds. Past them it refuses everything rather than forget anything.
public struct RevocationLimits: Sendable, Hashable {
    /// Most revoked tokens, some 130 bytes each.
    public var maximumTokens: Int
    /// Most cut-offs, some 600 bytes each.
    public var maximumCutoffs: Int
    /// Most keys with a record that could not be taken in.
    public var maximumFaults: Int
    /// Tombstones that are remembered at least, so that a late repeat of what they ended does not bring it back.
    public var rememberedTombstones: Int

    /// Makes limits.
    public init(
        maximumTokens: Int = 2_000_000, maximumCutoffs: Int = 65_536, maximumFaults: Int = 64,
        rememberedTombstones: Int = 65_536
    ) {
        self.maximumTokens = maximumTokens
        self.maximumCutoffs = maximumCutoffs
        self.maximumFaults = maximumFaults
        self.rememberedTombstones = rememberedTombstones
    }
}
