public import GrantLedger
public import IssuanceRules
public import Keys
public import Logging
import Observability

/// A service that lives and ends with a worker and is made elsewhere: the HTTP surface, the sinks of security events.
///
/// Its failure is its own: an error it throws is logged, and it is started again after a pause. It never ends the worker
/// and never holds up deciding.
public protocol WorkerCompanion: Sendable {
    /// Its name in logs: `http`, `security-events`.
    var name: String { get }

    /// Does its work until `isStopping`, which turns true when the worker begins to leave, or until cancelled, which
    /// happens at the end of the worker's drain.
    func run(_ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool) async throws
}

/// What a worker lends its companions for as long as it lives.
public struct WorkerSurroundings: Sendable {
    /// What the worker was told.
    public let configuration: WorkerConfiguration
    /// The ledger, on the worker's own pool.
    public let ledger: PostgresLedger
    /// The worker's keys.
    public let keys: KeyRing
    /// The rules in force.
    public let rules: RuleSet
    /// The WPCs that the worker knows.
    public let policies: PolicyShelf
    /// What halts this worker alone.
    public let localStop: LocalStop
    /// False for a process that serves without deciding: it holds no partitions and is no worker to the ledger.
    public let isDeciding: Bool
    /// Logger that names the worker.
    public let logger: Logger

    /// Lends these.
    public init(
        configuration: WorkerConfiguration, ledger: PostgresLedger, keys: KeyRing, rules: RuleSet,
        policies: PolicyShelf = PolicyShelf(), localStop: LocalStop = LocalStop(file: nil), isDeciding: Bool = true,
        logger: Logger
    ) {
        self.isDeciding = isDeciding
        self.policies = policies
        self.localStop = localStop
        self.configuration = configuration
        self.ledger = ledger
        self.keys = keys
        self.rules = rules
        self.logger = logger
    }
}

extension WorkerCompanion {
    /// Runs the companion beside a worker; starts it again, after a pause, when it fails.
    ///
    /// - Parameters:
    ///   - isStopping: true when the worker begins to leave.
    ///   - isDrained: true when the worker waits for nothing any more; the companion is cancelled then.
    func accompany(
        _ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool,
        atMostUntil isDrained: @escaping @Sendable () -> Bool
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.serve(surroundings, until: isStopping) }
            group.addTask {
                while !isDrained() {
                    do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func serve(_ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool) async {
        while !isStopping(), !Task.isCancelled {
            do {
                try await run(surroundings, until: isStopping)
            } catch is CancellationError {
                return
            } catch {
                surroundings.logger.log(.companionFailed, metadata: ["companion": "\(name)", "reason": "\(error)"])
            }
            guard !isStopping() else { return }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }
}
