/// What waits in a relay on its way in one direction of one connection.
struct RelayPipe {
    private struct Chunk {
        let bytes: [UInt8]
        let receivedAt: ContinuousClock.Instant
    }

    /// What may wait here before the relay stops reading from the sender.
    static let capacity = 1 << 20

    private var chunks: [Chunk] = []
    private var first = 0
    private var sentOfFirst = 0
    private(set) var waiting = 0
    /// The sender will send no more.
    var isEnded = false
    /// The receiver was told that no more will come.
    var isFinished = false

    var isEmpty: Bool { waiting == 0 }
    var hasRoom: Bool { waiting < Self.capacity }

    mutating func append(_ bytes: [UInt8], at now: ContinuousClock.Instant) {
        guard !bytes.isEmpty else { return }
        chunks.append(Chunk(bytes: bytes, receivedAt: now))
        waiting += bytes.count
    }

    /// When the next byte may leave; nil when none waits.
    func nextRelease(delay: Duration) -> ContinuousClock.Instant? {
        isEmpty ? nil : chunks[first].receivedAt.advanced(by: delay)
    }

    /// Sends what may leave by now and fits.
    ///
    /// - Returns: The bytes that left, or nil when the receiver is gone.
    mutating func drain(into socket: Socket, delay: Duration, now: ContinuousClock.Instant) -> Int? {
        var sent = 0
        while let release = nextRelease(delay: delay), release <= now {
            let bytes = chunks[first].bytes
            switch socket.send(bytes, sentOfFirst..<bytes.count) {
            case .moved(let count):
                sent += count
                waiting -= count
                sentOfFirst += count
                if sentOfFirst == bytes.count { dropFirst() }
            case .wouldBlock: return sent
            case .ended, .failed: return nil
            }
        }
        return sent
    }

    mutating func discard() {
        chunks = []
        first = 0
        sentOfFirst = 0
        waiting = 0
    }

    private mutating func dropFirst() {
        first += 1
        sentOfFirst = 0
        // Moving the rest down only now and then keeps taking from the front cheap.
        if first == chunks.count || first >= 64 {
            chunks.removeFirst(first)
            first = 0
        }
    }
}
