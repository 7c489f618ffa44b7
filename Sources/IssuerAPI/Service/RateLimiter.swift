import Glibc
import Primitives

/// How much somebody may ask: a bucket that fills steadily and may be emptied at once.
struct RequestRate: Sendable, Hashable {
    /// Requests a second.
    let perSecond: Double
    /// Requests at once.
    let burst: Double

    init(perSecond: Int) {
        self.perSecond = Double(max(1, perSecond))
        burst = self.perSecond * 2
    }
}

/// Counts the requests of each name within memory that is bounded.
///
/// Buckets are kept in two generations. One that nobody touched for a whole generation is full again, so dropping it loses
/// nothing; when a generation holds as many names as it may, those that are new share one bucket.
final class RateLimiter: Sendable {
    private struct Bucket {
        var level: Double
        var at: ContinuousClock.Instant
    }

    private struct State {
        var recent: [String: Bucket] = [:]
        var older: [String: Bucket] = [:]
        var began: ContinuousClock.Instant
    }

    /// The bucket of those who find no room.
    private static let others = ""
    private let state: Lock<State>
    private let maximumNames: Int
    private let generation: Duration

    /// - Parameters:
    ///   - maximumNames: most names that are told apart in a generation.
    ///   - generation: no bucket takes longer to fill.
    init(maximumNames: Int, generation: Duration = .seconds(4), at now: ContinuousClock.Instant = .now) {
        self.maximumNames = max(1, maximumNames)
        self.generation = generation
        state = Lock(State(began: now))
    }

    /// Takes one request out of a name's bucket.
    ///
    /// - Returns: `nil` when it may be answered, else the seconds after which the next one may be.
    func take(_ name: String, _ rate: RequestRate, at now: ContinuousClock.Instant = .now) -> Int? {
        state.withLock { state in
            if now - state.began >= generation {
                state.older = now - state.began >= generation * 2 ? [:] : state.recent
                state.recent = [:]
                state.began = now
            }
            var key = name
            if state.recent[key] == nil, state.older[key] == nil, state.recent.count >= maximumNames {
                key = Self.others
            }
            var bucket = state.recent[key] ?? state.older[key] ?? Bucket(level: rate.burst, at: now)
            bucket.level = min(rate.burst, bucket.level + (now - bucket.at) / .seconds(1) * rate.perSecond)
            bucket.at = now
            defer { state.recent[key] = bucket }
            guard bucket.level >= 1 else {
                return max(1, Int(((1 - bucket.level) / rate.perSecond).rounded(.up)))
            }
            bucket.level -= 1
            return nil
        }
    }

    /// The name under which a peer's requests are counted: an IPv4 address, or the network of 64 bits of an IPv6
    /// address, which is what one customer of a provider has.
    static func name(ofPeer address: String?) -> String {
        guard let address, address.contains(":") else { return address ?? "unknown" }
        let bytes: [UInt8] = unsafe withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { buffer in
            guard let base = buffer.baseAddress, unsafe inet_pton(AF_INET6, address, base) == 1 else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(buffer))
        }
        guard bytes.count == 16 else { return address }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        guard !isMapped else { return bytes[12...].map(String.init).joined(separator: ".") }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":")
    }
}
