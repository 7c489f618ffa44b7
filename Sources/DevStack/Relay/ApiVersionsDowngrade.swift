/// Answers a Kafka client's first question in the broker's place, so that old clients and new brokers can talk.
///
/// librdkafka 2.0.2 reads the tagged fields of an ApiVersions reply of version 3 wrongly and gives the connection up
/// when a broker sends any. A broker that answers UNSUPPORTED_VERSION is asked again with version 0, whose reply has no
/// such fields (KIP-511). So requests of version 3 and later are answered here and never reach the broker; with the
/// first request of any other kind this steps aside and all bytes pass as they are.
struct ApiVersionsDowngrade {
    /// What to do with the bytes that were received.
    struct Outcome: Equatable {
        var forward: [UInt8] = []
        var reply: [UInt8] = []
    }

    private static let apiVersionsKey = 18
    private static let firstFlexibleVersion = 3
    private static let unsupportedVersion: UInt8 = 35
    /// Size, API key, API version and correlation id: what a request of any version begins with.
    private static let headerSize = 12
    /// No ApiVersions request comes near this; a larger size means the peer does not speak Kafka.
    private static let largestRequest = 65_536

    private var pending: [UInt8] = []

    /// Whether the conversation has moved on and nothing will be looked at any more.
    private(set) var isOver = false

    /// Takes what the client sent next, in pieces of any size.
    mutating func receive(_ bytes: [UInt8]) -> Outcome {
        var outcome = Outcome()
        guard !isOver else {
            outcome.forward = bytes
            return outcome
        }
        pending += bytes
        while pending.count >= Self.headerSize {
            let size = pending[0..<4].reduce(0) { $0 << 8 | Int($1) }
            let key = Int(pending[4]) << 8 | Int(pending[5])
            let version = Int(pending[6]) << 8 | Int(pending[7])
            guard key == Self.apiVersionsKey, version >= Self.firstFlexibleVersion, size <= Self.largestRequest,
                size >= Self.headerSize - 4
            else {
                isOver = true
                outcome.forward = pending
                pending = []
                break
            }
            guard pending.count >= 4 + size else { break }
            // A reply of version 0: size, correlation id, error code, no keys.
            outcome.reply += [0, 0, 0, 10] + pending[8..<12] + [0, Self.unsupportedVersion, 0, 0, 0, 0]
            pending.removeFirst(4 + size)
        }
        return outcome
    }
}
