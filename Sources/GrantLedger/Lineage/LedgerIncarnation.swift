public import ClawWire

/// Which running database a ledger is: another one after a restart, a failover, a restore from a backup.
///
/// What a worker knows of one incarnation, above all that nothing was published which the ledger does not hold, says
/// nothing of the next: a ledger that was restored to an earlier instant would issue again what is out already.
public struct LedgerIncarnation: Sendable, Hashable, CustomStringConvertible {
    /// When the server started, by its own clock.
    public let startedAt: Timestamp
    /// Identifier of the ledger's table within the server: another one once the table was made anew.
    public let table: Int64

    /// Makes an incarnation.
    public init(startedAt: Timestamp, table: Int64) {
        self.startedAt = startedAt
        self.table = table
    }

    /// Start and table, for logs.
    public var description: String { "\(startedAt.iso8601)/\(table)" }
}

/// How far a ledger has come, to be held against what its topics show.
public struct LedgerStanding: Sendable, Hashable {
    /// The database that was asked.
    public let incarnation: LedgerIncarnation
    /// Number of the next batch to seal: all smaller ones are in the ledger.
    public let nextBatch: Int64
    /// Position of the last control event.
    public let controlPosition: Int64

    /// Makes a standing.
    public init(incarnation: LedgerIncarnation, nextBatch: Int64, controlPosition: Int64) {
        self.incarnation = incarnation
        self.nextBatch = nextBatch
        self.controlPosition = controlPosition
    }
}

/// A ledger that can be held against its topics.
public protocol LineageLedger: Ledger {
    /// Which database this is, and how far its ledger has come.
    func standing() async throws(LedgerError) -> LedgerStanding

    /// The digest of a sealed batch's header; `nil` when there is no such batch.
    func headerHash(ofBatch number: Int64) async throws(LedgerError) -> Digest?
}

extension PostgresLedger: LineageLedger {}
