public import ClawWire

/// Where a sink begins that the ledger does not know yet.
public enum SinkStart: Sendable, Hashable {
    /// With the receipt at this position of the log.
    case position(Int64)
    /// Behind the last sealed receipt.
    case end
}

/// How far a sink of security events has come.
public struct SinkPosition: Sendable, Hashable {
    /// Its name in the configuration.
    public let name: String
    /// Position of the first receipt it was to get.
    public let first: Int64
    /// Position of the first receipt that it may not have.
    public let next: Int64
    /// When something was last delivered.
    public let deliveredAt: Timestamp?
    /// Failures in a row, up to now.
    public let failures: Int32
    /// When the first of them was.
    public let failingSince: Timestamp?
    /// When a delivery last failed, at any time.
    public let failedAt: Timestamp?
    /// Why it did.
    public let failure: String?
    /// True while a finding about the present failures stands in the log.
    public let isReported: Bool
    /// Events that it never got, each told of by a finding.
    public let skipped: Int64

    /// Makes a position.
    public init(
        name: String, first: Int64, next: Int64, deliveredAt: Timestamp? = nil, failures: Int32 = 0,
        failingSince: Timestamp? = nil, failedAt: Timestamp? = nil, failure: String? = nil, isReported: Bool = false,
        skipped: Int64 = 0
    ) {
        self.name = name
        self.first = first
        self.next = next
        self.deliveredAt = deliveredAt
        self.failures = failures
        self.failingSince = failingSince
        self.failedAt = failedAt
        self.failure = failure
        self.isReported = isReported
        self.skipped = skipped
    }
}

/// What happened at a sink, as the ledger writes it down.
public enum SinkStep: Sendable, Hashable {
    /// It has everything before a position. Ends failures.
    case delivered(to: Int64)
    /// It did not take what it was given; `isReported` when a finding tells of it.
    case failed(String, isReported: Bool)
    /// It will never get what lies before a position and was not delivered.
    case skipped(to: Int64)
}

/// Where the log ends.
public struct LogEnd: Sendable, Hashable {
    /// Position behind the last sealed receipt.
    public let position: Int64
    /// When that was sealed; `nil` for an empty log.
    public let sealedAt: Timestamp?

    /// Makes an end.
    public init(position: Int64, sealedAt: Timestamp?) {
        self.position = position
        self.sealedAt = sealedAt
    }
}

/// What streaming security events asks of the ledger.
public protocol SecurityEventLedger: Sendable {
    /// Sealed batches from a number on, oldest first, with their groups as far as they are not archived.
    func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch]

    /// The number of the newest batch that begins at or before a position of the log; `nil` when there is none.
    func batch(holding position: Int64) async throws(LedgerError) -> Int64?

    /// Where the log ends.
    func logEnd() async throws(LedgerError) -> LogEnd

    /// The positions of sinks, those that are new begun.
    ///
    /// - Parameter starts: where each sink begins that is not known.
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's.
    func openSinks(
        _ starts: [String: SinkStart], under lease: RoleLease
    ) async throws(LedgerError) -> [String: SinkPosition]

    /// The positions of all sinks there ever were, by name.
    func sinkPositions() async throws(LedgerError) -> [SinkPosition]

    /// Writes down what happened at a sink, and commits the effects that tell of it, both or neither.
    ///
    /// - Parameters:
    ///   - step: what happened.
    ///   - sink: the sink.
    ///   - position: the position that the ledger must hold now.
    ///   - effects: makes effects, given the database's clock; `nil` for none.
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's or the position was moved, with nothing committed.
    func record(
        _ step: SinkStep, of sink: String, at position: Int64, under lease: RoleLease,
        leaving effects: (@Sendable (Timestamp) throws -> [Effect])?
    ) async throws

    /// Commits effects under a role.
    ///
    /// - Throws: ``LedgerError/Code/fenced`` when the role is another's.
    func leave(_ effects: @escaping @Sendable (Timestamp) throws -> [Effect], under lease: RoleLease) async throws
}
