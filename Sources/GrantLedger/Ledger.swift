public import ClawWire
public import ReceiptLog

/// The one place where a decision becomes true.
///
/// Everything the services ask of the database, in the domain's words. Every method that commits is fenced: it names
/// the lease under which it acts, and throws ``LedgerError/Code/fenced`` when that lease is no longer held, with
/// nothing committed. Implementations are safe to call from any task.
public protocol Ledger: Sendable {
    /// Names the receipt log; the first caller of a fresh ledger decides the name.
    ///
    /// - Throws: ``LedgerError/Code/refused`` when the ledger holds another name.
    func openLog(_ logID: LogID) async throws(LedgerError)

    /// Makes the day partitions of events that may still come and of effects that will be written; days that exist are
    /// left alone. Forgets the ends of holders of days before them.
    ///
    /// - Parameters:
    ///   - past: how many days before today.
    ///   - future: how many days after today.
    func ensureDays(past: Int32, future: Int32) async throws(LedgerError)

    /// Renews a worker's life, ends the database sessions of workers whose life is over, and brings the worker's share
    /// of partitions up to date: claims free ones up to its share, counts those it holds too many of.
    ///
    /// - Parameters:
    ///   - topics: partition counts of the input topics, as the broker told them.
    ///   - initialOffset: where a partition the ledger has never seen is read from.
    ///   - lifetime: for how long the worker counts as alive without another heartbeat.
    func heartbeat(
        worker: WorkerID, lifetime: Duration, topics: [String: Int32],
        initialOffset: @Sendable (InputPartition) -> Int64
    ) async throws(LedgerError) -> LeaseView

    /// Ends the lives of earlier starts of a worker that have no session in the database any more, so that what they held
    /// need not wait for its leases to run out. One that still has a session is left alone: it may live.
    ///
    /// - Returns: whose life was ended.
    func endPredecessors(of worker: WorkerID) async throws(LedgerError) -> [WorkerID]

    /// Gives partitions up; the next worker may claim them at once.
    func release(partitions: Set<InputPartition>, of worker: WorkerID) async throws(LedgerError)

    /// Ends a worker's life: gives up its partitions and roles.
    func leave(worker: WorkerID) async throws(LedgerError)

    /// Claims a role when its holder's life is over, or confirms that this worker holds it.
    ///
    /// - Returns: the lease, or `nil` when another live worker holds the role.
    func claim(role: WorkerRole, for worker: WorkerID) async throws(LedgerError) -> RoleLease?

    /// The next offset of each partition, as committed.
    func committedOffsets() async throws(LedgerError) -> [InputPartition: Int64]

    /// One decide transaction: shared stop lock, then stop state, fence, events, locked state; then `plan`, which is
    /// pure; then everything it returns, and COMMIT.
    ///
    /// - Parameter plan: called once with what the ledger holds; throwing rolls back.
    /// - Returns: what `plan` returned beside its write.
    func decide<Result: Sendable>(
        _ read: DecideRead,
        plan: @Sendable (DecideSnapshot) throws -> (write: DecideWrite, result: Result)
    ) async throws -> Result

    /// Requests whose wait is over and approvals whose time is over, at most `limit` of each.
    func due(limit: Int) async throws(LedgerError) -> DueWork

    /// One seal transaction: takes committed, unsealed groups, hands them to `seal`, writes the batches it returns.
    ///
    /// - Parameters:
    ///   - maximumGroups: most groups to take.
    ///   - maximumBytes: no further group is taken once those taken hold this many bytes.
    ///   - whenIdle: makes the effect that is sealed when there is nothing else, given the database's clock; `nil` seals
    ///     nothing then. The effect is committed by this transaction, and only by it.
    ///   - ending: how revocations and cut-offs are ended in the same transaction, behind everything else; `nil` ends none.
    ///   - seal: pure; gets the tail of the log and the groups in order.
    /// - Returns: the batches written, empty when there was nothing to seal.
    func seal(
        under lease: RoleLease, maximumGroups: Int, maximumBytes: Int,
        whenIdle: (@Sendable (Timestamp) throws -> Effect)?, ending: RevocationEnding?,
        seal: @Sendable (SealInput) throws -> [SealedBatch]
    ) async throws -> [SealedBatch]

    /// Sealed batches from a number on, oldest first, with their groups.
    func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch]

    /// Where a lane of publishing stands, as last written down: a lower bound.
    func publishPosition(of lane: PublishLane) async throws(LedgerError) -> PublishPosition

    /// Writes down how far a lane of publishing has come.
    func setPublishPosition(
        _ position: PublishPosition, of lane: PublishLane, under lease: RoleLease
    ) async throws(LedgerError)

    /// One control transaction: exclusive stop lock, then everything a control event is applied to; then `plan`, which
    /// is pure; then everything it returns, and COMMIT.
    ///
    /// A transaction that keeps the lock for longer than ``ControlRead/patience`` is ended by the server: its worker is
    /// frozen, cut off, or so slow that a stop must not wait for it.
    ///
    /// - Parameters:
    ///   - needs: the approvals that the event needs to see, given the state.
    ///   - plan: called once with what the ledger holds; throwing rolls back.
    /// - Returns: what `plan` returned beside its write.
    func control<Result: Sendable>(
        _ read: ControlRead, needs: @Sendable (ControlSnapshot) throws -> Set<ApprovalID>,
        plan: @Sendable (ControlSnapshot) throws -> (write: ControlWrite, result: Result)
    ) async throws -> Result

    /// The first offset of the control topic that no committed control transaction covers; 0 for a topic that was never
    /// read.
    func controlOffset(of topic: String) async throws(LedgerError) -> Int64

    /// Notes that the control topic was just polled to its end by a reader for whom the ledger covers it up to an offset.
    ///
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's, and when the ledger covers the topic up to
    ///   elsewhere: a replica that took over may lack events that its reader had applied, and is to read them again.
    func noteControlPoll(
        of topic: String, coveredTo offset: Int64, under lease: RoleLease
    ) async throws(LedgerError)

    /// The control state as of now: its position and the orders that changed after a position.
    func controlState(after position: Int64) async throws(LedgerError) -> ControlStateRows

    /// Takes control orders away that can never matter again; one that changed since it was read stays.
    ///
    /// - Parameter orders: by key, the position at which each was read.
    /// - Returns: how many were taken away.
    @discardableResult
    func pruneControlOrders(_ orders: [String: Int64], under lease: RoleLease) async throws(LedgerError) -> Int

    /// Revokes the next tokens of the oldest unfinished run, at most `limit`.
    ///
    /// - Parameter plan: pure; makes the effects of the tokens' revocation.
    /// - Returns: the run as it stands then, `nil` when there is none to do.
    func revokeNext(
        under lease: RoleLease, limit: Int,
        plan: @Sendable (RevocationChunk) throws -> [Effect]
    ) async throws -> RevocationRun?

    /// What the revocations topic must show for a reader to know everything up to an instant.
    func revocationHorizon() async throws(LedgerError) -> RevocationHorizon

    /// Revoked tokens in the order of their expiry and their requests, from one place on, at most `limit`.
    func revokedTokens(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> [RevokedTokenRow]

    /// Folds the counts of grants; without it they grow by a row for each transaction.
    func foldTallies() async throws(LedgerError)

    /// Records a signing key's first use.
    ///
    /// - Parameter effect: makes its receipt, dated by the ledger's clock as every receipt is; not asked for a key that
    ///   is known.
    /// - Returns: true when the key was not known.
    /// - Throws: ``LedgerError``; what `effect` throws, and then nothing is recorded.
    func registerKey(
        kid: KeyID, purpose: String, publicKey: Ed25519PublicKey, worker: WorkerID,
        effect: @Sendable (Timestamp) throws -> Effect
    ) async throws -> Bool

    /// Everything the ledger knows of a request, for `clawgrant explain`.
    func history(of request: RequestID) async throws(LedgerError) -> RequestHistory?

    /// Everything the ledger knows of an approval.
    func approval(_ id: ApprovalID) async throws(LedgerError) -> StoredApproval?

    /// The control state with what is on its way because of it, for `clawgrant stop`.
    func controlOverview() async throws(LedgerError) -> ControlOverview

    /// How far what a control event left behind has come; `nil` when no event has the position.
    func controlProgress(of position: Int64) async throws(LedgerError) -> ControlProgress?

    /// Live tokens of a scope, counted one by one.
    ///
    /// - Parameters:
    ///   - scopeKind: the kind, as on the wire.
    ///   - value: the normalized value.
    ///   - limit: counting ends there.
    ///   - time: counting is given up after it.
    /// - Returns: the number, `limit` standing for it or more; `nil` when it took too long.
    func liveTokens(
        scopeKind: String, value: String?, atMost limit: Int64, within time: Duration
    ) async throws(LedgerError) -> Int64?

    /// Counts for the status display.
    func status() async throws(LedgerError) -> LedgerStatus

    /// Waits until groups are announced that are to be sealed. For one caller at a time.
    ///
    /// - Returns: the most urgent of what was announced; `nil` when the time is over, and when only from now on is
    ///   listened: what was announced before is then found by looking.
    func waitForWork(atMost timeout: Duration) async throws(LedgerError) -> SealPriority?
}

/// What a sweep has to decide.
public struct DueWork: Sendable, Hashable {
    /// A waiting request, with the keys by which its approvals are found.
    public struct Request: Sendable, Hashable {
        /// Identifier.
        public let requestID: RequestID
        /// The approval it names.
        public let approvalReference: ApprovalID?
        /// The ticket it names.
        public let ticketReference: String?
        /// The person whose entitlement it rests on.
        public let subjectReference: PersonID?

        package init(
            requestID: RequestID, approvalReference: ApprovalID?, ticketReference: String?, subjectReference: PersonID?
        ) {
            self.requestID = requestID
            self.approvalReference = approvalReference
            self.ticketReference = ticketReference
            self.subjectReference = subjectReference
        }
    }

    /// Requests that are to be looked at again.
    public let requests: [Request]
    /// Approvals whose time is over.
    public let approvals: [ApprovalID]
    /// Makes due work.
    public init(requests: [Request], approvals: [ApprovalID]) {
        self.requests = requests
        self.approvals = approvals
    }
}

/// What the sealer works on.
public struct SealInput: Sendable {
    /// Encoded tail of the log; `nil` for an empty log.
    public let tail: [UInt8]?
    /// The next sequence number of each output stream, by ``OutputStream/rawValue``.
    public let nextSequence: [Int64]
    /// Committed, unsealed groups in order.
    public let groups: [EffectGroup]
    /// The database's clock.
    public let now: Timestamp
    /// The database that was asked; `nil` for an input that comes from none.
    public let incarnation: LedgerIncarnation?
    /// Makes an input.
    public init(
        tail: [UInt8]?, nextSequence: [Int64], groups: [EffectGroup], now: Timestamp,
        incarnation: LedgerIncarnation? = nil
    ) {
        self.incarnation = incarnation
        self.tail = tail
        self.nextSequence = nextSequence
        self.groups = groups
        self.now = now
    }
}

/// A sealed batch with the effects it covers.
public struct SealedBatch: Sendable {
    /// Number, dense from 0.
    public let number: Int64
    /// Position of its first receipt.
    public let firstPosition: Int64
    /// Position of its last receipt.
    public let lastPosition: Int64
    /// Digest of the header.
    public let headerHash: Digest
    /// The canonical header.
    public let header: [UInt8]
    /// Signature over the header.
    public let signature: Ed25519Signature
    /// The signed checkpoint after this batch.
    public let checkpoint: String
    /// Encoded tail of the log after this batch.
    public let tail: [UInt8]
    /// The log's signatures under the root by the compatible rule; `nil` for a batch from before there were any.
    public let rootSignatures: RootSignatures?
    /// The groups covered, in order.
    public let groups: [EffectGroup]
    /// The next sequence number of each stream after this batch.
    public let nextSequence: [Int64]
    /// When it was sealed.
    public let sealedAt: Timestamp

    /// Makes a batch.
    public init(
        number: Int64, firstPosition: Int64, lastPosition: Int64, headerHash: Digest, header: [UInt8],
        signature: Ed25519Signature, checkpoint: String, tail: [UInt8], rootSignatures: RootSignatures?,
        groups: [EffectGroup], nextSequence: [Int64], sealedAt: Timestamp
    ) {
        self.number = number
        self.firstPosition = firstPosition
        self.lastPosition = lastPosition
        self.headerHash = headerHash
        self.header = header
        self.signature = signature
        self.checkpoint = checkpoint
        self.tail = tail
        self.rootSignatures = rootSignatures
        self.groups = groups
        self.nextSequence = nextSequence
        self.sealedAt = sealedAt
    }
}

/// The log's two signatures under a batch's root by the compatible rule.
public struct RootSignatures: Sendable, Hashable {
    /// Over the root alone, as the reference log signs it.
    public let root: Ed25519Signature
    /// Over log, size, root and time.
    public let statement: Ed25519Signature

    /// Makes a pair.
    public init(root: Ed25519Signature, statement: Ed25519Signature) {
        self.root = root
        self.statement = statement
    }
}

extension Ledger {
    /// One seal transaction that seals nothing when there is nothing to seal; see
    /// ``seal(under:maximumGroups:maximumBytes:whenIdle:ending:seal:)``.
    public func seal(
        under lease: RoleLease, maximumGroups: Int, maximumBytes: Int,
        seal: @Sendable (SealInput) throws -> [SealedBatch]
    ) async throws -> [SealedBatch] {
        try await self.seal(
            under: lease, maximumGroups: maximumGroups, maximumBytes: maximumBytes, whenIdle: nil, ending: nil,
            seal: seal)
    }
}

/// A part of publishing that has its own producer and its own position.
public enum PublishLane: String, Sendable, Hashable, CaseIterable {
    /// Revocations and control results: served first, kept waiting by nothing.
    case control
    /// Everything else.
    case main
}

/// How far publishing has come: a batch number, and where in each output partition to read back from.
public struct PublishPosition: Sendable, Hashable {
    /// The first batch that may not be on the topics in full.
    public var nextBatch: Int64
    /// Per output partition, an offset at or before the first record of ``nextBatch``.
    public var readFrom: [InputPartition: Int64]
    /// Makes a position.
    public init(nextBatch: Int64, readFrom: [InputPartition: Int64]) {
        self.nextBatch = nextBatch
        self.readFrom = readFrom
    }
}

/// A request with the effects that were recorded for it.
public struct RequestHistory: Sendable {
    /// The request.
    public let request: StoredRequest
    /// Its effect, when it has an outcome and the effect's day is not archived.
    public let effect: Effect?
    /// The batch that sealed the effect.
    public let batchNumber: Int64?
    /// The approvals it rests on.
    public let approvals: [StoredApproval]
    /// Makes a history.
    public init(request: StoredRequest, effect: Effect?, batchNumber: Int64?, approvals: [StoredApproval]) {
        self.request = request
        self.effect = effect
        self.batchNumber = batchNumber
        self.approvals = approvals
    }
}

/// Counts over the ledger.
public struct LedgerStatus: Sendable, Hashable {
    /// Requests by state.
    public let requests: [RequestState: Int64]
    /// Approvals known.
    public let approvals: Int64
    /// Batches sealed.
    public let batches: Int64
    /// Receipts sealed.
    public let receipts: Int64
    /// Groups waiting to be sealed.
    public let unsealedGroups: Int64
    /// First batch that may not be published.
    public let nextBatchToPublish: Int64
    /// Live workers.
    public let liveWorkers: Int64
    /// Makes a status.
    public init(
        requests: [RequestState: Int64], approvals: Int64, batches: Int64, receipts: Int64, unsealedGroups: Int64,
        nextBatchToPublish: Int64, liveWorkers: Int64
    ) {
        self.requests = requests
        self.approvals = approvals
        self.batches = batches
        self.receipts = receipts
        self.unsealedGroups = unsealedGroups
        self.nextBatchToPublish = nextBatchToPublish
        self.liveWorkers = liveWorkers
    }
}
