import ClawWire
import Primitives

/// What befalls workers, servers and clocks, and when it is over.
extension World {
    func scheduleMishap() {
        scheduler.at(scheduler.dice.within(200_000_000...workload.length)) { [self] in
            guard faults.isActive else { return }
            switch scheduler.dice.below(8) {
            case 0 where plan.faults.contains(.failover):
                faults.count(.failover)
                database.restart(after: scheduler.dice.within(10_000_000...2_500_000_000))
            case 1 where plan.faults.contains(.broker):
                faults.count(.broker)
                broker.restart(after: scheduler.dice.within(10_000_000...4_000_000_000))
            case 2 where plan.faults.contains(.clock):
                faults.count(.clock)
                wasDatabaseClockSet = true
                database.node.clockOffset = scheduler.dice.within(-20_000_000...20_000_000)
                database.node.note("the clock is set by \(database.node.clockOffset) us")
            case 3 where plan.faults.contains(.clock):
                if let victim { setClock(of: victim) }
            case 4 where plan.faults.contains(.crash):
                guard let node = victim else { return }
                faults.count(.crash)
                node.kill()
            case 5 where plan.faults.contains(.pause):
                guard let node = victim else { return }
                faults.count(.pause)
                node.freeze()
                scheduler.after(scheduler.dice.within(100_000_000...12_000_000_000)) { node.thaw() }
            case 6 where plan.faults.contains(.delivery):
                faults.count(.delivery)
                broker.compact(Cast.controlTopic)
            default: break
            }
        }
    }

    /// A worker's clock is wrong from now on.
    func setClock(of node: Node) {
        faults.count(.clock)
        // By less than an event may be ahead, or by so much that the worker must hold back.
        let step = scheduler.dice.once(in: 2) ? scheduler.dice.within(1...200_000_000) : 900_000_000
        node.clockOffset = scheduler.dice.once(in: 2) ? step : -step
        node.note("the clock is set by \(node.clockOffset) us")
    }

    /// A replica stops receiving, and takes over some time later.
    func scheduleLoss() {
        scheduler.at(scheduler.dice.within(500_000_000...workload.length)) { [self] in
            let standby = database.standby
            let lag = scheduler.dice.within(1_000_000...1_500_000_000)
            if plan.faults.contains(.pause), scheduler.dice.once(in: 2) {
                // Whoever sleeps through it holds what is gone.
                scheduler.after(scheduler.dice.within(0...lag)) { [self] in
                    guard faults.isActive, let sleeper = victim else { return }
                    faults.count(.pause)
                    sleeper.freeze()
                    scheduler.after(lag + scheduler.dice.within(100_000_000...8_000_000_000)) { sleeper.thaw() }
                }
            }
            scheduler.after(lag) { [self] in
                guard faults.isActive else { return }
                faults.count(.lag)
                lostCommits = true
                database.restart(after: scheduler.dice.within(10_000_000...1_000_000_000), as: standby) {
                    self.noteLoss()
                }
            }
        }
    }

    /// A replica takes over that lacks the last commits, while a worker sleeps who may hold what came of them.
    func takeOver(_ takeover: PlannedTakeover, during sleeper: Node) {
        faults.count(.lag)
        faults.count(.pause)
        lostCommits = true
        sleeper.freeze()
        scheduler.after(takeover.sleep) { sleeper.thaw() }
        database.restart(after: 50_000_000, as: database.standby(lacking: takeover.lost)) { self.noteLoss() }
    }

    var victim: Node? {
        let alive = crew.filter { !$0.value.isDead }.sorted { $0.key < $1.key }
        return alive.isEmpty ? nil : alive[scheduler.dice.below(alive.count)].value
    }

    /// Nothing goes wrong any more.
    func heal() {
        faults.isActive = false
        database.node.clockOffset = 0
        for node in crew.values.sorted(by: { $0.name < $1.name }) {
            node.clockOffset = 0
            node.thaw()
        }
        database.node.note("all is well from here")
    }

    /// Asks all workers to leave.
    func leave() {
        isStopping.withLock { $0 = true }
        let ending = scheduler.run(until: scheduler.now + 60 * Self.second, maximumSteps: Self.maximumSteps) {
            self.crew.values.allSatisfy(\.isDead)
        }
        if ending != .reached { watch.found("liveness", "a worker does not leave") }
    }
}
