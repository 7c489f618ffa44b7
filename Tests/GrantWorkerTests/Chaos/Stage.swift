import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Playground
import Primitives
import Testing

/// A playground with workers on it, and the count of what was sent into it.
///
/// Input is counted here and not asked of the broker: a stand-in may answer wrongly where its log ends.
final class Stage: Sendable {
    let playground: Playground
    private let sent = Lock(0)
    private let expectations = Lock(Expectations())
    private let local = Lock<[LocalWorker]>([])

    /// What the checker is to find.
    struct Expectations: Sendable {
        var issued = 0
        var denied = 0
        var expired = 0
        var quarantined = 0
        var revoked = 0
        var requests: Set<RequestID> = []
        var approvals: Set<ApprovalID> = []
    }

    private init(_ playground: Playground) { self.playground = playground }

    /// Runs a test on a stage of its own, which is gone afterwards.
    static func run(
        _ options: PlaygroundOptions = .chaos, _ body: (Stage) async throws -> Void
    ) async throws {
        let stage = Stage(try await Playground.start(options))
        do {
            try await body(stage)
        } catch {
            stage.report("the end of each worker's log", stage.playground.workers.map { "\($0.name)\n\($0.logTail())" })
            await stage.end()
            throw error
        }
        await stage.end()
    }

    private func end() async {
        // Through a network that swallows everything nothing ends before its own time limit.
        try? playground.broker.relay?.heal()
        for worker in local.withLock({ $0 }) { await worker.abandon() }
        await playground.stop()
    }

    private func report(_ title: String, _ texts: [String]) {
        Attachment.record(texts.joined(separator: "\n\n"), named: "\(title).txt")
    }

    /// Attaches a measured time to the test's result.
    func note(_ name: String, _ time: Duration) {
        let milliseconds = time / .milliseconds(1)
        Attachment.record("\(name): \(time)", named: "\(name) \(Int(milliseconds)) ms.txt")
    }

    // MARK: Workers

    /// Starts a worker within this process.
    func startLocal(
        _ id: String, _ change: (inout WorkerConfiguration) throws -> Void = { _ in }
    ) throws -> LocalWorker {
        var configuration = try playground.workerConfiguration(id: id)
        configuration.limits.leaseLifetime = .seconds(3)
        configuration.limits.heartbeatInterval = .milliseconds(100)
        configuration.limits.sweepInterval = .milliseconds(200)
        try change(&configuration)
        let worker = LocalWorker(configuration)
        local.withLock { $0.append(worker) }
        return worker
    }

    /// Waits until local workers, and no others, hold all partitions between them and each holds some.
    func untilAtWork(_ ids: [String], within limit: Duration = .seconds(60)) async throws {
        try await untilShared(ids.joined(separator: ", "), within: limit, by: ids.map { id in { $0 == id } })
    }

    /// The same for worker processes.
    func untilAtWork(_ workers: [PlaygroundWorker], within limit: Duration = .seconds(60)) async throws {
        try await untilShared(
            workers.map(\.name).joined(separator: ", "), within: limit,
            by: workers.map { worker in { worker.isNamed($0) } })
    }

    private func untilShared(
        _ names: String, within limit: Duration, by owners: [(String) -> Bool]
    ) async throws {
        let all = playground.inputTopics.count * Int(playground.options.inputPartitions)
        try await until("\(names) to share the partitions", within: limit) { status in
            status.partitionsHeld.count == owners.count && status.partitionsHeld.values.reduce(0, +) == all
                && owners.allSatisfy { isOwner in status.partitionsHeld.keys.contains(where: isOwner) }
        }
    }

    /// Waits for a condition on the ledger; a database that does not answer has not met it.
    func until(
        _ description: String, within limit: Duration = .seconds(60), _ condition: (PlaygroundStatus) -> Bool
    ) async throws {
        var last: PlaygroundStatus?
        do {
            try await waitUntil(deadline: limit, description: description, interval: .milliseconds(20)) {
                guard let status = try? await playground.status() else { return false }
                last = status
                return condition(status)
            }
        } catch let error as DevStackError where error.code == .deadlineExceeded {
            throw PlaygroundError("\(error.message) The ledger: \(last.map { "\($0)" } ?? "did not answer").")
        }
    }

    // MARK: Input

    /// Sends records, and remembers what is to come of them.
    func send(_ script: Script) async throws {
        try await playground.produce(script.records)
        sent.withLock { $0 += script.records.count }
        expectations.withLock { $0.add(script.expectations) }
    }

    /// Waits until everything sent is decided, sealed and published.
    func untilSettled(within limit: Duration = .seconds(60)) async throws {
        let expected = sent.withLock { $0 }
        try await until("\(expected) records to be decided and published", within: limit) { status in
            status.recordsCommitted == expected && status.unsealedGroups == 0
                && status.nextBatchToPublish == status.batches && status.waiting == 0
        }
    }

    /// Waits until so many more input records are committed than now.
    func untilDecided(_ more: Int, within limit: Duration = .seconds(60)) async throws {
        let all = sent.withLock { $0 }
        var goal: Int?
        try await until("\(more) more records to be decided", within: limit) { status in
            let wanted = goal ?? min(status.recordsCommitted + more, all)
            goal = wanted
            return status.recordsCommitted >= wanted
        }
    }

    // MARK: The end

    /// Waits for the end of all work and has the checker read topics and ledger.
    @discardableResult
    func check(
        within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> CheckReport {
        let expected = expectations.withLock { $0 }
        let report = try await audit(within: limit, sourceLocation: sourceLocation)
        let counts = report.counts
        #expect(counts.issued == expected.issued, "issued", sourceLocation: sourceLocation)
        #expect(counts.grants == expected.issued, "grants", sourceLocation: sourceLocation)
        #expect(counts.denied == expected.denied, "denied", sourceLocation: sourceLocation)
        #expect(counts.expired == expected.expired, "expired", sourceLocation: sourceLocation)
        #expect(counts.quarantined == expected.quarantined, "quarantined", sourceLocation: sourceLocation)
        #expect(counts.revocations == expected.revoked, "revoked", sourceLocation: sourceLocation)
        return report
    }

    /// The same where what comes of a record depends on when it is read: the checker alone says what is right.
    @discardableResult
    func audit(
        within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> CheckReport {
        try await untilSettled(within: limit)
        try await untilSwept(within: limit)
        let expected = expectations.withLock { $0 }
        var plan = try playground.checkPlan()
        plan.deliveredRequests = expected.requests
        plan.deliveredApprovals = expected.approvals
        plan.opensEvery = 7
        let report = try await GrantChecker.check(plan)
        for violation in report.violations { Issue.record("\(violation)", sourceLocation: sourceLocation) }
        return report
    }
}

extension Stage.Expectations {
    mutating func add(_ other: Self) {
        issued += other.issued
        denied += other.denied
        expired += other.expired
        quarantined += other.quarantined
        revoked += other.revoked
        requests.formUnion(other.requests)
        approvals.formUnion(other.approvals)
    }
}

extension PlaygroundOptions {
    /// What most of these tests stand on: noida, four partitions, one lane, workers that notice each other soon.
    static var chaos: PlaygroundOptions {
        var options = PlaygroundOptions()
        options.kafkaProperties = ["fetch.wait.max.ms": "10"]
        options.limits = ["lanes": 1, "lease_lifetime_ms": 2_000, "heartbeat_ms": 100, "sweep_ms": 200]
        options.workerProgram = WorkerProgram.path
        options.logLevel = "debug"
        return options
    }
}

/// The program that runs a worker: what was built beside the tests.
enum WorkerProgram {
    static let path: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["CLAWGRANT_PROGRAM"], !named.isEmpty { return named }
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
        let path = (own as NSString).deletingLastPathComponent + "/clawgrant"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
}

/// A worker within this process.
final class LocalWorker: Sendable {
    let id: String
    private let worker: Worker
    private let task: Task<Void, any Error>

    init(_ configuration: WorkerConfiguration) {
        id = configuration.workerID.rawValue
        var logger = Logger(label: "worker")
        logger.logLevel =
            ProcessInfo.processInfo.environment["CLAWGRANT_TEST_LOG"]
            .flatMap { Logger.Level(rawValue: $0) } ?? .critical
        let worker = Worker(configuration: configuration, logger: logger)
        self.worker = worker
        task = Task { try await worker.run() }
    }

    /// Stops in good order.
    func stop() async throws {
        worker.stop()
        try await task.value
    }

    /// Ends whatever its state.
    func abandon() async {
        task.cancel()
        _ = await task.result
    }

    /// What ended it.
    func failure() async -> (any Error)? {
        switch await task.result {
        case .success: nil
        case .failure(let error): error
        }
    }
}
