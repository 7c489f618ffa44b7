import ApprovalSources
import ClawWire
import CrashPoints
import DevStack
import Foundation
import IssuanceRules
import Playground
import Postgres
import Testing

/// Worker processes that kill themselves at a named point, against a real database and a real broker, with the checker at
/// the end: nothing is lost, nothing is doubled, wherever they die.
///
/// One after the other dies at the next point; each finds what the one before left behind, and new work of every kind.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"), .serialized)
struct CrashPointTests {
    /// What every run takes: the points around the commits that matter most.
    @Test(.timeLimit(.minutes(10))) func deathAroundACommitLosesAndDoublesNothing() async throws {
        try await Self.run([
            Death(.decideCommitting), Death(.decideCommitted, 2), Death(.sealCommitted), Death(.publishSent),
            Death(.controlCommitted), Death(.revokeCommitted),
        ])
    }

    @Test(
        .enabled(if: ProcessInfo.processInfo.environment["CLAWGRANT_CHAOS"] == "1", "runs with ./dev test --chaos"),
        .timeLimit(.minutes(40)))
    func deathAtEveryPointLosesAndDoublesNothing() async throws {
        let all = CrashPoint.allCases
        try await Self.run(all.map { Death($0) } + all.filter(\.isPassedAgain).map { Death($0, 2) })
    }

    /// Where a worker dies.
    struct Death: Sendable {
        let point: CrashPoint
        let passing: Int

        init(_ point: CrashPoint, _ passing: Int = 1) {
            self.point = point
            self.passing = passing
        }

        var plan: String { "\(point.rawValue)#\(passing)" }
    }

    private static var options: PlaygroundOptions {
        var options = PlaygroundOptions.chaos
        options.limits = [
            "lanes": 1, "lease_lifetime_ms": 1_500, "heartbeat_ms": 100, "sweep_ms": 100, "batch_records": 12,
        ]
        options.shortWaitSeconds = 1
        options.logLevel = "info"
        return options
    }

    private static func run(_ deaths: [Death]) async throws {
        try await Stage.run(options) { stage in
            // These are passed once in the life of a ledger: nobody may have lived before.
            for death in deaths where death.point.isPassedOnNewKeys {
                let worker = try stage.playground.startWorker(
                    "new-\(death.point)", environment: ["CLAWGRANT_CRASH_AT": death.plan])
                try await untilGone(worker, death)
                #expect(await worker.stop() == .signal(9), "\(death.plan): \(worker.logTail())")
            }
            let deaths = deaths.filter { !$0.point.isPassedOnNewKeys }
            for (round, death) in deaths.enumerated() {
                // A few at a time: tokens live for ten minutes.
                if round % Self.rounds == 0 {
                    try await issue(round..<min(round + Self.rounds, deaths.count), stage)
                }
                try await feed(round, stage)
                let worker = try stage.playground.startWorker(
                    "dying-\(round)", environment: ["CLAWGRANT_CRASH_AT": death.plan])
                let exit = try await end(of: worker, death, round, stage)
                #expect(exit == .signal(9), "\(death.plan): \(String(describing: exit)) \(worker.logTail())")
            }
            let last = try stage.playground.startWorker("last")
            try await stage.audit(within: .seconds(120))
            #expect(await last.stop()?.isSuccess == true)
            // Whoever died in the middle of it: each token that a stop voided has its own revocation, and only one.
            let void = try await stage.playground.query(
                """
                SELECT count(*)::text FROM clawgrant.request
                WHERE request_id LIKE 'req-k%-live-%' AND revoked_reason = 'stopped'
                """)
            #expect(try void.string(0, 0) == "\(deaths.count * Self.tokens)")
        }
    }

    /// Rounds whose tokens are issued together, and tokens of each.
    private static let (rounds, tokens) = (10, 3)

    private static func agent(_ round: Int) -> String { "did:web:k\(round).northquay.example" }

    /// Has a worker that lives issue tokens, for the stop of each round to void.
    private static func issue(_ rounds: Range<Int>, _ stage: Stage) async throws {
        var script = Script(stage.playground)
        for round in rounds {
            for number in 0..<tokens {
                var draft = ApprovalDraft("k\(round)-live-\(number)", .reconcile, in: stage.playground)
                draft.request?.agentDID = AgentDID(agent(round))
                try script.add(draft, .issued, in: stage.playground)
            }
        }
        let worker = try stage.playground.startWorker("issuing-\(rounds.lowerBound)")
        try await stage.send(script)
        try await stage.untilSettled(within: .seconds(120))
        #expect(await worker.stop(within: .seconds(60))?.isSuccess == true)
    }

    /// Work of every kind: whatever point the worker is to die at, it comes to it.
    private static func feed(_ round: Int, _ stage: Stage) async throws {
        let name = "k\(round)"
        var script = Script(stage.playground)
        try script.approveRuns(["\(name)-r"])
        try script.approve((0..<8).map { "\(name)-a\($0)" })
        try script.refuse(["\(name)-d"])
        try script.approveThenEnd(["\(name)-x"])
        try script.activate(["\(name)-e"])
        try script.ask(["\(name)-q"])
        try script.spoil(name, [BrokenRecord.allCases[round % BrokenRecord.allCases.count]])
        for record in script.records.prefix(4) { script.ignore(record) }
        try await stage.send(script)
        let playground = stage.playground
        let agent = StopScope(kind: .agent, value: agent(round))
        try await stage.stop("stop-\(name)", agent, revokesLive: true)
        try await playground.declare(
            .revoke(
                .init(
                    revocationID: "rev-\(name)", scope: StopScope(kind: .request, value: "req-\(name)-a0"),
                    permitsReapproval: false)), id: "rev-\(name)", by: [PlaygroundCast.ruth])
        let authority = ApprovalDraft("\(name)-r", .agentRun, in: playground)
        try await stage.lift("stop-\(name)", on: authority.decision.approvalID)
    }

    /// Waits until the worker has died, doing first what brings it to its point.
    private static func end(
        of worker: PlaygroundWorker, _ death: Death, _ round: Int, _ stage: Stage
    ) async throws -> ProcessExit? {
        switch death.point {
        case .leaving, .left:
            try await stage.untilAtWork([worker])
            return await worker.stop(within: .seconds(60))
        case .partitionsLaidDown, .surplusLaidDown, .surplusReleased:
            try await stage.untilAtWork([worker])
            let other = try stage.playground.startWorker("other-\(round)")
            try await untilGone(worker, death)
            #expect(await other.stop(within: .seconds(60))?.isSuccess == true)
        default:
            try await untilGone(worker, death)
        }
        return await worker.stop()
    }

    private static func untilGone(_ worker: PlaygroundWorker, _ death: Death) async throws {
        try await waitUntil(deadline: .seconds(90), description: "a worker to die at \(death.plan)") {
            !worker.isRunning
        }
    }

    /// What is no plan is refused before anything is opened.
    @Test func aPlanThatDoesNotReadIsRefused() async throws {
        let program = try #require(WorkerProgram.path)
        for plan in ["decide.nowhere", "decide.committed#0", "decide.committed#x", ""] {
            var configuration = ManagedProcess.Configuration(executable: program, arguments: ["run"])
            configuration.environment = ["CLAWGRANT_CRASH_AT": plan]
            let result = try await Command.run(configuration, within: .seconds(60))
            #expect(!result.status.isSuccess)
            #expect(result.errors.contains("CLAWGRANT_CRASH_AT"), "\(result.errors)")
        }
    }
}

extension CrashPoint {
    /// Whether it is passed only where the ledger does not know the keys yet.
    fileprivate var isPassedOnNewKeys: Bool { self == .keyInserted || self == .keyRecorded }

    /// Whether a worker's life passes it again and again, whatever work there is.
    fileprivate var isPassedAgain: Bool {
        switch self {
        case .beatDue, .leaseRenewed, .leasesClaimed, .leasesLost, .leasesHandedOut, .roleClaimed, .batchFetched,
            .batchUnderstood, .stopsObeyed, .batchDecided, .laneAdvanced, .decideBegun, .decideRead, .decidePlanned,
            .decideCommitting, .decideCommitted, .tokenSigned, .controlFetched, .controlBegun, .controlLocked,
            .controlRead, .controlPlanned, .controlCommitting, .controlCommitted, .controlAdvanced, .pollNoting,
            .pollNoted, .sealDue, .sealRead, .sealSigned, .sealCommitting, .sealCommitted, .sealHandedOn,
            .publishRendered, .publishBegun, .publishSent, .publishCommitted, .publishNoted, .controlPublishRendered,
            .controlPublishNoted, .headHorizonRead, .headSigned, .headSent:
            true
        default: false
        }
    }
}
