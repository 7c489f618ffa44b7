import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Primitives
import ReceiptLog
import Testing

@testable import Simulation

/// What a long-lived process knows of a ledger is known of one database.
@Suite struct ReplicaTests {
    private static func stop(_ name: String) -> ControlEvent {
        ControlEvent(
            id: ControlEventID(name), declaredAt: Cast.epoch, declaredBy: [Cast.guards[0]],
            origin: .ledger(by: Cast.guards[0].id),
            operation: .stop(
                .init(stopID: name, scope: StopScope(kind: .jobClass, value: "run"), revokesLive: false)))
    }

    /// The replica gives the position of the stop that it lacks to another event; whoever had applied the stop must not
    /// take it for known when it is read again.
    @Test func aStopThatAReplicaLacksIsAppliedAgain() throws {
        let cast = try Cast()
        let scheduler = Scheduler(seed: 1, keepsTrace: false)
        let database = SimulatedDatabase(
            scheduler, faults: Faults(scheduler, kinds: [], planned: nil), bugs: [], watch: Watch(), epoch: Cast.epoch)
        let node = Node("script", scheduler)
        let results = Lock<[ControlOutcome.Result]>([])
        let failure = Lock<(any Error)?>(nil)
        let isDone = Lock(false)
        node.start {
            func applier(_ name: String) -> ControlApplier {
                ControlApplier(
                    ledger: SimulatedLedger(database, worker: WorkerID(name), client: node), rules: cast.rules,
                    worker: WorkerID(name)
                ) { _ in false }
            }
            let reader = applier("reader")
            func read(_ name: String) async throws {
                let answer = try await reader.apply(Self.stop(name))
                results.withLock { $0.append(answer.result) }
            }
            do {
                let standby = database.standby
                try await read("gone")
                try await read("gone")
                database.restart(after: 1_000_000, as: standby)
                try await SteadyTime.sleep(for: .seconds(1))
                _ = try await applier("other").apply(Self.stop("other"))
                try await read("gone")
            } catch {
                failure.withLock { $0 = error }
            }
            isDone.withLock { $0 = true }
        }
        let ending = scheduler.run(until: 60_000_000_000, maximumSteps: 100_000) { isDone.withLock { $0 } }
        #expect(ending == .reached)
        if let error = failure.withLock({ $0 }) { throw error }
        #expect(results.withLock { $0 } == [.applied, .repeated(of: 1), .applied])
        let positions = database.tables.controlEvents.mapValues(\.event.position)
        #expect(positions == ["other": 1, "gone": 2])
    }
}
