/// The decisions of a connection pool. Pure: no connections, tasks or clocks, only who holds what and who waits.
///
/// Waiters are served first come, first served. A free connection goes to the longest waiter at once and cannot be
/// overtaken. Free connections are reused last in, first out, so that a quiet pool keeps few of them busy.
struct PoolMachine<Member: Sendable> {
    struct MemberID: Hashable, Sendable { let value: UInt64 }
    struct WaiterID: Hashable, Sendable { let value: UInt64 }

    enum Acquire {
        case take(MemberID, Member)
        /// The waiter is queued; start this many attempts to connect.
        case wait(attempts: Int)
        case refuse
    }

    /// What to do with a connection that came back or was made.
    enum Placement {
        case hand(WaiterID)
        case keep
        /// Close it, and start this many attempts to connect for those who wait.
        case close(attempts: Int)
    }

    enum AfterFailure {
        /// Try again after the delay for this many failures in a row.
        case retry(failures: Int)
        /// Give up, and tell these waiters.
        case stop([WaiterID])
    }

    private enum Phase { case running, draining }

    private let capacity: Int
    private var phase = Phase.running
    private var nextID: UInt64 = 0
    private var idle: [(id: MemberID, member: Member)] = []
    private var leased: [MemberID: Member] = [:]
    private var waiters: [WaiterID] = []
    private var cancelledEarly: Set<WaiterID> = []
    private var connecting = 0
    /// Attempts that failed since the last success. While above zero only one attempt runs at a time.
    private(set) var failuresInRow = 0
    /// Connections that were lost and not replaced yet.
    private var losses = 0
    private(set) var reconnects = 0
    private(set) var failedAttempts = 0

    init(capacity: Int) {
        precondition(capacity > 0, "a pool needs room for at least one connection")
        self.capacity = capacity
    }

    var openCount: Int { idle.count + leased.count }
    var idleCount: Int { idle.count }
    var waiterCount: Int { waiters.count }
    var connectingCount: Int { connecting }
    var isShutDown: Bool { phase == .draining }
    var isDrained: Bool { phase == .draining && leased.isEmpty && connecting == 0 }
    var leasedMembers: [Member] { Array(leased.values) }

    mutating func makeMemberID() -> MemberID {
        nextID += 1
        return MemberID(value: nextID)
    }

    mutating func makeWaiterID() -> WaiterID {
        nextID += 1
        return WaiterID(value: nextID)
    }

    /// - Parameter isUsable: asked of free connections; those that are not are forgotten and returned in `closed`.
    mutating func acquire(
        _ waiter: WaiterID, closed: inout [Member], isUsable: (Member) -> Bool
    ) -> Acquire {
        guard phase == .running, cancelledEarly.remove(waiter) == nil else { return .refuse }
        while let (id, member) = idle.popLast() {
            guard isUsable(member) else {
                losses += 1
                closed.append(member)
                continue
            }
            leased[id] = member
            return .take(id, member)
        }
        waiters.append(waiter)
        return .wait(attempts: startAttempts())
    }

    /// How many attempts to start now: one per waiter that none is under way for, as far as there is room.
    private mutating func startAttempts() -> Int {
        guard phase == .running else { return 0 }
        let room = capacity - openCount - connecting
        let wanted = waiters.count - connecting
        let limit = failuresInRow > 0 ? 1 - connecting : Int.max
        let count = max(0, min(room, wanted, limit))
        connecting += count
        return count
    }

    /// A waiter gives up. Returns whether it was still waiting; if not, it has been or will be answered.
    mutating func abandon(_ waiter: WaiterID) -> Bool {
        guard let index = waiters.firstIndex(of: waiter) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// A waiter gives up before it was queued.
    mutating func abandonEarly(_ waiter: WaiterID) { cancelledEarly.insert(waiter) }

    mutating func forget(_ waiter: WaiterID) { cancelledEarly.remove(waiter) }

    mutating func release(_ id: MemberID, isUsable: Bool) -> Placement {
        guard let member = leased.removeValue(forKey: id) else { return .close(attempts: 0) }
        guard isUsable else {
            losses += 1
            return .close(attempts: startAttempts())
        }
        return place(id, member)
    }

    /// An attempt succeeded. Also returns how many further attempts to start: after a success more than one may run.
    mutating func connected(_ id: MemberID, _ member: Member) -> (placement: Placement, attempts: Int) {
        connecting -= 1
        failuresInRow = 0
        if losses > 0 {
            losses -= 1
            reconnects += 1
        }
        let placement = place(id, member)
        return (placement, startAttempts())
    }

    private mutating func place(_ id: MemberID, _ member: Member) -> Placement {
        guard phase == .running else { return .close(attempts: 0) }
        guard waiters.isEmpty else {
            leased[id] = member
            return .hand(waiters.removeFirst())
        }
        idle.append((id, member))
        return .keep
    }

    /// An attempt failed. It keeps its place while it is to be repeated.
    mutating func connectFailed(isRetriable: Bool) -> AfterFailure {
        failuresInRow += 1
        failedAttempts += 1
        guard phase == .running, isRetriable, !waiters.isEmpty else {
            connecting -= 1
            defer { waiters = [] }
            return .stop(waiters)
        }
        guard connecting == 1 else {
            connecting -= 1
            return .stop([])
        }
        return .retry(failures: failuresInRow)
    }

    /// Whether an attempt that waited should go on; if not, its place is given up.
    mutating func shouldRetry() -> Bool {
        if phase == .running, !waiters.isEmpty { return true }
        connecting -= 1
        return false
    }

    /// A connection ended by itself. Only free ones matter: a leased one comes back through ``release(_:isUsable:)``.
    mutating func lost(_ id: MemberID) {
        guard let index = idle.firstIndex(where: { $0.id == id }) else { return }
        idle.remove(at: index)
        losses += 1
    }

    /// Refuses new work. Returns what to close and whom to tell.
    mutating func shutDown() -> (close: [Member], refuse: [WaiterID]) {
        phase = .draining
        defer {
            idle = []
            waiters = []
        }
        return (idle.map(\.member), waiters)
    }
}
