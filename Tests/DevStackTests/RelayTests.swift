import Foundation
import Testing

@testable import DevStack

@Suite struct RelayTests {
    private let server: EchoServer
    private let relay: TCPRelay

    init() throws {
        server = try EchoServer()
        relay = try TCPRelay(to: server.port)
    }

    private func isCut(_ transfer: Socket.Transfer) -> Bool {
        switch transfer {
        case .ended, .failed(ECONNRESET), .failed(EPIPE): true
        case .moved, .wouldBlock, .failed: false
        }
    }

    @Test func bytesPassBothWaysAndAreCounted() async throws {
        let client = try TestClient(port: relay.port)
        for word in ["alpha", "beta", "gamma"] {
            try client.say(word)
            #expect(client.hear(word.count) == word)
        }
        try await waitUntil(deadline: .seconds(30), description: "the counters to catch up") {
            relay.counters.bytesToServer == 14 && relay.counters.bytesToClient == 14
        }
        #expect(relay.counters.accepted == 1)
    }

    @Test func muchMoreThanTheBuffersHoldPassesInOrder() async throws {
        let client = try TestClient(port: relay.port, patience: .seconds(60))
        // A block whose length shares no factor with any buffer's, so that a lost or swapped piece shows.
        let block = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }
        let sent = (0..<200).reduce(into: [UInt8]()) { bytes, _ in bytes += block }
        let size = sent.count
        let socket = client.socket
        async let sending: Void = offPool {
            var position = 0
            while position < size {
                guard case .moved(let count) = socket.send(sent, position..<size) else { break }
                position += count
            }
            socket.finishWriting()
        }
        let received = try await offPool {
            var all: [UInt8] = []
            var space = [UInt8](repeating: 0, count: 262_144)
            while case .moved(let count) = socket.receive(into: &space) { all += space[..<count] }
            return all
        }
        try await sending
        #expect(received.count == size)
        // As a condition: a difference of megabytes takes minutes to describe.
        let isSame = received == sent
        #expect(isSame)
    }

    @Test func finishedClientStillGetsItsReply() throws {
        let client = try TestClient(port: relay.port)
        try client.say("last words")
        client.socket.finishWriting()
        #expect(client.hear(100) == "last words")
    }

    @Test func cutResetsWhatIsOpenAndServesWhatIsNew() async throws {
        let clients = try (0..<5).map { _ in try TestClient(port: relay.port) }
        for client in clients {
            try client.say("x")
            #expect(client.hear(1) == "x")
        }
        relay.inject(.cutConnections)
        for client in clients { #expect(client.listen() == .failed(ECONNRESET)) }
        #expect(relay.counters.open == 0)
        let next = try TestClient(port: relay.port)
        try next.say("y")
        #expect(next.hear(1) == "y")
    }

    @Test(arguments: [RelayDirection.toServer, .toClient])
    func truncationPassesExactlyTheBytesAllowed(direction: RelayDirection) async throws {
        let client = try TestClient(port: relay.port)
        try client.say("before")
        #expect(client.hear(6) == "before")
        relay.inject(.truncate(afterBytes: 4, direction))
        try client.say("0123456789")
        let heard = client.hear(10)
        switch direction {
        case .toClient: #expect(heard == "0123")
        // What the server got is echoed into a connection that is being closed, so only an upper bound is sure.
        case .toServer: #expect("0123".hasPrefix(heard))
        }
        #expect(isCut(client.listen()))
        try await waitUntil(deadline: .seconds(30), description: "the counters to catch up") {
            relay.counters.bytesToServer == 6 + (direction == .toServer ? 4 : 10)
        }
        let next = try TestClient(port: relay.port)
        try next.say("0123456789")
        #expect(next.hear(10) == "0123456789")
    }

    @Test func truncationAtZeroBytesEndsTheNextExchange() throws {
        let client = try TestClient(port: relay.port)
        relay.inject(.truncate(afterBytes: 0, .toClient))
        try client.say("hello")
        #expect(client.hear(5) == "")
    }

    @Test func droppedRepliesStillReachTheServer() async throws {
        let client = try TestClient(port: relay.port)
        try client.say("a")
        #expect(client.hear(1) == "a")
        relay.inject(.dropReplies)
        try client.say("commit")
        try await waitUntil(deadline: .seconds(30), description: "the swallowed reply") {
            relay.counters.swallowedReplies == 6
        }
        #expect(server.received == 7)
        try relay.heal()
        #expect(client.listen() == .failed(ECONNRESET))
    }

    @Test func healLeavesConnectionsAloneThatLostNothing() throws {
        let client = try TestClient(port: relay.port)
        try client.say("a")
        #expect(client.hear(1) == "a")
        relay.inject(.dropReplies)
        try relay.heal()
        try client.say("b")
        #expect(client.hear(1) == "b")
    }

    @Test func blackHoleSwallowsAndHealResets() async throws {
        let early = try TestClient(port: relay.port)
        try early.say("a")
        #expect(early.hear(1) == "a")
        relay.inject(.blackHole)
        let late = try TestClient(port: relay.port)
        try early.say("into")
        try late.say("nothing")
        try await waitUntil(deadline: .seconds(30), description: "the bytes to be swallowed") {
            relay.counters.swallowedRequests == 11
        }
        #expect(server.received == 1)
        try relay.heal()
        #expect(early.listen() == .failed(ECONNRESET))
        #expect(late.listen() == .failed(ECONNRESET))
        let next = try TestClient(port: relay.port)
        try next.say("b")
        #expect(next.hear(1) == "b")
    }

    @Test func refusalTurnsNewClientsAwayAndKeepsOldOnes() throws {
        let early = try TestClient(port: relay.port)
        try early.say("a")
        #expect(early.hear(1) == "a")
        relay.inject(.refuseConnections)
        #expect {
            try TestClient(port: relay.port)
        } throws: { error in
            (error as? DevStackError)?.message.contains(DevStackError.systemMessage(ECONNREFUSED)) == true
        }
        try early.say("b")
        #expect(early.hear(1) == "b")
        try relay.heal()
        let late = try TestClient(port: relay.port)
        try late.say("c")
        #expect(late.hear(1) == "c")
    }

    @Test func delayedBytesComeInOrderAndHealingReleasesThem() async throws {
        let client = try TestClient(port: relay.port)
        try client.say("a")
        #expect(client.hear(1) == "a")
        relay.inject(.delay(toServer: .milliseconds(2), toClient: .milliseconds(3)))
        for number in 0..<20 { try client.say("\(number % 10)") }
        #expect(client.hear(20) == "01234567890123456789")
        relay.inject(.delay(toServer: .seconds(3_600), toClient: .zero))
        let passed = relay.counters.bytesToServer
        try client.say("held")
        // Each of these takes a turn of the relay's loop, so it has read the bytes by the last one.
        for _ in 0..<3 { relay.inject(.delay(toServer: .seconds(3_600), toClient: .zero)) }
        #expect(relay.counters.bytesToServer == passed)
        try relay.heal()
        #expect(client.hear(4) == "held")
    }

    @Test func serverThatIsNotThereResetsTheClient() throws {
        let lonely = try TCPRelay(to: FreePort.next())
        let client = try TestClient(port: lonely.port)
        #expect(isCut(client.listen()))
    }

    @Test func closedRelayGivesItsPortUp() throws {
        let client = try TestClient(port: relay.port)
        try client.say("a")
        #expect(client.hear(1) == "a")
        relay.close()
        relay.close()
        relay.inject(.blackHole)
        #expect(client.listen() == .failed(ECONNRESET))
        _ = try Socket.listening(port: relay.port)
    }

    @Test func relayWithoutAnOwnerEnds() async throws {
        var short: TCPRelay? = try TCPRelay(to: server.port)
        let port = try #require(short?.port)
        _ = try TestClient(port: port)
        short = nil
        try await waitUntil(deadline: .seconds(30), description: "the port to be free") {
            (try? Socket.listening(port: port)) != nil
        }
    }

    @Test func faultsDuringTrafficNeverCorruptWhatArrives() async throws {
        // Whatever is cut and healed, a client reads a prefix of what it sent and nothing else.
        for round in 0..<30 {
            let client = try TestClient(port: relay.port)
            let sent = String(repeating: "\(round % 10)abcdefghijklmnopqrstuvwxyz", count: 200)
            try client.say(sent)
            let direction = round % 2 == 0 ? RelayDirection.toServer : .toClient
            relay.inject(.truncate(afterBytes: Int.random(in: 0..<8_000), direction))
            relay.inject(.delay(toServer: .milliseconds(round % 3), toClient: .milliseconds(round % 2)))
            client.socket.finishWriting()
            let heard = client.hear(sent.count)
            #expect(sent.hasPrefix(heard))
            try relay.heal()
        }
    }
}

@Suite struct KafkaRelayTests {
    @Test func newApiVersionsAreAnsweredByTheRelayAndTheRestByTheServer() throws {
        let server = try EchoServer()
        let relay = try KafkaRelay(to: server.port)
        let client = try TestClient(port: relay.port)
        let question: [UInt8] = [0, 0, 0, 10, 0, 18, 0, 3, 0, 0, 0, 7, 0, 0]
        #expect(client.socket.send(question, 0..<question.count) == .moved(question.count))
        #expect(Array(client.hear(14).utf8) == [0, 0, 0, 10, 0, 0, 0, 7, 0, 35, 0, 0, 0, 0])
        let request = KafkaHandshake.request
        #expect(client.socket.send(request, 0..<request.count) == .moved(request.count))
        #expect(Array(client.hear(request.count).utf8) == request)
        #expect(server.received == request.count)
    }
}
