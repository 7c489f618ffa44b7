import GrantLedger
import Testing

@testable import GrantWorker

@Suite struct SealTurnsTests {
    private static let long: Duration = .seconds(60)

    /// Turns whose first look, at what was there before anybody listened, is done.
    private static func turns(distance: Duration = .zero) async -> SealTurns {
        let turns = SealTurns(distance: distance)
        #expect(await turns.next(atMost: long) == .everything)
        return turns
    }

    @Test func anAnnouncementGivesATurn() async {
        let turns = await Self.turns()
        turns.announced(.ordinary)
        #expect(await turns.next(atMost: Self.long) == .everything)
    }

    @Test func aTurnComesToTheOneThatWaits() async {
        let turns = await Self.turns()
        async let turn = turns.next(atMost: Self.long)
        turns.announced(.ordinary)
        #expect(await turn == .everything)
    }

    @Test func withoutAnAnnouncementEverythingIsLookedAtInTime() async {
        let turns = await Self.turns()
        #expect(await turns.next(atMost: .milliseconds(1)) == .everything)
    }

    @Test func aRoundWaitsForTheOneBeforeItToBePublished() async {
        let turns = await Self.turns()
        turns.sealed(.everything, isFull: false)
        turns.announced(.ordinary)
        #expect(await turns.next(atMost: .milliseconds(1)) == .controlAlone)
        turns.published()
        #expect(await turns.next(atMost: Self.long) == .everything)
    }

    @Test func behindAFullRoundOneMoreIsSealedAhead() async {
        let turns = await Self.turns()
        turns.sealed(.everything, isFull: true)
        #expect(await turns.next(atMost: Self.long) == .everything)
        turns.sealed(.everything, isFull: true)
        #expect(await turns.next(atMost: .milliseconds(1)) == .controlAlone)
        #expect(!turns.isLevel)
    }

    @Test func aStopWaitsForNoRoundAndNoDistance() async {
        let turns = await Self.turns(distance: Self.long)
        turns.sealed(.everything, isFull: false)
        turns.announced(.ordinary)
        turns.announced(.control)
        #expect(await turns.next(atMost: Self.long) == .controlAlone)
        turns.sealed(.controlAlone, isFull: false)
        turns.announced(.control)
        #expect(await turns.next(atMost: Self.long) == .controlAlone)
    }

    @Test func roundsKeepTheirDistanceUnlessTheyAreFull() async {
        let turns = await Self.turns(distance: Self.long)
        turns.sealed(.everything, isFull: false)
        turns.published()
        turns.announced(.ordinary)
        #expect(await turns.next(atMost: .milliseconds(1)) == .controlAlone)
        #expect(turns.isLevel)

        let busy = await Self.turns(distance: Self.long)
        busy.sealed(.everything, isFull: true)
        busy.published()
        #expect(await busy.next(atMost: Self.long) == .everything)
    }

    @Test func aDistanceEnds() async {
        let turns = await Self.turns(distance: .milliseconds(5))
        turns.sealed(.everything, isFull: false)
        turns.published()
        turns.announced(.ordinary)
        #expect(await turns.next(atMost: Self.long) == .everything)
    }
}
