public import ClawWire

/// Names what is to be confirmed: what one source said of one approval.
public struct ConfirmationKey: Sendable, Hashable, Comparable {
    /// The approval.
    public let approvalID: ApprovalID
    /// The configured source whose statements the vendor must confirm.
    public let source: SourceName

    /// Names a confirmation.
    public init(approvalID: ApprovalID, source: SourceName) {
        self.approvalID = approvalID
        self.source = source
    }

    /// Orders by approval, then by source: the order in which rows are locked.
    public static func < (left: ConfirmationKey, right: ConfirmationKey) -> Bool {
        (left.approvalID, left.source) < (right.approvalID, right.source)
    }
}

/// How a confirmation stands. The text is what the ledger stores.
public enum ConfirmationState: String, Sendable, Hashable, CaseIterable {
    /// The vendor has not said yes.
    case waiting
    /// The vendor said the same; it is asked again from time to time while the approval lasts.
    case confirmed
    /// The vendor said something else. Final.
    case contradicted
    /// There is nothing left to ask. Final, unless the source says more.
    case over
}

/// A confirmation whose time has come.
public struct DueConfirmation: Sendable, Hashable {
    /// What is to be confirmed.
    public let key: ConfirmationKey
    /// How it stands.
    public let state: ConfirmationState
    /// Times the vendor was asked since the source last spoke, without an answer that settles it.
    public let attempts: Int32
    /// When the source's statement was taken.
    public let wantedAt: Timestamp
    /// Digest of the last answer that counted.
    public let answerDigest: Digest?
    /// The encoded state of the approval.
    public let approval: [UInt8]
    /// The approval has its outcome: nothing can rest on it any more.
    public let isApprovalClosed: Bool
    /// The database's clock.
    public let now: Timestamp
}

/// One answer of the vendor that changes something: what the ledger keeps of it.
public struct ConfirmationAnswer: Sendable, Hashable {
    /// What it is about.
    public let key: ConfirmationKey
    /// What it comes to.
    public let state: ConfirmationState
    /// Why, as a machine code.
    public let why: String
    /// SHA-256 of the canonical answer.
    public let digest: Digest
    /// The vendor's names for the questions.
    public let requestIDs: [String]
    /// When it was asked.
    public let askedAt: Timestamp
    /// When the answer was there.
    public let answeredAt: Timestamp

    /// Makes an answer.
    public init(
        key: ConfirmationKey, state: ConfirmationState, why: String, digest: Digest, requestIDs: [String],
        askedAt: Timestamp, answeredAt: Timestamp
    ) {
        self.key = key
        self.state = state
        self.why = why
        self.digest = digest
        self.requestIDs = requestIDs
        self.askedAt = askedAt
        self.answeredAt = answeredAt
    }
}

/// How a confirmation is left by a decide transaction.
public struct ConfirmationOutcome: Sendable, Hashable {
    /// What was confirmed, or was not.
    public let key: ConfirmationKey
    /// How it stands now.
    public let state: ConfirmationState
    /// Why, as a machine code.
    public let why: String
    /// Digest of the answer.
    public let digest: Digest
    /// When the vendor is asked again; `nil` for never.
    public let dueAt: Timestamp?

    /// Makes an outcome.
    public init(key: ConfirmationKey, state: ConfirmationState, why: String, digest: Digest, dueAt: Timestamp?) {
        self.key = key
        self.state = state
        self.why = why
        self.digest = digest
        self.dueAt = dueAt
    }
}

/// A confirmation that is to be asked about later, or not at all.
public struct ConfirmationDelay: Sendable, Hashable {
    /// What is to be confirmed.
    public let key: ConfirmationKey
    /// Time until it is due; `nil` ends the asking.
    public let wait: Duration?
    /// Why, as a machine code.
    public let why: String
    /// True when nothing settled it, so that the next wait is longer.
    public let isAttempt: Bool

    /// Makes a delay.
    public init(key: ConfirmationKey, wait: Duration?, why: String, isAttempt: Bool) {
        self.key = key
        self.wait = wait
        self.why = why
        self.isAttempt = isAttempt
    }
}

/// What confirming asks of the ledger beside decide transactions. A decide transaction takes up what is to be confirmed
/// (``DecideWrite/wantedConfirmations``) and leaves behind how it was settled (``DecideWrite/settledConfirmations``).
public protocol ConfirmationLedger: Sendable {
    /// Confirmations whose time has come, the longest due first, at most `limit`.
    func dueConfirmations(limit: Int64) async throws(LedgerError) -> [DueConfirmation]

    /// How many confirmations wait for their first answer.
    func waitingConfirmations() async throws(LedgerError) -> Int64

    /// Keeps answers as evidence, before anything is decided on them.
    ///
    /// - Returns: the number of each, in order.
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's.
    func recordAnswers(_ answers: [ConfirmationAnswer], under lease: RoleLease) async throws(LedgerError) -> [Int64]

    /// Puts confirmations off.
    ///
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's.
    func delayConfirmations(_ delays: [ConfirmationDelay], under lease: RoleLease) async throws(LedgerError)
}
