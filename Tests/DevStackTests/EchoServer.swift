import Foundation
import Primitives

@testable import DevStack

/// A server on loopback that sends back what it gets, and counts it.
final class EchoServer: Sendable {
    private struct State {
        var received = 0
        var isStopping = false
    }

    let port: UInt16
    private let state = Lock(State())

    var received: Int { state.withLock { $0.received } }

    init() throws {
        let listener = try Socket.listening(port: FreePort.next())
        port = listener.localPort
        let state = state
        Thread {
            while !state.withLock({ $0.isStopping }) {
                guard Self.isReadable(listener), let client = listener.accepted() else { continue }
                Thread { Self.serve(client, state) }.start()
            }
        }.start()
    }

    deinit { state.withLock { $0.isStopping = true } }

    private static func serve(_ client: Socket, _ state: Lock<State>) {
        var space = [UInt8](repeating: 0, count: 65_536)
        while !state.withLock({ $0.isStopping }) {
            guard isReadable(client) else { continue }
            guard case .moved(let count) = client.receive(into: &space) else { return }
            state.withLock { $0.received += count }
            var sent = 0
            while sent < count {
                switch client.send(space, sent..<count) {
                case .moved(let more): sent += more
                case .wouldBlock: waitForRoom(client)
                case .ended, .failed: return
                }
            }
        }
    }

    private static func isReadable(_ socket: Socket) -> Bool { wait(socket, Int16(POLLIN)) }
    private static func waitForRoom(_ socket: Socket) { _ = wait(socket, Int16(POLLOUT)) }

    private static func wait(_ socket: Socket, _ events: Int16) -> Bool {
        var entry = pollfd(fd: socket.descriptor, events: events, revents: 0)
        return unsafe poll(&entry, 1, 100) > 0
    }
}

/// The client's end of a connection in a relay test; every call blocks for ten seconds at most.
struct TestClient {
    let socket: Socket

    init(port: UInt16, patience: Duration = .seconds(10)) throws {
        socket = try Socket.connected(port: port, limit: patience)
    }

    func say(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard socket.send(bytes, 0..<bytes.count) == .moved(bytes.count) else {
            throw DevStackError(.systemCall, "nothing could be sent")
        }
    }

    /// Reads exactly this many bytes, or fewer when the connection ends before.
    func hear(_ count: Int) -> String {
        var all: [UInt8] = []
        while all.count < count {
            var space = [UInt8](repeating: 0, count: count - all.count)
            guard case .moved(let more) = socket.receive(into: &space) else { break }
            all += space[..<more]
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// What the next read brings when nothing is expected to come.
    func listen() -> Socket.Transfer {
        var space = [UInt8](repeating: 0, count: 1)
        return socket.receive(into: &space)
    }
}
