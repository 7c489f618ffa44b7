import ApprovalSources
import ClawWire
import DevStack
import GrantLedger
import Kafka
import Playground
import Postgres
import ReceiptLog

/// Decisions that the ledger takes a second when everything it is to write lies ready: the same statements and rows as
/// a worker's, in transactions of the same size.
struct LedgerLimit {
    static let batch = 500
    static let lanes = 2
    let options: BenchOptions
    let playground: Playground

    func measure(into report: inout BenchReport) async throws {
        let count = options.amount(40_000, quick: 5_000) / Self.batch * Self.batch
        let writes = try prepare(count)
        let worker = WorkerID("bench")
        var configuration = try PostgresConfiguration(uri: playground.conninfo)
        PostgresLedger.configure(&configuration, worker: worker)
        configuration.poolSize = Self.lanes + 1
        let pool = PostgresPool(configuration)
        let ledger = PostgresLedger(pool: pool, configuration: configuration)
        let leases = try await ledger.heartbeat(
            worker: worker, lifetime: .seconds(600), topics: ["bench": Int32(Self.lanes)], initialOffset: { _ in 0 }
        ).held
        guard leases.count == Self.lanes else { throw BenchError("the ledger gave no leases") }
        // Plans are made and files grown before the clock starts.
        try await run(ledger, worker, leases, [Array(writes.prefix(Self.batch)), []], from: 0)
        let rest = Array(writes.dropFirst(Self.batch))
        let shares = (0..<Self.lanes).map { lane in
            stride(from: lane * Self.batch, to: rest.count, by: Self.lanes * Self.batch).flatMap {
                rest[$0..<min($0 + Self.batch, rest.count)]
            }
        }
        let server = ServerCPU(playground)
        let before = server.now()
        let own = CPUClock.process()
        let start = ContinuousClock.now
        try await run(ledger, worker, leases, shares, from: 1)
        let wall = (ContinuousClock.now - start).inSeconds
        let done = Double(rest.count)
        report.add("limit.ledger_decisions_per_second", done / wall, .perSecond)
        report.add(
            "ledger.postgres_cpu_per_decision", (server.now().postgres - before.postgres) / done * 1e6, .microseconds)
        report.add("ledger.client_cpu_per_decision", (CPUClock.process() - own) / done * 1e6, .microseconds)
        try await ledger.leave(worker: worker)
        await ledger.close()
        await pool.shutdown()
    }

    private func run(
        _ ledger: PostgresLedger, _ worker: WorkerID, _ leases: [PartitionLease], _ shares: [[SampleWrite]],
        from first: Int64
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (lease, writes) in zip(leases, shares) {
                group.addTask {
                    var offset = lease.partition.partition == leases[0].partition.partition ? first : 0
                    for start in stride(from: 0, to: writes.count, by: Self.batch) {
                        let part = writes[start..<min(start + Self.batch, writes.count)]
                        try await Self.decide(part, ledger, worker, lease, at: offset)
                        offset += 1
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func decide(
        _ part: ArraySlice<SampleWrite>, _ ledger: PostgresLedger, _ worker: WorkerID, _ lease: PartitionLease,
        at offset: Int64
    ) async throws {
        var read = DecideRead(
            worker: worker,
            fence: .offsets([
                OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: offset, to: offset + 1)
            ]))
        read.events = part.map(\.event)
        read.approvalIDs = Set(part.map(\.approval.approvalID))
        read.requestIDs = Set(part.map(\.request.requestID))
        var write = DecideWrite()
        write.newApprovals = part.map(\.approval)
        write.newRequests = part.map(\.request)
        write.effects = part.map(\.effect)
        for (index, element) in part.enumerated() { write.effectOfRequest[element.request.requestID] = index }
        let ready = write
        let new = try await ledger.decide(read) { snapshot in (ready, snapshot.newEvents.count) }
        guard new == part.count else { throw BenchError("\(part.count - new) events of a fresh batch were known") }
    }

    private func prepare(_ count: Int) throws -> [SampleWrite] {
        let sample = try SampleDecision(playground)
        let workload = Workload(
            playground: playground, signing: .together(options.eventsPerSignature), prefix: "ledger")
        var signatures = BatchSignatureCache(capacity: 4_096)
        let now = Timestamp.playgroundNow
        return try workload.records(0..<count).map { record in
            try SampleWrite(sample, try sample.read(SourceRecord(record: record), &signatures), at: now)
        }
    }
}

extension SourceRecord {
    /// A record as it would be read.
    init(record: ProducerRecord) {
        self.init(
            topic: record.topic, key: record.key, headers: record.headers.map { Header($0.name, $0.value) },
            value: record.value)
    }
}
