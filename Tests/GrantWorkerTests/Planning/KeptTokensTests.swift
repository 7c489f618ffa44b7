import ClawWire
import Testing

@testable import GrantWorker

/// Tokens between their signing and their publication.
struct KeptTokensTests {
    private func token(_ number: Int) -> BearerToken { BearerToken("token-\(number)") }

    @Test func nothingIsKeptByWhoDoesNotPublish() {
        let kept = KeptTokens()
        kept.keep(token(1), token(1).hash)
        #expect(kept.take(token(1).hash) == nil)
        kept.open()
        kept.keep(token(1), token(1).hash)
        kept.close()
        #expect(kept.take(token(1).hash) == nil)
    }

    @Test func aTokenIsTakenOnce() {
        let kept = KeptTokens()
        kept.open()
        kept.keep(token(1), token(1).hash)
        kept.keep(token(1), token(1).hash)
        #expect(kept.take(token(1).hash) == token(1))
        #expect(kept.take(token(1).hash) == nil)
    }

    @Test func theOldestMakesRoom() {
        let kept = KeptTokens(capacity: 3)
        kept.open()
        for number in 1...8 { kept.keep(token(number), token(number).hash) }
        #expect((1...8).filter { kept.take(token($0).hash) != nil } == [6, 7, 8])
        for number in 9...10 { kept.keep(token(number), token(number).hash) }
        #expect((9...10).filter { kept.take(token($0).hash) != nil } == [9, 10])
    }
}
