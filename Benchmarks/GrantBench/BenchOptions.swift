public import DevStack

/// One part of the benchmark, which can be run alone.
public enum BenchSection: String, Sendable, Hashable, CaseIterable {
    /// Processor time of single calls on the way of a decision.
    case calls
    /// What approval systems send, read by one core.
    case sources
    /// Tokens signed a second by one core.
    case signatures
    /// Rows of decisions that the ledger takes a second from prepared writes.
    case ledger
    /// Records a second into and out of the broker.
    case kafka
    /// Decisions a second out of a backlog, one signature per batch of events; then the same records once more.
    case batch
    /// Decisions a second out of a backlog, one signature per event.
    case single
    /// Time from produce to grant, at fixed rates.
    case latency
    /// Time until a killed worker that is started again issues.
    case restart
    /// Decisions a second on a ledger that holds many rows.
    case rows
    /// A backlog of a million records.
    case million
    /// Memory of workers that go on for long at a steady rate.
    case soak
    /// Emergency stops: how soon they are acknowledged and visible, and that no grant passes one.
    case stop

    /// The sections of a run that names none: all but the long soak, and in a quick one all but those that take long.
    static func standard(quick: Bool) -> Set<BenchSection> {
        var all = Set(allCases).subtracting([.soak])
        if quick { all.subtract([.rows, .million]) }
        return all
    }
}

/// What is measured, with how much of everything.
public struct BenchOptions: Sendable {
    /// Shorter runs and no large ledger: figures are rougher.
    public var isQuick = false
    /// The sections to run; `nil` for all that fit the mode.
    public var only: Set<BenchSection>?
    /// Worker processes.
    public var workers = 2
    /// Decide lanes of each worker.
    public var lanes = 2
    /// Approvals a second at which times are measured; `nil` for 100, 1 000 and 70 % of the peak of the same run.
    public var rates: [Int]?
    /// Decisions that the ledger holds beforehand where its size is measured; `nil` for 10⁵ and 10⁶.
    public var rows: [Int]?
    /// How long a soak lasts.
    public var soakMinutes = 60
    /// Worker processes where stops are measured.
    public var stopWorkers = 3
    /// Decide lanes of each worker where stops are measured.
    public var stopLanes = 1
    /// Stops fired in quick succession at full load; `nil` for the number of the mode, 0 to leave out what is measured under load.
    public var stops: Int?
    /// Live tokens of the scope with very many; `nil` for the number of the mode.
    public var stopTokens: Int?
    /// Events under one signature, where events are signed in batches.
    public var eventsPerSignature = 256
    /// The program that is run as a worker, as `PROGRAM run --config FILE`; `nil` for this program itself.
    public var workerProgram: String?
    /// Where the broker programs are.
    public var tools = BrokerTools.find()
    /// Keeps the directories of the servers, with their logs.
    public var keepsDirectories = false
    /// Is told what is being done, a line at a time.
    public var progress: @Sendable (String) -> Void = { _ in }

    /// A full run.
    public init() {}

    var sections: Set<BenchSection> { only ?? BenchSection.standard(quick: isQuick) }

    /// Takes one of two amounts by the mode.
    func amount(_ full: Int, quick: Int) -> Int { isQuick ? quick : full }
}

/// A benchmark that could not be carried out, or found records that are not as they must be.
public struct BenchError: Error, Sendable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}
