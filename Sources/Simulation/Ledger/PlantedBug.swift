/// Mistakes that the ledger can be told to make, so that a test can show that they are found.
public enum PlantedBug: String, Sendable, Hashable, CaseIterable {
    /// Offsets advance whoever holds the partition and wherever it stands.
    case skipFence = "skip-fence"
    /// The control position is not checked behind the stop lock.
    case skipPositionCheck = "skip-position-check"
    /// The control position is checked without the stop lock.
    case skipStopLock = "skip-stop-lock"
    /// Every event is new.
    case forgetEvents = "forget-events"
    /// Approvals and requests are read and written without a lock, and nothing guards a second outcome.
    case skipRowLocks = "skip-row-locks"
    /// The sealer takes groups by "greater than the last", not by membership.
    case sealByNumber = "seal-by-number"
    /// A sealer seals without its role.
    case skipSealFence = "skip-seal-fence"
    /// What was sealed stays among what is to be sealed, once.
    case keepUnsealed = "keep-unsealed"
    /// What is sealed counts as published; the topics' tails are not consulted.
    case assumePublished = "assume-published"
    /// A control transaction is answered before it is committed, and may not be.
    case answerEarly = "answer-early"

    /// A sealer is told that it sealed before that is committed, and it may never be: it publishes what is not sealed.
    case publishBeforeSeal = "publish-before-seal"
    /// Workers do not compare the ledger with its topics, and go on in one that lost its end.
    case skipComparison = "skip-comparison"

    /// Seeds within which the default run meets it.
    public var seedsToFind: Int { 400 }
}
