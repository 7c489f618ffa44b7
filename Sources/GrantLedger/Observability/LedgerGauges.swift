public import ClawWire

/// How the ledger as a whole stands, for metrics: the same on every worker, but for the roles.
public struct LedgerGauges: Sendable, Hashable {
    /// Committed groups that wait to be sealed.
    public var unsealedGroups: Int64 = 0
    /// How long the oldest of them has waited.
    public var unsealedAge: Duration = .zero
    /// Batches sealed.
    public var batches: Int64 = 0
    /// Position of the last sealed receipt; `nil` in an empty log.
    public var sealedPosition: Int64?
    /// Time since the last signed checkpoint; `nil` in an empty log.
    public var checkpointAge: Duration?
    /// The first batch that may not be on the topics in full, by lane.
    public var nextBatch: [PublishLane: Int64] = [:]
    /// Position of the last control event.
    public var controlPosition: Int64 = 0
    /// Time since the control topic was last read to its end; without such a topic, since the ledger was made.
    public var stopViewAge: Duration = .zero
    /// Requests that wait.
    public var waitingRequests: Int64 = 0
    /// Workers whose life is not over.
    public var liveWorkers: Int64 = 0
    /// Roles, and whether the worker that asked holds them.
    public var roles: [WorkerRole: Bool] = [:]
    /// Time since each signing key's first use.
    public var keyAges: [KeyID: Duration] = [:]

    /// Sealed batches that are not known to be on the topics.
    public func backlog(of lane: PublishLane) -> Int64 { max(0, batches - (nextBatch[lane] ?? 0)) }

    /// A fresh, empty ledger.
    public init() {}
}
