import ClawWire
import GrantLedger
import ReceiptLog

/// Why the server gave a transaction up.
enum ServerFault: Error {
    /// The session was ended.
    case terminated
    /// A lock was not granted in time, or a statement took too long.
    case timeout
    /// A deadlock, a serialization failure, or a key that another transaction recorded first.
    case conflict
    /// The control position has moved on.
    case positionMoved
    /// A trigger refused.
    case refused(String)
}

/// The connection broke.
struct ConnectionCut: Error {
    /// True when a commit was on its way.
    let isOutcomeUnknown: Bool
}

/// A database server: tables, locks, sessions, one clock.
final class SimulatedDatabase: @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    let scheduler: Scheduler
    let node: Node
    let faults: Faults
    let bugs: Set<PlantedBug>
    private let epoch: Timestamp
    var tables: Tables
    var locks = LockTable()
    /// The next number of the sequence of groups; it is not taken back.
    var nextGroupID: Int64 = 1
    /// Another one after each restart.
    private(set) var incarnation: LedgerIncarnation
    /// True while nobody can connect.
    private(set) var isDown = false
    private(set) var outages = 0
    /// The replica that is to take over.
    private var successor: (Standby, () -> Void)?
    /// Looks at every commit.
    let watch: Watch
    /// Told that something was announced, by its priority.
    private var listeners: [(SealPriority) -> Void] = []
    private var sessions: [Int: Session] = [:]
    private var nextSession = 1
    /// Transactions committed.
    private(set) var commits = 0
    /// The greatest batch of which each worker was told that the ledger holds it.
    var lastHeld: [WorkerID: Int64] = [:]
    /// Whether it remembers how it was before its last commits.
    var keepsPast = false
    /// How it was before each of its last commits.
    private var past: [Standby] = []
    private static let longestPast = 64

    init(_ scheduler: Scheduler, faults: Faults, bugs: Set<PlantedBug>, watch: Watch, epoch: Timestamp) {
        self.watch = watch
        self.scheduler = scheduler
        self.faults = faults
        self.bugs = bugs
        self.epoch = epoch
        node = Node("database", scheduler)
        tables = Tables(at: epoch)
        incarnation = LedgerIncarnation(startedAt: epoch, table: 1)
    }

    /// The database's clock.
    var clock: Timestamp {
        Timestamp(microseconds: epoch.microseconds + scheduler.now / 1_000 + node.clockOffset)
    }

    // MARK: Sessions

    /// Connects.
    func connect(_ owner: WorkerID, _ client: Node) throws(ConnectionCut) -> Session {
        guard !isDown, !client.isDead else { throw ConnectionCut(isOutcomeUnknown: false) }
        let session = Session(nextSession, owner, client, self)
        sessions[nextSession] = session
        nextSession += 1
        return session
    }

    func forget(_ session: Session) { sessions[session.number] = nil }

    func session(_ number: Int) -> Session? { sessions[number] }

    /// Ends the sessions of workers whose life is over.
    func endSessions(ofTheDeadBut worker: WorkerID) {
        let now = clock
        let dead = Set(tables.workers.filter { $0.value < now && $0.key != worker }.keys)
        for session in sessions.values.filter({ dead.contains($0.owner) }).sorted(by: { $0.number < $1.number }) {
            session.terminate()
        }
    }

    /// Goes away, with every session, and comes back, as it was or as a replica that lags has it.
    ///
    /// - Parameters:
    ///   - time: after which it is back, in nanoseconds.
    ///   - standby: what the replica has.
    ///   - taken: told when the replica has taken over.
    func restart(after time: Int64, as standby: Standby? = nil, taken: @escaping () -> Void = {}) {
        isDown = true
        outages += 1
        let outage = outages
        if let standby { successor = (standby, taken) }
        node.note("the database goes away")
        for session in sessions.values.sorted(by: { $0.number < $1.number }) { session.terminate() }
        scheduler.after(time) { [self] in
            // Whoever is sent away again while it is away comes back once.
            guard outage == outages else { return }
            isDown = false
            if let (standby, taken) = successor {
                successor = nil
                tables = standby.tables
                nextGroupID = standby.nextGroupID
                watch.returned(to: tables)
                node.note("what came after the replica's last commit is gone")
                taken()
            }
            incarnation = LedgerIncarnation(startedAt: clock, table: incarnation.table)
            node.note("the database is back")
        }
    }

    /// What a replica has that receives nothing more.
    struct Standby {
        let tables: Tables
        let nextGroupID: Int64
    }

    /// A replica that receives nothing more from now on.
    var standby: Standby { Standby(tables: tables, nextGroupID: nextGroupID) }

    /// A replica that did not receive the last commits.
    func standby(lacking count: Int) -> Standby { past.suffix(count).first ?? standby }

    // MARK: Transactions

    /// Makes what a transaction wrote true.
    func apply(_ writes: [(inout Tables) -> Void]) {
        commits += 1
        if keepsPast { past = past.suffix(Self.longestPast - 1) + [standby] }
        for write in writes { write(&tables) }
    }

    func announce(_ priority: SealPriority) {
        let all = listeners
        listeners = []
        for listener in all { listener(priority) }
    }

    func listen(_ listener: @escaping (SealPriority) -> Void) { listeners.append(listener) }
}

/// One connection of a client, with the transaction that is open on it.
final class Session: @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    let number: Int
    let owner: WorkerID
    let client: Node
    let database: SimulatedDatabase
    /// True once it was ended, by either side.
    private(set) var isOver = false
    /// How long it waits for a lock, in nanoseconds; `nil` for as long as it takes.
    var lockPatience: Int64?
    private var isBusy = false
    private var idleMark = 0
    private var endWait: (() -> Void)?
    private var writes: [(inout Tables) -> Void] = []
    private var isOpen = false

    /// After which a transaction in which its client does nothing is ended.
    private static let idleLimit: Int64 = 5_000_000_000
    /// After which a wait is looked at for a deadlock.
    private static let deadlockTimeout: Int64 = 1_000_000_000

    init(_ number: Int, _ owner: WorkerID, _ client: Node, _ database: SimulatedDatabase) {
        self.number = number
        self.owner = owner
        self.client = client
        self.database = database
    }

    private var scheduler: Scheduler { database.scheduler }

    /// Ends the session at the server: what is not committed is gone.
    func terminate() {
        guard !isOver else { return }
        isOver = true
        endWait?()
        if !isBusy { rollBack() }
    }

    /// The client is gone, or has hung up; the server notices by and by.
    func drop() {
        let notice: Int64 = scheduler.dice.once(in: 10) ? scheduler.dice.within(0...1_500_000_000) : 500_000
        scheduler.after(notice) { self.terminate() }
    }

    /// The client is done with it.
    func close() {
        if isOpen { return drop() }
        isOver = true
        database.forget(self)
    }

    private func rollBack() {
        writes = []
        isOpen = false
        database.forget(self)
        releaseLocks()
    }

    private func releaseLocks() {
        for grant in database.locks.release(number) { grant() }
    }

    // MARK: At the client

    /// Sends statements and waits for their reply.
    ///
    /// - Parameters:
    ///   - point: names the exchange.
    ///   - commits: whether the statements end with COMMIT.
    ///   - work: what the server does.
    func exchange<Reply: Sendable>(
        _ point: String, commits: Bool = false, _ work: @escaping @Sendable (Session) async throws -> Reply
    ) async throws -> Reply {
        guard !client.isDead else { throw ConnectionCut(isOutcomeUnknown: false) }
        switch database.faults.strike("\(point).send", client) {
        case .none: break
        case .cut, .timeout, .conflict:
            drop()
            throw ConnectionCut(isOutcomeUnknown: false)
        }
        let reply = Box<Result<Reply, any Error>?>(nil)
        let wake = await client.wait(orUntil: nil) { bell in
            scheduler.after(latency()) {
                self.serve(point, work, reply, bell)
            }
        }
        guard wake == .called, let result = reply.value else {
            drop()
            throw ConnectionCut(isOutcomeUnknown: commits)
        }
        do {
            return try result.get()
        } catch let cut as ConnectionCut {
            drop()
            throw ConnectionCut(isOutcomeUnknown: commits || cut.isOutcomeUnknown)
        }
    }

    private func latency() -> Int64 { scheduler.dice.within(20_000...400_000) }

    private func serve<Reply: Sendable>(
        _ point: String, _ work: @escaping @Sendable (Session) async throws -> Reply,
        _ reply: Box<Result<Reply, any Error>?>, _ bell: @escaping Node.Bell
    ) {
        guard !isOver, !database.isDown else {
            reply.value = .failure(ConnectionCut(isOutcomeUnknown: false))
            return scheduler.after(latency(), bell)
        }
        isBusy = true
        isOpen = true
        idleMark += 1
        let call = Call(bell)
        database.node.start { [self] in
            let result: Result<Reply, any Error>
            do { result = .success(try await work(self)) } catch { result = .failure(error) }
            finish(point, result, reply, call.bell)
        }
    }

    private func finish<Reply: Sendable>(
        _ point: String, _ result: Result<Reply, any Error>, _ reply: Box<Result<Reply, any Error>?>,
        _ bell: @escaping Node.Bell
    ) {
        isBusy = false
        if isOver {
            rollBack()
        } else if isOpen {
            let mark = idleMark
            scheduler.after(Self.idleLimit) { if self.isOpen, !self.isBusy, self.idleMark == mark { self.terminate() } }
        }
        switch database.faults.strike("\(point).reply", client) {
        case .none, .timeout, .conflict:
            reply.value = result
            scheduler.after(latency(), bell)
        case .cut:
            reply.value = .failure(ConnectionCut(isOutcomeUnknown: false))
            drop()
            scheduler.after(scheduler.dice.within(0...1_000_000_000), bell)
        }
    }

    /// Takes the open transaction back.
    func abandon() async {
        guard isOpen, !isOver else { return close() }
        guard await client.wait(orUntil: scheduler.now + latency(), { _ in }) == .timedOut else { return drop() }
        if !isBusy {
            isOver = true
            rollBack()
        } else {
            drop()
        }
    }

    // MARK: At the server

    /// Begins a statement: others may come in between, and misfortune may strike.
    func statement(_ point: String) async throws {
        if scheduler.dice.once(in: 2) {
            _ = await database.node.wait(orUntil: scheduler.now + scheduler.dice.within(2_000...90_000)) { _ in }
        }
        guard !isOver else { throw ServerFault.terminated }
        switch database.faults.strike(server: point, for: client) {
        case .none, .cut: break
        case .timeout: throw ServerFault.timeout
        case .conflict: throw ServerFault.conflict
        }
    }

    /// Takes a lock, waiting for it in its place in the queue.
    func lock(_ key: LockKey, _ mode: LockMode = .exclusive) async throws {
        guard !isOver else { throw ServerFault.terminated }
        if database.locks.take(key, mode, by: number) { return }
        let isGranted = Box(false)
        let isHopeless = Box(false)
        _ = await database.node.wait(orUntil: lockPatience.map { scheduler.now + $0 }) { bell in
            endWait = bell
            database.locks.wait(
                key,
                LockTable.Waiter(session: number, mode: mode) {
                    isGranted.value = true
                    bell()
                })
            scheduler.after(Self.deadlockTimeout) {
                guard !isGranted.value, !self.isOver, self.database.locks.isDeadlocked(self.number) else { return }
                isHopeless.value = true
                bell()
            }
        }
        endWait = nil
        if !isGranted.value { for grant in database.locks.stopWaiting(number) { grant() } }
        guard !isOver else { throw ServerFault.terminated }
        guard isGranted.value else { throw isHopeless.value ? ServerFault.conflict : ServerFault.timeout }
    }

    /// Takes a lock if nobody holds it.
    func lockIfFree(_ key: LockKey) -> Bool { database.locks.take(key, .exclusive, by: number) }

    /// Notes what becomes true with the commit.
    func write(_ change: @escaping (inout Tables) -> Void) { writes.append(change) }

    /// Commits.
    func commit(_ point: String) async throws {
        try await statement("\(point).commit")
        database.apply(writes)
        writes = []
        isOpen = false
        releaseLocks()
        _ = database.faults.strike(server: "\(point).committed", for: client)
    }

    /// Ends a transaction that wrote nothing.
    func end() {
        writes = []
        isOpen = false
        releaseLocks()
    }
}

/// A value that is shared.
final class Box<Value>: @unchecked Sendable {
    // Safe to send: see `Scheduler`.
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// A bell that is handed on.
private final class Call: @unchecked Sendable {
    // Safe to send: see `Scheduler`.
    let bell: Node.Bell
    init(_ bell: @escaping Node.Bell) { self.bell = bell }
}
