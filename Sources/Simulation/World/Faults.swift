/// Kinds of misfortune that a run may be told to leave out.
public enum FaultKind: String, Sendable, Hashable, CaseIterable {
    /// A worker dies between two steps.
    case crash
    /// A worker stands still for longer than a lease lasts, and goes on.
    case pause
    /// A connection to the database breaks, before a statement or before its reply.
    case cut
    /// The database gives a statement up: time limit, conflict.
    case statement
    /// The database changes over to its replica: every session ends, what is committed stays.
    case failover
    /// The database changes over to a replica that lacks the last commits.
    case lag
    /// A key does not sign for a moment.
    case keys
    /// The clocks of workers and of the database are set.
    case clock
    /// Records come twice, late, and in another order across partitions.
    case delivery
    /// Acknowledgements of the broker are lost, and the broker is away for a while.
    case broker
    /// The broker's transactions tear, show what was aborted, or take what a fenced producer commits.
    case transactions
    /// Records that nobody can read.
    case poison
}

/// What befalls whoever comes to a point.
enum Strike: Sendable {
    case none
    /// The connection breaks here.
    case cut
    /// The server gives the statement up for its time limit.
    case timeout
    /// The server gives the statement up for another transaction's sake.
    case conflict
}

/// A crash that is asked for by name.
public struct PlannedCrash: Sendable, Hashable {
    /// The point.
    public let point: String
    /// Which time that some worker comes to it, from 1.
    public let occurrence: Int

    /// Plans a crash.
    public init(point: String, occurrence: Int) {
        self.point = point
        self.occurrence = occurrence
    }
}

/// A worker sleeps at a point while a replica takes over that lacks the last commits.
public struct PlannedTakeover: Sendable, Hashable {
    /// How many commits are gone.
    public let lost: Int
    /// How long the worker sleeps, in nanoseconds.
    public let sleep: Int64

    /// Plans a takeover.
    public init(lost: Int, sleep: Int64) {
        self.lost = lost
        self.sleep = sleep
    }
}

/// Decides at every named point what happens there.
final class Faults: @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    let scheduler: Scheduler
    let kinds: Set<FaultKind>
    /// True while faults strike by chance.
    var isActive = false
    /// What befalls whoever comes to a planned point; a crash when nothing is said.
    var befall: ((Node) -> Void)?
    /// How often each point was come to.
    private(set) var visits: [String: Int] = [:]
    /// How often something of each kind went wrong.
    private(set) var strikes: [FaultKind: Int] = [:]
    private var planned: [PlannedCrash]
    private let isScripted: Bool
    /// Once in so many points; 0 for never.
    private let odds: (crash: Int, pause: Int, cut: Int, statement: Int)

    init(_ scheduler: Scheduler, kinds: Set<FaultKind>, planned: [PlannedCrash]?) {
        self.scheduler = scheduler
        self.kinds = kinds
        self.planned = planned ?? []
        isScripted = planned != nil
        func odds(_ kind: FaultKind, _ choices: [Int]) -> Int {
            let chosen = scheduler.dice.pick(choices)
            return kinds.contains(kind) ? chosen : 0
        }
        self.odds = (
            odds(.crash, [0, 400, 1_000, 3_000]), odds(.pause, [0, 600, 1_500, 4_000]),
            odds(.cut, [0, 150, 400, 1_200]), odds(.statement, [0, 150, 400, 1_200])
        )
    }

    /// Whether chance may do something of a kind now.
    func mayStrike(_ kind: FaultKind, oncein count: Int) -> Bool {
        guard isActive, kinds.contains(kind), scheduler.dice.once(in: count) else { return false }
        self.count(kind)
        return true
    }

    /// A worker passes a point in its own code: it may die there, or stand still.
    func pass(_ point: String, _ client: Node) {
        visit(point, client)
        guard isActive, !client.isDead else { return }
        if scheduler.dice.once(in: odds.crash) {
            kill(client)
        } else if scheduler.dice.once(in: odds.pause) {
            pause(client)
        }
    }

    private func kill(_ client: Node) {
        count(.crash)
        client.kill()
    }

    private func pause(_ client: Node) {
        count(.pause)
        let time = scheduler.dice.within(50_000_000...9_000_000_000)
        client.freeze()
        scheduler.after(time) { client.thaw() }
    }

    /// Something of a kind went wrong.
    func count(_ kind: FaultKind) { strikes[kind, default: 0] += 1 }

    /// A client comes to a point of its own.
    func strike(_ point: String, _ client: Node) -> Strike {
        visit(point, client)
        guard isActive, !client.isDead else { return .none }
        if scheduler.dice.once(in: odds.crash) {
            kill(client)
        } else if scheduler.dice.once(in: odds.pause) {
            pause(client)
        } else if scheduler.dice.once(in: odds.cut) {
            count(.cut)
            client.note("\(point): the connection breaks")
            return .cut
        }
        return .none
    }

    /// A server comes to a point in the work of a client.
    func strike(server point: String, for client: Node) -> Strike {
        visit(point, client)
        guard isActive, !client.isDead else { return .none }
        if scheduler.dice.once(in: odds.crash) {
            kill(client)
        } else if scheduler.dice.once(in: odds.statement) {
            count(.statement)
            let isConflict = scheduler.dice.once(in: 2)
            client.note("\(point): the statement is given up")
            return isConflict ? .conflict : .timeout
        }
        return .none
    }

    private func visit(_ point: String, _ client: Node) {
        guard !client.isDead else { return }
        client.note(point)
        let count = (visits[point] ?? 0) + 1
        visits[point] = count
        guard isScripted, let next = planned.first, next.point == point, next.occurrence == count else { return }
        planned.removeFirst()
        // What is planned next is counted from here.
        visits = [:]
        if let befall { befall(client) } else { kill(client) }
    }
}
