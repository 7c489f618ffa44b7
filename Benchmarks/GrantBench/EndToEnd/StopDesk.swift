import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import ReceiptLog

/// Whoever is on call: declares control events straight to the ledger, as the command line does.
struct StopDesk: Sendable {
    /// A control event that was acknowledged.
    struct Answer: Sendable {
        /// When it was typed.
        let typedAt: ContinuousClock.Instant
        /// Milliseconds from typing it until it was committed.
        let milliseconds: Double
        /// What the ledger answered.
        let acknowledgement: ControlAcknowledgement
    }

    /// Declares stops.
    static let declarer = PlaygroundCast.ruth
    /// Lift them.
    static let lifters = [PlaygroundCast.milan, PlaygroundCast.paloma]

    private let pool: PostgresPool
    private let ledger: PostgresLedger
    private let applier: ControlApplier

    init(_ playground: Playground) throws {
        let worker = WorkerID("stop-desk")
        var database = try PostgresConfiguration(uri: playground.conninfo)
        PostgresLedger.configure(&database, worker: worker)
        pool = PostgresPool(database)
        ledger = PostgresLedger(pool: pool, configuration: database)
        let rules = try RuleSet(yaml: try String(contentsOfFile: "\(playground.directory)/rules.yaml", encoding: .utf8))
        applier = ControlApplier(ledger: ledger, rules: rules, worker: worker) { _ in false }
    }

    /// Opens connections and prepares statements: a command pays for that before it asks for the stop's name.
    func warmUp(_ name: String) async throws {
        for number in 0..<3 {
            let drill = ControlOperation.Drill(drillID: "\(name)-\(number)", scope: .everything)
            _ = try await declare(.drill(drill), id: drill.drillID, by: [Self.declarer])
        }
    }

    /// Stops a scope.
    func stop(_ stopID: String, _ scope: StopScope, revokesLive: Bool) async throws -> Answer {
        let stop = ControlOperation.Stop(stopID: stopID, scope: scope, revokesLive: revokesLive)
        return try await declare(.stop(stop), id: stopID, by: [Self.declarer])
    }

    /// Ends a stop on a fresh approval.
    func lift(_ stopID: String, on approval: ApprovalID) async throws -> Answer {
        let lift = ControlOperation.Lift(stopID: stopID, reapproval: approval, policyHash: nil)
        return try await declare(.lift(lift), id: "\(stopID)/lift", by: Self.lifters)
    }

    private func declare(
        _ operation: ControlOperation, id: String, by people: [IssuanceRules.Actor]
    ) async throws -> Answer {
        let start = ContinuousClock.now
        let event = ControlEvent(
            id: ControlEventID(id), declaredAt: .playgroundNow, declaredBy: people,
            origin: .ledger(by: people[0].id), operation: operation, reason: "measured")
        let answer = try await applier.apply(event, since: start)
        let end = ContinuousClock.now
        guard case .applied = answer.result else {
            throw BenchError("the \(operation.kind.rawValue) \(id) was not applied: \(answer.result)")
        }
        return Answer(typedAt: start, milliseconds: (end - start) / .milliseconds(1), acknowledgement: answer)
    }

    func close() async {
        await ledger.close()
        await pool.shutdown(grace: .seconds(2))
    }
}
