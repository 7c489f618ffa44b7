public import ClawWire
public import ReceiptLog

/// A standing order as the ledger keeps it; what it says is the rules' to read.
public struct StoredControlOrder: Sendable, Hashable {
    /// What it is about: a later row with this key takes its place.
    public let key: String
    /// The control position at which it last changed.
    public let position: Int64
    /// The encoded order.
    public let body: [UInt8]
    /// Makes a row.
    public init(key: String, position: Int64, body: [UInt8]) {
        self.key = key
        self.position = position
        self.body = body
    }
}

/// The control state at an instant: its position and rows.
public struct ControlStateRows: Sendable, Hashable {
    /// Position of the last control event.
    public let position: Int64
    /// Rows that changed after the position asked for.
    public let orders: [StoredControlOrder]
    /// When the control topic was last polled to its end.
    public let polledAt: Timestamp
    /// The ledger's clock.
    public let now: Timestamp

    /// The database that this is the state of.
    public let incarnation: LedgerIncarnation?

    package init(
        position: Int64, orders: [StoredControlOrder], polledAt: Timestamp, now: Timestamp,
        incarnation: LedgerIncarnation? = nil
    ) {
        self.incarnation = incarnation
        self.position = position
        self.orders = orders
        self.polledAt = polledAt
        self.now = now
    }
}

/// What guards a control transaction that comes from the control topic.
public struct ControlFence: Sendable, Hashable {
    /// The role of the reader.
    public let lease: RoleLease
    /// The topic.
    public let topic: String
    /// The offset that the ledger must hold now.
    public let from: Int64
    /// The offset that it holds after the commit.
    public let to: Int64
    /// Makes a fence.
    public init(lease: RoleLease, topic: String, from: Int64, to: Int64) {
        self.lease = lease
        self.topic = topic
        self.from = from
        self.to = to
    }
}

/// What a control transaction needs.
public struct ControlRead: Sendable {
    /// A scope whose live tokens are counted while nothing is issued.
    public struct CountedScope: Sendable, Hashable {
        /// Counting ends there, so that nobody waits long for the lock.
        public static let most: Int64 = 10_000

        /// Its kind, as on the wire.
        public let kind: String
        /// Its normalized value.
        public let value: String

        /// A scope whose tokens an index finds; `nil` for every other: looking through all tokens under the lock would
        /// hold up everything else.
        public init?(kind: String, value: String?) {
            guard let value, ReachIndex(scopeKind: kind, value: value) != .expiry else { return nil }
            self.kind = kind
            self.value = value
        }
    }

    /// Who applies the event.
    public var worker: WorkerID
    /// The fence of an event from the control topic; `nil` for one that comes straight to the ledger.
    public var fence: ControlFence?
    /// The event, for finding a repeat; `nil` for a record that holds none.
    public var eventID: String?
    /// The control position up to which the caller knows the control orders; 0 for none.
    public var knownPosition: Int64 = 0
    /// The dead letter whose record the event is; in place of ``fence``, since its topic was read long ago.
    public var redrive: RedriveFence?
    /// The scope of which ``ControlSnapshot/live`` is wanted.
    public var counted: CountedScope?
    /// How long decide transactions in flight may keep the lock before they are ended.
    public var patience: Duration
    /// Makes a read.
    public init(
        worker: WorkerID, fence: ControlFence? = nil, eventID: String?, patience: Duration = .milliseconds(250)
    ) {
        self.worker = worker
        self.fence = fence
        self.eventID = eventID
        self.patience = patience
    }
}

/// What the ledger held once no decide transaction was in flight.
public struct ControlSnapshot: Sendable {
    /// Grants of one job class, key and WPC.
    public struct Count: Sendable, Hashable {
        /// Job class.
        public let jobClass: JobClass
        /// Signing key.
        public let kid: KeyID
        /// WPC, where there is one.
        public let policyHash: Digest?
        /// Grants ever made.
        public let grants: Int64
        /// Tokens neither expired nor revoked.
        public let live: Int64

        package init(jobClass: JobClass, kid: KeyID, policyHash: Digest?, grants: Int64, live: Int64) {
            self.jobClass = jobClass
            self.kid = kid
            self.policyHash = policyHash
            self.grants = grants
            self.live = live
        }
    }

    /// An event that was applied before under the same identifier.
    public struct KnownEvent: Sendable, Hashable {
        /// Its position, when it took one.
        public let position: Int64?
        /// SHA-256 of the encoded event.
        public let digest: Digest
        /// What it came to.
        public let result: String

        package init(position: Int64?, digest: Digest, result: String) {
            self.position = position
            self.digest = digest
            self.result = result
        }
    }

    /// The database's clock, after the lock was granted.
    public let now: Timestamp
    /// Position of the last control event.
    public let position: Int64
    /// Control orders that changed since ``ControlRead/knownPosition``.
    public let orders: [StoredControlOrder]
    /// Grants and live tokens.
    public let counts: [Count]
    /// The newest `iat` of any grant.
    public let newestIssuedAt: Timestamp?
    /// The latest `exp` of any grant.
    public let latestExpiry: Timestamp?
    /// The event, when it was applied before.
    public let known: KnownEvent?
    /// How long the lock was waited for.
    public let waited: Duration
    /// The database that this was read from.
    public let incarnation: LedgerIncarnation?
    /// Live tokens of ``ControlRead/counted``; `nil` where there are more than ``ControlRead/CountedScope/most``, or none
    /// is asked for.
    public package(set) var live: Int64?
    /// The dead letter that was asked for, locked; `nil` when its redrive is not wanted any more, or somebody else is
    /// about to change it.
    public internal(set) var redrive: StoredDeadLetter?
    /// The approvals that were asked for.
    public package(set) var approvals: [ApprovalID: StoredApproval]

    package init(
        now: Timestamp, position: Int64, orders: [StoredControlOrder], counts: [Count], newestIssuedAt: Timestamp?,
        latestExpiry: Timestamp?, known: KnownEvent?, waited: Duration, approvals: [ApprovalID: StoredApproval],
        incarnation: LedgerIncarnation? = nil
    ) {
        self.incarnation = incarnation
        self.now = now
        self.position = position
        self.orders = orders
        self.counts = counts
        self.newestIssuedAt = newestIssuedAt
        self.latestExpiry = latestExpiry
        self.known = known
        self.waited = waited
        self.approvals = approvals
    }
}

/// A control event as the ledger keeps it.
public struct StoredControlEvent: Sendable, Hashable {
    /// Identifier.
    public let eventID: String
    /// The position it took; `nil` when it changed nothing.
    public let position: Int64?
    /// What it does.
    public let operation: String
    /// The identifier under which people speak of it.
    public let handle: String
    /// What it came to.
    public let result: String
    /// SHA-256 of the encoded event.
    public let digest: Digest
    /// What is shown of it: canonical JSON.
    public let body: [UInt8]
    /// Makes an event.
    public init(
        eventID: String, position: Int64?, operation: String, handle: String, result: String, digest: Digest,
        body: [UInt8]
    ) {
        self.eventID = eventID
        self.position = position
        self.operation = operation
        self.handle = handle
        self.result = result
        self.digest = digest
        self.body = body
    }
}

/// What a control transaction writes.
public struct ControlWrite: Sendable {
    /// The event; `nil` for a repeat and for a record that holds none.
    public var event: StoredControlEvent?
    /// Orders that changed.
    public var orders: [StoredControlOrder] = []
    /// Receipts and published records.
    public var effects: [Effect] = []
    /// Tokens to revoke one by one.
    public var runs: [RevocationRun] = []
    /// Cut-offs that are published by the effects.
    public var cutoffs: [StoredCutoff] = []
    /// What became of the dead letter whose record was read again.
    public var redriven: RedriveWrite?
    /// Makes an empty write.
    public init() {}
}
