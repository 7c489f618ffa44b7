import Testing

@testable import Simulation

struct LockTableTests {
    private func take(
        _ locks: inout LockTable, _ key: LockKey, _ mode: LockMode, by session: Int, expecting expected: Bool
    ) {
        let isTaken = locks.take(key, mode, by: session)
        #expect(isTaken == expected)
    }

    @Test func whoWaitsExclusivelyIsNotOvertaken() {
        var locks = LockTable()
        var granted: [String] = []
        take(&locks, .stop, .shared, by: 1, expecting: true)
        take(&locks, .stop, .exclusive, by: 2, expecting: false)
        var told: [() -> Void] = []
        locks.wait(.stop, LockTable.Waiter(session: 2, mode: .exclusive) { granted.append("two") })
        take(&locks, .stop, .shared, by: 3, expecting: false)
        locks.wait(.stop, LockTable.Waiter(session: 3, mode: .shared) { granted.append("three") })
        told += locks.release(1)
        for tell in told { tell() }
        #expect(granted == ["two"])
        for tell in locks.release(2) { tell() }
        #expect(granted == ["two", "three"])
    }

    @Test func sharedHoldersLetEachOtherIn() {
        var locks = LockTable()
        take(&locks, .stop, .shared, by: 1, expecting: true)
        take(&locks, .stop, .shared, by: 2, expecting: true)
        take(&locks, .stop, .shared, by: 2, expecting: true)
        #expect(locks.holders(of: .stop) == [1, 2])
    }

    @Test func aRingOfWaitersIsSeen() {
        var locks = LockTable()
        take(&locks, .run(position: 1, ordinal: 0), .exclusive, by: 1, expecting: true)
        take(&locks, .run(position: 2, ordinal: 0), .exclusive, by: 2, expecting: true)
        locks.wait(.run(position: 2, ordinal: 0), LockTable.Waiter(session: 1, mode: .exclusive) {})
        #expect(!locks.isDeadlocked(1))
        locks.wait(.run(position: 1, ordinal: 0), LockTable.Waiter(session: 2, mode: .exclusive) {})
        #expect(locks.isDeadlocked(1))
        #expect(locks.isDeadlocked(2))
    }

    @Test func whoGivesUpLetsThoseBehindIn() {
        var locks = LockTable()
        var granted = false
        take(&locks, .stop, .shared, by: 1, expecting: true)
        locks.wait(.stop, LockTable.Waiter(session: 2, mode: .exclusive) {})
        locks.wait(.stop, LockTable.Waiter(session: 3, mode: .shared) { granted = true })
        for tell in locks.stopWaiting(2) { tell() }
        #expect(granted)
    }
}
