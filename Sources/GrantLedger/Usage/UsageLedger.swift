public import ClawWire
public import IssuanceRules
public import ReceiptLog

/// What following usage asks of the ledger.
public protocol UsageLedger: Sendable {
    /// The first offset of each partition that no committed transaction covers. Partitions that were never read get the
    /// offset that is given for them.
    func openUsage(topic: String, partitions: [Int32: Int64]) async throws(LedgerError) -> [Int32: Int64]

    /// One usage transaction: the fence, everything that the calls touch; then `plan`, which is pure; then everything it
    /// returns, and COMMIT.
    ///
    /// - Parameters:
    ///   - revoking: jobs whose live tokens are going to be revoked, given what the ledger holds; those are locked and
    ///     read again before `plan` sees them.
    ///   - plan: called once with what the ledger holds; throwing rolls back.
    func recordUsage(
        _ read: UsageRead, revoking: @Sendable (UsageSnapshot) throws -> Set<JobID>,
        plan: @Sendable (UsageSnapshot, UsageMoment) throws -> UsageWrite
    ) async throws

    /// Jobs whose wall time is over although nothing more was received, longest over first.
    ///
    /// - Parameter limit: most jobs.
    func elapsedWallTimes(limit: Int64) async throws(LedgerError) -> [JobID]

    /// The gateway receipts that were counted for a job on days that are not archived, in the order of the calls.
    ///
    /// - Parameter limit: most receipts.
    func gatewayReceipts(of job: JobID, limit: Int64) async throws(LedgerError) -> [CountedReceipt]

    /// What is known of the usage of jobs, by identifier.
    ///
    /// - Parameter limit: most jobs of a class.
    func coverage(of jobs: CoverageScope, limit: Int64) async throws(LedgerError) -> [JobCoverage]
}

/// An offset of the usage topic to advance.
public struct UsageAdvance: Sendable, Hashable {
    /// The partition.
    public let partition: Int32
    /// The offset the ledger must hold now.
    public let from: Int64
    /// The offset it holds after the commit.
    public let to: Int64

    /// Makes an advance.
    public init(partition: Int32, from: Int64, to: Int64) {
        self.partition = partition
        self.from = from
        self.to = to
    }
}

/// What else a usage transaction has read.
public struct UsageMoment: Sendable, Hashable {
    /// The control position.
    public let controlPosition: Int64
    /// The dead letter that was asked for, locked; `nil` when its redrive is not wanted any more.
    public internal(set) var redrive: StoredDeadLetter?
}

/// What a usage transaction needs.
public struct UsageRead: Sendable {
    /// The role under which it is done.
    public let lease: RoleLease
    /// The topic.
    public let topic: String
    /// How far the batch comes.
    public let advances: [UsageAdvance]
    /// The calls of the batch.
    public let calls: [ObservedCall]
    /// Keys of findings that may have been raised before.
    public let findingKeys: [Digest]
    /// Jobs that are looked at because their wall time is over, whatever is received.
    public let elapsed: [JobID]
    /// The dead letter whose record the batch is. Another worker may be the reader of the topic then: the transaction
    /// waits for what that one has in hand.
    public var redrive: RecordOrigin?

    /// Makes a read.
    public init(
        lease: RoleLease, topic: String, advances: [UsageAdvance], calls: [ObservedCall], findingKeys: [Digest],
        elapsed: [JobID] = []
    ) {
        self.elapsed = elapsed
        self.lease = lease
        self.topic = topic
        self.advances = advances
        self.calls = calls
        self.findingKeys = findingKeys
    }
}

/// What a usage transaction writes.
public struct UsageWrite: Sendable {
    /// A call that counts.
    public struct Counted: Sendable {
        /// The call.
        public let call: ObservedCall
        /// Where it was read.
        public let origin: RecordOrigin
        /// The token it was made with.
        public let grant: UsageGrant?

        /// Makes a counted call.
        public init(call: ObservedCall, origin: RecordOrigin, grant: UsageGrant?) {
            self.call = call
            self.origin = origin
            self.grant = grant
        }
    }

    /// Calls that count.
    public var counted: [Counted] = []
    /// Usage of jobs that changed, with their class.
    public var jobs: [JobID: (jobClass: JobClass, usage: JobUsage)] = [:]
    /// Runs and the jobs they were seen in.
    public var runs: [(runID: String, jobID: JobID)] = []
    /// Findings.
    public var findings: [UsageFinding] = []
    /// Requests whose tokens are revoked because a budget is spent.
    public var revoked: [RequestID] = []
    /// Receipts and published records, in the order of their making.
    public var effects: [Effect] = []
    /// What became of the dead letter whose record was read again.
    public var redriven: RedriveWrite?

    /// Makes an empty write.
    public init() {}
}

/// A gateway receipt that was counted for a job: what it names, and where its envelope was read.
public struct CountedReceipt: Sendable, Hashable {
    /// Signer and receipt id.
    public let name: ObservedCall.Name
    /// The hash that the gateway signed.
    public let payloadHash: Digest
    /// Where the envelope stands.
    public let origin: RecordOrigin
    /// The token's request.
    public let requestID: RequestID
    /// The gateway's time.
    public let calledAt: Timestamp
}

/// Whose usage is asked for.
public enum CoverageScope: Sendable, Hashable {
    /// One job.
    case job(JobID)
    /// The jobs of a class, those used last first.
    case jobClass(JobClass)
}

/// What is known of a job's usage.
public struct JobCoverage: Sendable {
    /// Calls of one model.
    public struct Model: Sendable, Hashable {
        /// The provider.
        public let provider: String
        /// The model.
        public let model: String
        /// Calls.
        public let calls: Int64
        /// Input tokens.
        public let inputTokens: Int64
        /// Output tokens.
        public let outputTokens: Int64
    }

    /// A finding about the job.
    public struct Finding: Sendable, Hashable {
        /// The code.
        public let code: String
        /// How grave.
        public let severity: String
        /// What it is about.
        public let about: String
        /// For people.
        public let detail: String
        /// When it was raised.
        public let raisedAt: Timestamp
    }

    /// The job.
    public let jobID: JobID
    /// Its class.
    public let jobClass: JobClass
    /// Usage, tokens and approvals' budgets.
    public let usage: JobUsage
    /// Calls by model, of days that are not archived.
    public let models: [Model]
    /// Findings, oldest first.
    public let findings: [Finding]
}
