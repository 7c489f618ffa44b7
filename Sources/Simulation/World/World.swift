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

/// What a run simulates.
public struct RunPlan: Sendable {
    /// The seed, from which everything follows that is not said here.
    public var seed: UInt64
    /// How many workers live at a time; `nil` leaves it to the seed.
    public var workers: Int?
    /// What may go wrong.
    public var faults: Set<FaultKind> = Set(FaultKind.allCases)
    /// How many things people and systems do; `nil` leaves it to the seed.
    public var size: Int?
    /// Crashes at named points; `nil` leaves misfortune to chance.
    public var crashes: [PlannedCrash]?
    /// Mistakes that the ledger makes.
    public var bugs: Set<PlantedBug> = []
    /// Whether the trace is kept line by line.
    public var keepsTrace = false

    /// Plans a run of a seed.
    public init(seed: UInt64) { self.seed = seed }
}

/// What a run came to.
public struct RunReport: Sendable {
    /// The seed.
    public let seed: UInt64
    /// What must not be so; empty for a good run.
    public let violations: [Violation]
    /// Requests that came to an outcome.
    public let decisions: Int
    /// Tokens that were granted.
    public let grants: Int
    /// Control events that were applied.
    public let controlEvents: Int
    /// What went wrong, by its kind.
    public let strikes: [FaultKind: Int]
    /// Simulated time, in nanoseconds.
    public let simulated: Int64
    /// Jobs that the scheduler ran.
    public let steps: Int
    /// Digest of the trace: equal runs have equal digests.
    public let digest: UInt64
    /// The trace, when it was asked for.
    public let trace: [String]
    /// How often each named point was come to.
    public let visits: [String: Int]
}

/// One simulated world: workers, ledger, broker, people, misfortune.
final class World {
    private static let quiet = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    private static let second: Int64 = 1_000_000_000
    private static let maximumSteps = 400_000

    private let plan: RunPlan
    private let cast: Cast
    private let scheduler: Scheduler
    private let faults: Faults
    private let watch = Watch()
    private let database: SimulatedDatabase
    private let broker: SimulatedBroker
    private let workload: Workload
    private let usesTransactions: Bool
    /// Whether workers hold the ledger against its topics, as real ones do; it takes time.
    private let comparesLedger: Bool
    /// Whether the database changes over to a replica that lacks the last commits.
    private let hasLaggingReplica: Bool
    private var lostCommits = false
    /// Whether what was lost had been published: then nothing may be decided any more.
    private var isBehind = false
    private let keys: KeyRing
    private let isStopping = Lock(false)
    private var crew: [Int: Node] = [:]
    private var births = 0
    private var wasDatabaseClockSet = false
    /// The database's clock when everything had come to rest.
    private var settledAt = Cast.epoch
    /// Control events that somebody has typed or will, and that are not answered.
    private var unanswered = 0
    private var failures: [String: Int] = [:]
    /// How often a worker ended because the ledger is behind its topics.
    private var refusals = 0

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
            && (hasLaggingReplica || plan.crashes == nil && scheduler.dice.once(in: 6))
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
            scheduler.after(scheduler.dice.within(0...300_000_000)) { [self] in employ(slot) }
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

    private var troubles: String {
        failures.isEmpty
            ? ""
            : "; workers ended with "
                + failures.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value)x)" }.joined(separator: ", ")
    }

    // MARK: Workers and people

    /// Starts a worker in a slot; when it ends, another takes its place.
    private func employ(_ slot: Int) {
        guard !isStopping.withLock({ $0 }) else { return }
        births += 1
        let node = Node("worker-\(slot).\(births)", scheduler)
        crew[slot] = node
        node.note("starts")
        node.onPoint = { [unowned node] point in self.faults.pass(point, node) }
        let worker = WorkerID(node.name)
        let ledger = SimulatedLedger(database, worker: worker, client: node)
        let clients = SimulatedClients(broker: broker, client: node)
        let stopping = isStopping
        let clock: @Sendable () -> Timestamp = {
            Timestamp(microseconds: Cast.epoch.microseconds + node.scheduler.now / 1_000 + node.clockOffset)
        }
        let failed = Box<((any Error)?) -> Void> { [self] error in ended(node, slot, error) }
        do {
            let configuration = try cast.configuration(worker, usesTransactions: usesTransactions)
            var foundation = WorkerFoundation(
                ledger: ledger, clients: clients, cluster: clients, rules: cast.rules,
                sources: SourceConfiguration.byTopic(cast.rules), keys: keys, tokenID: cast.tokenID,
                sealing: cast.sealing, clock: clock)
            if comparesLedger { foundation.compare(ledger, configuration, logger: Self.quiet) }
            node.onDeath.append { [self] in
                guard !isStopping.withLock({ $0 }) else { return }
                scheduler.after(scheduler.dice.within(50_000_000...3_000_000_000)) { self.employ(slot) }
            }
            node.start { [foundation] in
                do {
                    let services = try await CoreServices.open(configuration, foundation, logger: Self.quiet)
                    try await services.run { node.isDead || stopping.withLock { $0 } }
                    await services.leave()
                    await services.close()
                    failed.value(nil)
                } catch {
                    failed.value(error)
                }
            }
        } catch {
            watch.found("simulation", "a worker cannot be made: \(error)")
        }
    }

    private func ended(_ node: Node, _ slot: Int, _ error: (any Error)?) {
        guard !node.isDead else { return }
        if let error {
            let name = "\(error)"
            node.note("ends: \(name)")
            if let error = error as? LedgerError, error.code == .refused || error.code == .corrupted {
                watch.found("simulation", "\(node.name) ended with \(name)")
            }
            failures[name, default: 0] += 1
            if let error = error as? LedgerError, error.code == .behind {
                refusals += 1
                if !lostCommits { watch.found("lineage", "a ledger that lost nothing is refused: \(error)") }
            }
            node.kill()
        } else {
            node.note("has left")
            crew[slot] = nil
            node.kill()
        }
    }

    /// Types a control event straight to the ledger, until it is answered.
    private func type(_ event: ControlEvent) {
        let node = Node("operator", scheduler)
        let answered = Box(false)
        // Whoever's machine fails before there is an answer types it again on another.
        node.onDeath.append { [self] in
            guard !answered.value, !isStopping.withLock({ $0 }) else { return }
            scheduler.after(500_000_000) { self.type(event) }
        }
        let ledger = SimulatedLedger(database, worker: WorkerID("operator"), client: node)
        let applier = ControlApplier(ledger: ledger, rules: cast.rules, worker: WorkerID("operator")) { _ in false }
        let done = Box { [self] in
            answered.value = true
            unanswered -= 1
        }
        node.start {
            while true {
                do {
                    let answer = try await applier.apply(event)
                    node.note("\(event.handle) is answered: \(answer.result)")
                    done.value()
                    return
                } catch {
                    node.note("\(event.handle) is typed again")
                    guard (try? await SteadyTime.sleep(for: .milliseconds(200))) != nil else { return }
                }
            }
        }
    }

    // MARK: Misfortune

    private func scheduleMishap() {
        scheduler.at(scheduler.dice.within(200_000_000...workload.length)) { [self] in
            guard faults.isActive else { return }
            switch scheduler.dice.below(8) {
            case 0 where plan.faults.contains(.failover):
                faults.count(.failover)
                database.restart(after: scheduler.dice.within(10_000_000...2_500_000_000))
            case 1 where plan.faults.contains(.broker):
                faults.count(.broker)
                broker.restart(after: scheduler.dice.within(10_000_000...4_000_000_000))
            case 2 where plan.faults.contains(.clock):
                faults.count(.clock)
                wasDatabaseClockSet = true
                database.node.clockOffset = scheduler.dice.within(-20_000_000...20_000_000)
                database.node.note("the clock is set by \(database.node.clockOffset) us")
            case 3 where plan.faults.contains(.clock):
                guard let node = victim else { return }
                faults.count(.clock)
                // By less than an event may be ahead, or by so much that the worker must hold back.
                let step = scheduler.dice.once(in: 2) ? scheduler.dice.within(1...200_000_000) : 900_000_000
                node.clockOffset = scheduler.dice.once(in: 2) ? step : -step
                node.note("the clock is set by \(node.clockOffset) us")
            case 4 where plan.faults.contains(.crash):
                guard let node = victim else { return }
                faults.count(.crash)
                node.kill()
            case 5 where plan.faults.contains(.pause):
                guard let node = victim else { return }
                faults.count(.pause)
                node.freeze()
                scheduler.after(scheduler.dice.within(100_000_000...12_000_000_000)) { node.thaw() }
            case 6 where plan.faults.contains(.delivery):
                faults.count(.delivery)
                broker.compact(Cast.controlTopic)
            default: break
            }
        }
    }

    /// A replica stops receiving, and takes over some time later.
    private func scheduleLoss() {
        scheduler.at(scheduler.dice.within(500_000_000...workload.length)) { [self] in
            let standby = database.standby
            scheduler.after(scheduler.dice.within(1_000_000...1_500_000_000)) { [self] in
                guard faults.isActive else { return }
                faults.count(.lag)
                lostCommits = true
                database.restart(after: scheduler.dice.within(10_000_000...1_000_000_000), as: standby) {
                    self.noteLoss()
                }
            }
        }
    }

    private func noteLoss() {
        let outputs = WorkerConfiguration.OutputTopics()
        let next = Int64(database.tables.batches.count)
        for stream in OutputStream.allCases {
            let topic = outputs.name(stream)
            for number in 0..<(broker.partitionCounts[topic] ?? 0) {
                let entries = broker.log(TopicPartition(topic: topic, partition: number))?.entries ?? []
                for header in entries.compactMap(\.record).flatMap(\.headers) where header.name == "claw_batch" {
                    let batch = header.value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
                    if batch ?? 0 >= next { isBehind = true }
                }
            }
        }
        watch.mustRest = isBehind
        if isBehind { database.node.note("what is gone was published") }
    }

    private var victim: Node? {
        let alive = crew.filter { !$0.value.isDead }.sorted { $0.key < $1.key }
        return alive.isEmpty ? nil : alive[scheduler.dice.below(alive.count)].value
    }

    /// Nothing goes wrong any more.
    private func heal() {
        faults.isActive = false
        database.node.clockOffset = 0
        for node in crew.values.sorted(by: { $0.name < $1.name }) {
            node.clockOffset = 0
            node.thaw()
        }
        database.node.note("all is well from here")
    }

    /// Asks all workers to leave.
    private func leave() {
        isStopping.withLock { $0 = true }
        let ending = scheduler.run(until: scheduler.now + 60 * Self.second, maximumSteps: Self.maximumSteps) {
            self.crew.values.allSatisfy(\.isDead)
        }
        if ending != .reached { watch.found("liveness", "a worker does not leave") }
    }

    // MARK: Judgement

    /// What is still under way; `nil` when everything is done.
    private var unsettled: String? {
        // Every worker refuses: there is nothing to come to rest.
        if isBehind { return refusals == 0 ? "nobody refuses a ledger that is behind its topics" : nil }
        let tables = database.tables
        for (topic, count) in broker.partitionCounts where topic == Cast.approvalsTopic || topic == Cast.requestsTopic {
            for number in 0..<count {
                let end = broker.log(TopicPartition(topic: topic, partition: number))?.end ?? 0
                let next = tables.partitions[InputPartition(topic: topic, partition: number)]?.nextOffset ?? 0
                if next < end { return "\(topic)[\(number)] is read to \(next) of \(end)" }
            }
        }
        let end = broker.log(TopicPartition(topic: Cast.controlTopic, partition: 0))?.end ?? 0
        let next = tables.controlInput[Cast.controlTopic] ?? 0
        if next < end { return "the control topic is read to \(next) of \(end)" }
        if unanswered > 0 { return "\(unanswered) control events are typed and not answered" }
        if !tables.unsealed.isEmpty { return "\(tables.unsealed.count) groups are not sealed" }
        if tables.runs.contains(where: { $0.finishedAt == nil }) { return "a revocation run is not finished" }
        for lane in PublishLane.allCases
        where tables.publishPositions[lane]?.nextBatch ?? 0 < Int64(tables.batches.count) {
            return "the lane \(lane.rawValue) is published to \(tables.publishPositions[lane]?.nextBatch ?? 0) of "
                + "\(tables.batches.count)"
        }
        let now = database.clock
        for row in tables.requests.values where row.request.state == .waiting {
            if let until = row.request.waitUntil, until <= now.adding(seconds: 3) {
                return "request \(row.request.requestID) waits"
            }
        }
        return nil
    }

    private func judge(isSettled: Bool) throws {
        // The checker would say what every worker said: that the ledger lacks what is published.
        if isBehind { return }
        if isSettled { expect() }
        var fsck = cast.fsckPlan()
        fsck.isSettled = isSettled
        let result = Box<Result<FsckReport, any Error>?>(nil)
        let (plan, topics, rows) = (fsck, SimulatedTopics(broker: broker), SimulatedRows(tables: database.tables))
        let sources = Box((topics, rows))
        let checker = Node("checker", scheduler)
        checker.start {
            do {
                result.value = .success(try await Fsck.run(plan, sources.value.0, ledger: sources.value.1))
            } catch {
                result.value = .failure(error)
            }
        }
        _ = scheduler.run(until: scheduler.now, maximumSteps: Self.maximumSteps)
        switch result.value {
        case nil: watch.found("simulation", "the checker does not come to an end")
        case .failure(let error)?: watch.found("simulation", "the checker failed: \(error)")
        case .success(let report)?:
            for finding in report.findings {
                if mayReverseHeads, finding.code == "head.time_reversed" { continue }
                watch.found(finding.property.rawValue, "\(finding)")
            }
        }
    }

    /// Whether a head may stand behind a younger one, which readers keep: one that a clock dated which was set back, or
    /// one of a sealer that slept and that no broker fences.
    private var mayReverseHeads: Bool {
        wasDatabaseClockSet || !usesTransactions || broker.flaws.contains(.takesZombies)
    }

    /// Holds what arrived against what became of it.
    private func expect() {
        let tables = database.tables
        for id in workload.expectations.requests.sorted() {
            guard let request = tables.requests[id]?.request else {
                watch.found("P1", "request \(id) was delivered and is not known")
                continue
            }
            guard request.state == .waiting else { continue }
            // The end of its wait may be dated by a database clock that was ahead then, and is right now.
            if workload.expectations.mayOnlyExpire.contains(id), request.waitUntil.map({ $0 > settledAt }) ?? false {
                continue
            }
            if !workload.expectations.mayWait.contains(id) {
                if let reference = request.approvalReference, let approval = tables.approvals[reference],
                    approval.outcome == nil
                {
                    watch.found(
                        "P1",
                        "request \(id) waits though approval \(reference) is there: "
                            + String(decoding: approval.state, as: UTF8.self))
                } else if request.approvalReference == nil {
                    watch.found("P1", "request \(id) waits for nothing")
                }
            }
        }
        let stops = Set(tables.controlEvents.values.map(\.event.handle))
        // What was typed and answered may be gone with the commits that a replica lacks; nobody reads it again.
        let lost = lostCommits ? Set(workload.commands.map(\.event.handle)) : []
        for stop in workload.expectations.stops.subtracting(stops).subtracting(lost).sorted() {
            watch.found("P2", "the stop \(stop) was declared and is not known")
        }
        let letters = tables.groups.values.reduce(0) { sum, row in
            sum + row.group.effects.count { effect in effect.outputs.contains { $0.stream == .deadLetters } }
        }
        if letters < workload.expectations.poison {
            watch.found(
                "P9", "\(workload.expectations.poison) records cannot be read and \(letters) dead letters are there")
        }
    }
}

/// Runs simulated worlds.
public struct Simulator: Sendable {
    private let cast: Cast

    /// Makes a simulator.
    ///
    /// - Throws: when the rules of the simulated cast do not read.
    public init() throws {
        cast = try Cast()
        CrashPoint.arm()
    }

    /// Runs one world from its beginning to its verdict, on the calling thread.
    ///
    /// - Throws: ``SimulationError`` and what keeps a world from being made.
    public func run(_ plan: RunPlan) throws -> RunReport { try World(plan, cast).run() }
}
