import Testing

@testable import DevStack

/// The relay's name in a broker's answers.
@Suite struct AdvertisedPortTests {
    private func frame(_ body: [UInt8]) -> [UInt8] {
        [
            UInt8(body.count >> 24), UInt8(body.count >> 16 & 0xFF), UInt8(body.count >> 8 & 0xFF),
            UInt8(body.count & 0xFF),
        ]
            + body
    }

    private func address(_ port: UInt16) -> [UInt8] {
        Array("127.0.0.1".utf8) + [0, 0, UInt8(port >> 8), UInt8(port & 0xFF)]
    }

    @Test(arguments: [1, 2, 3, 5, 7, 64, 100_000])
    func everyMentionIsExchangedHoweverTheBytesArrive(step: Int) {
        let head: [UInt8] = [0, 0, 0, 7, 0, 9]
        let sent =
            frame(head + address(19_092) + [1, 2] + address(19_092)) + frame([]) + frame([9])
            + frame(head + address(19_093))
        let wanted =
            frame(head + address(20_000) + [1, 2] + address(20_000)) + frame([]) + frame([9])
            + frame(head + address(19_093))
        var port = AdvertisedPort(of: 19_092, replacedBy: 20_000)
        var received: [UInt8] = []
        for start in stride(from: 0, to: sent.count, by: step) {
            received += port.receive(Array(sent[start..<min(start + step, sent.count)]))
        }
        #expect(received == wanted)
    }

    @Test(arguments: [1_000, 65_540, 200_000])
    func largeAnswersPassAsTheyAreAndWhatFollowsIsReadAgain(step: Int) {
        let large = frame(address(19_092) + [UInt8](repeating: 3, count: AdvertisedPort.largestAnswer))
        var port = AdvertisedPort(of: 19_092, replacedBy: 20_000)
        var received: [UInt8] = []
        let sent = large + frame(address(19_092))
        for start in stride(from: 0, to: sent.count, by: step) {
            received += port.receive(Array(sent[start..<min(start + step, sent.count)]))
        }
        #expect(received == large + frame(address(20_000)))
    }

    @Test func whatIsNotCompleteWaits() {
        var port = AdvertisedPort(of: 1, replacedBy: 2)
        let bytes = frame(address(1))
        #expect(port.receive(Array(bytes.dropLast())) == [])
        #expect(port.receive([bytes[bytes.count - 1]]) == frame(address(2)))
    }
}
