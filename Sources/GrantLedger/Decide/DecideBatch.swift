public import ClawWire
public import IssuanceRules
public import ReceiptLog

/// An offset to advance under a lease: the fence of a decide transaction.
public struct OffsetAdvance: Sendable, Hashable {
    /// The partition.
    public let partition: InputPartition
    /// The lease's epoch.
    public let epoch: LeaseEpoch
    /// The offset the ledger must hold now.
    public let from: Int64
    /// The offset it holds after the commit.
    public let to: Int64
    /// Makes an advance.
    public init(partition: InputPartition, epoch: LeaseEpoch, from: Int64, to: Int64) {
        self.partition = partition
        self.epoch = epoch
        self.from = from
        self.to = to
    }
}

/// What guards a decide transaction against a worker that is no longer in charge.
public enum DecideFence: Sendable, Hashable {
    /// The batch was read from leased partitions.
    case offsets([OffsetAdvance])
    /// The batch was found by a sweep under a role.
    case role(RoleLease)
}

/// The key of repeat detection: one event of one source.
public struct EventKey: Sendable, Hashable {
    /// Day of the event's own timestamp: the partition in which it is unique.
    public let day: Int32
    /// First 16 bytes of SHA-256 over source name, NUL and event id.
    public let key: [UInt8]
    /// SHA-256 of the canonical event; a repeat with another digest is a conflict.
    public let recordDigest: Digest

    /// Makes a key.
    public init(source: SourceName, eventID: SourceEventID, occurredAt: Timestamp, recordDigest: Digest) {
        day = occurredAt.day
        key = Array(Digest(hashing: source.rawValue + "\u{0}" + eventID.rawValue).bytes.prefix(16))
        self.recordDigest = recordDigest
    }
}

/// What a decide transaction must load and lock before the rules run.
public struct DecideRead: Sendable {
    /// The worker that decides.
    public var worker: WorkerID
    /// The fence.
    public var fence: DecideFence
    /// The control position up to which the caller knows the control orders; 0 for none.
    public var knownControlPosition: Int64 = 0
    /// When the stop lock is taken.
    public var stopLock = StopLock.first
    /// How long a transaction that took the stop lock first waits for a row.
    public var rowPatience: Duration = .milliseconds(200)
    /// The batch's events.
    public var events: [EventKey] = []
    /// Approvals named by facts or requests of the batch.
    public var approvalIDs: Set<ApprovalID> = []
    /// The ones among them at which something else of another partition may wait; see `PreparedRead.meetingLocks`.
    public var meetingApprovalIDs: Set<ApprovalID> = []
    /// Requests of the batch, and the earlier requests they upgrade.
    public var requestIDs: Set<RequestID> = []
    /// Tickets by which approvals and requests of the batch may meet others.
    public var tickets: Set<String> = []
    /// Subjects by which approvals and requests of the batch may meet others.
    public var subjects: Set<PersonID> = []
    /// Whether what the jobs of the batch have used is read too. Without budgets it makes no difference.
    public var readsUsage = false
    /// Jobs of the requests that the batch itself holds.
    public var jobIDs: Set<JobID> = []
    /// Approvals whose end may revoke the requests granted on them.
    public var endingApprovalIDs: Set<ApprovalID> = []
    /// Whose end may revoke everything granted on them: people by identifier or by principal name, and assignments.
    public var endingSubjects: Set<PersonID> = []
    /// People of the batch's approvals by identifier and principal name, and assignments, whose earlier ends are read.
    public var holders: Set<PersonID> = []
    /// The dead letter whose record the batch is.
    public var redrive: RecordOrigin?
    /// The sources that are watched; `nil` where nobody watches.
    public var health: HealthRead?

    /// Makes an empty read under a fence.
    public init(worker: WorkerID, fence: DecideFence) {
        self.worker = worker
        self.fence = fence
    }
}

/// When a decide transaction takes the stop lock. Either way everything it commits was decided under the control
/// position that holds at its commit, and a stop waits for whoever has the lock.
public enum StopLock: Sendable, Hashable {
    /// Before anything is read: a stop waits for the whole transaction, which cannot fail for a stop.
    case first
    /// Before COMMIT and behind everything else, in the same round trip: a stop waits for the commit alone, not for
    /// rules, signatures and rows. A control event that came meanwhile fails the transaction with
    /// ``LedgerError/Code/conflict``.
    case last
}

/// What the ledger held when the batch was locked.
public struct DecideSnapshot: Sendable {
    /// The database's clock: the time of every decision of the batch.
    public let now: Timestamp
    /// Position of the last control event.
    public let controlPosition: Int64
    /// Control orders that changed since ``DecideRead/knownControlPosition``.
    public let newControlOrders: [StoredControlOrder]
    /// When the control topic was last polled to its end.
    public let controlPolledAt: Timestamp
    /// Indexes into ``DecideRead/events`` of events that were not known.
    public let newEvents: Set<Int>
    /// Indexes of events whose key was known with another digest.
    public let conflictingEvents: Set<Int>
    /// Approvals that were asked for or that meet the batch, by id.
    public let approvals: [ApprovalID: StoredApproval]
    /// Requests that were asked for, wait for the batch, or may be revoked by it, by id.
    public let requests: [RequestID: StoredRequest]
    /// What the jobs of the batch have used, those left out that have used nothing; `nil` when it was not read.
    public let usage: [JobID: JobUsage]?
    /// True when the sum of some job of the ledger carries a budget that an approval gave.
    public let hasApprovalBudgets: Bool
    /// What is known of ends that name a holder and no approval, by holder: ``HolderEnd/body``.
    public var holderEnds: [PersonID: [[UInt8]]] = [:]
    /// The dead letter that was asked for, locked; `nil` when its redrive is not wanted any more.
    public var redrive: StoredDeadLetter?
    /// What is known of the sources that were asked for.
    public var health: [SourceName: StoredSourceHealth] = [:]
    /// The database that was asked; `nil` for a snapshot that comes from none.
    public var incarnation: LedgerIncarnation?

    /// Makes a snapshot.
    public init(
        now: Timestamp, controlPosition: Int64, newControlOrders: [StoredControlOrder], controlPolledAt: Timestamp,
        newEvents: Set<Int>, conflictingEvents: Set<Int>, approvals: [ApprovalID: StoredApproval],
        requests: [RequestID: StoredRequest], usage: [JobID: JobUsage]? = nil, hasApprovalBudgets: Bool = false
    ) {
        self.usage = usage
        self.hasApprovalBudgets = hasApprovalBudgets
        self.now = now
        self.controlPosition = controlPosition
        self.newControlOrders = newControlOrders
        self.controlPolledAt = controlPolledAt
        self.newEvents = newEvents
        self.conflictingEvents = conflictingEvents
        self.approvals = approvals
        self.requests = requests
    }
}

/// What a decide transaction writes.
public struct DecideWrite: Sendable {
    /// Approvals that the snapshot did not hold.
    public var newApprovals: [StoredApproval] = []
    /// Approvals of the snapshot that changed.
    public var changedApprovals: [StoredApproval] = []
    /// Requests that the snapshot did not hold.
    public var newRequests: [StoredRequest] = []
    /// Requests of the snapshot that changed.
    public var changedRequests: [StoredRequest] = []
    /// Receipts and published records, in the order of their making.
    public var effects: [Effect] = []
    /// For a request with an outcome, the index of its effect.
    public var effectOfRequest: [RequestID: Int] = [:]
    /// Ends that name a holder and no approval.
    public var holderEnds: [HolderEnd] = []
    /// What became of the dead letter whose record was decided.
    public var redriven: RedriveWrite?
    /// What is counted of sources whose rows are locked, encoded, where it changed.
    public var health: [SourceName: [UInt8]] = [:]
    /// What the vendor is to be asked about; the approvals are among those written.
    public var wantedConfirmations: Set<ConfirmationKey> = []
    /// How confirmations are left.
    public var settledConfirmations: [ConfirmationOutcome] = []
    /// Findings, each kept once.
    public var findings: [UsageFinding] = []

    /// Makes an empty write.
    public init() {}

    /// True when nothing but the fence is written.
    public var isEmpty: Bool {
        newApprovals.isEmpty && changedApprovals.isEmpty && newRequests.isEmpty && changedRequests.isEmpty
            && effects.isEmpty && holderEnds.isEmpty && redriven == nil && health.isEmpty && wantedConfirmations.isEmpty
            && settledConfirmations.isEmpty && findings.isEmpty
    }
}
