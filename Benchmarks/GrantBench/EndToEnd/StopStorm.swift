import ApprovalSources
import ClawWire
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import Postgres
import Primitives

/// Stops at random instants of random job classes, agents and scopes that nothing falls into, while everything issues;
/// what touches the load is lifted on a fresh approval.
struct StopStorm {
    /// Time between two rounds of lifts: within the second of a lift workers issue nothing.
    private static let liftInterval: Duration = .seconds(5)
    let playground: Playground
    let desk: StopDesk
    let load: StopLoad
    /// Stops follow each other after a random time up to this many milliseconds.
    let longestPause: Int

    private struct Standing: Sendable {
        let stopID: String
        let scope: StopScope
        let declaredAt: Timestamp
    }

    /// What was measured, of one storm or of several.
    struct Result: Sendable {
        var answers: [StopDesk.Answer] = []
        var lifts: [Double] = []
        var decisions = 0
        var grants = 0
        var seconds = 0.0

        mutating func add(_ other: Result) {
            answers += other.answers
            lifts += other.lifts
            decisions += other.decisions
            grants += other.grants
            seconds += other.seconds
        }

        /// The figures, below a name.
        func rows(_ name: String) -> [BenchRow] {
            var rows = Spread(answers.map(\.milliseconds)).figures("\(name)acknowledged")
            rows += Spread(answers.map(\.acknowledgement.waitedMilliseconds)).figures("\(name)lock_wait")
            if !lifts.isEmpty { rows += Spread(lifts).figures("\(name)lifted") }
            rows += [
                ("\(name)decisions_per_second", Double(decisions) / seconds, .perSecond),
                ("\(name)grants_per_second", Double(grants) / seconds, .perSecond),
            ]
            return rows
        }
    }

    private struct State: Sendable {
        var standing: [Standing] = []
        var lifts: [Double] = []
        var isOver = false
    }

    /// Declares so many stops.
    func run(_ count: Int) async throws -> Result {
        let state = Lock(State())
        let decided = try await load.decided()
        let granted = try await load.granted()
        let start = ContinuousClock.now
        let answers = try await withThrowingTaskGroup(of: [StopDesk.Answer].self) { group in
            group.addTask(priority: .high) {
                defer { state.withLock { $0.isOver = true } }
                return try await declare(count, state)
            }
            group.addTask {
                try await lift(state)
                return []
            }
            var all: [StopDesk.Answer] = []
            for try await part in group { all += part }
            return all
        }
        return Result(
            answers: answers, lifts: state.withLock { $0.lifts },
            decisions: Int(try await load.decided() - decided), grants: Int(try await load.granted() - granted),
            seconds: (ContinuousClock.now - start).inSeconds)
    }

    private func declare(_ count: Int, _ state: Lock<State>) async throws -> [StopDesk.Answer] {
        var answers: [StopDesk.Answer] = []
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...longestPause)), tolerance: .zero)
            let stopID = "stop-\(number)"
            let (scope, revokesLive, touchesLoad) = target(number, state.withLock { $0.standing.map(\.scope) })
            let declaredAt = Timestamp.playgroundNow
            answers.append(try await desk.stop(stopID, scope, revokesLive: revokesLive))
            if touchesLoad {
                state.withLock {
                    $0.standing.append(Standing(stopID: stopID, scope: scope, declaredAt: declaredAt))
                }
            }
        }
        return answers
    }

    /// What a stop is about. One job class at a time stands still, so that the others go on.
    private func target(
        _ number: Int, _ standing: [StopScope]
    ) -> (scope: StopScope, revokesLive: Bool, touchesLoad: Bool) {
        let revokesLive = Bool.random()
        switch Int.random(in: 0..<10) {
        case 0..<2 where !standing.contains { $0.kind == .jobClass }:
            let jobClass = StopLoad.jobClasses.randomElement()?.rawValue
            return (StopScope(kind: .jobClass, value: jobClass), false, true)
        case 2..<6:
            let agent = StopLoad.agent(Int.random(in: 0..<4_096)).rawValue
            return (StopScope(kind: .agent, value: agent), revokesLive, true)
        default:
            let kinds: [StopScope.Kind] = [.subject, .approval, .request, .policyID, .source]
            let kind = kinds.randomElement() ?? .subject
            return (StopScope(kind: kind, value: "unheard-of-\(number)"), revokesLive, false)
        }
    }

    /// Lifts round by round: one approval, written after the stops and decided by the workers like every other.
    private func lift(_ state: Lock<State>) async throws {
        var round = 0
        while true {
            let due = ContinuousClock.now + Self.liftInterval
            while ContinuousClock.now < due, !state.withLock({ $0.isOver }) {
                try await Task.sleep(for: .milliseconds(50))
            }
            if state.withLock({ $0.isOver }) { return }
            let now = Timestamp.playgroundNow
            let draft = ApprovalDraft("lift-\(round)", .agentRun, in: playground, at: now)
            round += 1
            try await playground.produce([try draft.record(signedBy: playground.keys.eventSigner)])
            try await waitForApproval(draft.decision.approvalID)
            let liftable = state.withLock {
                $0.standing.filter { $0.declaredAt.microseconds + 10_000 < now.microseconds }
            }
            for stop in liftable {
                let answer = try await desk.lift(stop.stopID, on: draft.decision.approvalID)
                state.withLock { state in
                    state.lifts.append(answer.milliseconds)
                    state.standing.removeAll { $0.stopID == stop.stopID }
                }
            }
        }
    }

    private func waitForApproval(_ id: ApprovalID) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            let found = try await playground.query(
                "SELECT approval_id FROM clawgrant.approval WHERE approval_id = '\(id.rawValue)'")
            if found.rowCount == 1 { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw BenchError("the approval \(id) of a lift was not read; the workers' logs: \(playground.workerLogs)")
    }
}

extension Playground {
    /// The last lines of each worker's log, for messages.
    var workerLogs: String {
        workers.map { "\($0.name): \($0.logTail(lines: 5))" }.joined(separator: "\n")
    }
}
