public import ClawWire
import GrantLedger
public import GrantWorker
import HTTPService
import Keys
import Primitives

/// Health of a worker: `/live` and `/ready` for probes, terse; `/v1/health` with figures for callers who may read.
public struct HealthRoutes: RouteGroup {
    /// For how long an answer of the ledger is used again: probes must not become work.
    private static let freshness: Duration = .milliseconds(500)
    /// How long the ledger may take. Probes wait a second by default.
    private static let patience: Duration = .milliseconds(800)

    private struct Seen {
        let at: ContinuousClock.Instant
        let ledger: LedgerReadiness?
    }

    private final class Memory: Sendable {
        let seen = Lock<Seen?>(nil)
    }

    private let ledger: any ReadinessLedger
    private let surroundings: WorkerSurroundings
    private let limits: Readiness.Limits
    private let clock: @Sendable () -> Timestamp
    private let memory = Memory()

    /// Makes the routes of a worker.
    public init(_ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp) {
        self.init(surroundings, ledger: surroundings.ledger, clock: clock)
    }

    init(
        _ surroundings: WorkerSurroundings, ledger: any ReadinessLedger, clock: @escaping @Sendable () -> Timestamp
    ) {
        let configuration = surroundings.configuration
        self.ledger = ledger
        self.surroundings = surroundings
        self.clock = clock
        var limits = Readiness.Limits()
        limits.viewMaximumAge = configuration.control.topic == nil ? nil : configuration.control.viewMaximumAge
        limits.clockDifference = configuration.limits.maximumClockDifference
        limits.isDeciding = surroundings.isDeciding
        self.limits = limits
    }

    /// The routes.
    public var routes: [Route] {
        [
            Route("GET", "/live", access: .open, bodyBytes: 0) { _ in
                JSONReply.ok(["status": "live"], fields: [.noStore])
            },
            Route("GET", "/ready", access: .open, bodyBytes: 0) { _ in
                let readiness = await readiness()
                return Self.answer(readiness, JSONObject())
            },
            Route("GET", "/v1/health", access: .caller(.read), bodyBytes: 0) { _ in
                let readiness = await readiness()
                return Self.answer(readiness, ["checks": .object(readiness.details)])
            },
        ]
    }

    private static func answer(_ readiness: Readiness, _ more: JSONObject) -> HTTPServiceResponse {
        let isReady = readiness.reasons.isEmpty
        var object: JSONObject = ["status": isReady ? "ready" : "not_ready"]
        if !isReady { object["reasons"] = .array(readiness.reasons.map { .string($0.rawValue) }) }
        for member in more.members { object[member.key] = member.value }
        return JSONReply.body(isReady ? 200 : 503, .object(object), fields: [.noStore])
    }

    private func readiness() async -> Readiness {
        let now = clock()
        var unusable: [(purpose: String, why: String)] = []
        for purpose in [KeyPurpose.token, .receipt] {
            do throws(KeyError) {
                _ = try surroundings.keys.signer(for: purpose, at: now)
            } catch {
                unusable.append(("\(purpose)", error.description))
            }
        }
        var limits = limits
        limits.isCompared = surroundings.lineage?.isLevel ?? true
        return Readiness(
            ledger: await ledgerReadiness(), unusableKeys: unusable, halted: surroundings.localStop.reason, now: now,
            limits: limits)
    }

    /// What the ledger says, at most `freshness` old; `nil` when it did not answer in time.
    private func ledgerReadiness() async -> LedgerReadiness? {
        if let seen = memory.seen.withLock({ $0 }), .now - seen.at < Self.freshness { return seen.ledger }
        let worker = surroundings.configuration.workerID
        let answer = await withTaskGroup(of: LedgerReadiness?.self) { group in
            group.addTask { try? await ledger.readiness(of: worker) }
            group.addTask {
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        memory.seen.withLock { $0 = Seen(at: .now, ledger: answer) }
        return answer
    }
}
