import Testing

@testable import Simulation

struct LockTableTests {
    @Test func whoWaitsExclusivelyIsNotOvertaken() {
        var locks = LockTable()
        var granted: [String] = []
        #expect(locks.take(.stop, .shared, by: 1))
        #expect(!locks.take(.stop, .exclusive, by: 2))
        var told: [() -> Void] = []
        locks.wait(.stop, LockTable.Waiter(session: 2, mode: .exclusive) { granted.append("two") })
        #expect(!locks.take(.stop, .shared, by: 3))
        locks.wait(.stop, LockTable.Waiter(session: 3, mode: .shared) { granted.append("three") })
        told += locks.release(1)
        for tell in told { tell() }
        #expect(granted == ["two"])
        for tell in locks.release(2) { tell() }
        #expect(granted == ["two", "three"])
    }

    @Test func sharedHoldersLetEachOtherIn() {
        var locks = LockTable()
        #expect(locks.take(.stop, .shared, by: 1))
        #expect(locks.take(.stop, .shared, by: 2))
        #expect(locks.take(.stop, .shared, by: 2))
        #expect(locks.holders(of: .stop) == [1, 2])
    }

    @Test func aRingOfWaitersIsSeen() {
        var locks = LockTable()
        #expect(locks.take(.run(position: 1, ordinal: 0), .exclusive, by: 1))
        #expect(locks.take(.run(position: 2, ordinal: 0), .exclusive, by: 2))
        locks.wait(.run(position: 2, ordinal: 0), LockTable.Waiter(session: 1, mode: .exclusive) {})
        #expect(!locks.isDeadlocked(1))
        locks.wait(.run(position: 1, ordinal: 0), LockTable.Waiter(session: 2, mode: .exclusive) {})
        #expect(locks.isDeadlocked(1))
        #expect(locks.isDeadlocked(2))
    }

    @Test func whoGivesUpLetsThoseBehindIn() {
        var locks = LockTable()
        var granted = false
        #expect(locks.take(.stop, .shared, by: 1))
        locks.wait(.stop, LockTable.Waiter(session: 2, mode: .exclusive) {})
        locks.wait(.stop, LockTable.Waiter(session: 3, mode: .shared) { granted = true })
        for tell in locks.stopWaiting(2) { tell() }
        #expect(granted)
    }
}
