import ApprovalSources
import ClawWire
import CrashPoints
import Fsck
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Logging
import Primitives
import ReceiptLog

/// One simulated world: workers, ledger, broker, people, misfortune.
final class World {
    static let quiet = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    static let second: Int64 = 1_000_000_000
    static let maximumSteps = 400_000

    let plan: RunPlan
    let cast: Cast
    let scheduler: Scheduler
    let faults: Faults
    let watch = Watch()
    let database: SimulatedDatabase
    let broker: SimulatedBroker
    let workload: Workload
    let usesTransactions: Bool
    /// Whether workers hold the ledger against its topics, as real ones do; it takes time.
    let comparesLedger: Bool
    /// Whether the database changes over to a replica that lacks the last commits.
    let hasLaggingReplica: Bool
    /// Whether a replica took over that lacked commits.
    var lostCommits = false
    /// Whether it is the one that answers.
    var hasTakenOver = false
    /// What the topics show that the ledger does not hold.
    var remains = Remains.nothing
    /// Heads of sealers that slept, published behind records that they do not speak of.
    var lateHeads: Set<[UInt8]> = []
    let keys: KeyRing
    let isStopping = Lock(false)
    var crew: [Int: Node] = [:]
    var births = 0
    var wasDatabaseClockSet = false
    /// The database's clock when everything had come to rest.
    var settledAt = Cast.epoch
    /// Control events that somebody has typed or will, and that are not answered.
    var unanswered = 0
    var failures: [String: Int] = [:]
    /// How often a worker ended because the ledger is behind its topics.
    var refusals = 0

    init(_ plan: RunPlan, _ cast: Cast) throws {
        self.plan = plan
        self.cast = cast
        scheduler = Scheduler(seed: plan.seed, keepsTrace: plan.keepsTrace)
        faults = Faults(scheduler, kinds: plan.faults, planned: plan.crashes)
        database = SimulatedDatabase(
            scheduler, faults: faults, bugs: plan.bugs, watch: watch, epoch: Cast.epoch)
        var flaws: Set<BrokerFlaw> = []
        if plan.faults.contains(.transactions) {
            for flaw in BrokerFlaw.allCases where scheduler.dice.once(in: 4) { flaws.insert(flaw) }
        }
        broker = SimulatedBroker(scheduler, faults: faults, flaws: flaws)
        usesTransactions = plan.crashes != nil || !scheduler.dice.once(in: 3)
        hasLaggingReplica =
            plan.crashes == nil && plan.faults.contains(.lag)
            && (scheduler.dice.once(in: 8) || plan.bugs.contains(.skipComparison))
        comparesLedger =
            !plan.bugs.contains(.skipComparison)
            && (hasLaggingReplica || plan.hasTakeover || plan.crashes == nil && scheduler.dice.once(in: 6))
        let partitions = Int32(1 + scheduler.dice.below(4))
        broker.create(Cast.approvalsTopic, partitions: partitions)
        broker.create(Cast.requestsTopic, partitions: partitions)
        broker.create(Cast.controlTopic, partitions: 1)
        let outputs = WorkerConfiguration.OutputTopics()
        for stream in OutputStream.allCases {
            let isSingle = stream == .revocations || stream == .receiptBatches || stream == .controlResults
            broker.create(outputs.name(stream), partitions: isSingle ? 1 : 2)
        }
        let size = plan.size ?? 8 + scheduler.dice.below(40)
        let length = Self.second * Int64(2 + scheduler.dice.below(5))
        workload = try Workload(
            cast, size: size, length: length, partitions: partitions, kinds: plan.faults,
            hasEverything: plan.crashes != nil, dice: &scheduler.dice)
        keys = try cast.keyRing(faults)
        for _ in 0..<workload.expectations.poison { faults.count(.poison) }
        broker.published = { [unowned self] record, worker in published(record, by: worker) }
        if let takeover = plan.takeover {
            database.keepsPast = true
            faults.befall = { [unowned self] worker in takeOver(takeover, during: worker) }
        }
    }

    // MARK: The run

    /// Runs from the beginning to the verdict.
    func run() throws -> RunReport {
        for arrival in workload.arrivals {
            scheduler.at(arrival.at) { [self] in
                let partition = broker.partition(of: arrival.record)
                broker.append(arrival.record, to: partition)
                let key = arrival.record.key.map { String(decoding: $0, as: UTF8.self) } ?? "no key"
                broker.node.note("receives \(partition): \(key)")
            }
        }
        unanswered = workload.commands.count
        for command in workload.commands { scheduler.at(command.at) { [self] in type(command.event) } }
        let workers = plan.workers ?? 1 + scheduler.dice.below(3)
        for slot in 0..<workers {
            // Some come when others have been at work for a while, and are given partitions of theirs.
            let latest: Int64 = slot == 0 ? 300_000_000 : 2_500_000_000
            scheduler.after(scheduler.dice.within(0...latest)) { [self] in employ(slot) }
        }
        faults.isActive = plan.crashes == nil && !plan.faults.isEmpty
        if faults.isActive { for _ in 0..<6 { scheduleMishap() } }
        if faults.isActive, hasLaggingReplica { scheduleLoss() }
        let last = max(workload.arrivals.last?.at ?? 0, workload.commands.last?.at ?? 0)
        let active = max(workload.length, last) + Self.second
        var ending = scheduler.run(until: active, maximumSteps: Self.maximumSteps)
        heal()
        if ending != .exhausted {
            var nextLook: Int64 = 0
            ending = scheduler.run(until: scheduler.now + 150 * Self.second, maximumSteps: Self.maximumSteps) {
                guard self.scheduler.now >= nextLook else { return false }
                nextLook = self.scheduler.now + 100_000_000
                return self.unsettled == nil
            }
        }
        if ending != .reached {
            watch.found("liveness", "it does not settle (\(ending)): \(unsettled ?? "")\(troubles)")
        }
        let isSettled = ending == .reached
        settledAt = database.clock
        if isSettled { leave() }
        isStopping.withLock { $0 = true }
        for node in crew.values.sorted(by: { $0.name < $1.name }) { node.kill() }
        let end = scheduler.now
        _ = scheduler.run(until: end + 200 * Self.second, maximumSteps: Self.maximumSteps)
        try judge(isSettled: isSettled)
        return RunReport(
            seed: plan.seed, violations: watch.violations, decisions: watch.outcomes, grants: watch.grants,
            controlEvents: watch.controlEvents, strikes: faults.strikes, simulated: end,
            steps: scheduler.steps, digest: scheduler.trace.digest, trace: scheduler.trace.lines, visits: faults.visits)
    }

    var troubles: String {
        failures.isEmpty
            ? ""
            : "; workers ended with "
                + failures.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value)x)" }.joined(separator: ", ")
    }
}
