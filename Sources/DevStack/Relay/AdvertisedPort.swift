/// Puts the relay's port in the place of the broker's own wherever a broker tells its clients where it is.
///
/// A broker that advertises the address it binds would be reached past any relay from the second connection on. Kafka
/// writes a port as four bytes behind the host's name, in every version of Metadata and FindCoordinator, so it can be
/// exchanged without changing a length. Answers are looked through by their bytes, not parsed: a record that held the
/// host's name followed by the port in binary would be changed too, which no record here does.
struct AdvertisedPort {
    /// Answers that name brokers are small; what is larger passes as it is, and is not held back until it is complete.
    static let largestAnswer = 65_536

    private let wanted: [UInt8]
    private let port: [UInt8]
    private var pending: [UInt8] = []
    /// Bytes of a large answer that are still to come.
    private var passing = 0

    init(of broker: UInt16, replacedBy relay: UInt16) {
        wanted = Array("127.0.0.1".utf8) + Self.bytes(broker)
        port = Self.bytes(relay)
    }

    /// Takes what the broker sent next, in pieces of any size, and returns what may leave.
    mutating func receive(_ bytes: [UInt8]) -> [UInt8] {
        var leaving: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            if passing > 0 {
                let part = rest.prefix(passing)
                leaving += part
                passing -= part.count
                rest = rest.dropFirst(part.count)
                continue
            }
            let missing = pending.count < 4 ? 4 - pending.count : 4 + size - pending.count
            let part = rest.prefix(missing)
            pending += part
            rest = rest.dropFirst(part.count)
            guard pending.count >= 4 else { continue }
            if size > Self.largestAnswer {
                passing = size
                leaving += pending
                pending = []
            } else if pending.count == 4 + size {
                exchange()
                leaving += pending
                pending = []
            }
        }
        return leaving
    }

    private var size: Int { pending.prefix(4).reduce(0) { $0 << 8 | Int($1) } }

    private mutating func exchange() {
        guard pending.count >= wanted.count else { return }
        for start in 0...(pending.count - wanted.count)
        where pending[start] == wanted[0] && pending[start..<(start + wanted.count)].elementsEqual(wanted) {
            let end = start + wanted.count
            pending.replaceSubrange((end - port.count)..<end, with: port)
        }
    }

    private static func bytes(_ port: UInt16) -> [UInt8] { [0, 0, UInt8(port >> 8), UInt8(port & 0xFF)] }
}
