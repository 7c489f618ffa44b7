import ClawWire
import IssuanceRules
import Kafka
import Playground
import Postgres
import Primitives

/// Approvals without end: whatever the workers decide, so many more lie ready, each dated when it is written, so that
/// what comes after a lift is newer than the lift.
final class StopLoad: Sendable {
    private static let chunk = 256
    private static let agents = 256
    private static let classes: [(PlaygroundClass, [IssuanceRules.Actor])] = [
        (.agentRun, [PlaygroundCast.ruth]), (.reconcile, [PlaygroundCast.ruth]),
        (.deploy, [PlaygroundCast.ruth, PlaygroundCast.paloma]),
    ]

    private struct State {
        var sent = 0
        var isStopped = false
        var failure: (any Error)?
    }

    private let playground: Playground
    /// Approvals that wait for a worker.
    private let lead: Int
    private let state = Lock(State())
    private let task = Lock<Task<Void, Never>?>(nil)

    init(_ playground: Playground, lead: Int) {
        self.playground = playground
        self.lead = lead
    }

    /// The job classes that are asked for.
    static var jobClasses: [JobClass] { classes.map(\.0.name) }

    /// One of the agents that ask.
    static func agent(_ number: Int) -> AgentDID {
        AgentDID("did:web:agents.northquay.example:run-\(number % agents)")
    }

    /// Approvals sent so far.
    var sent: Int { state.withLock { $0.sent } }

    func start() {
        // What measures stops in this process goes before what makes the load.
        task.withLock { $0 = Task(priority: .low) { await self.run() } }
    }

    func stop() async throws {
        state.withLock { $0.isStopped = true }
        await task.withLock { $0 }?.value
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Approvals decided since the playground began.
    func decided() async throws -> Int {
        let offsets = try await playground.query(
            "SELECT coalesce(sum(next_offset), 0)::text FROM clawgrant.input_partition")
        return Int(try offsets.string(0, 0)) ?? 0
    }

    /// Grants committed since the playground began.
    func granted() async throws -> Int {
        let grants = try await playground.query("SELECT coalesce(sum(grants), 0)::text FROM clawgrant.grant_tally")
        return Int(try grants.string(0, 0)) ?? 0
    }

    private func run() async {
        do {
            while !state.withLock({ $0.isStopped }) {
                let decided = try await decided()
                while sent - decided < lead, !state.withLock({ $0.isStopped }) {
                    try await playground.produce(try records())
                }
                try await Task.sleep(for: .milliseconds(5))
            }
        } catch {
            state.withLock { $0.failure = error }
        }
    }

    private func records() throws -> [ProducerRecord] {
        let first = state.withLock { state in
            defer { state.sent += Self.chunk }
            return state.sent
        }
        let now = Timestamp.playgroundNow
        let drafts = (first..<(first + Self.chunk)).map { number in
            let (jobClass, approvers) = Self.classes[number % Self.classes.count]
            var draft = ApprovalDraft("load-\(number)", jobClass, approvers: approvers, in: playground, at: now)
            draft.request?.agentDID = Self.agent(Int.random(in: 0..<Self.agents))
            return draft
        }
        return try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
    }
}
