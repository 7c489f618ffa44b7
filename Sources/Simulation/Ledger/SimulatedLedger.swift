import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// The ledger in memory, as one worker sees it: the same statements in the same order, with the same locks, as
/// `PostgresLedger` sends them to PostgreSQL at READ COMMITTED.
///
/// What a transaction writes is there for others with its commit and never before; rows and keys are locked as the
/// server locks them; a statement reads what is committed when it begins.
final class SimulatedLedger: LineageLedger {
    let database: SimulatedDatabase
    let worker: WorkerID
    let client: Node
    /// Identifiers drawn ahead from the ledger's sequence; those of a server that went away are forgotten.
    let groupIDs = Box<(ids: [Int64], outages: Int)>(([], 0))

    init(_ database: SimulatedDatabase, worker: WorkerID, client: Node) {
        self.database = database
        self.worker = worker
        self.client = client
    }

    // MARK: Transactions

    /// One transaction of several exchanges.
    func transaction<Result>(
        _ what: String, _ body: (Session) async throws -> Result
    ) async throws -> Result {
        let session: Session
        do { session = try database.connect(worker, client) } catch { throw Self.translate(error, what) }
        do {
            let result = try await body(session)
            session.close()
            return result
        } catch {
            await session.abandon()
            if error is ServerFault || error is ConnectionCut { throw Self.translate(error, what) }
            throw error
        }
    }

    /// Statements in one transaction and one exchange.
    func run<Reply: Sendable>(
        _ point: String, _ work: @escaping @Sendable (Session) async throws -> Reply
    ) async throws(LedgerError) -> Reply {
        do {
            return try await transaction(point) { session in
                try await session.exchange(point, commits: true) { session in
                    let reply = try await work(session)
                    try await session.commit(point)
                    return reply
                }
            }
        } catch {
            throw error as? LedgerError ?? Self.translate(error, point)
        }
    }

    /// Statements that only read.
    func read<Reply: Sendable>(
        _ point: String, _ work: @escaping @Sendable (SimulatedDatabase) throws -> Reply
    ) async throws(LedgerError) -> Reply {
        do {
            return try await transaction(point) { session in
                try await session.exchange(point) { session in
                    try await session.statement(point)
                    let reply = try work(session.database)
                    session.end()
                    return reply
                }
            }
        } catch {
            throw error as? LedgerError ?? Self.translate(error, point)
        }
    }

    /// Puts a failure into the ledger's words, as `PostgresLedger` does.
    static func translate(_ error: any Error, _ what: String) -> LedgerError {
        switch error {
        case let error as LedgerError: error
        case let cut as ConnectionCut where cut.isOutcomeUnknown:
            LedgerError(.outcomeUnknown, "\(what): the commit was sent and its reply was lost")
        case ServerFault.conflict: LedgerError(.conflict, "\(what): another transaction was first")
        case ServerFault.positionMoved: LedgerError(.conflict, "\(what): a control event was applied meanwhile")
        case ServerFault.refused(let why): LedgerError(.refused, "\(what): \(why)")
        default: LedgerError(.unavailable, "\(what): the database cannot answer now")
        }
    }

    // MARK: Groups of effects

    /// Takes identifiers that were drawn ahead; what is missing is drawn.
    func takeGroupIDs(_ count: Int, _ session: Session) async throws -> [Int64] {
        forgetGroupIDsOfBefore()
        var taken = Array(groupIDs.value.ids.prefix(count))
        groupIDs.value.ids.removeFirst(taken.count)
        if taken.count < count {
            let missing = count - taken.count
            taken += try await session.exchange("group_ids") { session in
                try await session.statement("effect_group_ids")
                return Self.drawGroupIDs(missing, session.database)
            }
        }
        return taken.sorted()
    }

    func forgetGroupIDsOfBefore() {
        if groupIDs.value.outages != database.outages { groupIDs.value = ([], database.outages) }
    }

    static func drawGroupIDs(_ count: Int, _ database: SimulatedDatabase) -> [Int64] {
        defer { database.nextGroupID += Int64(count) }
        return (0..<Int64(count)).map { database.nextGroupID + $0 }
    }

    /// Groups as they are stored.
    static func groups(_ effects: [Effect], _ ids: [Int64], at now: Timestamp) -> [Tables.GroupRow] {
        zip(ids, EffectCodec.groups(effects)).map { id, range in
            Tables.GroupRow(
                group: EffectGroup(groupID: id, day: now.day, effects: Array(effects[range])),
                body: EffectCodec.encode(effects[range]), createdAt: now)
        }
    }

    /// Writes groups to be sealed, and announces them once they are committed.
    static func put(_ groups: [Tables.GroupRow], _ point: String, _ session: Session) async throws {
        guard !groups.isEmpty else { return }
        try await session.statement("\(point).insert_effect_groups")
        session.write { tables in for row in groups { tables.groups[row.group.groupID] = row } }
        try await session.statement("\(point).insert_unsealed")
        let waiting = groups.map {
            Tables.Unsealed(
                groupID: $0.group.groupID, bytes: $0.body.count, priority: SealPriority($0.group.effects[...]))
        }
        session.write { tables in for row in waiting { tables.unsealed[row.groupID] = row } }
        try await session.statement("\(point).announce")
        let priority = waiting.map(\.priority).min() ?? .ordinary
        let database = session.database
        session.write { _ in database.scheduler.after(300_000) { database.announce(priority) } }
    }

    /// Locks the row of a role; false when the lease is not held.
    static func fence(_ lease: RoleLease, _ point: String, _ session: Session) async throws -> Bool {
        try await session.statement("\(point).fence_role")
        guard session.database.tables.holds(lease) else { return false }
        try await session.lock(.role(lease.role))
        return session.database.tables.holds(lease)
    }

    static func fenced(_ lease: RoleLease) -> LedgerError {
        LedgerError(.fenced, "the role \(lease.role.rawValue) is held by another worker")
    }
}
