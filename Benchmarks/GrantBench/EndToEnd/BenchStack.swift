import DevStack
import Kafka
import Playground
import Postgres

/// A playground as the benchmark wants it: a broker that holds long backlogs, a database that forces commits to disk.
struct BenchStack {
    let playground: Playground
    private let options: BenchOptions

    /// - Parameters:
    ///   - inputPartitions: partitions of each input topic; outputs have one then.
    ///   - fetchWaitMilliseconds: `fetch.wait.max.ms` of every consumer: what a record may lie unread, and how often
    ///     this broker looks through its log for each of them.
    ///   - limits: of each worker, beside the number of lanes.
    static func start(
        _ options: BenchOptions, inputPartitions: Int32? = nil, fetchWaitMilliseconds: Int = 10,
        limits: [String: Int] = [:]
    ) async throws -> BenchStack {
        var wanted = PlaygroundOptions()
        if let inputPartitions {
            wanted.inputPartitions = inputPartitions
            wanted.outputPartitions = 1
        }
        wanted.broker = .tansu
        wanted.tools = options.tools
        // This broker lets a fetch wait its full time although records have come; others answer at once.
        wanted.kafkaProperties = ["fetch.wait.max.ms": "\(fetchWaitMilliseconds)"]
        wanted.durability = .durable
        // The rest is as PostgreSQL is shipped, but for what every installation of some size sets.
        wanted.databaseSettings = ["shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"]
        wanted.limits = limits.merging(["lanes": options.lanes]) { given, _ in given }
        wanted.workerProgram = options.workerProgram
        wanted.logLevel = "warning"
        wanted.keepsDirectory = options.keepsDirectories
        return BenchStack(playground: try await Playground.start(wanted), options: options)
    }

    /// Runs something on a stack of its own, and takes the stack down whatever happens.
    static func with<Result>(
        _ options: BenchOptions, inputPartitions: Int32? = nil, fetchWaitMilliseconds: Int = 10,
        limits: [String: Int] = [:], _ body: (BenchStack) async throws -> Result
    ) async throws -> Result {
        let stack = try await start(
            options, inputPartitions: inputPartitions, fetchWaitMilliseconds: fetchWaitMilliseconds, limits: limits)
        do {
            let result = try await body(stack)
            await stack.playground.stop()
            return result
        } catch {
            await stack.playground.stop()
            throw error
        }
    }

    /// Starts the workers and waits until they hold all partitions between them.
    func startWorkers() async throws {
        for number in 1...max(1, options.workers) { _ = try playground.startWorker("worker-\(number)") }
        let playground = playground
        let all = PlaygroundTopic.inputs.count * Int(playground.options.inputPartitions)
        let workers = options.workers
        try await waitUntil(
            deadline: .seconds(60), description: "\(workers) workers to take \(all) partitions",
            interval: .milliseconds(20)
        ) {
            for worker in playground.workers where !worker.isRunning {
                throw BenchError("\(worker.name) ended by itself; the end of its log:\n\(worker.logTail())")
            }
            let held = try await playground.query(
                """
                SELECT count(DISTINCT p.lease_owner)::text, count(*)::text FROM clawgrant.input_partition p
                JOIN clawgrant.worker w ON w.worker_id = p.lease_owner AND w.expires_at > now()
                """)
            return try held.string(0, 0) == String(workers) && held.string(0, 1) == String(all)
        }
    }
}
