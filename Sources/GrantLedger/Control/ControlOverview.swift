public import ClawWire
public import ReceiptLog

/// What stands in the ledger's control state, and what is on its way because of it.
public struct ControlOverview: Sendable {
    /// The database's clock.
    public let now: Timestamp
    /// Position of the last control event.
    public let position: Int64
    /// When the control topic was last polled to its end.
    public let polledAt: Timestamp
    /// Every control order, ended ones too.
    public let orders: [StoredControlOrder]
    /// Grants and live tokens.
    public let counts: [ControlSnapshot.Count]
    /// Runs of single revocations that are not finished, oldest first.
    public let openRuns: [RevocationRun]
    /// Workers alive.
    public let liveWorkers: Int64
    /// The live worker that reads the control topic; `nil` when there is none.
    public let reader: WorkerID?
    /// Control events whose receipts are not sealed.
    public let unsealedEvents: Int64
    /// Number of the last sealed batch; -1 for an empty log.
    public let lastBatch: Int64
    /// The first batch whose revocations and control results may not be on their topics.
    public let nextBatchToPublish: Int64

    /// True when everything that control events said and voided so far is on the topics; a lower bound.
    public var isPublished: Bool { unsealedEvents == 0 && openRuns.isEmpty && nextBatchToPublish > lastBatch }

    package init(
        now: Timestamp, position: Int64, polledAt: Timestamp, orders: [StoredControlOrder],
        counts: [ControlSnapshot.Count], openRuns: [RevocationRun], liveWorkers: Int64, reader: WorkerID?,
        unsealedEvents: Int64, lastBatch: Int64, nextBatchToPublish: Int64
    ) {
        self.now = now
        self.position = position
        self.polledAt = polledAt
        self.orders = orders
        self.counts = counts
        self.openRuns = openRuns
        self.liveWorkers = liveWorkers
        self.reader = reader
        self.unsealedEvents = unsealedEvents
        self.lastBatch = lastBatch
        self.nextBatchToPublish = nextBatchToPublish
    }
}

/// How far what a control event left behind has come, at one instant.
public struct ControlProgress: Sendable, Hashable {
    /// True when the event's own receipt is in a sealed batch, with its cut-offs.
    public let isSealed: Bool
    /// True when every token that it voids is revoked one by one, and all of that is in sealed batches.
    public let isSwept: Bool
    /// Runs of single revocations that are not finished.
    public let openRuns: Int64
    /// Tokens revoked by the event's runs.
    public let revokedTokens: Int64
    /// Number of the last sealed batch; -1 for an empty log.
    public let lastBatch: Int64
    /// The first batch whose revocations and control results may not be on their topics.
    public let nextBatchToPublish: Int64

    package init(
        isSealed: Bool, isSwept: Bool, openRuns: Int64, revokedTokens: Int64, lastBatch: Int64,
        nextBatchToPublish: Int64
    ) {
        self.isSealed = isSealed
        self.isSwept = isSwept
        self.openRuns = openRuns
        self.revokedTokens = revokedTokens
        self.lastBatch = lastBatch
        self.nextBatchToPublish = nextBatchToPublish
    }
}
