import ClawWire
import GrantLedger
import ReceiptLog

/// What a transaction can lock: advisory locks, rows, and keys that do not exist yet.
enum LockKey: Hashable {
    /// The stop lock.
    case stop
    /// A key by which requests and approvals meet.
    case meeting(String)
    case partition(InputPartition)
    case role(WorkerRole)
    case event(Tables.EventRow)
    case approval(ApprovalID)
    case holderEnd(Tables.HolderEndRow)
    case request(RequestID)
    case worker(WorkerID)
    case controlState
    case controlInput(String)
    case controlEvent(String)
    case order(String)
    case run(position: Int64, ordinal: Int32)
    case cutoff(String)
    case signingKey(KeyID)
    case batch(Int64)
    case publishPosition(PublishLane)
}

/// How a lock is held.
enum LockMode: Sendable { case shared, exclusive }

/// The locks of a database: each is granted in the order of asking, and nobody who asks later is granted first.
struct LockTable {
    /// A session that waits; it is told once, when it was granted the lock.
    struct Waiter {
        let session: Int
        let mode: LockMode
        let grant: () -> Void
    }

    private struct Entry {
        var holders: [Int: LockMode] = [:]
        var waiters: [Waiter] = []
    }

    private var entries: [LockKey: Entry] = [:]
    private var held: [Int: [LockKey]] = [:]
    private var waiting: [Int: LockKey] = [:]

    /// The sessions that hold a lock.
    func holders(of key: LockKey) -> [Int] { entries[key].map { $0.holders.keys.sorted() } ?? [] }

    /// Takes a lock if nobody has to be waited for.
    mutating func take(_ key: LockKey, _ mode: LockMode, by session: Int) -> Bool {
        var entry = entries[key] ?? Entry()
        if let own = entry.holders[session] {
            if own == .exclusive || mode == .shared { return true }
            guard entry.holders.count == 1 else { return false }
        } else if !entry.waiters.isEmpty || !Self.isFree(entry, mode) {
            return false
        } else {
            held[session, default: []].append(key)
        }
        entry.holders[session] = mode
        entries[key] = entry
        return true
    }

    private static func isFree(_ entry: Entry, _ mode: LockMode) -> Bool {
        switch mode {
        case .exclusive: entry.holders.isEmpty
        case .shared: entry.holders.values.allSatisfy { $0 == .shared }
        }
    }

    /// Joins the queue of a lock.
    mutating func wait(_ key: LockKey, _ waiter: Waiter) {
        entries[key, default: Entry()].waiters.append(waiter)
        waiting[waiter.session] = key
    }

    /// Leaves the queue of the lock that a session waits for.
    mutating func stopWaiting(_ session: Int) -> [() -> Void] {
        guard let key = waiting.removeValue(forKey: session) else { return [] }
        entries[key]?.waiters.removeAll { $0.session == session }
        return promote(key)
    }

    /// Gives up everything that a session holds; returns those to be told.
    mutating func release(_ session: Int) -> [() -> Void] {
        var granted: [() -> Void] = []
        for key in held.removeValue(forKey: session) ?? [] {
            entries[key]?.holders[session] = nil
            granted += promote(key)
        }
        return granted
    }

    private mutating func promote(_ key: LockKey) -> [() -> Void] {
        guard var entry = entries[key] else { return [] }
        var granted: [() -> Void] = []
        while let next = entry.waiters.first, Self.isFree(entry, next.mode) {
            entry.waiters.removeFirst()
            entry.holders[next.session] = next.mode
            held[next.session, default: []].append(key)
            waiting[next.session] = nil
            granted.append(next.grant)
        }
        entries[key] = entry.holders.isEmpty && entry.waiters.isEmpty ? nil : entry
        return granted
    }

    /// True when a session that waits waits, through others, for itself.
    func isDeadlocked(_ session: Int) -> Bool {
        var seen: Set<Int> = []
        var next = blockers(of: session)
        while let one = next.popLast() {
            if one == session { return true }
            if seen.insert(one).inserted { next += blockers(of: one) }
        }
        return false
    }

    private func blockers(of session: Int) -> [Int] {
        guard let key = waiting[session], let entry = entries[key] else { return [] }
        let ahead = entry.waiters.prefix { $0.session != session }.map(\.session)
        return entry.holders.keys.filter { $0 != session }.sorted() + ahead
    }
}
