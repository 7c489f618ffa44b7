import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

/// Wall time that passes while nothing is received, and calls from before what is remembered.
@Suite struct WallTimeTests {
    private static let job = JobID("a")
    private static let budget = "{wall_time_seconds: 100, thresholds: [50]}"

    /// A job with one call some seconds ago, as the ledger holds it afterwards.
    private static func begun(_ seconds: Int64, budget: String = budget) throws -> UsageBook {
        UsageBook.judge(
            [UsageSample.call("1", job: "a", at: UsageSample.now.adding(seconds: -seconds))],
            rules: try UsageSample.rules(budget: budget), snapshot: UsageSample.snapshot([UsageSample.grant("a")]))
    }

    /// What follows when a job is looked at although nothing was received.
    private static func look(_ state: UsageSnapshot, after seconds: Int64, budget: String = budget) throws -> UsageBook
    {
        var state = state
        state.now = state.now.adding(seconds: seconds)
        return UsageBook.judge([], elapsed: [job], rules: try UsageSample.rules(budget: budget), snapshot: state)
    }

    @Test func itsEndIsKnownWithTheFirstCall() throws {
        let book = try Self.begun(60)
        #expect(book.state.jobs[Self.job]?.wallTimeEndsAt == UsageSample.now.adding(seconds: 40))
        #expect(book.marks.isEmpty && book.revoked.isEmpty)
    }

    @Test func atItsEndTheTokensAreRevokedOnce() throws {
        let begun = try Self.begun(60)
        let early = try Self.look(begun.state, after: 20)
        #expect(early.revoked.isEmpty && early.marks == ["wall_time_seconds:50:100"])
        #expect(early.state.jobs[Self.job]?.wallTimeEndsAt == UsageSample.now.adding(seconds: 40))
        let over = try Self.look(early.state, after: 20)
        #expect(over.marks == ["wall_time_seconds:100:100"])
        #expect(over.revoked == [TokenID("jti-a")])
        #expect(over.codes.isEmpty, "nothing was called too often")
        #expect(over.state.jobs[Self.job]?.wallTimeEndsAt == nil)
        #expect(over.state.jobs[Self.job]?.usage == begun.state.jobs[Self.job]?.usage, "time is no use")
        let again = try Self.look(over.state, after: 1)
        #expect(again.events.isEmpty)
    }

    @Test func aCallAfterItsEndIsFoundAsExcess() throws {
        let over = try Self.look(try Self.begun(60).state, after: 40)
        var state = over.state
        state.now = state.now.adding(seconds: 30)
        let late = UsageBook.judge(
            [UsageSample.call("2", job: "a", at: UsageSample.now.adding(seconds: 55))],
            rules: try UsageSample.rules(budget: Self.budget), snapshot: state)
        #expect(late.codes == [.budgetExceeded])
        #expect(late.findings[0].excess?.used == 115)
        #expect(late.revoked.isEmpty && late.marks.isEmpty)
    }

    @Test func aRaisedLimitMovesTheEnd() throws {
        let begun = try Self.begun(60)
        let wider = try Self.look(begun.state, after: 40, budget: "{wall_time_seconds: 500, thresholds: []}")
        #expect(wider.revoked.isEmpty && wider.marks.isEmpty)
        #expect(wider.state.jobs[Self.job]?.wallTimeEndsAt == UsageSample.now.adding(seconds: 440))
        let none = try Self.look(begun.state, after: 40, budget: "{model_calls: 9}")
        #expect(none.events.isEmpty && none.state.jobs[Self.job]?.wallTimeEndsAt == nil)
    }

    @Test func aJobThatHasNotBegunHasNoEnd() throws {
        let snapshot = UsageSample.snapshot([UsageSample.grant("a")])
        let book = try Self.look(snapshot, after: 10_000)
        #expect(book.events.isEmpty && book.touched.isEmpty)
        let unknown = UsageBook.judge(
            [], elapsed: [JobID("nobody")], rules: try UsageSample.rules(budget: Self.budget), snapshot: snapshot)
        #expect(unknown.events.isEmpty && unknown.touched.isEmpty)
    }

    @Test func aLimitBeyondTheCalendarNeverComes() throws {
        let book = try Self.begun(60, budget: "{wall_time_seconds: \(Budget.largest), thresholds: []}")
        #expect(book.state.jobs[Self.job]?.wallTimeEndsAt == nil)
    }

    /// Looking at a job early, late or twice changes nothing but when its end is noticed.
    @Test(arguments: 0..<40) func lookingChangesNoSum(_ seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        let rules = try UsageSample.rules(budget: "{model_calls: 9, wall_time_seconds: 90, thresholds: [50]}")
        let calls = (0..<12).map {
            UsageSample.call(
                "\($0)", job: "a", at: UsageSample.now.adding(seconds: Int64.random(in: -80...0, using: &dice)))
        }
        let start = UsageSample.snapshot([UsageSample.grant("a")])
        var state = start
        var marks: [String] = []
        var revoked: [TokenID] = []
        for call in calls {
            state.now = state.now.adding(seconds: Int64.random(in: 0...10, using: &dice))
            let book = UsageBook.judge(
                [call], elapsed: dice.chance(50) ? [Self.job] : [], rules: rules, snapshot: state)
            state = book.state
            marks += book.marks
            revoked += book.revoked
        }
        state.now = state.now.adding(seconds: 100)
        let last = UsageBook.judge([], elapsed: [Self.job], rules: rules, snapshot: state)
        #expect(
            last.state.jobs[Self.job]?.usage
                == UsageBook.judge(calls, rules: rules, snapshot: start).state
                .jobs[Self.job]?.usage)
        marks += last.marks
        revoked += last.revoked
        #expect(marks.count == Set(marks).count)
        #expect(Set(marks).isSuperset(of: ["wall_time_seconds:50:90", "wall_time_seconds:100:90"]))
        #expect(revoked == [TokenID("jti-a")])
    }

    @Test func aCallFromBeforeWhatIsRememberedIsNotCounted() throws {
        var snapshot = UsageSample.snapshot([UsageSample.grant("a")])
        snapshot.countsFrom = UsageSample.now.adding(seconds: -50)
        let old = UsageSample.call("old", job: "a", at: UsageSample.now.adding(seconds: -51))
        let known = UsageSample.call("known", job: "a", at: UsageSample.now.adding(seconds: -52))
        let new = UsageSample.call("new", job: "a", at: UsageSample.now.adding(seconds: -50))
        snapshot.known[known.name] = known.payloadHash
        let book = UsageBook.judge(
            [old, known, new, old], rules: try UsageSample.rules(), snapshot: snapshot)
        #expect(
            book.events == [
                .tooOld(call: 0), .repeated(call: 1), .counted(call: 2, grant: UsageSample.grant("a")),
                .tooOld(call: 3),
            ])
        #expect(book.state.jobs[Self.job]?.usage.modelCalls == 1)
    }
}
