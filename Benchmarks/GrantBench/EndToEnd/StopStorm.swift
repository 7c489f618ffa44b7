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
    /// First part of the stops' names.
    let name: String
    /// Stops follow each other after a random time up to this many milliseconds.
    let longestPause: Int

    private struct Standing: Sendable {
        let stopID: String
        let scope: StopScope
        let declaredAt: Timestamp
    }

    private struct State: Sendable {
        var standing: [Standing] = []
        var lifts: [Double] = []
        var isOver = false
    }

    /// Declares so many stops.
    func run(_ count: Int) async throws -> [BenchRow] {
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
        let seconds = (ContinuousClock.now - start).inSeconds
        var rows = Spread(answers.map(\.milliseconds)).figures("stop.\(name)acknowledged")
        rows += Spread(answers.map(\.acknowledgement.waitedMilliseconds)).figures("stop.\(name)lock_wait")
        rows += Spread(state.withLock { $0.lifts }).figures("stop.\(name)lifted")
        rows += [
            ("stop.\(name)decisions_per_second", Double(try await load.decided() - decided) / seconds, .perSecond),
            ("stop.\(name)grants_per_second", Double(try await load.granted() - granted) / seconds, .perSecond),
        ]
        return rows
    }

    private func declare(_ count: Int, _ state: Lock<State>) async throws -> [StopDesk.Answer] {
        var answers: [StopDesk.Answer] = []
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...longestPause)), tolerance: .zero)
            let stopID = "\(name)stop-\(number)"
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
            return (StopScope(kind: kind, value: "unheard-of-\(name)\(number)"), revokesLive, false)
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
            let draft = ApprovalDraft("\(name)lift-\(round)", .agentRun, in: playground, at: now)
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
