public import ClawWire
public import ReceiptLog

/// What a console asks of the ledger. Every call is one read-only transaction with a time limit for each statement, reads
/// by index and no more than a fixed number of rows; none takes a lock that anybody waits for.
public protocol ConsoleLedger: Sendable {
    /// How things stand now.
    ///
    /// - Parameter position: control orders that changed after this control position are returned; 0 for all.
    func consoleStanding(ordersAfter position: Int64) async throws(LedgerError) -> ConsoleStanding

    /// What costs more to count, and changes slower.
    func consoleTallies() async throws(LedgerError) -> ConsoleTallies

    /// Names of the newest groups of effects that lie before a place, newest first; no bodies are read.
    func consoleGroups(before place: ConsoleGroupPlace?, limit: Int) async throws(LedgerError) -> [ConsoleGroup]

    /// Receipts of groups, in the order of the places given; places that the ledger does not hold are left out.
    func consoleReceipts(of places: [ConsoleGroupPlace]) async throws(LedgerError) -> [ConsoleGroupReceipts]

    /// Requests that wait, by when they are looked at next, with what is needed to say what they wait for.
    func consoleWaiting(after place: ConsolePlace?, limit: Int) async throws(LedgerError) -> ConsoleWaiting

    /// Tokens that live, by their end. With a class only its own are returned of the first 20 000 after the place.
    func consoleLiveTokens(
        of jobClass: JobClass?, after place: ConsolePlace?, limit: Int
    ) async throws(LedgerError) -> [StoredRequest]

    /// A request with its receipt and where that stands in the log; `nil` when there is no such request.
    func consoleRequest(_ id: RequestID) async throws(LedgerError) -> ConsoleRequest?

    /// Requests that a text names exactly: by their own identifier, an approval's, a ticket's or a job's; at most 50.
    func consoleFind(_ text: String) async throws(LedgerError) -> [ConsoleMatch]
}

/// How things stand at one instant.
public struct ConsoleStanding: Sendable {
    /// The last sealed batch.
    public struct Batch: Sendable, Hashable {
        /// Its number.
        public let number: Int64
        /// Position of its last receipt.
        public let lastPosition: Int64
        /// When it was sealed.
        public let sealedAt: Timestamp
        /// The signed note under the log with this batch.
        public let checkpoint: String
    }

    /// How far a lane of the publisher has come.
    public struct Lane: Sendable, Hashable {
        /// `main` or `control`.
        public let name: String
        /// The first batch that may not be on its topics.
        public let nextBatch: Int64
        /// When that was last noted.
        public let updatedAt: Timestamp
    }

    /// A worker that has announced itself within the last hour.
    public struct Worker: Sendable, Hashable {
        /// Its name.
        public let id: WorkerID
        /// When it came.
        public let startedAt: Timestamp
        /// Until when it counts as alive.
        public let expiresAt: Timestamp
    }

    /// A partition of an input topic.
    public struct Partition: Sendable, Hashable {
        /// The topic.
        public let topic: String
        /// The partition.
        public let number: Int32
        /// The first offset that is not decided.
        public let nextOffset: Int64
        /// The fence of its lease.
        public let epoch: Int64
        /// Who reads it.
        public let owner: WorkerID?
    }

    /// A role that one worker at a time holds.
    public struct Role: Sendable, Hashable {
        /// Its name: `sealer`, `control`.
        public let name: String
        /// The fence of its lease.
        public let epoch: Int64
        /// Who holds it.
        public let owner: WorkerID?
    }

    /// A cut-off whose tokens have not all expired.
    public struct Cutoff: Sendable, Hashable {
        /// Key of its record: what it voids.
        public let key: String
        /// Control position that made it.
        public let position: Int64
        /// When the last token that it voids has expired; `nil` for one that is never over.
        public let endsAt: Timestamp?
    }

    /// A sink of security events.
    public struct Sink: Sendable, Hashable {
        /// Its name in the configuration.
        public let name: String
        /// Position of the first receipt that it may not have.
        public let nextPosition: Int64
        /// When something was last delivered.
        public let deliveredAt: Timestamp?
        /// Failures in a row, up to now.
        public let failures: Int32
        /// When the first of them was.
        public let failingSince: Timestamp?
        /// Why the last delivery failed that did.
        public let failure: String?
        /// Events that it never got.
        public let skipped: Int64
    }

    /// The ledger's clock.
    public let now: Timestamp
    /// Name of the log.
    public let logID: String
    /// Position of the last control event.
    public let controlPosition: Int64
    /// When the control topic was last read to its end.
    public let controlPolledAt: Timestamp
    /// The database that was asked: positions say nothing of those of another one.
    public let incarnation: LedgerIncarnation
    /// Control orders that changed since the position that was asked for.
    public let orders: [StoredControlOrder]
    /// Runs of single revocations that are not finished.
    public let openRuns: [RevocationRun]
    /// The last sealed batch; `nil` for an empty log.
    public let lastBatch: Batch?
    /// Lanes of the publisher.
    public let lanes: [Lane]
    /// Groups that are not sealed, at most ``mostCounted``.
    public let unsealedGroups: Int64
    /// When the oldest of them was written.
    public let oldestUnsealedAt: Timestamp?
    /// Requests that wait, at most ``mostCounted``.
    public let waitingRequests: Int64
    /// Workers, newest first.
    public let workers: [Worker]
    /// Input partitions.
    public let partitions: [Partition]
    /// Roles.
    public let roles: [Role]
    /// What the ledger keeps of watched sources.
    public let sources: [SourceName: StoredSourceHealth]
    /// Cut-offs in force, the one that ends first in front; at most 200.
    public let cutoffs: [Cutoff]
    /// Sinks of security events that ever delivered; `nil` where the schema knows none.
    public let sinks: [Sink]?

    /// Counting ends there.
    public static let mostCounted: Int64 = 10_000
}

/// What is counted every few seconds.
public struct ConsoleTallies: Sendable {
    /// Live tokens of a class.
    public struct LiveGrants: Sendable, Hashable {
        /// The class.
        public let jobClass: JobClass
        /// Tokens neither expired nor revoked, by the ledger's counts.
        public let live: Int64
        /// When the first of them expires, to a second.
        public let soonestExpiry: Timestamp
    }

    /// A finding.
    public struct Finding: Sendable, Hashable {
        /// Its code.
        public let code: String
        /// `info`, `warning` or `critical`.
        public let severity: String
        /// The job, when it is about one.
        public let jobID: JobID?
        /// The request, when it is about one.
        public let requestID: RequestID?
        /// What it is about.
        public let about: String
        /// One sentence.
        public let detail: String
        /// When it was raised.
        public let raisedAt: Timestamp
    }

    /// Live tokens by class.
    public let grants: [LiveGrants]
    /// Open dead letters by source, each at most ``ConsoleStanding/mostCounted``.
    public let openDeadLetters: [(source: SourceName, count: Int64)]
    /// Open ones among the 200 newest dead letters.
    public let newestDeadLetters: [StoredDeadLetter]
    /// The newest findings, at most 100.
    public let findings: [Finding]
}

/// Names a group of effects.
public struct ConsoleGroupPlace: Sendable, Hashable, Comparable {
    /// Day of its partition.
    public let day: Int32
    /// Identifier.
    public let groupID: Int64

    /// Names a group.
    public init(day: Int32, groupID: Int64) {
        self.day = day
        self.groupID = groupID
    }

    /// Older groups are smaller.
    public static func < (left: Self, right: Self) -> Bool { (left.day, left.groupID) < (right.day, right.groupID) }
}

/// A group of effects without its body.
public struct ConsoleGroup: Sendable, Hashable {
    /// Its name.
    public let place: ConsoleGroupPlace
    /// How many receipts it holds.
    public let entries: Int32
    /// When it was written.
    public let createdAt: Timestamp
}

/// The receipts of a group.
public struct ConsoleGroupReceipts: Sendable, Hashable {
    /// The group.
    public let place: ConsoleGroupPlace
    /// Canonical receipts, oldest first.
    public let receipts: [[UInt8]]
}

/// A place in a list that is ordered by a time and a request's identifier.
public struct ConsolePlace: Sendable, Hashable {
    /// The time.
    public let time: Timestamp
    /// The request.
    public let requestID: RequestID

    /// Names a place.
    public init(time: Timestamp, requestID: RequestID) {
        self.time = time
        self.requestID = requestID
    }
}

/// Requests that wait, and what the rules need to say for what.
public struct ConsoleWaiting: Sendable {
    /// The ledger's clock.
    public let now: Timestamp
    /// The requests.
    public let requests: [StoredRequest]
    /// Approvals that may serve them: by identifier, ticket or subject; at most 1 000.
    public let approvals: [StoredApproval]
    /// Encoded usage of their jobs.
    public let usage: [JobID: [UInt8]]
    /// What the ledger keeps of watched sources.
    public let sources: [SourceName: StoredSourceHealth]
    /// Approvals that wait for the vendor's own answer, with why it was not had yet.
    public let confirmations: [ApprovalID: String]
}

/// A request, and where its receipt stands.
public struct ConsoleRequest: Sendable {
    /// What the ledger holds of it.
    public let history: RequestHistory
    /// Position of its receipt in the log; `nil` while it is not sealed.
    public let position: Int64?
    /// What its approvals wait for, see ``ConsoleWaiting/confirmations``.
    public let confirmations: [ApprovalID: String]
    /// What the rules need to say what it waits for; `nil` unless it waits.
    public let waiting: ConsoleWaiting?
}

/// A request that a text names.
public struct ConsoleMatch: Sendable, Hashable {
    /// By what.
    public enum Name: String, Sendable, Hashable, CaseIterable {
        /// Its own identifier.
        case request
        /// An approval that it rests on or waits for.
        case approval
        /// A ticket that it waits for.
        case ticket
        /// Its job.
        case job
    }

    /// By what.
    public let name: Name
    /// The request.
    public let requestID: RequestID
}
