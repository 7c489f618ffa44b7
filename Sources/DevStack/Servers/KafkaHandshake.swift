/// The smallest conversation that shows a Kafka broker is there: one ApiVersions request of version 0.
enum KafkaHandshake {
    private static let correlationID: [UInt8] = [0x63, 0x6c, 0x61, 0x77]
    private static let clientID = "probe"

    /// The request: size, API key 18, version 0, correlation id, client id.
    static var request: [UInt8] {
        let name = Array(clientID.utf8)
        let body: [UInt8] = [0, 18, 0, 0] + correlationID + [0, UInt8(name.count)] + name
        return [0, 0, 0, UInt8(body.count)] + body
    }

    /// Whether the beginning of a reply is an answer to the request without an error; nil while too little is known.
    static func accepts(_ reply: [UInt8]) -> Bool? {
        guard reply.count >= 10 else { return nil }
        let size = reply[0..<4].reduce(0) { $0 << 8 | Int($1) }
        return size >= 10 && Array(reply[4..<8]) == correlationID && reply[8] == 0 && reply[9] == 0
    }

    /// Asks whatever listens on a port of 127.0.0.1. Blocks for a second at most per step.
    static func succeeds(port: UInt16) -> Bool {
        guard let socket = try? Socket.connected(port: port, limit: .seconds(1)),
            socket.send(request, 0..<request.count) == .moved(request.count)
        else { return false }
        var reply: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 4096)
        while true {
            guard case .moved(let count) = socket.receive(into: &space) else { return false }
            reply += space[..<count]
            if let verdict = accepts(reply) { return verdict }
        }
    }
}
