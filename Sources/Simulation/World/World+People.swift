import ApprovalSources
import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Primitives
import ReceiptLog

/// Who works and who types.
extension World {
    /// Starts a worker in a slot; when it ends, another takes its place.
    func employ(_ slot: Int) {
        guard !isStopping.withLock({ $0 }) else { return }
        births += 1
        let node = Node("worker-\(slot).\(births)", scheduler)
        crew[slot] = node
        node.note("starts")
        if faults.isActive, plan.faults.contains(.clock), scheduler.dice.once(in: 10) { setClock(of: node) }
        node.onPoint = { [unowned node] point in self.faults.pass(point, node) }
        let worker = WorkerID(node.name)
        let ledger = SimulatedLedger(database, worker: worker, client: node)
        let clients = SimulatedClients(broker: broker, client: node)
        let stopping = isStopping
        let clock: @Sendable () -> Timestamp = {
            Timestamp(microseconds: Cast.epoch.microseconds + node.scheduler.now / 1_000 + node.clockOffset)
        }
        let failed = Box<((any Error)?) -> Void> { [self] error in ended(node, slot, error) }
        do {
            let configuration = try cast.configuration(worker, usesTransactions: usesTransactions)
            var foundation = WorkerFoundation(
                ledger: ledger, clients: clients, cluster: clients, rules: cast.rules,
                sources: SourceConfiguration.byTopic(cast.rules), keys: keys, tokenID: cast.tokenID,
                sealing: cast.sealing, clock: clock)
            if comparesLedger { foundation.compare(ledger, configuration, logger: Self.quiet) }
            node.onDeath.append { [self] in
                guard !isStopping.withLock({ $0 }) else { return }
                scheduler.after(scheduler.dice.within(50_000_000...3_000_000_000)) { self.employ(slot) }
            }
            node.start { [foundation] in
                do {
                    let services = try await CoreServices.open(configuration, foundation, logger: Self.quiet)
                    try await services.run { node.isDead || stopping.withLock { $0 } }
                    await services.leave()
                    await services.close()
                    failed.value(nil)
                } catch {
                    failed.value(error)
                }
            }
        } catch {
            watch.found("simulation", "a worker cannot be made: \(error)")
        }
    }

    private func ended(_ node: Node, _ slot: Int, _ error: (any Error)?) {
        guard !node.isDead else { return }
        if let error {
            let name = "\(error)"
            node.note("ends: \(name)")
            if let error = error as? LedgerError, error.code == .refused || error.code == .corrupted {
                watch.found("simulation", "\(node.name) ended with \(name)")
            }
            failures[name, default: 0] += 1
            if let error = error as? LedgerError, error.code == .behind {
                refusals += 1
                if remains == .nothing {
                    watch.found("lineage", "a ledger that lacks nothing of its topics is refused: \(error)")
                }
            }
            node.kill()
        } else {
            node.note("has left")
            crew[slot] = nil
            node.kill()
        }
    }

    /// Types a control event straight to the ledger, until it is answered.
    func type(_ event: ControlEvent) {
        let node = Node("operator", scheduler)
        let answered = Box(false)
        // Whoever's machine fails before there is an answer types it again on another.
        node.onDeath.append { [self] in
            guard !answered.value, !isStopping.withLock({ $0 }) else { return }
            scheduler.after(500_000_000) { self.type(event) }
        }
        let ledger = SimulatedLedger(database, worker: WorkerID("operator"), client: node)
        let applier = ControlApplier(ledger: ledger, rules: cast.rules, worker: WorkerID("operator")) { _ in false }
        let done = Box { [self] in
            answered.value = true
            unanswered -= 1
        }
        node.start {
            while true {
                do {
                    let answer = try await applier.apply(event)
                    node.note("\(event.handle) is answered: \(answer.result)")
                    done.value()
                    return
                } catch {
                    node.note("\(event.handle) is typed again")
                    guard (try? await SteadyTime.sleep(for: .milliseconds(200))) != nil else { return }
                }
            }
        }
    }
}
