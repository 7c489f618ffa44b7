public import ClawWire
public import ReceiptLog

/// A dead letter as the ledger keeps it: where its record stands, why it was set aside, what became of it.
///
/// It is identified by its origin. A record that is read again and refused again is the same dead letter with one hop
/// more, never a second one.
public struct StoredDeadLetter: Sendable, Hashable {
    /// Where it stands among what can be done about it. The text is the form of reports.
    public enum State: Int16, Sendable, Hashable, CaseIterable {
        /// Something can be done about it.
        case open = 0
        /// It was read again, and nothing is left to be done.
        case redriven = 1
        /// It was given up.
        case discarded = 2

        /// The name in reports and filters.
        public var name: String {
            switch self {
            case .open: "open"
            case .redriven: "redriven"
            case .discarded: "discarded"
            }
        }
    }

    /// A redrive that waits for a worker.
    public struct Request: Sendable, Hashable {
        /// When it was asked for.
        public let at: Timestamp
        /// Who asked.
        public let by: String
    }

    /// Where the record stands.
    public let origin: RecordOrigin
    /// The source that read it; empty for a topic that belongs to no source of approvals.
    public let source: SourceName
    /// Why it was set aside, or refused again, for machines.
    public let code: String
    /// Why it was refused again, for people; `nil` when the receipt of its quarantine says it.
    public let detail: String?
    /// SHA-256 of the record's value.
    public let valueDigest: Digest
    /// Size of the record's value in bytes.
    public let valueBytes: Int64
    /// When it was set aside.
    public let setAsideAt: Timestamp
    /// What can be done about it.
    public let state: State
    /// How often its record was read again.
    public let hops: Int64
    /// The redrive that waits.
    public let request: Request?
    /// When something was last done about it.
    public let triedAt: Timestamp?
    /// What that came to.
    public let outcome: Receipt.DeadLetterAction.Outcome?

    /// Makes a dead letter.
    public init(
        origin: RecordOrigin, source: SourceName, code: String, detail: String?, valueDigest: Digest,
        valueBytes: Int64, setAsideAt: Timestamp, state: State, hops: Int64, request: Request?, triedAt: Timestamp?,
        outcome: Receipt.DeadLetterAction.Outcome?
    ) {
        self.origin = origin
        self.source = source
        self.code = code
        self.detail = detail
        self.valueDigest = valueDigest
        self.valueBytes = valueBytes
        self.setAsideAt = setAsideAt
        self.state = state
        self.hops = hops
        self.request = request
        self.triedAt = triedAt
        self.outcome = outcome
    }
}

/// A dead letter with what its receipt and its record on the topic say.
public struct DeadLetterStory: Sendable {
    /// The dead letter.
    public let letter: StoredDeadLetter
    /// What is published about it, with the excerpt; `nil` when its day is in the archive.
    public let record: DeadLetterRecord?
    /// The batch that sealed its receipt.
    public let batchNumber: Int64?
}

/// Which dead letters are asked for; what is `nil` or empty does not narrow.
public struct DeadLetterFilter: Sendable, Hashable {
    /// Those of a source.
    public var source: SourceName?
    /// Those with a reason.
    public var code: String?
    /// Those of a topic.
    public var topic: String?
    /// Those of a partition.
    public var partition: Int32?
    /// Those at or behind an offset.
    public var fromOffset: Int64?
    /// Those at or before an offset.
    public var toOffset: Int64?
    /// Those set aside at or after an instant.
    public var since: Timestamp?
    /// Those set aside before an instant.
    public var until: Timestamp?
    /// Those in a state.
    public var state: StoredDeadLetter.State?

    /// All of them.
    public init() {}
}

/// What became of asking for a redrive.
public enum RedriveAnswer: Sendable, Hashable {
    /// A worker will read the record again.
    case accepted
    /// It was asked for before and waits.
    case waiting
    /// Nothing is left to be done about it.
    case closed(StoredDeadLetter.State, Receipt.DeadLetterAction.Outcome?)
    /// Its record was read again as often as is allowed.
    case tooManyHops(Int64)
    /// There is no such dead letter.
    case unknown
}

/// What became of giving a dead letter up.
public enum DiscardAnswer: Sendable, Hashable {
    /// It is given up, and a receipt says so.
    case discarded
    /// Nothing was left to be done about it.
    case closed(StoredDeadLetter.State, Receipt.DeadLetterAction.Outcome?)
    /// There is no such dead letter.
    case unknown
}

/// What reading a dead letter's record again came to, written in the transaction that decides it.
public struct RedriveWrite: Sendable {
    /// The dead letter.
    public let origin: RecordOrigin
    /// What it came to.
    public let outcome: Receipt.DeadLetterAction.Outcome
    /// Why it was refused again: code and sentence.
    public let refusal: (code: String, detail: String)?

    /// Makes a result.
    public init(
        origin: RecordOrigin, outcome: Receipt.DeadLetterAction.Outcome, refusal: (code: String, detail: String)? = nil
    ) {
        self.origin = origin
        self.outcome = outcome
        self.refusal = refusal
    }
}

/// Whose record is read again in a transaction of another kind than a decision: the dead letter, and the role under
/// which it is done.
public struct RedriveFence: Sendable, Hashable {
    /// The role.
    public let lease: RoleLease
    /// The dead letter.
    public let origin: RecordOrigin

    /// Makes a fence.
    public init(lease: RoleLease, origin: RecordOrigin) {
        self.lease = lease
        self.origin = origin
    }
}

/// What the workflow of dead letters asks of the ledger.
public protocol DeadLetterLedger: Sendable {
    /// Dead letters that a filter names, those set aside last first.
    func deadLetters(matching filter: DeadLetterFilter, limit: Int64) async throws(LedgerError) -> [StoredDeadLetter]

    /// Dead letters by the places of their records, in any order; those that do not exist are left out.
    func deadLetters(at origins: [RecordOrigin]) async throws(LedgerError) -> [StoredDeadLetter]

    /// One dead letter with its receipt; `nil` when there is none.
    func deadLetter(at origin: RecordOrigin) async throws(LedgerError) -> DeadLetterStory?

    /// Asks for dead letters' records to be read again; a worker does it.
    ///
    /// - Parameters:
    ///   - origins: which.
    ///   - person: who asks.
    ///   - maximumHops: none that was read again so often already.
    /// - Returns: the answer for each.
    func requestRedrive(
        of origins: [RecordOrigin], by person: String, maximumHops: Int64
    ) async throws(LedgerError) -> [RecordOrigin: RedriveAnswer]

    /// Redrives that wait, oldest first.
    func wantedRedrives(limit: Int64) async throws(LedgerError) -> [StoredDeadLetter]

    /// Records that a dead letter's record cannot be read again: it is gone. One transaction with its receipt.
    ///
    /// - Parameter effect: makes the receipt, given the dead letter and the ledger's clock.
    /// - Returns: false when the redrive was not wanted any more.
    func loseRedrive(
        of origin: RecordOrigin, under lease: RoleLease, code: String, detail: String,
        effect: @Sendable (StoredDeadLetter, Timestamp) throws -> Effect
    ) async throws(LedgerError) -> Bool

    /// Gives a dead letter up: one transaction with its receipt.
    ///
    /// - Parameter effect: makes the receipt, given the dead letter and the ledger's clock.
    func discard(
        _ origin: RecordOrigin, by worker: WorkerID,
        effect: @Sendable (StoredDeadLetter, Timestamp) throws -> Effect
    ) async throws(LedgerError) -> DiscardAnswer

    /// Open dead letters, by source.
    func openDeadLetters() async throws(LedgerError) -> [SourceName: Int64]

    /// Takes away dead letters that were set aside before a time.
    ///
    /// - Returns: how many, at most `limit`.
    func pruneDeadLetters(olderThan age: Duration, limit: Int64) async throws(LedgerError) -> Int
}
