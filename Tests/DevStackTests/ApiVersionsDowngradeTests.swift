import Testing

@testable import DevStack

@Suite struct ApiVersionsDowngradeTests {
    private func request(key: UInt8, version: UInt8, correlation: UInt8, body: [UInt8] = [0xff, 0xff, 0, 1, 2, 3])
        -> [UInt8]
    {
        [0, 0, 0, UInt8(8 + body.count), 0, key, 0, version, 0, 0, 0, correlation] + body
    }

    private func refusal(correlation: UInt8) -> [UInt8] { [0, 0, 0, 10, 0, 0, 0, correlation, 0, 35, 0, 0, 0, 0] }

    /// Feeds bytes in pieces of the given size and adds up what came of them.
    private func play(_ bytes: [UInt8], pieces size: Int) -> ApiVersionsDowngrade.Outcome {
        var downgrade = ApiVersionsDowngrade()
        var total = ApiVersionsDowngrade.Outcome()
        for start in stride(from: 0, to: bytes.count, by: size) {
            let outcome = downgrade.receive(Array(bytes[start..<min(start + size, bytes.count)]))
            total.forward += outcome.forward
            total.reply += outcome.reply
        }
        return total
    }

    @Test(arguments: [1, 2, 3, 5, 7, 11, 12, 13, 64, 1_000])
    func newVersionsAreRefusedAndTheRestPassesHoweverItIsCut(size: Int) {
        let passing = request(key: 18, version: 0, correlation: 3) + request(key: 18, version: 3, correlation: 4)
        let bytes =
            request(key: 18, version: 3, correlation: 1) + request(key: 18, version: 4, correlation: 2) + passing
        let outcome = play(bytes, pieces: size)
        #expect(outcome.reply == refusal(correlation: 1) + refusal(correlation: 2))
        #expect(outcome.forward == passing)
    }

    @Test(arguments: [(UInt8(18), UInt8(2)), (3, 9), (0, 7), (17, 3)])
    func otherRequestsPass(key: UInt8, version: UInt8) {
        let bytes = request(key: key, version: version, correlation: 9)
        #expect(play(bytes, pieces: 4) == .init(forward: bytes, reply: []))
    }

    @Test func whatIsNotKafkaPasses() {
        let text = Array("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".utf8)
        #expect(play(text, pieces: 1_000).forward == text)
        let huge: [UInt8] = [0x7f, 0, 0, 0, 0, 18, 0, 3, 0, 0, 0, 1]
        #expect(play(huge, pieces: 1_000).forward == huge)
        let tiny: [UInt8] = [0, 0, 0, 2, 0, 18, 0, 3, 0, 0, 0, 1]
        #expect(play(tiny, pieces: 1_000).forward == tiny)
    }
}
